//! `/app/…`: what the application handles, and how it replies.

use super::*;
use sansocket_realtime::hub::{Answer, Call, Handlers};

fn calls(world: &mut World, command: Command) -> Vec<Call> {
    let effects = world.hub.handle(command, Duration::ZERO);
    effects
        .filter_map(|effect| if let Effect::Call(call) = effect { Some(*call) } else { None })
        .collect()
}

fn sent(connection: u64, destination: &str) -> Command {
    let request = Some(RequestId(7));
    let operation = send(destination, "x");
    Command::Perform { connection: ConnectionId(connection), operation, request }
}

#[test]
fn a_call_has_the_variables_of_its_route() {
    let mut world = World::new();
    let order = world.hub.route("/app/orders/{id}/{action}").unwrap();
    let list = world.hub.route("/app/orders/{id}/list").unwrap();
    let all = world.hub.route("/app/orders").unwrap();
    world.log_in(1, "joe");
    let found = calls(&mut world, sent(1, "/app/orders/4 2/cancel"));
    assert_eq!(found[0].route, order);
    assert_eq!(
        (found[0].variable("id"), found[0].variable("action")),
        (Some("4 2"), Some("cancel"))
    );
    assert_eq!(found[0].variable("orders"), None);
    assert_eq!(found[0].principal, Some(Principal::new("joe")));
    assert_eq!(calls(&mut world, sent(1, "/app/orders/42/list"))[0].route, list);
    assert_eq!(calls(&mut world, sent(1, "/app/orders"))[0].route, all);
    assert_eq!(world.send(1, "/app/other", "x"), ["1?7 refused: nothing handles \"/app/other\""]);
    assert_eq!(
        world.subscribe(1, 0, "/app/other"),
        ["1/0 refused: nothing handles \"/app/other\""]
    );
}

#[test]
fn routes_are_checked() {
    let mut world = World::new();
    world.hub.route("/app/a/{b}").unwrap();
    for wrong in [
        "/app",
        "/topic/a",
        "/app/",
        "/app//a",
        "/app/a{b}",
        "/app/{}",
        "/app/**",
        "/app/*",
        "/app/a/{c}",
    ] {
        let error = world.hub.route(wrong).unwrap_err();
        assert!(error.to_string().contains(wrong), "{error}");
    }
}

#[test]
fn a_call_is_processed_once_it_is_finished() {
    let mut world = World::new();
    world.hub.route("/app/a").unwrap();
    world.connect(1);
    let call = calls(&mut world, sent(1, "/app/a")).remove(0);
    assert_eq!(world.handle(call.finished()), ["1?7 done"]);
    assert_eq!(world.handle(call.refused("no")), [""; 0]);
    let call = calls(&mut world, sent(1, "/app/a")).remove(0);
    assert_eq!(world.handle(call.refused("no")), ["1?7 refused: no"]);
    assert_eq!(world.handle(call.finished()), [""; 0]);
    let call = calls(&mut world, sent(1, "/app/a")).remove(0);
    world.disconnect(1);
    assert_eq!(world.handle(call.finished()), [""; 0]);
    assert_eq!(world.handle(call.refused("no")), [""; 0]);
}

#[test]
fn a_reply_goes_to_the_sender_alone() {
    let mut world = World::new();
    world.hub.route("/app/a").unwrap();
    world.log_in(1, "joe");
    world.log_in(2, "joe");
    world.connect(3);
    for connection in 1..=3 {
        world.subscribe(connection, 0, "/user/queue/replies");
    }
    let call = calls(&mut world, sent(1, "/app/a")).remove(0);
    assert_eq!(world.handle(call.reply("/user/queue/replies", Message::new("y"))), ["1/0 y"]);
    assert_eq!(world.handle(call.reply("/user/queue/other", Message::new("y"))), [""; 0]);
    let call = calls(&mut world, sent(3, "/app/a")).remove(0);
    world.pause(3);
    assert_eq!(world.handle(call.reply("/user/queue/replies", Message::new("z"))), ["3/0 z"]);
}

#[test]
fn a_subscription_of_the_application_gets_its_replies() {
    let mut world = World::new();
    world.hub.route("/app/state/{id}").unwrap();
    world.connect(1);
    let subscribe = Command::Subscribe {
        connection: ConnectionId(1),
        subscription: SubscriptionId(4),
        destinations: vec!["/app/state/9".into()],
        options: SubscribeOptions::default(),
        request: Some(RequestId(8)),
    };
    let effects: Vec<_> = world.hub.handle(subscribe, Duration::ZERO).collect();
    let Effect::Call(call) = &effects[1] else { panic!("{effects:?}") };
    assert_eq!((call.subscription, call.variable("id")), (Some(SubscriptionId(4)), Some("9")));
    assert_eq!(show(effects[0].clone()), "1/4 begins");
    assert_eq!(world.handle(call.reply(call.destination.clone(), Message::new("s"))), ["1/4 s"]);
    assert_eq!(world.handle(call.finished()), ["1?8 done"]);
    assert_eq!(world.handle(call.refused("no")), [""; 0]);
    assert_eq!(world.hub.subscriptions(), 1);
    assert_eq!(world.hub.cursor(ConnectionId(1), SubscriptionId(4)), None);
}

#[test]
fn handlers_are_functions() {
    let mut world = World::new();
    let mut handlers = Handlers::new();
    handlers
        .on(&mut world.hub, "/app/orders/{id}", |seen: &mut Vec<String>, call| {
            seen.push(call.variable("id").unwrap().to_owned());
            Answer::new()
                .reply("/user/queue/replies", Message::new("r"))
                .publish("/topic/orders", Message::new("p"))
                .send_to_user(Principal::new("ann"), "/queue/orders", Message::new("u"))
        })
        .unwrap();
    handlers.on(&mut world.hub, "/app/no", |_, _| Answer::refuse("no")).unwrap();
    world.connect(1);
    world.subscribe(1, 0, "/user/queue/replies");
    world.subscribe(1, 1, "/topic/orders");
    world.log_in(2, "ann");
    world.subscribe(2, 0, "/user/queue/orders");
    let mut seen = Vec::new();
    let mut run = |world: &mut World, destination| {
        let call = calls(world, sent(1, destination)).remove(0);
        let commands = handlers.handle(&mut seen, &call);
        commands.into_iter().flat_map(|command| world.handle(command)).collect::<Vec<_>>()
    };
    assert_eq!(run(&mut world, "/app/orders/42"), ["1/0 r", "1/1 p@1", "2/0 u@2", "1?7 done"]);
    assert_eq!(run(&mut world, "/app/no"), ["1?7 refused: no"]);
    world.hub.route("/app/other").unwrap();
    assert_eq!(run(&mut world, "/app/other"), ["1?7 refused: nothing handles this destination"]);
    assert_eq!(seen, ["42"]);
}
