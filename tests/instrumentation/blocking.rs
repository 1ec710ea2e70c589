//! The blocking shell tells the same.

use crate::{
    opening::{SECRET, refused},
    recorder::Recorder,
};
use sansocket::{
    CloseCode, Config,
    blocking::{Acceptor, Connector, WebSocket},
    buffer::ReadBuffer,
    connection::{Server, State},
    handshake::{Accept, Negotiated, PlainResponse, Request},
    server::OriginPolicy,
};
use sansocket_testkit::{
    frames::{CLOSE_NORMAL, masked},
    pair::blocking::{pair_with, server_and_stream, streams},
};
use std::{io::Write, net::TcpListener, sync::Arc, thread, time::Duration};

const OPENED: &str = "DEBUG server connection opened";

#[track_caller]
fn assert_server_tells(recorder: &Recorder, end: &str) {
    assert_eq!(recorder.events_of("server"), [OPENED, end]);
    assert!(recorder.span("server").has_ended());
}

/// Connects with secrets wherever there can be some, to a server in another thread.
fn connect_with(
    recorder: &Recorder,
    acceptor: Acceptor,
    decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse> + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let of_server = recorder.clone();
    let server = thread::spawn(move || {
        of_server.record(|| {
            let accepted = acceptor.accept_tcp_with(listener.accept().unwrap().0, decide);
            if let Ok(mut server) = accepted {
                while server.next().is_some() {}
            }
        });
    });
    recorder.record(|| {
        let connector = Connector::new()
            .header("X-Key", SECRET)
            .header("Origin", format!("http://{SECRET}.example"))
            .subprotocol("chat");
        let url = format!("ws://user:{SECRET}@localhost:{port}/room/1?token={SECRET}");
        if let Ok((mut client, _)) = connector.connect(url) {
            client.send(SECRET).unwrap();
            client.close(CloseCode::NORMAL, SECRET).unwrap();
            assert!(client.wait_closed().clean);
        }
    });
    server.join().unwrap();
    recorder.assert_never_told(SECRET);
    port
}

#[test]
fn a_conversation_has_two_spans_and_four_events() {
    let recorder = Recorder::default();
    let acceptor = Acceptor::new().origin(OriginPolicy::any());
    let port = connect_with(&recorder, acceptor, |_| Ok(Accept::new().subprotocol("chat")));
    let (client, server) = (recorder.span("client"), recorder.span("server"));
    assert_eq!(client.field("server.address"), Some("localhost"));
    assert_eq!(client.field("server.port"), Some(&*port.to_string()));
    assert_eq!(server.field("client.address"), Some("127.0.0.1"));
    assert!(server.field("client.port").is_some());
    for span in [&client, &server] {
        assert_eq!(span.field("url.path"), Some("/room/1"));
        assert_eq!(span.field("websocket.subprotocol"), Some("chat"));
        assert!(span.has_ended());
    }
    for (kind, initiator) in [("client", "local"), ("server", "peer")] {
        let end = format!(
            "DEBUG {kind} connection closed code=1000 sent_code=1000 initiator={initiator} \
            clean=true cause=the closing handshake completed"
        );
        assert_eq!(recorder.events_of(kind), [format!("DEBUG {kind} connection opened"), end]);
    }
}

#[test]
fn refusals_tell_the_status() {
    for status in [403, 401] {
        let recorder = Recorder::default();
        match status {
            // By origin.
            403 => connect_with(&recorder, Acceptor::new(), |_| Ok(Accept::new())),
            _ => connect_with(&recorder, Acceptor::new().origin(OriginPolicy::any()), move |_| {
                refused(status)
            }),
        };
        let mut events = recorder.events();
        events.sort();
        let [on_server, on_client] = &*events else { panic!("{events:?}") };
        assert!(on_server.starts_with("INFO none request refused client.address=127.0.0.1"));
        assert!(on_client.starts_with("WARN none connect failed server.address=localhost"));
        for event in [on_server, on_client] {
            assert!(event.contains(&format!(" http.response.status_code={status} ")), "{event}");
        }
        assert!(recorder.spans().is_empty());
    }
}

#[test]
fn a_server_that_can_not_be_reached_is_told_once() {
    let recorder = Recorder::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    recorder.record(|| {
        let url = format!("ws://127.0.0.1:{port}/a?{SECRET}");
        let _ = Connector::new().connect(url).unwrap_err();
    });
    let expected = format!(
        "WARN none connect failed server.address=127.0.0.1 server.port={port} url.path=/a \
        error=can't connect to 127.0.0.1:{port}: "
    );
    let events = recorder.events();
    assert!(events.len() == 1 && events[0].starts_with(&expected), "{events:?}");
}

#[test]
fn a_client_that_sends_nothing_is_not_worth_much() {
    let recorder = Recorder::default();
    let (client, server) = streams();
    drop(client);
    recorder.record(|| Acceptor::new().accept_tcp(server).unwrap_err());
    let events = recorder.events();
    let [event] = &*events else { panic!("{events:?}") };
    assert!(event.starts_with("DEBUG none opening handshake failed client.address=127.0.0.1"));
}

#[test]
fn a_fault_and_a_loss_differ() {
    let recorder = Recorder::default();
    recorder.record(|| {
        let (mut server, mut client) = server_and_stream(Acceptor::new());
        client.write_all(&masked(0x81, b"\xff")).unwrap();
        assert!(server.next().unwrap().is_err());
    });
    let end = "WARN server connection failed code=1006 sent_code=1007 initiator=local clean=false \
        cause=text message has invalid UTF-8 at byte 0";
    assert_server_tells(&recorder, end);
    let recorder = Recorder::default();
    recorder.record(|| {
        let (mut server, client) = server_and_stream(Acceptor::new());
        drop(client);
        assert!(server.next().unwrap().is_err());
    });
    let end = "INFO server connection lost code=1006 sent_code=1006 initiator=transport \
        clean=false cause=the peer ended the transport";
    assert_server_tells(&recorder, end);
}

#[test]
fn a_connection_that_is_dropped_is_told() {
    let recorder = Recorder::default();
    recorder.record(|| drop(server_and_stream(Acceptor::new())));
    let end = "INFO server connection lost code=1006 sent_code=1006 initiator=transport \
        clean=false cause=this endpoint dropped the transport";
    assert_server_tells(&recorder, end);
}

#[test]
fn halves_tell_the_end_once() {
    for sender_first in [true, false] {
        let recorder = Recorder::default();
        recorder.record(|| {
            let (server, _client) = server_and_stream(Acceptor::new());
            let (sender, receiver) = server.split().unwrap();
            if sender_first {
                drop(sender);
                assert_eq!(recorder.events_of("server"), [OPENED]);
                drop(receiver);
            } else {
                drop(receiver);
                assert_eq!(recorder.events_of("server").len(), 2);
                drop(sender);
            }
        });
        let end = "INFO server connection lost code=1006 sent_code=1001 initiator=local \
            clean=false cause=this endpoint dropped the transport";
        assert_server_tells(&recorder, end);
    }
}

#[test]
fn halves_that_reunite_tell_the_end_once() {
    let recorder = Recorder::default();
    recorder.record(|| {
        let (server, mut client) = server_and_stream(Acceptor::new());
        let (sender, receiver) = server.split().unwrap();
        let mut server = sender.reunite(receiver).unwrap();
        client.write_all(&masked(0x88, &CLOSE_NORMAL[2..])).unwrap();
        assert!(server.next().is_none());
        drop(client);
        server.wait_closed();
    });
    let end = "DEBUG server connection closed code=1000 sent_code=1000 initiator=peer clean=true \
        cause=the closing handshake completed";
    assert_server_tells(&recorder, end);
}

#[test]
fn messages_are_not_told() {
    let recorder = Recorder::default();
    let (mut client, mut server) = recorder.record(|| pair_with(Connector::new(), Acceptor::new()));
    let before = recorder.events().len();
    recorder.record(|| {
        for _ in 0..3 {
            client.send(SECRET).unwrap();
            client.ping(SECRET).unwrap();
            assert!(server.next().unwrap().is_ok());
            server.send(SECRET).unwrap();
            assert!(client.next().unwrap().is_ok());
        }
    });
    assert_eq!(recorder.events().len(), before);
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_subscriber_can_use_the_connection() {
    for is_received in [true, false] {
        let recorder = Recorder::default();
        let (server, mut client) = recorder.record(|| server_and_stream(Acceptor::new()));
        let (sender, mut receiver) = server.split().unwrap();
        let sender = Arc::new(sender);
        let used = Arc::clone(&sender);
        recorder.at_each_event(move || {
            assert_eq!((used.state(), used.buffered_amount()), (State::Closed, 0));
        });
        client.write_all(&masked(0x88, &CLOSE_NORMAL[2..])).unwrap();
        recorder.record(|| {
            if is_received {
                assert!(receiver.next().is_none());
            }
            drop(receiver);
        });
        assert_eq!(recorder.events_of("server").len(), 2);
    }
}

#[test]
fn a_client_that_is_gone_is_told() {
    let recorder = Recorder::default();
    let (client, server) = streams();
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let _ = recorder.record(|| Acceptor::new().accept_tcp(server).unwrap_err());
    let events = recorder.events();
    let [event] = &*events else { panic!("{events:?}") };
    assert!(event.starts_with("INFO none opening handshake failed"), "{event}");
}

#[test]
fn a_connection_after_another_handshake_has_a_span_too() {
    let recorder = Recorder::default();
    recorder.record(|| {
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        let (transport, _peer) = streams();
        let websocket =
            WebSocket::new(transport, Server::new(), negotiated, input, Config::default());
        drop(websocket.into_parts());
    });
    let events = ["DEBUG server connection opened", "DEBUG server connection taken apart"];
    assert_eq!(recorder.events(), events);
    assert!(recorder.span("server").has_ended());
}
