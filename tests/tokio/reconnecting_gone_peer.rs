//! A client that reconnects sends and closes, and the peer does not read, or is gone.

use crate::reconnecting::{client_over_pipes, config, connected, disconnected};
use futures_util::{SinkExt, StreamExt};
use sansocket::{
    Config, Message,
    connection::Keepalive,
    on_tokio::{
        Acceptor, Connector, ReconnectEvent, ReconnectSendError, ReconnectingWebSocket,
        ServerWebSocket, Stream,
    },
};
use sansocket_testkit::clock::{DAY, run_paused};
use std::time::Duration;
use tokio::{
    io::duplex,
    join, select,
    sync::mpsc::unbounded_channel,
    task::spawn,
    time::{Instant, interval, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a client with a queue that is connected, and its peer.
async fn pair(capacity: usize) -> (ReconnectingWebSocket, ServerWebSocket) {
    let (client, mut server) = client_over_pipes(capacity);
    let mut client = client.config(config().queue(10, 100_000));
    let (_, peer) = join!(connected(&mut client), server.accept());
    (client, peer)
}

#[test]
fn a_sink_that_closes_is_bounded_by_the_close_timeout() {
    run_paused(async {
        let (mut client, _peer) = pair(1000).await;
        // The peer reads nothing of this.
        client.feed("x".repeat(10_000)).await.unwrap();
        let began = Instant::now();
        let closed = timeout(DAY, SinkExt::close(&mut client)).await.expect("waits without end");
        assert!(matches!(closed, Err(ReconnectSendError::Lost(_))), "{closed:?}");
        assert!(began.elapsed() <= Config::default().close_timeout);
        // Said once.
        SinkExt::close(&mut client).await.unwrap();
        assert!(client.next().await.is_none());
    });
}

#[test]
fn a_stream_ends_after_its_sink_was_closed_and_the_peer_does_not_read() {
    run_paused(async {
        for is_stuck in [false, true] {
            let (client, _peer) = pair(1000).await;
            let (mut sink, mut stream) = client.split::<Message>();
            let receiving = spawn(async move { while stream.next().await.is_some() {} });
            let closing = spawn(async move {
                if is_stuck {
                    sink.feed(Message::from("z".repeat(5000))).await.unwrap();
                }
                let _ = timeout(SECOND, sink.close()).await;
                // The sink is not dropped, which would be an end, too.
                sleep(2 * DAY).await;
                drop(sink);
            });
            timeout(DAY, receiving).await.expect("waits without end").unwrap();
            closing.abort();
        }
    });
}

#[test]
fn a_sink_that_has_failed_to_close_does_not_connect_again() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(500);
        let mut client = client.config(config().queue(10, 100_000));
        let (_, peer) = join!(connected(&mut client), server.accept());
        client.feed("x".repeat(2000)).await.unwrap();
        client.try_feed("y").unwrap();
        let (closed, ()) = join!(SinkExt::close(&mut client), async {
            sleep(SECOND).await;
            drop(peer);
        });
        assert!(matches!(closed, Err(ReconnectSendError::Lost(_))), "{closed:?}");
        assert!(client.next().await.is_none());
        server.assert_no_client();
    });
}

#[test]
fn a_sink_that_closes_hands_over_what_is_queued() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(10);
        let mut client = client.config(config().queue(10, 10_000_000));
        // The connection has room until more than 1 MiB is queued.
        for letter in ["a", "b", "c"] {
            client.send(letter.repeat(600 << 10)).await.unwrap();
        }
        let (_, peer) = join!(connected(&mut client), server.accept());
        let _peer = peer;
        assert!(timeout(DAY, SinkExt::close(&mut client)).await.unwrap().is_err());
        let left = client.take_queued();
        assert_eq!(left, [Message::from("c".repeat(600 << 10))]);
    });
}

#[test]
fn the_loss_of_a_message_is_reported_once_and_not_for_one_that_is_queued() {
    run_paused(async {
        for by_sink in [false, true] {
            let (mut client, peer) = pair(500).await;
            let (first, ()) = join!(client.send("x".repeat(2000)), async {
                sleep(SECOND).await;
                drop(peer);
            });
            assert!(matches!(first, Err(ReconnectSendError::Lost(_))), "{first:?}");
            if by_sink {
                SinkExt::send(&mut client, Message::from("second")).await.unwrap();
            } else {
                client.feed("second").await.unwrap();
                client.flush().await.unwrap();
            }
            assert_eq!(client.queued_messages(), 1);
            disconnected(&mut client).await;
        }
    });
}

#[test]
fn a_sink_reports_a_loss_before_it_takes_the_next_message() {
    run_paused(async {
        for queued in [0, 1] {
            let (mut client, peer) = pair(500).await;
            for _ in 0..queued + 1 {
                client.try_feed("x".repeat(2000)).unwrap();
            }
            drop(peer);
            let lost = SinkExt::send(&mut client, Message::from("next")).await;
            assert!(matches!(lost, Err(ReconnectSendError::Lost(_))), "{lost:?}");
            // It can be sent again: it is not queued.
            assert_eq!(client.queued_messages(), 0);
            SinkExt::send(&mut client, Message::from("next")).await.unwrap();
            assert_eq!(client.queued_messages(), 1);
        }
    });
}

#[test]
fn a_message_joins_those_that_wait_for_a_peer_that_is_gone() {
    run_paused(async {
        for is_sent in [false, true] {
            let (client, mut server) = client_over_pipes(200);
            let mut client = client.config(config().queue(3, 100_000));
            for letter in ["a", "b"] {
                client.send(letter.repeat(1000)).await.unwrap();
            }
            let (_, peer) = join!(connected(&mut client), server.accept());
            // The first message goes to the connection.
            if is_sent {
                timeout(DAY, client.send("c")).await.expect("waits without end").unwrap();
            } else {
                timeout(DAY, client.feed("c")).await.expect("waits without end").unwrap();
            }
            assert_eq!(client.queued_messages(), 2);
            client.feed("d").await.unwrap();
            // Now the queue is full.
            assert!(timeout(DAY, client.feed("e")).await.is_err());
            assert_eq!(client.queued_messages(), 3);
            drop(peer);
            disconnected(&mut client).await;
            assert_eq!(client.take_queued()[1..], ["c", "d"].map(Message::from));
        }
    });
}

#[test]
fn a_loop_that_does_not_wait_to_send_notices_that_the_peer_is_gone() {
    run_paused(async {
        let (sender, mut servers) = unbounded_channel();
        let keepalive = Keepalive::new(10 * SECOND, 10 * SECOND);
        let mut client = ReconnectingWebSocket::with_connect(move || {
            let (client, server) = duplex(200);
            sender.send(server).unwrap();
            async move {
                let connector = Connector::new().config(Config::default().keepalive(keepalive));
                Ok(connector.connect_over("ws://localhost/", Stream::boxed(client)).await?)
            }
        });
        let acceptor = Acceptor::new();
        let accept = async { acceptor.accept(Stream::boxed(servers.recv().await.unwrap())).await };
        let (_, _peer) = join!(connected(&mut client), accept);
        let mut ticks = interval(SECOND);
        let lost = async {
            loop {
                select! {
                    event = client.next() => break event,
                    _ = ticks.tick() => client.try_feed("x".repeat(100)).unwrap(),
                }
            }
        };
        let event = timeout(DAY, lost).await.expect("nobody notices");
        assert!(matches!(event, Some(ReconnectEvent::Disconnected { .. })), "{event:?}");
    });
}
