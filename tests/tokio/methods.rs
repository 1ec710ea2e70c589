//! Methods of a connection besides sending and receiving messages: control frames, the transport,
//! `into_parts`, halves, and what works after a Close.

use futures_util::stream::FusedStream;
use sansocket::{
    AsPayload, CloseCode, Error, Event, Message, Payload, PreparedMessage, State,
    connection::SendError,
    on_tokio::{Acceptor, ClientWebSocket, Connector, connect},
};
use sansocket_testkit::{
    clock::{run, run_paused},
    frames::{CLOSE_AWAY, PING, PONG, masked, plain},
    pair::tokio::{pair, server_and_stream, server_over},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpListener,
    task::spawn,
};

#[test]
fn common_types_can_be_sent() {
    struct Celsius(i8);
    impl AsPayload for Celsius {
        fn as_payload(&self) -> Payload<'_> {
            Payload::text(if self.0 < 0 { "cold" } else { "warm" })
        }
    }
    run(async {
        let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        let text = String::from("text");
        let message = Message::from("text");
        let prepared = PreparedMessage::new("text");
        client.send("text").await.unwrap();
        client.send(&text).await.unwrap();
        client.send(format!("te{}", "xt")).await.unwrap();
        client.send(&message).await.unwrap();
        client.send(message.clone()).await.unwrap();
        client.send(&prepared).await.unwrap();
        client.send(prepared).await.unwrap();
        client.feed(text).await.unwrap();
        client.try_feed(message.clone()).unwrap();
        client.flush().await.unwrap();
        for _ in 0..9 {
            assert_eq!(server.next().await.unwrap().unwrap(), message);
        }
        client.send(vec![1, 2]).await.unwrap();
        client.send([1, 2]).await.unwrap();
        for _ in 0..2 {
            assert_eq!(server.next().await.unwrap().unwrap(), Message::from(vec![1, 2]));
        }
        client.send(Celsius(-1)).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::from("cold"));
    });
}

#[test]
fn pings_and_pongs_can_be_sent() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        server.pong("alive").await.unwrap();
        server.try_ping("there?").unwrap();
        server.ping(b"there?").await.unwrap();
        let expected =
            [plain(PONG, b"alive"), plain(PING, b"there?"), plain(PING, b"there?")].concat();
        let mut read = vec![0; expected.len()];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(read, expected);
        let too_long = server.try_ping([0; 126]).unwrap_err();
        assert!(matches!(too_long, Error::Send(SendError::ControlTooLong { len: 126 })));
    });
}

/// A message may be in flight while this endpoint closes. A reply to it must not end the loop, or
/// the peer would see an abnormal end.
#[test]
fn a_loop_with_replies_continues_after_its_own_close() {
    run(async {
        let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        let server = spawn(async move {
            let mut seen = 0;
            while let Some(received) = server.receive().await {
                if let (Event::Text(text), mut replies) = received? {
                    seen += 1;
                    if seen == 1 {
                        replies.close(CloseCode::GOING_AWAY, "maintenance").await?;
                    }
                    replies.send(text).await?;
                    replies.feed(text).await?;
                    replies.try_feed(text)?;
                    replies.feed_fragment(text, true).await?;
                    replies.ping(text).await?;
                    replies.try_ping(text)?;
                    replies.pong(text).await?;
                }
            }
            Ok::<_, Error>(seen)
        });
        client.feed("one").await.unwrap();
        client.feed("two").await.unwrap();
        client.flush().await.unwrap();
        assert!(client.next().await.is_none());
        let closed = client.closed().unwrap();
        assert!(closed.clean && closed.code == CloseCode::GOING_AWAY, "{closed}");
        assert_eq!(server.await.unwrap().unwrap(), 2);
    });
}

#[test]
fn sending_after_a_close_is_an_error_but_closing_again_is_not() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        server.close(CloseCode::GOING_AWAY, "").await.unwrap();
        assert_eq!(server.state(), State::Closing);
        let error = server.send("late").await.unwrap_err();
        assert!(error.is_closed() && matches!(error, Error::Send(SendError::Closed { .. })));
        server.close(CloseCode::NORMAL, "again").await.unwrap();
        client.write_all(&masked(0x88, &[3, 0xe9])).await.unwrap();
        assert!(server.next().await.is_none());
        assert_eq!(server.state(), State::Closed);
        server.close(CloseCode::NORMAL, "again").await.unwrap();
        assert!(server.send("late").await.unwrap_err().is_closed());
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, CLOSE_AWAY);
    });
}

/// A proxy closes one connection with the code and reason with which the other ended.
#[test]
fn a_code_that_no_close_can_have_is_replaced() {
    run(async {
        let (mut one, _) = server_and_stream(Acceptor::new()).await;
        assert!(matches!(one.next().await, Some(Err(Error::Closed(_)))));
        let (mut client, mut other) = pair(Connector::new(), Acceptor::new()).await;
        let closed = one.closed().unwrap();
        assert_eq!(closed.code, CloseCode::ABNORMAL);
        other.close(closed.code, &closed.reason).await.unwrap();
        assert!(client.next().await.is_none());
        assert_eq!(client.closed().unwrap().code, CloseCode::INTERNAL_ERROR);
    });
}

#[test]
fn a_stream_reports_that_it_has_terminated() {
    run(async {
        let (mut server, client) = server_and_stream(Acceptor::new()).await;
        assert!(!server.is_terminated());
        drop(client);
        assert!(server.next().await.unwrap().is_err());
        assert!(server.is_terminated());
        let (server, client) = server_and_stream(Acceptor::new()).await;
        let (_sender, mut receiver) = server.split();
        assert!(!receiver.is_terminated());
        drop(client);
        assert!(receiver.next().await.unwrap().is_err());
        assert!(receiver.is_terminated());
    });
}

/// The receiving task is already waiting when the sending half feeds, and nothing calls `flush`.
#[test]
fn a_waiting_receiving_half_writes_what_the_sending_half_feeds() {
    run(async {
        let (server, mut client) = server_and_stream(Acceptor::new()).await;
        let (mut sender, mut receiver) = server.split();
        let reader = spawn(async move { receiver.next().await.is_none() });
        tokio::task::yield_now().await;
        sender.feed("fed").await.unwrap();
        sender.try_feed("tried").unwrap();
        sender.feed_fragment("piece", true).await.unwrap();
        sender.try_ping("").unwrap();
        let mut read = [0; 21];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(read, *b"\x81\x03fed\x81\x05tried\x81\x05piece\x89\0");
        client.write_all(&masked(0x88, &[3, 0xe8])).await.unwrap();
        assert!(reader.await.unwrap());
    });
}

#[test]
fn halves_can_be_reunited() {
    run(async {
        let (client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        let (mut sender, receiver) = client.split();
        sender.feed("queued by a half").await.unwrap();
        assert!(sender.with_transport(|stream| stream.peer_addr()).is_ok());
        assert!(receiver.with_transport(|stream| stream.peer_addr()).is_ok());
        let mut client = sender.reunite(receiver).unwrap();
        client.send("whole again").await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::from("queued by a half"));
        assert_eq!(server.next().await.unwrap().unwrap(), Message::from("whole again"));
        server.send("and back").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from("and back"));
    });
}

#[test]
fn reunite_returns_halves_of_different_connections() {
    run(async {
        let (one, mut peer_of_one) = pair(Connector::new(), Acceptor::new()).await;
        let (two, _peer_of_two) = pair(Connector::new(), Acceptor::new()).await;
        let ((sender, receiver), (other_sender, other_receiver)) = (one.split(), two.split());
        let error = sender.reunite(other_receiver).unwrap_err();
        let (mut sender, other_receiver) = (error.0, error.1);
        sender.send("still whole").await.unwrap();
        let message = peer_of_one.next().await.unwrap().unwrap();
        assert_eq!(message, Message::from("still whole"));
        assert!(sender.reunite(receiver).is_ok() && other_sender.reunite(other_receiver).is_ok());
    });
}

#[test]
fn into_parts_loses_nothing() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        client.write_all(b"\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho").await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::from("hi"));
        server.feed("unwritten").await.unwrap();
        let parts = server.into_parts();
        assert_eq!(parts.unread, b"\x81\x82\0\0\0\0ho");
        assert_eq!(parts.unwritten, b"\x81\x09unwritten");
        // The stream is still open and usable.
        let mut stream = parts.transport;
        stream.write_all(&parts.unwritten).await.unwrap();
        stream.write_all(b"\x88\0").await.unwrap();
        let mut read = [0; 13];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(read[..], *b"\x81\x09unwritten\x88\0");
    });
}

#[test]
fn connect_takes_owned_and_borrowed_urls() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = spawn(async move {
            for _ in 0..2 {
                Acceptor::new().accept_tcp(listener.accept().await.unwrap().0).await.unwrap();
            }
        });
        let url = format!("ws://{address}/");
        let mut client: ClientWebSocket = connect(&url).await.unwrap();
        assert_eq!(client.get_ref().peer_addr().unwrap(), address);
        assert!(client.get_mut().tcp().unwrap().nodelay().unwrap());
        connect(url).await.unwrap();
        server.await.unwrap();
    });
}

/// The peer does not read, so the close timeout passes before the Close is written.
#[test]
fn closing_reports_that_the_close_was_not_written() {
    for is_split in [false, true] {
        run_paused(async {
            let (mut peer, pipe) = duplex(1024);
            let mut server = server_over(pipe, &mut peer, Acceptor::new()).await;
            server.try_feed(vec![7; 100_000]).unwrap();
            let outcome = if is_split {
                let (mut sender, mut receiver) = server.split();
                let reader = spawn(async move { drop(receiver.next().await) });
                let outcome = sender.close(CloseCode::NORMAL, "").await;
                reader.await.unwrap();
                outcome
            } else {
                server.close(CloseCode::NORMAL, "").await
            };
            assert!(outcome.is_err(), "split: {is_split}");
        });
    }
}

#[test]
fn a_close_is_queued_without_waiting() {
    run(async {
        let (server, mut client) = server_and_stream(Acceptor::new()).await;
        let (mut sender, mut receiver) = server.split();
        let reader = spawn(async move { receiver.next().await.is_none() });
        tokio::task::yield_now().await;
        sender.try_close(CloseCode::GOING_AWAY, "").unwrap();
        sender.try_close(CloseCode::NORMAL, "again").unwrap();
        let mut read = [0; 4];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(read, CLOSE_AWAY);
        client.write_all(&masked(0x88, &[3, 0xe9])).await.unwrap();
        assert!(reader.await.unwrap());
    });
}
