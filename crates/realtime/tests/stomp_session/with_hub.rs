//! Clients of STOMP, with a session each, on one hub: what only both together can show.

use sansocket_realtime::{
    Epoch,
    hub::{Config as HubConfig, ConnectionId, Effect, Handlers, Hub, Open, TopicConfig},
    stomp::server::{Config, Event, Output, Session},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

const NOW: Duration = Duration::ZERO;

struct Server {
    hub: Hub,
    handlers: Handlers<()>,
    sessions: BTreeMap<ConnectionId, Session>,
}

impl Server {
    fn new(config: HubConfig) -> Self {
        let hub = Hub::with_config(Epoch(0x5f), config, Open);
        Self { hub, handlers: Handlers::new(), sessions: BTreeMap::new() }
    }

    /// Lets a client connect, which then is number `client`.
    fn connect(&mut self, client: u64, version: &str) {
        let id = ConnectionId(client);
        self.sessions.insert(id, Session::new(id, Arc::new(Config::default()), NOW));
        let sent = self.send(client, &format!("CONNECT\naccept-version:{version}\n\n\0"));
        assert!(sent.starts_with("CONNECTED\n"), "{sent}");
    }

    /// Receives something of a client, and returns what it gets.
    fn send(&mut self, client: u64, frames: &str) -> String {
        let id = ConnectionId(client);
        self.sessions.get_mut(&id).unwrap().receive(frames.to_owned(), NOW);
        self.settle(id);
        self.output(client)
    }

    fn lose(&mut self, client: u64) {
        let id = ConnectionId(client);
        self.sessions.get_mut(&id).unwrap().transport_ended();
        self.settle(id);
        self.sessions.remove(&id);
    }

    fn settle(&mut self, client: ConnectionId) {
        let mut clients = vec![client];
        while let Some(client) = clients.pop() {
            while let Some(event) = self.sessions.get_mut(&client).and_then(Session::next_event) {
                let Event::Command(command) = event else {
                    self.sessions.get_mut(&client).unwrap().accept(None, NOW);
                    continue;
                };
                let mut commands = VecDeque::from([command]);
                while let Some(command) = commands.pop_front() {
                    for effect in self.hub.handle(command, NOW) {
                        if let Effect::Call(call) = &effect {
                            commands.extend(self.handlers.handle(&mut (), call));
                        }
                        let Some(client) = effect.connection() else { continue };
                        self.sessions.get_mut(&client).unwrap().apply(&effect, NOW);
                        clients.push(client);
                    }
                }
            }
        }
    }

    fn output(&mut self, client: u64) -> String {
        let session = self.sessions.get_mut(&ConnectionId(client)).unwrap();
        let text = |output| match output {
            Output::Frame(frame) => String::from_utf8(frame.into_bytes().to_vec()).unwrap(),
            Output::Close(code) => format!("close {}", code.number()),
            other => panic!("{other:?}"),
        };
        core::iter::from_fn(|| session.next_output()).map(text).collect()
    }
}

fn publish(destination: &str, body: &str) -> String {
    format!("SEND\ndestination:{destination}\n\n{body}\0")
}

#[test]
fn a_client_resumes_after_its_last_message() {
    let mut server = Server::new(HubConfig::default());
    server.connect(1, "1.2");
    server.connect(2, "1.2");
    let begun = server.send(1, "SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:r\n\n\0");
    assert_eq!(begun, "RECEIPT\nreceipt-id:r\ncursor:5f-0\n\n\0");
    server.send(2, &publish("/topic/a", "one"));
    assert!(server.output(1).contains("\nmessage-id:5f-1\n"));
    server.lose(1);
    let sent = server.send(2, "SEND\ndestination:/topic/a\nreceipt:r\n\ntwo\0");
    assert_eq!(sent, "RECEIPT\nreceipt-id:r\ncursor:5f-2\n\n\0");

    server.connect(3, "1.1");
    let resumed = server.send(3, "SUBSCRIBE\nid:x\ndestination:/topic/a\nsince:5f-1\n\n\0");
    let expected = "MESSAGE\nsubscription:x\ncontent-length:3\nmessage-id:5f-2\n\
        destination:/topic/a\n\ntwo\0";
    assert_eq!(resumed, expected);
}

#[test]
fn a_cursor_that_is_too_old_yields_a_gap_and_what_is_left() {
    let topics = TopicConfig::default().messages(1);
    let mut server = Server::new(HubConfig::default().other_topics(topics));
    server.connect(1, "1.2");
    for body in ["one", "two", "three"] {
        server.send(1, &publish("/topic/a", body));
    }
    for (since, from) in [("5f-0", "5f-0"), ("5e-77", "5e-77")] {
        server.connect(2, "1.2");
        let subscribe = format!("SUBSCRIBE\nid:0\ndestination:/topic/a\nsince:{since}\n\n\0");
        let resumed = server.send(2, &subscribe);
        let gap = format!("MESSAGE\nsubscription:0\ngap-from:{from}\ngap-to:5f-2\n");
        assert!(resumed.starts_with(&gap), "{resumed}");
        assert!(resumed.contains("\nmessage-id:5f-2\ndestination:/topic/a\n\n\0"), "{resumed}");
        assert!(resumed.ends_with("\nmessage-id:5f-3\ndestination:/topic/a\n\nthree\0"));
        server.lose(2);
    }
}

/// Each version names a delivery in its own way.
#[test]
fn what_is_not_acknowledged_is_delivered_again() {
    for (version, id, is_numbered) in
        [("1.0", "5f-1", false), ("1.1", "5f-1", false), ("1.2", "", true)]
    {
        let mut server = Server::new(HubConfig::default());
        server.connect(1, version);
        server.connect(2, "1.2");
        let subscribe = "SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client\n\n\0";
        server.send(1, subscribe);
        server.send(2, &publish("/queue/a", "one"));
        let got = server.output(1);
        assert_eq!(got.contains("\nack:0-"), is_numbered, "{got}");
        let ack = got.split('\n').find_map(|line| line.strip_prefix("ack:"));
        let id = ack.unwrap_or(id);
        server.send(2, subscribe);
        let names = format!("id:{id}\nmessage-id:{id}\nsubscription:0");
        let mut again = String::new();
        if version == "1.0" {
            // It has no NACK.
            server.lose(1);
        } else {
            again += &server.send(1, &format!("NACK\n{names}\n\n\0"));
        }
        again += &server.output(2);
        let is_again = again.contains("\nredelivered:true\n") && again.contains("one");
        assert!(is_again, "{version} {again}");
    }
}

#[test]
fn an_acknowledgement_of_what_was_never_delivered_ends_the_connection() {
    for (version, names) in
        [("1.0", "message-id:5f-9"), ("1.1", "message-id:5f-9\nsubscription:0"), ("1.2", "id:0-9")]
    {
        let mut server = Server::new(HubConfig::default());
        server.connect(1, version);
        server.send(1, "SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client\n\n\0");
        let ended = server.send(1, &format!("ACK\n{names}\nreceipt:r\n\n\0"));
        assert!(ended.starts_with("ERROR\n") && ended.contains("\nreceipt-id:r\n"), "{ended}");
        assert!(ended.ends_with("close 1008"), "{ended}");
        assert_eq!(server.hub.subscriptions(), 0);
    }
}

/// 1.2 §SUBSCRIBE ack Header: in mode `client`, an ACK covers what came before. The handlers of a client
/// can finish in any order, and then each of them acknowledges its own message.
#[test]
fn an_acknowledgement_that_a_later_one_has_covered_does_nothing() {
    for (version, names) in [
        ("1.0", "message-id:5f-{}"),
        ("1.1", "message-id:5f-{}\nsubscription:0"),
        ("1.2", "id:0-{}"),
    ] {
        let ack = |message: &str| {
            format!("ACK\n{}\nreceipt:{message}\n\n\0", names.replace("{}", message))
        };
        let mut server = Server::new(HubConfig::default());
        server.connect(1, version);
        server.send(1, "SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client\n\n\0");
        server.connect(2, "1.2");
        for body in ["one", "two", "three"] {
            server.send(2, &publish("/queue/a", body));
        }
        let acknowledged = server.send(1, &(ack("2") + &ack("1") + &ack("2")));
        let receipts =
            ["2", "1", "2"].map(|receipt| format!("RECEIPT\nreceipt-id:{receipt}\n\n\0"));
        assert!(acknowledged.ends_with(&receipts.concat()), "{acknowledged}");
        // The last one is neither lost nor acknowledged.
        server.lose(1);
        let left = server.send(2, "SUBSCRIBE\nid:0\ndestination:/queue/a\n\n\0");
        assert!(left.contains("three") && !left.contains("one") && !left.contains("two"), "{left}");
    }
}

/// 1.2 §SUBSCRIBE ack Header: an ACK for a later message must not acknowledge one before it.
#[test]
fn an_individual_acknowledgement_is_for_one_message() {
    let mut server = Server::new(HubConfig::default());
    server.connect(1, "1.2");
    server.send(1, "SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client-individual\n\n\0");
    for body in ["one", "two"] {
        server.send(1, &publish("/queue/a", body));
    }
    assert_eq!(server.send(1, "ACK\nid:0-2\n\n\0"), "");
    server.lose(1);
    server.connect(2, "1.2");
    let left = server.send(2, "SUBSCRIBE\nid:0\ndestination:/queue/a\n\n\0");
    assert!(left.contains("one") && !left.contains("two"), "{left}");
}

/// 1.2 §SUBSCRIBE ack Header: an acknowledgement is for the messages of its subscription alone.
#[test]
fn the_window_of_a_subscription_is_its_own() {
    for (version, names) in [("1.1", "message-id:5f-1\nsubscription:0"), ("1.2", "id:0-1")] {
        let mut server = Server::new(HubConfig::default());
        server.connect(1, version);
        for id in ["0", "1"] {
            let subscribe = format!(
                "SUBSCRIBE\nid:{id}\ndestination:/topic/a\nack:client\nprefetch-count:1\n\n\0"
            );
            assert_eq!(server.send(1, &subscribe), "");
        }
        let first = server.send(1, &publish("/topic/a", "one"));
        assert_eq!(first.matches("one").count(), 2, "{first}");
        assert_eq!(server.send(1, &publish("/topic/a", "two")), "", "both windows are full");
        let next = server.send(1, &format!("ACK\n{names}\n\n\0"));
        assert!(next.starts_with("MESSAGE\nsubscription:0\n"), "{next}");
        assert_eq!(next.matches("two").count(), 1, "{next}");
    }
}

/// 1.2 §RECEIPT: what was received before the client disconnects is processed.
#[test]
fn what_came_before_the_end_is_processed() {
    let mut server = Server::new(HubConfig::default());
    server.connect(1, "1.2");
    server.connect(2, "1.2");
    server.send(2, "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0");
    let sent = server.send(1, &(publish("/topic/a", "one") + "DISCONNECT\nreceipt:r\n\n\0"));
    assert_eq!(sent, "RECEIPT\nreceipt-id:r\n\n\0close 1000");
    assert!(server.output(2).contains("one"));
}

#[test]
fn an_individual_acknowledgement_counts_once() {
    let mut server = Server::new(HubConfig::default());
    server.connect(1, "1.2");
    server.send(1, "SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client-individual\n\n\0");
    server.send(1, &publish("/queue/a", "one"));
    assert_eq!(server.send(1, "ACK\nid:0-1\n\n\0"), "");
    let ended = server.send(1, "ACK\nid:0-1\n\n\0");
    assert!(ended.starts_with("ERROR\n") && ended.ends_with("close 1008"), "{ended}");
}

/// 1.2 §BEGIN: all of it or nothing.
#[test]
fn a_transaction_with_something_refused_does_nothing() {
    let mut server = Server::new(HubConfig::default());
    server.connect(1, "1.2");
    server.connect(2, "1.2");
    server.send(2, "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0");
    let send = |destination| format!("SEND\ndestination:{destination}\ntransaction:t\n\nhi\0");
    let begin = "BEGIN\ntransaction:t\n\n\0".to_owned();
    let commit = "COMMIT\ntransaction:t\nreceipt:r\n\n\0";
    let ended = server.send(1, &(begin.clone() + &send("/topic/a") + &send("/nowhere") + commit));
    assert!(ended.starts_with("ERROR\n") && ended.contains("\nreceipt-id:r\n"), "{ended}");
    assert_eq!(server.output(2), "");

    server.connect(3, "1.2");
    let done = server.send(3, &(begin + &send("/topic/a") + &send("/topic/a") + commit));
    assert!(done.starts_with("RECEIPT\nreceipt-id:r\n"), "{done}");
    assert_eq!(server.output(2).matches("MESSAGE").count(), 2);
}
