//! What a client of STOMP does that vectors can't say: limits of output, secrets, owned messages.

use sansocket_realtime::{
    Message, hub,
    stomp::{
        EncodeError,
        client::{
            Client, ClientConfig, ClientError, ClientLimits, ConnectOptions, Event, OpenError,
            SendError, State, SubscribeError, SubscribeOptions,
        },
        header::{AckMode, HeartBeat},
        server,
    },
};
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1000);

fn open(config: ClientConfig) -> Client {
    let mut client = Client::new(config);
    client.connection_opened(NOW).unwrap();
    while client.next_output(NOW).is_some() {}
    client
}

fn connect(config: ClientConfig) -> Client {
    let mut client = open(config);
    receive(&mut client, "CONNECTED\nversion:1.2\nheart-beat:10000,10000\n\n\0");
    client
}

/// Receives frames, and returns descriptions of their events.
fn receive(client: &mut Client, input: &str) -> Vec<String> {
    let mut input = input.as_bytes();
    let mut events = Vec::new();
    while let Some(event) = client.receive(&mut input, NOW).unwrap() {
        events.push(format!("{event:?}"));
    }
    events
}

fn written(client: &mut Client) -> Vec<String> {
    let outputs = std::iter::from_fn(|| client.next_output(NOW));
    outputs.map(|output| String::from_utf8(output.head().to_vec()).unwrap()).collect()
}

/// 1.2 §Value Encoding: CONNECT has no escapes, so it can't express line ends.
#[test]
fn connect_with_a_line_end_is_refused() {
    let options = ConnectOptions::default().login("ada", "a\nlogin:eve");
    let mut client = Client::new(ClientConfig::default().connect(options));
    let refused = client.connection_opened(NOW);
    assert!(matches!(refused, Err(OpenError::Encode(EncodeError::Value { octet: b'\n', .. }))));
    assert_eq!((client.state(), client.next_output(NOW)), (State::Disconnected, None));
    // What the client says of itself can be replaced.
    client.set_connect_options(ConnectOptions::default().login("ada", "a"));
    client.connection_opened(NOW).unwrap();
    assert!(written(&mut client)[0].contains("\npasscode:a\n"));
}

#[test]
fn secrets_are_not_shown() {
    let options = ConnectOptions::default().login("ada", "secret").header("x-token", "secret");
    let config = ClientConfig::default().connect(options);
    let mut client = Client::new(config.clone());
    client.connection_opened(NOW).unwrap();
    assert!(!format!("{config:?} {client:?}").contains("secret"));
    let output = client.next_output(NOW).unwrap();
    assert!(!format!("{output:?}").contains("secret"));
    assert!(String::from_utf8_lossy(output.head()).contains("secret"));

    // Nor is what the application sends and subscribes with.
    receive(&mut client, "CONNECTED\nversion:1.2\n\n\0");
    client.send_with_receipt("/queue/a", &Message::new("secret").header("x", "secret")).unwrap();
    let options = SubscribeOptions::default().header("x-token", "secret");
    let shown = format!("{options:?}");
    client.subscribe("/queue/a", options).unwrap();
    assert!(shown.contains("x-token") && !shown.contains("secret"), "{shown}");
    let shown = format!("{client:?}");
    assert!(shown.contains("Connected") && !shown.contains("secret"), "{shown}");
}

/// A client can't know the limits of a server, and it loses its connection where it exceeds them.
#[test]
fn the_defaults_of_both_ends_fit() {
    let (client, server) = (ClientLimits::default(), server::Config::default());
    assert!(client.receipts + client.subscriptions + client.transactions < server.receipts);
    assert!(client.transactions <= server.transactions);
    assert!(client.subscriptions <= hub::Config::default().subscriptions);
}

#[test]
fn a_subscription_that_no_version_can_express_is_refused_at_once() {
    let mut client = Client::new(ClientConfig::default());
    let refused = client.subscribe("/topic/\0", SubscribeOptions::default());
    assert!(matches!(refused, Err(SubscribeError::Send(SendError::Encode(_)))));
    let options = SubscribeOptions::default().header("", "1");
    let refused = client.subscribe("/topic/a", options);
    assert!(matches!(refused, Err(SubscribeError::Send(SendError::Encode(_)))));
}

/// Versions before 1.2 have no escape for CR. That is found as soon as the version is known.
#[test]
fn a_subscription_that_the_chosen_version_can_not_express_fails_the_connection() {
    let mut client = Client::new(ClientConfig::default());
    let subscription = client.subscribe("/topic/\r", SubscribeOptions::default()).unwrap();
    client.connection_opened(NOW).unwrap();
    let error = client.receive(&mut &b"CONNECTED\nversion:1.1\n\n\0"[..], NOW).unwrap_err();
    let is_it = |error: &ClientError| matches!(error, ClientError::Subscription { subscription: failed, .. } if *failed == subscription);
    assert!(is_it(&error), "{error:?}");
    assert!(!error.is_server_fault() && !error.is_temporary());
    assert_eq!(client.connection_lost(NOW, 0).reconnect_at, None);
    assert!(client.unsubscribe(subscription) && !client.unsubscribe(subscription));
}

#[test]
fn output_is_limited() {
    let limits = ClientLimits::default().output(100);
    let mut client = connect(ClientConfig::default().limits(limits));
    client.send("/queue/a", &Message::new(vec![b'a'; 200])).unwrap();
    let queued = client.queued_output();
    assert!(queued > 200);
    let full = SendError::Full { queued, limit: 100 };
    assert_eq!(client.send("/queue/a", &Message::new("a")), Err(full.clone()));
    assert_eq!(client.send_with_receipt("/queue/a", &Message::new("a")), Err(full.clone()));
    let refused = client.subscribe("/queue/a", SubscribeOptions::default());
    assert_eq!(refused, Err(SubscribeError::Send(full)));
    assert_eq!(written(&mut client).len(), 1);
    client.send("/queue/a", &Message::new("a")).unwrap();
    // DISCONNECT has its place, full or not.
    client.send("/queue/a", &Message::new(vec![b'a'; 200])).unwrap();
    client.disconnect(NOW);
    assert_eq!(client.state(), State::Disconnecting);
    assert_eq!(written(&mut client).last().unwrap(), "DISCONNECT\nreceipt:0\n\n\0");
}

/// A server that floods the client with duplicates gets no endless queue of acknowledgements.
#[test]
fn acknowledgements_of_duplicates_are_limited() {
    let limits = ClientLimits::default().output(100);
    let mut client = connect(ClientConfig::default().limits(limits));
    let options = SubscribeOptions::default().ack(AckMode::ClientIndividual);
    client.subscribe("/topic/a", options).unwrap();
    receive(&mut client, "RECEIPT\nreceipt-id:0\ncursor:5f-10\n\n\0");
    let _ = client.connection_lost(NOW, 0);
    client.connection_opened(NOW).unwrap();
    receive(&mut client, "CONNECTED\nversion:1.2\n\n\0");
    written(&mut client);
    let duplicate = "MESSAGE\nsubscription:0\nmessage-id:5f-9\nack:a\ndestination:/topic/a\n\n\0";
    let input = duplicate.repeat(100);
    let mut input = input.as_bytes();
    let error = loop {
        match client.receive(&mut input, NOW) {
            Ok(event) => assert!(matches!(event, Some(Event::Ignored(_)))),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ClientError::OutputFull { limit: 100, .. }));
    assert_eq!((client.state(), client.queued_output()), (State::Over, 0));
}

#[test]
fn a_message_can_be_taken_along() {
    let mut client = connect(ClientConfig::default());
    client.subscribe("/topic/a", SubscribeOptions::default()).unwrap();
    let mut input = &b"MESSAGE\nsubscription:0\nmessage-id:5f-1\ndestination:/topic/b\n\
        content-type:a/b\nx:1\nx:2\ny\\c:\\n\nredelivered:true\ncontent-length:3\n\na\0b\0"[..];
    let event = client.receive(&mut input, NOW).unwrap();
    let Some(Event::Message(delivery)) = event else { panic!("{event:?}") };
    assert_eq!((delivery.destination(), delivery.message_id()), ("/topic/b", "5f-1"));
    assert_eq!((delivery.ack_token(), delivery.text()), (None, Some("a\0b")));
    assert_eq!(delivery.headers().count(), 9);
    let message = Message::new("a\0b").content_type("a/b").header("x", "1").header("y:", "\n");
    assert_eq!(delivery.to_message(), message);
}

#[test]
fn what_the_server_says_of_itself() {
    let mut client = open(ClientConfig::default());
    let mut input = &b"CONNECTED\nversion:1.1\nsession:7\nserver:a/1\nuser-name:ada\n\n\0"[..];
    let event = client.receive(&mut input, NOW).unwrap();
    let Some(Event::Connected(connected)) = event else { panic!("{event:?}") };
    assert_eq!(connected.session().as_deref(), Some("7"));
    assert_eq!(connected.server().as_deref(), Some("a/1"));
    assert_eq!(connected.get("user-name").as_deref(), Some("ada"));
    assert_eq!(connected.headers().count(), 4);
    let version = connected.version();
    assert_eq!(client.version(), Some(version));
}

/// RabbitMQ does not say which SUBSCRIBE it refuses.
#[test]
fn a_subscription_that_has_not_begun_can_be_found() {
    let mut client = connect(ClientConfig::default());
    let [good, bad] =
        ["/a", "/b"].map(|to| client.subscribe(to, SubscribeOptions::default()).unwrap());
    receive(&mut client, "RECEIPT\nreceipt-id:0\n\n\0ERROR\nmessage:no\n\n\0");
    assert_eq!([good, bad].map(|id| client.has_begun(id)), [true, false]);
    let _ = client.connection_lost(NOW, 0);
    assert_eq!([good, bad].map(|id| client.has_begun(id)), [false, false]);
}

/// What was offered counts, whatever the options say by the time of the answer.
#[test]
fn options_count_from_the_next_connection_on() {
    let mut client = open(ClientConfig::default());
    let none = HeartBeat::default();
    client.set_connect_options(ConnectOptions::default().versions(vec![]).heart_beat(none));
    receive(&mut client, "CONNECTED\nversion:1.2\nheart-beat:10000,10000\n\n\0");
    assert_eq!(client.next_deadline(), Some(NOW + Duration::from_secs(9)));
}

/// What is queued and not written yet is as good as a heart-beat, and is sent first.
#[test]
fn no_heart_beat_is_queued_behind_output() {
    let second = Duration::from_secs(1);
    let options = ConnectOptions::default().heart_beat(HeartBeat::new(second, Duration::ZERO));
    let mut client = connect(ClientConfig::default().connect(options));
    assert_eq!(client.next_deadline(), Some(NOW + 9 * second));
    client.send("/queue/a", &Message::new("a")).unwrap();
    assert_eq!(client.next_deadline(), None);
    client.time_passed(NOW + 20 * second).unwrap();
    assert!(client.next_output(NOW + 20 * second).unwrap().head().starts_with(b"SEND"));
    assert_eq!(client.next_output(NOW + 20 * second), None);
    assert_eq!(client.next_deadline(), Some(NOW + 29 * second));
}

/// The longest intervals do not overflow.
#[test]
fn deadlines_are_at_most_the_longest_time() {
    let longest = Duration::from_millis(u64::MAX);
    let options = ConnectOptions::default().heart_beat(HeartBeat::new(longest, longest));
    let config = ClientConfig::default().connect_timeout(Duration::MAX).connect(options);
    let mut client = Client::new(config.disconnect_timeout(Duration::MAX));
    client.connection_opened(Duration::MAX).unwrap();
    assert_eq!(client.next_deadline(), Some(Duration::MAX));
    let text = format!("CONNECTED\nversion:1.2\nheart-beat:{0},{0}\n\n\0", u64::MAX);
    client.receive(&mut text.as_bytes(), Duration::MAX).unwrap();
    while client.next_output(Duration::MAX).is_some() {}
    assert_eq!(client.next_deadline(), Some(Duration::MAX));
    client.disconnect(Duration::MAX);
    assert_eq!(client.connection_lost(Duration::MAX, 0).reconnect_at, None);
}
