//! What event streams contain.

use crate::{
    json::Json,
    server::{SECOND, Server},
};
use sansocket_realtime::{
    Message,
    hub::{self, Command, ConnectionId, TopicConfig},
    poll,
    sse::{EventStream, EventStreamConfig, EventStreamRequest, Parser, RESPONSE_FIELDS, Received},
};
use std::time::Duration;

const START: &str = "retry: 3000\n\nid: a-0\n\n";

#[test]
fn a_stream_begins_with_a_reconnection_time_and_a_cursor() {
    let mut server = Server::new();
    server.publish("/topic/b", "1");
    server.open("topic=/topic/a", None);
    let head = server.stream.head().expect("the hub has answered");
    assert_eq!(head.status, 200);
    assert!(head.fields().eq(RESPONSE_FIELDS.iter().map(|(name, value)| (*name, (*value).into()))));
    // A stream without `nosniff` can be run as a script: its fields are labels.
    assert!(head.fields().any(|field| field == ("x-content-type-options", "nosniff".into())));
    assert_eq!(server.text(), "retry: 3000\n\nid: a-1\n\n");
    server.publish("/topic/b", "2");
    assert_eq!(server.text(), "");
    server.publish("/topic/a", "3");
    assert_eq!(server.text(), "id: a-3\ndata: 3\n\n");
    assert!(!server.stream.has_ended());
}

#[test]
fn a_stream_resumes_after_the_last_event_id() {
    let mut server = Server::new();
    for body in ["1", "2", "3"] {
        server.publish("/topic/a", body);
    }
    let rest = "id: a-2\n\nid: a-3\ndata: 3\n\n";
    for (query, id) in [
        ("topic=/topic/a", Some("a-2")),
        ("topic=/topic/a&since=a-1", Some("a-2")),
        ("topic=/topic/a&since=a-2", Some("")),
        ("topic=/topic/a&since=a-2", None),
    ] {
        server.open(query, id);
        assert_eq!(server.text(), format!("retry: 3000\n\n{rest}"), "{query} {id:?}");
    }
}

#[test]
fn a_gap_is_an_event_that_moves_the_cursor() {
    let hub = hub::Config::default().other_topics(TopicConfig::default().messages(1));
    let mut server = Server::with(EventStreamConfig::default(), hub);
    for body in ["1", "2", "3"] {
        server.publish("/topic/a", body);
    }
    for (id, before, from) in [
        ("a-1", "id: a-1\n\n", "a-1"),
        ("b-7", "id: b-7\n\n", "b-7"),
        // It is no cursor, so nobody knows what was before it.
        ("1042", "id: 0-0\n\n", "0-0"),
    ] {
        server.open("topic=/topic/a", Some(id));
        let gap = format!("event: gap\nid: a-2\ndata: {{\"from\":\"{from}\",\"to\":\"a-2\"}}\n\n");
        let expected = format!("retry: 3000\n\n{before}{gap}id: a-3\ndata: 3\n\n");
        assert_eq!(server.text(), expected, "{id}");
    }
}

#[test]
fn bodies_that_do_not_fit_are_binary_events() {
    let mut server = Server::new();
    server.open("topic=/topic/a", None);
    assert_eq!(server.text(), START);
    server.publish("/topic/a", [0xff, 0]);
    assert_eq!(server.text(), "event: binary\nid: a-1\ndata: /wA=\n\n");
    server.publish("/topic/a", "a\r\nb\rc\n");
    assert_eq!(server.text(), "id: a-2\ndata: a\ndata: b\ndata: c\ndata: \n\n");
}

#[test]
fn the_json_form_has_what_polls_have() {
    let mut server = Server::new();
    server.open("topic=/topic/*&form=json", None);
    assert_eq!(server.text(), START);
    let message = Message::new("a\r\nb").content_type("text/plain").header("x", "1");
    let destination = "/topic/a".into();
    server.handle(Command::Publish { destination, message, request: None });
    let block = server.text();
    let data = block.strip_prefix("id: a-1\ndata: ").and_then(|it| it.strip_suffix("\n\n"));
    let data = Json::parse(data.unwrap().as_bytes());
    assert_eq!(data.text_of("topic"), "/topic/a");
    assert_eq!(data.text_of("cursor"), "a-1");
    assert_eq!(data.text_of("type"), "text/plain");
    assert_eq!(data.get("headers").unwrap().text_of("x"), "1");
    assert_eq!(data.text_of("data"), "a\r\nb");
    server.publish("/topic/b", [0xff]);
    let expected = "{\"topic\":\"/topic/b\",\"cursor\":\"a-2\",\"base64\":\"/w==\"}";
    assert_eq!(server.text(), format!("id: a-2\ndata: {expected}\n\n"));
}

#[test]
fn a_message_is_encoded_once_for_all_streams_of_a_form() {
    for (form, chunk) in [("text", 0), ("json", 1)] {
        let mut server = Server::new();
        server.publish("/topic/a", "a");
        let mut pointers = Vec::new();
        for _ in 0..3 {
            server.open(&format!("topic=/topic/a&since=beginning&form={form}"), None);
            let mut chunks = std::iter::from_fn(|| server.stream.next_chunk()).skip(2);
            pointers.push(chunks.nth(chunk).expect("the message").as_ptr());
        }
        assert!(pointers.iter().all(|pointer| *pointer == pointers[0]), "{form}");
    }
}

#[test]
fn replies_have_no_id() {
    let mut server = Server::new();
    for (form, expected) in [
        ("text", "data: hello\n\n"),
        ("json", "data: {\"topic\":\"/user/queue/a\",\"data\":\"hello\"}\n\n"),
    ] {
        server.open_for(Some("joe"), &format!("topic=/user/queue/a&form={form}"), None);
        assert_eq!(server.text(), START);
        let connection: ConnectionId = server.stream.subscription().0;
        let destination = "/user/queue/a".into();
        let message = Message::new("hello");
        server.handle(Command::Reply { connection, destination, message });
        assert_eq!(server.text(), expected);
    }
}

#[test]
fn a_silent_stream_beats_and_moves_its_cursor() {
    let mut server = Server::new();
    server.open("topic=/topic/a", None);
    assert_eq!(server.text(), START);
    assert_eq!(server.stream.next_deadline(), Some(server.now + 15 * SECOND));
    server.pass(15 * SECOND - Duration::from_nanos(1));
    assert_eq!(server.text(), "");
    server.pass(Duration::from_nanos(1));
    assert_eq!(server.text(), ":\n\n");
    // Messages of others have moved the cursor, so that a heart-beat tells it.
    server.publish("/topic/b", "");
    server.pass(15 * SECOND);
    assert_eq!(server.text(), "id: a-1\n\n");
    server.pass(15 * SECOND);
    assert_eq!(server.text(), ":\n\n");
    // An event is a sign of life too.
    server.pass(10 * SECOND);
    server.publish("/topic/a", "1");
    assert_eq!(server.text(), "id: a-2\ndata: 1\n\n");
    assert_eq!(server.stream.next_deadline(), Some(server.now + 15 * SECOND));
    server.pass(14 * SECOND);
    assert_eq!(server.text(), "");
    // The deadline is only a hint: a call before it does nothing.
    server.stream.time_passed(None, server.now);
    assert_eq!(server.text(), "");
}

#[test]
fn the_server_says_how_often_a_silent_stream_beats() {
    let config = EventStreamConfig::default().heart_beat(4 * SECOND).retry(SECOND);
    let mut server = Server::with(config, hub::Config::default());
    server.open("topic=/topic/a", None);
    assert_eq!(server.text(), "retry: 1000\n\nid: a-0\n\n");
    for _ in 0..2 {
        assert_eq!(server.stream.next_deadline(), Some(server.now + 4 * SECOND));
        server.pass(4 * SECOND);
        assert_eq!(server.text(), ":\n\n");
    }
}

#[test]
fn a_client_that_takes_nothing_gets_no_heart_beats_on_top() {
    let mut server = Server::new();
    server.open("topic=/topic/a", None);
    for _ in 0..100 {
        server.pass(15 * SECOND);
    }
    assert_eq!(server.text(), START);
}

/// A hub with two topics that retain, one of whose members it tells, and two messages in them.
fn retaining() -> Server {
    let retained = TopicConfig::default().retain(true);
    let hub = hub::Config::default()
        .topic("/topic/r/*".parse().unwrap(), retained)
        .topic("/topic/p".parse().unwrap(), TopicConfig::default().presence(true));
    let mut server = Server::with(EventStreamConfig::default(), hub);
    for (topic, body) in [("/topic/r/1", "1"), ("/topic/r/2", "2"), ("/topic/other", "3")] {
        server.publish(topic, body);
    }
    server
}

#[test]
fn what_was_retained_does_not_lead_the_cursor_back() {
    let mut server = retaining();
    let query = "topic=/topic/r/*&topic=/topic/other&since=last";
    let events = "id: a-1\ndata: 1\n\nid: a-2\ndata: 2\n\n";
    server.open(query, None);
    assert_eq!(server.stream.next_deadline(), Some(server.now));
    server.pass(Duration::ZERO);
    assert_eq!(server.text(), format!("retry: 3000\n\n{events}id: a-3\n\n"));
    assert_eq!(server.stream.next_deadline(), Some(server.now + 15 * SECOND));
    // A newer message leads the cursor on by itself.
    server.open(query, None);
    server.publish("/topic/other", "4");
    server.pass(Duration::ZERO);
    assert_eq!(server.text(), format!("retry: 3000\n\n{events}id: a-4\ndata: 4\n\n"));
    assert_eq!(server.stream.next_deadline(), Some(server.now + 15 * SECOND));
}

#[test]
fn a_cursor_is_not_told_before_the_retained_messages_that_it_would_skip() {
    let mut server = retaining();
    let query = "topic=/topic/r/*&since=last";
    let request = EventStreamRequest::parse(query, None, &server.config).unwrap();
    let connection = ConnectionId(1_000);
    let (config, now) = (server.config, server.now);
    let (stream, [connect, subscribe]) =
        EventStream::open(connection, None, request, config, now, 0);
    server.stream = stream;
    for command in [connect, Command::Pause { connection }, subscribe] {
        server.handle(command);
    }
    server.pass(Duration::ZERO);
    assert_eq!(server.text(), "retry: 3000\n\n");
    server.pass(15 * SECOND);
    assert_eq!(server.text(), ":\n\n");
    server.handle(Command::Resume { connection });
    server.pass(Duration::ZERO);
    assert_eq!(server.text(), "id: a-1\ndata: 1\n\nid: a-2\ndata: 2\n\nid: a-3\n\n");
}

/// Returns the data of all events in a part of a stream, and the last event ID of its client.
fn received(mut bytes: &[u8]) -> (Vec<String>, String) {
    let mut parser = Parser::default();
    let mut data = Vec::new();
    while let Some(received) = parser.next(&mut bytes).unwrap() {
        if let Received::Message(message) = received {
            data.push(message.data.to_owned());
        }
    }
    parser.end();
    (data, parser.last_event_id().to_owned())
}

#[test]
fn what_a_stream_begins_with_arrives_wherever_it_breaks() {
    let members = r#"{"event":"members","users":[]}"#;
    for (query, expected) in
        [("topic=/topic/r/*&since=last", &["1", "2"][..]), ("topic=/presence/topic/p", &[members])]
    {
        let mut server = retaining();
        server.open(query, None);
        server.pass(Duration::ZERO);
        let whole = server.take();
        assert_eq!(received(&whole).1, "a-3");
        for cut in 0..=whole.len() {
            let (mut data, id) = received(&whole[..cut]);
            server.open(query, Some(&id));
            data.extend(received(&server.take()).0);
            // A client without a cursor begins again.
            data.dedup();
            assert_eq!(data, expected, "{query} {:?}", std::str::from_utf8(&whole[..cut]));
        }
    }
}

#[test]
fn a_pause_of_the_hub_leaves_the_rest_where_it_is() {
    let mut server = Server::new();
    server.open("topic=/topic/a", None);
    server.publish("/topic/a", "1");
    assert_eq!(server.stream.queued(), START.len() + "id: a-1\ndata: 1\n\n".len());
    let connection = server.stream.subscription().0;
    server.handle(Command::Pause { connection });
    server.publish("/topic/a", "2");
    assert_eq!(server.text(), format!("{START}id: a-1\ndata: 1\n\n"));
    assert_eq!(server.stream.queued(), 0);
    // The heart-beat of a paused stream does not skip what is behind.
    server.pass(15 * SECOND);
    assert_eq!(server.text(), ":\n\n");
    server.handle(Command::Resume { connection });
    assert_eq!(server.text(), "id: a-2\ndata: 2\n\n");
}

#[test]
fn a_pause_that_is_too_long_is_a_gap_in_the_same_stream() {
    let hub = hub::Config::default().other_topics(TopicConfig::default().messages(1));
    let mut server = Server::with(EventStreamConfig::default(), hub);
    server.open("topic=/topic/a", None);
    let connection = server.stream.subscription().0;
    server.handle(Command::Pause { connection });
    for body in ["1", "2", "3"] {
        server.publish("/topic/a", body);
    }
    server.handle(Command::Resume { connection });
    let gap = "event: gap\nid: a-2\ndata: {\"from\":\"a-0\",\"to\":\"a-2\"}\n\n";
    assert_eq!(server.text(), format!("{START}{gap}id: a-3\ndata: 3\n\n"));
}

#[test]
fn a_client_can_go_on_by_polls_and_come_back() {
    let mut server = Server::new();
    server.open("topic=/topic/a&form=json", None);
    server.publish("/topic/a", "1");
    assert!(server.text().contains("id: a-1\n"));
    let disconnect = server.stream.disconnect();
    server.handle(disconnect);
    server.publish("/topic/a", "2");
    let config = poll::Config::default();
    let request = poll::Request::parse("topic=/topic/a&since=a-1", &config).unwrap();
    let mut polls = poll::Polls::new(config);
    let commands = polls.begin(ConnectionId(9), None, request, server.now).unwrap();
    for command in commands {
        for effect in server.hub.handle(command, server.now) {
            polls.apply(&effect, server.now);
        }
    }
    let answer = Json::parse(&polls.next_answer(&server.hub).unwrap().response.body);
    assert_eq!(answer.get("events").unwrap().items().len(), 1);
    server.publish("/topic/a", "3");
    server.open("topic=/topic/a", Some(answer.text_of("cursor")));
    assert_eq!(server.text(), "retry: 3000\n\nid: a-2\n\nid: a-3\ndata: 3\n\n");
}
