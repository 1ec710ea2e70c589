//! What becomes of messages that are sent through a client that reconnects.

use crate::reconnecting::{client_over_pipes, config, connected, disconnected};
use futures_util::{SinkExt, StreamExt};
use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    client::{Backoff, EnqueueError},
    connection::SendError,
    on_tokio::{
        Acceptor, Connector, ReconnectEvent, ReconnectSendError, ReconnectingWebSocket,
        ServerWebSocket, Stream,
    },
};
use sansocket_testkit::{
    clock::{DAY, run_paused},
    polling::dropping,
};
use std::time::Duration;
use tokio::{
    io::duplex,
    join,
    sync::mpsc::unbounded_channel,
    task::spawn,
    time::{sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

async fn text(server: &mut ServerWebSocket) -> String {
    server.next().await.unwrap().unwrap().as_text().unwrap().to_owned()
}

#[test]
fn without_a_queue_a_message_is_refused_and_returned() {
    run_paused(async {
        let (mut client, mut server) = client_over_pipes(1000);
        let refused = client.send("early").await.unwrap_err();
        assert!(matches!(&refused, ReconnectSendError::NotQueued(EnqueueError::NoQueue(message))
                if message.as_text() == Some("early")));
        assert_eq!(refused.into_message(), Some(Message::from("early")));
        // Nothing to flush.
        client.flush().await.unwrap();
        let (_, peer) = join!(connected(&mut client), server.accept());
        drop(peer);
        // The end is not known yet, so this may still be lost.
        let _ = client.send("unnoticed").await;
        // Now it is known to the connection, though not reported.
        let refused = client.send("too late").await.unwrap_err();
        assert_eq!(refused.into_message(), Some(Message::from("too late")));
        disconnected(&mut client).await;
        assert!(client.try_feed("away").is_err());
    });
}

#[test]
fn queued_messages_are_sent_in_order_before_newer_ones() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(1000);
        let mut client =
            client.config(config().queue(3, 12)).on_connect(|mut websocket| async move {
                websocket.send("set up").await?;
                Ok(websocket)
            });
        client.send("one").await.unwrap();
        client.send("two").await.unwrap();
        let full = client.send("a long text").await.unwrap_err();
        assert!(matches!(
            &full,
            ReconnectSendError::NotQueued(EnqueueError::Full {
                messages: 2,
                most_messages: 3,
                bytes: 6,
                most_bytes: 12,
                ..
            })
        ));
        assert_eq!(full.into_message(), Some(Message::from("a long text")));
        client.try_feed("three").unwrap();
        assert!(client.try_feed("").is_err());
        assert_eq!((client.queued_messages(), client.queued_bytes()), (3, 11));
        let (_, mut peer) = join!(connected(&mut client), server.accept());
        // Others wait before it, so it does not go to the connection, and there is no room.
        let full = client.try_feed("four").unwrap_err();
        assert!(matches!(&full, ReconnectSendError::NotQueued(EnqueueError::Full { .. })));
        // Does not fit into the queue, and need not, because the others go first.
        client.send("the newest of all").await.unwrap();
        assert_eq!(client.queued_messages(), 0);
        for expected in ["set up", "one", "two", "three", "the newest of all"] {
            assert_eq!(text(&mut peer).await, expected);
        }
    });
}

#[test]
fn receiving_alone_sends_what_is_queued() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(10);
        let mut client = client.config(config().queue(100, 10_000));
        for number in 0..100 {
            client.send(format!("number {number}")).await.unwrap();
        }
        let serve = async {
            let mut peer = server.accept().await;
            for number in 0..100 {
                assert_eq!(text(&mut peer).await, format!("number {number}"));
            }
            peer
        };
        let receive = async {
            connected(&mut client).await;
            assert!(timeout(DAY, client.next()).await.is_err());
        };
        drop(join!(receive, serve));
        assert_eq!(client.queued_messages(), 0);
    });
}

#[test]
fn a_message_that_a_connection_has_taken_is_not_sent_again() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(500);
        let mut client = client.config(config().queue(3, 10_000));
        for letter in ["a", "b", "c"] {
            client.send(letter.repeat(2000)).await.unwrap();
        }
        // The pipe takes part of the first message. Nobody reads.
        let (_, peer) = join!(connected(&mut client), server.accept());
        assert!(timeout(DAY, client.next()).await.is_err());
        assert_eq!(client.queued_messages(), 2);
        drop(peer);
        disconnected(&mut client).await;
        let serve = async {
            let mut peer = server.accept().await;
            assert_eq!(text(&mut peer).await, "b".repeat(2000));
            assert_eq!(text(&mut peer).await, "c".repeat(2000));
            assert!(timeout(DAY, peer.next()).await.is_err());
        };
        let receive = async {
            connected(&mut client).await;
            assert!(timeout(2 * DAY, client.next()).await.is_ok());
        };
        join!(serve, receive);
    });
}

#[test]
fn a_send_that_fails_says_that_the_message_may_be_lost() {
    run_paused(async {
        for queue in [0, 10] {
            let (client, mut server) = client_over_pipes(500);
            let mut client = client.config(config().queue(queue, 10_000));
            let (_, peer) = join!(connected(&mut client), server.accept());
            let (sent, ()) = join!(client.send("x".repeat(2000)), async {
                sleep(SECOND).await;
                drop(peer);
            });
            let error = sent.unwrap_err();
            assert!(matches!(error, ReconnectSendError::Lost(_)), "{error:?}");
            assert_eq!((error.into_message(), client.queued_messages()), (None, 0));
            // Later messages are not lost with it.
            let next = client.send("next").await;
            match queue {
                0 => assert_eq!(next.unwrap_err().into_message(), Some(Message::from("next"))),
                _ => next.unwrap(),
            }
            assert_eq!(client.queued_messages(), queue.min(1));
            disconnected(&mut client).await;
            client.flush().await.unwrap();
        }
    });
}

#[test]
fn what_was_not_sent_can_be_taken_out() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(1000);
        let mut client = client.config(config().queue(10, 100));
        client.send("one").await.unwrap();
        client.send(vec![2]).await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(client.next().await.is_none());
        assert!(matches!(
            client.send("three").await,
            Err(ReconnectSendError::NotQueued(EnqueueError::Over(_)))
        ));
        assert_eq!(client.take_queued(), [Message::from("one"), Message::from(vec![2])]);
        assert_eq!((client.take_queued().len(), client.queued_bytes()), (0, 0));

        let (client, _) = (client_over_pipes(1000).0, &mut server);
        let mut client = client.config(config().queue(10, 100)).retry_if(|_| false);
        client.send("never sent").await.unwrap();
        assert!(matches!(client.next().await, Some(ReconnectEvent::GivenUp { .. })));
        assert_eq!(client.take_queued(), [Message::from("never sent")]);
    });
}

#[test]
fn a_full_connection_is_waited_for_or_refuses() {
    run_paused(async {
        let (sender, mut incoming) = unbounded_channel();
        let config_of_connection = Config::default().limits(Limits::default().queued_output(100));
        let mut client = ReconnectingWebSocket::with_connect(move || {
            let (client, server) = duplex(200);
            sender.send(server).unwrap();
            async move {
                let connector = Connector::new().config(config_of_connection);
                Ok(connector.connect_over("ws://localhost/", Stream::boxed(client)).await?)
            }
        })
        .config(config().queue(10, 1000));
        let accept = async {
            let stream = Stream::boxed(incoming.recv().await.unwrap());
            Acceptor::new().accept(stream).await.unwrap()
        };
        let (_, mut peer) = join!(connected(&mut client), accept);
        client.try_feed("x".repeat(150)).unwrap();
        client.try_feed("y".repeat(150)).unwrap();
        let full = client.try_feed("z").unwrap_err();
        assert!(
            matches!(&full, ReconnectSendError::Refused { error: SendError::QueueFull { .. }, .. }),
            "{full:?}"
        );
        assert_eq!(full.into_message(), Some(Message::from("z")));
        assert!(timeout(DAY, client.feed("z")).await.is_err());
        assert!(timeout(DAY, SinkExt::feed(&mut client, Message::from("z"))).await.is_err());
        let read = async {
            let mut texts = Vec::new();
            while texts.len() < 3 {
                texts.push(text(&mut peer).await);
            }
            texts
        };
        let (sent, texts) = join!(client.send("z"), read);
        sent.unwrap();
        assert_eq!(texts, ["x".repeat(150), "y".repeat(150), "z".to_owned()]);
    });
}

#[test]
fn a_flush_and_a_sink_send_what_is_queued_without_receiving() {
    run_paused(async {
        for by_sink in [false, true] {
            let (client, mut server) = client_over_pipes(10);
            let mut client = client.config(config().queue(2, 100));
            client.send("one").await.unwrap();
            client.send("two").await.unwrap();
            let (_, mut peer) = join!(connected(&mut client), server.accept());
            let send = async {
                match by_sink {
                    false => client.flush().await.unwrap(),
                    // The queue is full, so this waits until it is not.
                    true => SinkExt::send(&mut client, Message::from("three")).await.unwrap(),
                }
            };
            let read = async {
                assert_eq!([text(&mut peer).await, text(&mut peer).await], ["one", "two"]);
                if by_sink {
                    assert_eq!(text(&mut peer).await, "three");
                }
            };
            join!(send, read);
        }
    });
}

#[test]
fn a_sink_sends_what_is_queued_before_it_closes() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(10);
        let mut client = client.config(config().queue(2, 100));
        client.send("one").await.unwrap();
        client.send("two").await.unwrap();
        let (_, mut peer) = join!(connected(&mut client), server.accept());
        let read = async {
            assert_eq!([text(&mut peer).await, text(&mut peer).await], ["one", "two"]);
            assert!(peer.next().await.is_none());
            peer.wait_closed().await.code
        };
        let (closed, code) = join!(SinkExt::close(&mut client), read);
        closed.unwrap();
        assert_eq!(code, CloseCode::NORMAL);
        assert!(client.next().await.is_none());
    });
}

#[test]
fn a_task_that_waits_to_send_learns_that_the_connection_has_ended() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(100);
        let mut client = client.config(config().queue(3, 10_000));
        client.send("x".repeat(1000)).await.unwrap();
        client.send("y".repeat(1000)).await.unwrap();
        let (_, peer) = join!(connected(&mut client), server.accept());
        let (mut sink, mut stream) = client.split::<Message>();
        let sending = spawn(async move { sink.feed(Message::from("z")).await });
        // Both tasks wait for the peer to read.
        sleep(SECOND).await;
        assert!(timeout(SECOND, stream.next()).await.is_err());
        drop(peer);
        let event = stream.next().await;
        assert!(matches!(event, Some(ReconnectEvent::Disconnected { .. })));
        timeout(DAY, sending).await.unwrap().unwrap().unwrap();
    });
}

/// Two tasks share the client. The one that sends outlives the connections.
#[test]
fn a_sink_and_a_stream_work_in_two_tasks() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(50);
        let backoff = Backoff::new().base(Duration::from_millis(200)).stable_after(SECOND);
        let config = config().queue(1000, 100_000).backoff(backoff);
        let (mut sink, mut stream) = client.config(config).split::<Message>();
        let sending = spawn(async move {
            for number in 0..300 {
                // Lost messages are reported, and the sink goes on.
                let _ = sink.send(Message::from(format!("number {number:03}"))).await;
                sleep(Duration::from_millis(50)).await;
            }
            sleep(60 * SECOND).await;
            sink.close().await.unwrap();
        });
        let receiving = spawn(async move {
            let mut connections = 0;
            while let Some(event) = stream.next().await {
                connections += u32::from(matches!(event, ReconnectEvent::Connected(_)));
            }
            connections
        });
        let mut received = Vec::new();
        loop {
            let mut peer = server.accept().await;
            // Each connection but the last ends after 40 messages.
            while let Some(Ok(message)) = peer.next().await {
                received.push(message.as_text().unwrap().to_owned());
                if received.len() % 40 == 0 && received.len() < 200 {
                    peer.try_close(CloseCode::SERVICE_RESTART, "").unwrap();
                }
            }
            if received.last().is_some_and(|last| last == "number 299") {
                break;
            }
        }
        sending.await.unwrap();
        assert!(receiving.await.unwrap() >= 5);
        // In order, and none twice.
        assert!(received.is_sorted_by(|one, next| one < next), "{received:?}");
        assert!(received.len() > 200, "{}", received.len());
    });
}

/// Every future is dropped whenever it is pending: while it connects, sets up, waits, sends and
/// receives, over pipes that take a byte at a time.
#[test]
fn every_future_can_be_dropped_at_each_poll() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(1);
        let mut client =
            client.config(config().queue(10, 1000)).on_connect(|mut websocket| async move {
                websocket.send("set up").await?;
                Ok(websocket)
            });
        let serve = spawn(async move {
            for _ in 0..3 {
                let mut peer = server.accept().await;
                assert_eq!(text(&mut peer).await, "set up");
                assert_eq!(text(&mut peer).await, "queued");
                for number in 0..20 {
                    assert_eq!(text(&mut peer).await, format!("number {number}"));
                    peer.send(format!("answer {number}")).await.unwrap();
                }
                peer.close(CloseCode::SERVICE_RESTART, "").await.unwrap();
                peer.wait_closed().await;
            }
            let mut peer = server.accept().await;
            assert_eq!(text(&mut peer).await, "set up");
            assert!(peer.wait_closed().await.clean);
        });
        let mut drops = 0;
        for _ in 0..3 {
            client.feed("queued").await.unwrap();
            let event = dropping!(drops, client.next());
            assert!(matches!(event, Some(ReconnectEvent::Connected(_))), "{event:?}");
            for number in 0..20 {
                dropping!(drops, client.feed(format!("number {number}"))).unwrap();
                dropping!(drops, client.flush()).unwrap();
                match dropping!(drops, client.next()) {
                    Some(ReconnectEvent::Message(message)) => {
                        assert_eq!(message, Message::from(format!("answer {number}")));
                    }
                    other => panic!("{other:?}"),
                }
            }
            let event = dropping!(drops, client.next());
            assert!(matches!(event, Some(ReconnectEvent::Disconnected { .. })), "{event:?}");
        }
        let event = dropping!(drops, client.next());
        assert!(matches!(event, Some(ReconnectEvent::Connected(_))), "{event:?}");
        dropping!(drops, client.close(CloseCode::NORMAL, "bye")).unwrap();
        let closed = dropping!(drops, async { client.wait_closed().await }).unwrap();
        assert!(closed.clean && client.next().await.is_none());
        serve.await.unwrap();
        assert!(drops > 1000, "{drops}");
    });
}

#[test]
fn a_connection_that_refuses_what_is_queued_is_given_up() {
    run_paused(async {
        for by_flush in [false, true] {
            let (client, mut server) = client_over_pipes(5000);
            let mut client =
                client.config(config().queue(10, 100)).on_connect(|mut websocket| async move {
                    websocket.feed_fragment("begun", false).await?;
                    Ok(websocket)
                });
            client.send("queued").await.unwrap();
            let (_, _peer) = join!(connected(&mut client), server.accept());
            if by_flush {
                client.flush().await.unwrap();
                client.feed("also queued").await.unwrap();
            }
            let event = timeout(DAY, client.next()).await.expect("waits without end");
            let Some(ReconnectEvent::GivenUp { why, .. }) = event else { panic!("{event:?}") };
            assert!(matches!(why.error(), Some(Error::Send(SendError::MessageInProgress))));
            assert!(client.next().await.is_none());
            assert_eq!(client.take_queued()[0], Message::from("queued"));
        }
    });
}

#[test]
fn a_task_that_receives_learns_that_the_other_was_refused() {
    run_paused(async {
        let (client, mut server) = client_over_pipes(200);
        let mut client =
            client.config(config().queue(10, 1000)).on_connect(|mut websocket| async move {
                websocket.feed_fragment("x".repeat(1000), false).await?;
                Ok(websocket)
            });
        client.send("queued").await.unwrap();
        let (_, mut peer) = join!(connected(&mut client), server.accept());
        let (mut sink, mut stream) = client.split::<Message>();
        let receiving = spawn(async move { stream.next().await });
        // Both wait for the peer to read, the one that sends last.
        sleep(SECOND).await;
        let sending = spawn(async move {
            let _ = sink.flush().await;
            sleep(2 * DAY).await;
            drop(sink);
        });
        sleep(SECOND).await;
        // The connection is dropped without a Close.
        assert!(peer.next().await.unwrap().is_err());
        let event = timeout(DAY, receiving).await.expect("waits without end").unwrap();
        assert!(matches!(event, Some(ReconnectEvent::GivenUp { .. })), "{event:?}");
        sending.abort();
    });
}
