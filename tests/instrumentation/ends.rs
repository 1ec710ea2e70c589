//! How connections of the tokio shell end. Each end is told once.

use crate::{opening::SECRET, recorder::Recorder};
use sansocket::{
    CloseCode, Config, PreparedMessage,
    connection::{Keepalive, State},
    on_tokio::{Acceptor, Connector, Group},
};
use sansocket_testkit::{
    clock::{run, run_paused},
    frames::{CLOSE_NORMAL, masked},
    pair::tokio::{pair, reset, server_and_stream, server_over},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWriteExt, duplex},
    join,
};
use tracing::Level;

const OPENED: &str = "DEBUG server connection opened";

#[track_caller]
fn assert_server_tells(recorder: &Recorder, end: &str) {
    assert_eq!(recorder.events_of("server"), [OPENED, end]);
    assert!(recorder.span("server").has_ended());
}

#[test]
fn a_clean_end_has_both_codes() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
            client.close(CloseCode::new(4000), SECRET).await.unwrap();
            let (closed, ()) = join!(client.wait_closed(), server.wait_for_end());
            assert!(closed.clean);
        });
    });
    let fields = "code=4000 sent_code=4000";
    let cause = "clean=true cause=the closing handshake completed";
    let end = |kind, initiator| {
        format!("DEBUG {kind} connection closed {fields} initiator={initiator} {cause}")
    };
    assert_server_tells(&recorder, &end("server", "peer"));
    assert_eq!(recorder.events_of("client")[1..], [end("client", "local")]);
    recorder.assert_never_told(SECRET);
}

#[test]
fn messages_and_control_frames_are_not_told() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
            let before = recorder.events().len();
            for _ in 0..3 {
                client.send(SECRET).await.unwrap();
                client.ping(SECRET).await.unwrap();
                server.send(server_message(&mut client)).await.unwrap();
                assert!(server.next().await.unwrap().is_ok());
                assert!(client.next().await.unwrap().is_ok());
            }
            client.send(vec![b'x'; 1 << 20]).await.unwrap_or(());
            assert_eq!(recorder.events().len(), before);
        });
    });
    recorder.assert_never_told(SECRET);

    fn server_message<T>(_: &mut T) -> PreparedMessage {
        PreparedMessage::new(SECRET)
    }
}

#[test]
fn a_reset_is_a_loss() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (mut server, client) = server_and_stream(Acceptor::new()).await;
            reset(client);
            assert!(server.next().await.unwrap().is_err());
            assert!(server.next().await.is_none());
        });
    });
    let end = "INFO server connection lost code=1006 sent_code=1006 initiator=transport \
        clean=false cause=the transport was reset";
    assert_server_tells(&recorder, end);
}

#[test]
fn a_fault_of_the_peer_is_a_warning() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
            client.write_all(&masked(0x81, b"\xff")).await.unwrap();
            assert!(server.next().await.unwrap().is_err());
            drop(client);
            server.wait_closed().await;
        });
    });
    let end = "WARN server connection failed code=1006 sent_code=1007 initiator=local clean=false \
        cause=text message has invalid UTF-8 at byte 0";
    assert_server_tells(&recorder, end);
}

#[test]
fn a_close_that_blames_this_endpoint_is_a_warning() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
            client.write_all(&masked(0x88, b"\x03\xf1too large")).await.unwrap();
            assert!(server.next().await.is_none());
        });
    });
    let end = "WARN server connection closed code=1009 sent_code=1009 initiator=peer clean=true \
        cause=the closing handshake completed";
    assert_server_tells(&recorder, end);
    recorder.assert_never_told("too large");
}

#[test]
fn a_peer_that_does_not_answer_is_lost() {
    let recorder = Recorder::default();
    let second = Duration::from_secs(1);
    let config = Config::default().keepalive(Keepalive::new(second, second));
    recorder.record(|| {
        run_paused(async {
            let (mut client, server) = duplex(4096);
            let acceptor = Acceptor::new().config(config);
            let mut server = server_over(server, &mut client, acceptor).await;
            assert!(server.next().await.unwrap().is_err());
        });
    });
    let end = "INFO server connection lost code=1006 sent_code=1006 initiator=transport \
        clean=false cause=the peer did not answer in time";
    assert_server_tells(&recorder, end);
}

#[test]
fn a_peer_that_sends_nothing_is_told_the_idle_timeout() {
    let recorder = Recorder::default();
    let config = Config::default().idle_timeout(Duration::from_secs(7));
    recorder.record(|| {
        run_paused(async {
            let (mut client, server) = duplex(4096);
            let acceptor = Acceptor::new().config(config);
            let mut server = server_over(server, &mut client, acceptor).await;
            client.write_all(&masked(0x8a, b"")).await.unwrap();
            let answer = async {
                tokio::time::sleep(Duration::from_secs(8)).await;
                client.write_all(&masked(0x88, &CLOSE_NORMAL[2..])).await.unwrap();
            };
            join!(server.wait_for_end(), answer);
        });
    });
    let end = "INFO server connection closed code=1000 sent_code=1001 initiator=local clean=true \
        cause=no message arrived for 7s";
    assert_server_tells(&recorder, end);
}

/// Receives until the end.
trait WaitForEnd {
    async fn wait_for_end(&mut self);
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> WaitForEnd
    for sansocket::on_tokio::ServerWebSocket<S>
{
    async fn wait_for_end(&mut self) {
        while self.next().await.is_some() {}
    }
}

#[test]
fn a_connection_that_is_dropped_is_told() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (server, _client) = server_and_stream(Acceptor::new()).await;
            drop(server);
        });
    });
    let end = "INFO server connection lost code=1006 sent_code=1006 initiator=transport \
        clean=false cause=this endpoint dropped the transport";
    assert_server_tells(&recorder, end);
}

#[test]
fn halves_tell_the_end_once_whichever_is_dropped_first() {
    for sender_first in [true, false] {
        let recorder = Recorder::default();
        recorder.record(|| {
            run(async {
                let (server, _client) = server_and_stream(Acceptor::new()).await;
                let (sender, receiver) = server.split();
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
        });
        let end = "INFO server connection lost code=1006 sent_code=1001 initiator=local \
            clean=false cause=this endpoint dropped the transport";
        assert_server_tells(&recorder, end);
    }
}

#[test]
fn halves_that_receive_and_reunite_tell_the_end_once() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (server, mut client) = server_and_stream(Acceptor::new()).await;
            let (sender, mut receiver) = server.split();
            client.write_all(&masked(0x88, &CLOSE_NORMAL[2..])).await.unwrap();
            assert!(receiver.next().await.is_none());
            let mut server = sender.reunite(receiver).unwrap();
            drop(client);
            server.wait_closed().await;
        });
    });
    let end = "DEBUG server connection closed code=1000 sent_code=1000 initiator=peer clean=true \
        cause=the closing handshake completed";
    assert_server_tells(&recorder, end);
}

#[test]
fn a_subscriber_can_use_the_connection() {
    for is_received in [true, false] {
        let recorder = Recorder::default();
        recorder.record(|| {
            run(async {
                let (server, mut client) = server_and_stream(Acceptor::new()).await;
                let (sender, mut receiver) = server.split();
                let sender = Arc::new(sender);
                let used = Arc::clone(&sender);
                recorder.at_each_event(move || {
                    assert_eq!((used.state(), used.buffered_amount()), (State::Closed, 0));
                });
                client.write_all(&masked(0x88, &CLOSE_NORMAL[2..])).await.unwrap();
                if is_received {
                    assert!(receiver.next().await.is_none());
                }
                drop(receiver);
                assert_eq!(recorder.events_of("server").len(), 2);
            });
        });
    }
}

#[test]
fn members_of_a_group_tell_their_ends_and_no_messages() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let group = Group::new();
            let (server, mut client) = server_and_stream(Acceptor::new()).await;
            let (sender, mut receiver) = server.split();
            let member = group.join(sender);
            group.send(&PreparedMessage::new(SECRET));
            group.close_all(CloseCode::NORMAL, SECRET).unwrap();
            client.write_all(&masked(0x88, &CLOSE_NORMAL[2..])).await.unwrap();
            assert!(receiver.next().await.is_none());
            drop((member, receiver));
        });
    });
    let end = "DEBUG server connection closed code=1000 sent_code=1000 initiator=local clean=true \
        cause=the closing handshake completed";
    assert_server_tells(&recorder, end);
    recorder.assert_never_told(SECRET);
}

/// A filter can leave out the span or the less severe events.
#[test]
fn levels_are_independent() {
    let end = |level| {
        let recorder = Recorder::of_level(level);
        recorder.record(|| {
            run(async {
                let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
                client.write_all(&masked(0x81, b"\xff")).await.unwrap();
                assert!(server.next().await.unwrap().is_err());
            });
        });
        (recorder.spans().len(), recorder.events())
    };
    let rest = "connection failed code=1006 sent_code=1007 initiator=local clean=false \
        cause=text message has invalid UTF-8 at byte 0";
    assert_eq!(end(Level::INFO), (1, vec![format!("WARN server {rest}")]));
    assert_eq!(end(Level::WARN), (0, vec![format!("WARN none {rest}")]));
    assert_eq!(end(Level::ERROR), (0, vec![]));
}
