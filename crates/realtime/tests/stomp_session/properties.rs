//! Properties of a session of STOMP for arbitrary frames in any order, with a hub behind it; and what is
//! not a matter of bytes alone.

use crate::any_bytes::check_session;
use proptest::{collection::vec, prelude::*, sample::select};
use sansocket::CloseCode;
use sansocket_realtime::{
    Message, Published,
    hub::{ConnectionId, Effect, SubscriptionId},
    stomp::{
        header::HeartBeat,
        server::{Config, Event, Output, Session, SessionError},
    },
};
use std::{sync::Arc, time::Duration};

const NOW: Duration = Duration::ZERO;

/// Values that fit some header, so that frames refer to each other.
const VALUES: [&str; 24] = [
    "",
    "0",
    "1",
    "a",
    "b",
    "0-0",
    "0-1",
    "1-1",
    "0-1-gap",
    "5f-1",
    "5f-2",
    "5e-1",
    "reply-0",
    "auto",
    "client",
    "client-individual",
    "true",
    "last",
    "beginning",
    "/topic/a",
    "/queue/a",
    "/user/queue/echo",
    "longer than twenty bytes",
    "c\\nd\\\\",
];

const DESTINATIONS: [&str; 10] = [
    "/topic/a",
    "/topic/*",
    "/topic/later",
    "/queue/a",
    "/queue/b",
    "/user/queue/echo",
    "/app/echo",
    "/app/later",
    "/app/no",
    "/nowhere",
];

const COMMANDS: [&str; 10] = [
    "SEND",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ACK",
    "NACK",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "DISCONNECT",
    "CONNECT",
];

/// The headers that a command has, each of which may be missing.
fn names(command: &str) -> &'static [&'static str] {
    match command {
        "SEND" => &["destination", "transaction", "receipt", "message-id", "x"],
        "SUBSCRIBE" => {
            &["destination", "id", "ack", "receipt", "since", "start", "gaps", "prefetch-count"]
        }
        "UNSUBSCRIBE" => &["id", "destination", "receipt"],
        "ACK" | "NACK" => &["id", "message-id", "subscription", "transaction", "receipt"],
        "DISCONNECT" => &["receipt"],
        "CONNECT" => &["accept-version", "receipt"],
        _ => &["transaction", "receipt"],
    }
}

/// A frame that is likely to be valid.
fn likely_frame() -> impl Strategy<Value = String> {
    let id = || select(vec!["0", "1", "a"]);
    let receipt = || prop_oneof![3 => Just(String::new()), 1 => "receipt:[a-c]\n"];
    let transaction =
        || prop_oneof![4 => Just(String::new()), 1 => Just("transaction:t\n".to_owned())];
    let destination = || select(DESTINATIONS[..8].to_vec());
    let ack = select(vec!["auto", "client", "client-individual"]);
    prop_oneof![
        (destination(), transaction(), receipt()).prop_map(
            |(destination, transaction, receipt)| {
                format!("SEND\ndestination:{destination}\n{transaction}{receipt}\nhi\0")
            }
        ),
        (destination(), id(), ack, receipt()).prop_map(|(destination, id, ack, receipt)| {
            format!("SUBSCRIBE\ndestination:{destination}\nid:{id}\nack:{ack}\n{receipt}\n\0")
        }),
        (id(), receipt()).prop_map(|(id, receipt)| format!("UNSUBSCRIBE\nid:{id}\n{receipt}\n\0")),
        (0..2_u8, 0..4_u8, transaction(), receipt()).prop_map(
            |(subscription, delivery, transaction, receipt)| format!(
                "ACK\nid:{subscription}-{delivery}\nsubscription:{subscription}\n\
                 message-id:5f-{delivery}\n{transaction}{receipt}\n\0"
            )
        ),
        (select(vec!["BEGIN", "COMMIT", "ABORT"]), receipt())
            .prop_map(|(command, receipt)| format!("{command}\ntransaction:t\n{receipt}\n\0")),
        receipt().prop_map(|receipt| format!("DISCONNECT\n{receipt}\n\0")),
    ]
}

fn any_frame() -> impl Strategy<Value = String> {
    select(COMMANDS.to_vec()).prop_flat_map(|command| {
        let names = names(command);
        let value = prop_oneof![select(VALUES.to_vec()), select(DESTINATIONS.to_vec())];
        vec(proptest::option::weighted(0.7, value), names.len()).prop_map(move |values| {
            let headers = names.iter().zip(values);
            let headers: String =
                headers.filter_map(|(name, value)| Some(format!("{name}:{}\n", value?))).collect();
            format!("{command}\n{headers}\n\0\n")
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn likely_frames_in_any_order_keep_all_promises(
        choice: u8,
        seed: u8,
        frames in vec(prop_oneof![20 => likely_frame(), 1 => any_frame()], 0..20),
    ) {
        let mut data = vec![choice, seed];
        data.extend(frames.concat().bytes());
        check_session(&data);
    }

    #[test]
    fn any_frames_in_any_order_keep_all_promises(
        choice: u8,
        seed: u8,
        frames in vec(any_frame(), 0..8),
        rest in vec(any::<u8>(), 0..4),
    ) {
        let mut data = vec![choice, seed];
        data.extend(frames.concat().bytes().chain(rest));
        check_session(&data);
    }
}

fn connected(config: Config, version: &str) -> Session {
    let mut session = Session::new(ConnectionId(1), Arc::new(config), NOW);
    session.receive(format!("CONNECT\naccept-version:{version}\n\n\0"), NOW);
    assert!(matches!(session.next_event(), Some(Event::Connect(_))));
    session.accept(None, NOW);
    session.receive(&b"SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0"[..], NOW);
    while session.next_event().is_some() {}
    while session.next_output().is_some() {}
    session
}

fn deliver(session: &mut Session, message: &Arc<Published>) {
    let (connection, subscription, delivery) = (ConnectionId(1), SubscriptionId(0), None);
    let message = message.clone();
    let effect =
        Effect::Deliver { connection, subscription, delivery, is_redelivered: false, message };
    session.apply(&effect, NOW);
}

fn output(session: &mut Session) -> Vec<String> {
    let text = |output| match output {
        Output::Frame(frame) => String::from_utf8_lossy(&frame.into_bytes()).into_owned(),
        Output::Close(code) => code.to_string(),
        other => panic!("{other:?}"),
    };
    core::iter::from_fn(|| session.next_output()).map(text).collect()
}

/// 1.2 §ERROR: the client gets the ERROR, although there is no room for what comes before it.
#[test]
fn a_client_that_does_not_read_ends_the_session() {
    let mut session = connected(Config::default().queued_output(150), "1.2");
    let message = Published::new(None, "/topic/a".into(), Message::new(vec![b'a'; 100]));
    let message = Arc::new(message);
    deliver(&mut session, &message);
    let len = session.output_bytes();
    assert!(!session.has_ended() && len > 150, "the last one may exceed the limit: {len}");
    deliver(&mut session, &message);
    assert_eq!(session.error(), Some(&SessionError::QueueFull { limit: 150 }));
    let output = output(&mut session);
    assert_eq!(output.len(), 2, "{output:?}");
    assert!(output[0].contains("\nmessage:you are too slow\\c 150 bytes wait for you\n"));
    assert_eq!(output[1], CloseCode::TRY_AGAIN_LATER.to_string());
}

/// A message can be written in one version and not in another. That must not stop the sharing of those
/// for whom it can.
#[test]
fn a_destination_that_can_not_be_written_ends_the_session() {
    let message = Arc::new(Published::new(None, "/topic/a\rb".into(), Message::new("a")));
    for (version, is_written) in [("1.0", false), ("1.1", false), ("1.2", true)] {
        let mut session = connected(Config::default(), version);
        deliver(&mut session, &message);
        assert_eq!(session.has_ended(), !is_written, "{version}");
        assert_eq!(session.error().is_none(), is_written);
    }
}

/// What came before CONNECT can have a receipt that no version can be trusted to read.
#[test]
fn an_error_is_never_lost_to_its_receipt() {
    let mut session = Session::new(ConnectionId(1), Arc::new(Config::default()), NOW);
    session.receive(&b"SEND\nreceipt:a\\nb\n\n\0"[..], NOW);
    assert!(session.next_event().is_none());
    let expected = "ERROR\ncontent-length:0\nmessage:SEND before CONNECT\ncommand:SEND\n\n\0";
    assert_eq!(output(&mut session), [expected, "1002 (protocol error)"]);
}

/// The header is one short line that all versions read, and the body has all of it.
#[test]
fn a_long_reason_is_the_body_of_the_error() {
    let mut session = Session::new(ConnectionId(1), Arc::new(Config::default()), NOW);
    session.receive(&b"CONNECT\n\n\0"[..], NOW);
    assert!(session.next_event().is_some());
    let reason = "no: \\ \n".to_owned() + &"é".repeat(200);
    session.refuse(reason, CloseCode::POLICY_VIOLATION, NOW);
    let [error, _] = output(&mut session).try_into().unwrap();
    let (head, body) = error.split_once("\n\n").unwrap();
    let [_, _, message, content_type] = head.split('\n').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(message, format!("message:no     {}", "é".repeat(96)));
    assert_eq!(content_type, "content-type:text/plain");
    assert_eq!(body, format!("no: \\ \n{}\0", "é".repeat(200)));
}

/// The passcode and tokens are not for logs.
#[test]
fn nothing_secret_is_shown() {
    let mut session = Session::new(ConnectionId(1), Arc::new(Config::default()), NOW);
    session.receive(&b"CONNECT\nlogin:ann\npasscode:secret\ntoken:secret\n\n\0"[..], NOW);
    let Some(Event::Connect(request)) = session.next_event() else { panic!("no CONNECT") };
    let shown = format!("{request:?} {session:?}");
    assert!(shown.contains("ann") && !shown.contains("secret"), "{shown}");
    assert_eq!(request.get("token"), Some("secret"));
    assert_eq!(request.headers().count(), 3);
}

#[test]
fn many_subscriptions_begin_and_end_in_any_order() {
    let mut session = connected(Config::default(), "1.2");
    let subscribe = |id| format!("SUBSCRIBE\nid:s{id}\ndestination:/topic/a\n\n\0");
    session.receive((0..2_000).map(subscribe).collect::<String>(), NOW);
    let unsubscribe = |id| format!("UNSUBSCRIBE\nid:s{id}\n\n\0");
    session.receive((0..2_000).rev().map(unsubscribe).collect::<String>(), NOW);
    assert_eq!(core::iter::from_fn(|| session.next_event()).count(), 4_000);
    assert!(!session.has_ended());
}

/// 1.2 §Heart-beating: a beat is for when there is no real frame to send.
#[test]
fn a_beat_does_not_queue_behind_what_is_not_sent() {
    let beat = Duration::from_secs(10);
    let config = Config::default().heart_beat(HeartBeat::new(beat, Duration::ZERO));
    let mut session = Session::new(ConnectionId(1), Arc::new(config), NOW);
    session.receive(&b"CONNECT\naccept-version:1.2\nheart-beat:0,10000\n\n\0"[..], NOW);
    assert!(session.next_event().is_some());
    session.accept(None, NOW);
    // Each beat is a tenth early.
    let early = beat - beat / 10;
    assert_eq!(session.next_deadline(), Some(early));
    session.time_passed(early);
    assert_eq!(session.next_deadline(), Some(2 * early));
    assert_eq!(output(&mut session).len(), 1, "CONNECTED alone");
    session.time_passed(2 * early);
    assert_eq!(output(&mut session), ["\n"]);
}

/// 1.2 §Heart-beating: new data is a sign of life, and an empty message of WebSocket has none.
#[test]
fn a_message_without_bytes_is_no_sign_of_life() {
    let beat = Duration::from_secs(10);
    let config = Config::default().heart_beat(HeartBeat::new(Duration::ZERO, beat));
    let mut session =
        Session::new(ConnectionId(1), Arc::new(config.heart_beat_margin(Duration::ZERO)), NOW);
    session.receive(&b"CONNECT\naccept-version:1.2\nheart-beat:10000,0\n\n\0"[..], NOW);
    assert!(session.next_event().is_some());
    session.accept(None, NOW);
    session.receive(&b""[..], beat);
    assert_eq!(session.next_deadline(), Some(2 * beat));
    session.receive(&b"\n"[..], beat);
    assert_eq!(session.next_deadline(), Some(3 * beat));
}

#[test]
fn a_transport_that_has_ended_gets_nothing() {
    let mut session = connected(Config::default(), "1.2");
    let message = Published::new(None, "/topic/a".into(), Message::new("a"));
    deliver(&mut session, &Arc::new(message));
    session.transport_ended();
    assert!(session.next_output().is_none());
    assert!(session.has_ended() && session.error().is_none());
}
