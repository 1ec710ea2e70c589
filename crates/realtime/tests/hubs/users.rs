//! The queues of users over a bridge.

use crate::alone::{Alone, BROKER};
use sansocket_realtime::{
    Message,
    hub::{Command, Config, ConnectionId, Principal},
};

const NOTHING: [&str; 0] = [];

/// Creates a hub with connection 1 of a user, and a bridge that is up.
fn hub_of(user: Option<&str>, config: Config) -> Alone {
    let mut hub = Alone::with_config(config);
    assert_eq!(hub.up(BROKER, 0), NOTHING);
    let (connection, principal) = (ConnectionId(1), user.map(Principal::new));
    assert_eq!(hub.handle(Command::Connect { connection, principal }), NOTHING);
    hub
}

fn to_joe(hub: &mut Alone, body: &'static str) -> Vec<String> {
    hub.handle(Command::send_to_user(&Principal::new("joe"), "/queue/a", Message::new(body)))
}

#[test]
fn a_user_can_be_at_any_hub() {
    let mut hub = hub_of(Some("joe"), Config::default());
    assert_eq!(hub.subscribe(0, &["/user/queue/a"]), ["?1 follow /user/joe/queue/a"]);
    assert_eq!(hub.answer(1, "/user/joe/queue/a", &[], 0, 0), ["0: begins from b-0"]);
    assert_eq!(to_joe(&mut hub, "1"), ["!1 /user/joe/queue/a 1"]);
    assert_eq!(hub.message("/user/joe/queue/a", 1), ["0: 1"]);
    assert_eq!(hub.message("/user/ann/queue/a", 2), NOTHING);
    assert_eq!(hub.unsubscribe(0), ["unfollow /user/joe/queue/a"]);
    // At another hub, or later, the queue resumes as a topic does.
    assert_eq!(hub.resume(0, &["/user/queue/a"], 1), ["?2 follow /user/joe/queue/a after 1"]);
    let told = [("/user/joe/queue/a", 3)];
    assert_eq!(hub.answer(2, "/user/joe/queue/a", &told, 1, 3), ["0: begins from b-1", "0: 3"]);
}

#[test]
fn the_queues_of_a_connection_without_a_user_stay_in_their_hub() {
    let mut hub = hub_of(None, Config::default());
    assert_eq!(hub.subscribe(0, &["/user/queue/a"]), ["0: begins from a-0"]);
    assert_eq!(hub.unsubscribe(0), NOTHING);
}

#[test]
fn the_queues_of_users_can_be_local() {
    let local = Config::default().local("/user/*/queue/a".parse().unwrap());
    let mut hub = hub_of(Some("joe"), local);
    assert_eq!(hub.subscribe(0, &["/user/queue/a"]), ["0: begins from a-0"]);
    assert_eq!(hub.subscribe(1, &["/user/queue/b"]), ["?1 follow /user/joe/queue/b"]);
    assert_eq!(to_joe(&mut hub, "1"), ["0: 1"]);
}
