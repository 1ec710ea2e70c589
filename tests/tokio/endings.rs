//! How connections over real TCP end, and what each endpoint learns.

use sansocket::{
    CloseCode, Error, Message,
    connection::{Cause, Initiator, ProtocolError, TransportEnd},
    frame::FrameError,
    on_tokio::{Acceptor, Connector},
};
use sansocket_testkit::{
    clock::run,
    frames::{CLOSE_NORMAL, failure_close, failure_payload, masked, plain},
    pair::tokio::{client_and_stream, pair, read_to_end, reset, server_and_stream},
    receiving::{By, WAYS, assert_ended, only_end, receive_all},
};
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn the_server_ends_its_side_first_and_drops_what_the_client_still_sends() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        let server = tokio::spawn(async move {
            assert!(server.next().await.is_none());
            server.wait_closed().await
        });
        assert_eq!(read_to_end(&mut client).await, CLOSE_NORMAL);
        // More than fits into the sockets, so the server has to read it.
        client.write_all(&vec![0; 16 << 20]).await.unwrap();
        assert!(!server.is_finished(), "the client has not ended its side");
        drop(client);
        let closed = server.await.unwrap();
        assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed:?}");
        assert_eq!(closed.cause, Cause::ClosingHandshake);
    });
}

#[test]
fn a_client_ends_tcp_after_the_server_although_its_user_keeps_it() {
    run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        client.close(CloseCode::NORMAL, "").await.unwrap();
        server.write_all(&CLOSE_NORMAL).await.unwrap();
        // Until it has read the server's Close.
        for _ in 0..1000 {
            tokio::select! {
                biased;
                next = client.next() => panic!("it does not wait for the server's end: {next:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        let mut close = [0; 8];
        server.read_exact(&mut close).await.unwrap();
        assert_eq!(close[..2], [0x88, 0x82]);
        let more = server.try_read(&mut close).map_err(|error| error.kind());
        assert_eq!(more, Err(ErrorKind::WouldBlock), "the client ended its side first");
        server.shutdown().await.unwrap();
        assert!(client.next().await.is_none());
        assert_eq!(server.read(&mut close).await.unwrap(), 0);
        assert!(client.closed().unwrap().clean);
    });
}

#[test]
fn two_endpoints_close_cleanly_whoever_begins() {
    run(async {
        for client_begins in [true, false] {
            let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
            if client_begins {
                client.close(CloseCode::GOING_AWAY, "home").await.unwrap();
            } else {
                server.close(CloseCode::GOING_AWAY, "home").await.unwrap();
            }
            let (left, right) = tokio::join!(
                receive_all(&mut client, By::Next),
                receive_all(&mut server, By::Next)
            );
            assert!(left.1.is_empty() && right.1.is_empty(), "{left:?} {right:?}");
            let ends = [client.closed().unwrap(), server.closed().unwrap()];
            for closed in ends {
                assert!(closed.clean && closed.cause == Cause::ClosingHandshake, "{closed:?}");
                assert_eq!(closed.code, CloseCode::GOING_AWAY);
            }
            let initiators = [ends[0].initiator, ends[1].initiator];
            let expected = if client_begins {
                [Initiator::Local, Initiator::Peer]
            } else {
                [Initiator::Peer, Initiator::Local]
            };
            assert_eq!(initiators, expected);
            let reason = if client_begins { &ends[1].reason } else { &ends[0].reason };
            assert_eq!(reason, "home");
        }
    });
}

#[test]
fn messages_sent_before_the_peers_close_are_received_after_our_close() {
    run(async {
        let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        server.send("one").await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        // The client's Close has arrived, but messages sent before it is read still reach the
        // client.
        server.send("two").await.unwrap();
        let (received, none) = tokio::join!(receive_all(&mut client, By::Next), server.next());
        assert_eq!(received.0, [b"one", b"two"]);
        assert!(received.1.is_empty() && none.is_none());
        assert!(client.closed().unwrap().clean && server.closed().unwrap().clean);
    });
}

#[test]
fn a_failure_close_arrives_despite_megabytes_of_unread_input() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        let server = tokio::spawn(async move {
            let first = server.next().await;
            // The fault is reported at once; the server continues so that the client gets to read
            // the Close.
            let then_none = server.next().await.is_none();
            (first, then_none, server.wait_closed().await)
        });
        // A reserved opcode, then much more than any socket buffer holds.
        client.write_all(&[0x83]).await.unwrap();
        client.write_all(&vec![0; 16 << 20]).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut client).await, failure_close(FrameError::ReservedOpCode(3)));
        let (first, then_none, closed) = server.await.unwrap();
        let error = ProtocolError::Frame(FrameError::ReservedOpCode(3));
        assert!(matches!(first, Some(Err(Error::Protocol(got))) if got == error), "{first:?}");
        assert!(then_none);
        assert_eq!((closed.cause, closed.code), (Cause::Protocol(error), CloseCode::ABNORMAL));
        assert!(!closed.clean && closed.initiator == Initiator::Local);
    });
}

#[test]
fn a_client_also_tells_the_server_why_it_fails() {
    run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        server.write_all(&masked(0x81, b"hi")).await.unwrap();
        let look = async {
            let mut close = [0; 8];
            server.read_exact(&mut close).await.unwrap();
            let code = [close[6] ^ close[2], close[7] ^ close[3]];
            let len = failure_payload(ProtocolError::Masked).len() as u8;
            assert_eq!((&close[..2], code), (&[0x88, 0x80 | len][..], [0x03, 0xea]));
            drop(server);
        };
        let ((messages, errors), ()) = tokio::join!(receive_all(&mut client, By::Next), look);
        assert!(messages.is_empty());
        assert!(matches!(errors[..], [Error::Protocol(ProtocolError::Masked)]), "{errors:?}");
    });
}

#[test]
fn an_end_without_a_close_is_one_error_for_every_receiver() {
    run(async {
        for by in WAYS {
            let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
            client.write_all(&masked(0x81, b"whole")).await.unwrap();
            client.write_all(&masked(0x81, b"cut short")[..9]).await.unwrap();
            drop(client);
            let (messages, errors) = receive_all(&mut server, by).await;
            assert_eq!(messages, [b"whole"], "{by:?}");
            let closed = only_end(errors);
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof), "{by:?}");
            assert_eq!(
                (closed.code, closed.initiator),
                (CloseCode::ABNORMAL, Initiator::Transport)
            );
            assert!(!closed.clean);
            assert_eq!(server.closed(), Some(&closed));
            assert_eq!(server.wait_closed().await, closed);
            for again in WAYS {
                let (messages, errors) = receive_all(&mut server, again).await;
                assert!(messages.is_empty() && errors.is_empty(), "{by:?}, then {again:?}");
            }
        }
    });
}

#[test]
fn a_clean_close_is_not_an_error_for_any_receiver() {
    run(async {
        for by in WAYS {
            let (mut client, mut server) = client_and_stream(Connector::new()).await;
            server.write_all(&plain(0x82, b"last")).await.unwrap();
            server.write_all(&CLOSE_NORMAL).await.unwrap();
            server.shutdown().await.unwrap();
            let (messages, errors) = receive_all(&mut client, by).await;
            assert_eq!(messages, [b"last"], "{by:?}");
            assert!(errors.is_empty(), "{by:?}: {errors:?}");
            assert!(client.closed().unwrap().clean);
        }
    });
}

#[test]
fn sending_after_the_end_fails_with_the_cause() {
    run(async {
        let (mut server, client) = server_and_stream(Acceptor::new()).await;
        drop(client);
        assert_ended(server.next().await, TransportEnd::Eof);
        let outcomes = [
            server.try_feed("late"),
            server.feed("late").await,
            server.feed_fragment("late", true).await,
            server.send("late").await,
            server.send(&vec![0; 1 << 20]).await,
            server.ping(b"late").await,
            server.flush().await,
        ];
        server.close(CloseCode::NORMAL, "late").await.unwrap();
        for outcome in outcomes {
            let Err(Error::Closed(closed)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(&*closed, server.closed().unwrap());
        }
        assert_eq!(server.buffered_amount(), 0);
    });
}

#[test]
fn a_reset_is_distinguished_from_an_end_by_every_receiver() {
    run(async {
        for by in WAYS {
            let (mut server, client) = server_and_stream(Acceptor::new()).await;
            reset(client);
            let closed = only_end(receive_all(&mut server, by).await.1);
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset), "{by:?}");
            assert_eq!(
                (closed.code, closed.initiator),
                (CloseCode::ABNORMAL, Initiator::Transport)
            );
        }
    });
}

#[test]
fn a_reset_first_seen_by_a_write_is_not_an_orderly_end() {
    run(async {
        let (mut server, client) = server_and_stream(Acceptor::new()).await;
        reset(client);
        // The system reports a reset only once: to this write, and not to later reads.
        while server.send("is anybody there?").await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_ended(server.next().await, TransportEnd::Reset);
        assert!(server.next().await.is_none());
    });
}

#[test]
fn input_sent_before_the_peers_end_is_read_after_a_write_has_failed() {
    run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        server.write_all(&plain(0x81, b"last")).await.unwrap();
        server.write_all(&plain(0x88, &[0x03, 0xe9])).await.unwrap();
        drop(server);
        // Writing fails once the reset in response to the first segment has arrived.
        let error = loop {
            match client.send("is anybody there?").await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Io(_)), "{error:?}");
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("last"));
        let closed = match client.next().await {
            Some(Err(Error::Closed(closed))) => *closed,
            other => panic!("{other:?}"),
        };
        assert_eq!((closed.code, closed.initiator), (CloseCode::GOING_AWAY, Initiator::Peer));
        assert!(!closed.clean, "the answer to the Close could not be written");
        assert!(client.next().await.is_none());
    });
}

#[test]
fn a_dropped_endpoint_is_an_end_without_a_close_to_the_peer() {
    run(async {
        let (mut client, server) = pair(Connector::new(), Acceptor::new()).await;
        drop(server);
        assert_ended(client.next().await, TransportEnd::Eof);

        let (client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        drop(client);
        assert_ended(server.next().await, TransportEnd::Eof);
    });
}

#[test]
fn dropping_an_endpoint_with_unread_bytes_does_not_reset_the_connection() {
    run(async {
        let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        client.send("never read").await.unwrap();
        server.get_ref().peek(&mut [0]).await.unwrap();
        server.feed("the last word").await.unwrap();
        drop(server);
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("the last word"));
        assert_ended(client.next().await, TransportEnd::Eof);
    });
}

/// The peer resets the connection once it has this endpoint's Close, so the pong can't be written.
#[test]
fn a_pong_after_our_close_does_not_make_the_end_unclean() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        let sent = [masked(0x81, b"!"), masked(0x89, b"?"), masked(0x88, &[0x03, 0xe8])].concat();
        client.write_all(&sent).await.unwrap();
        assert!(server.receive().await.unwrap().is_ok());
        server.close(CloseCode::NORMAL, "").await.unwrap();
        let mut close = [0; 4];
        client.read_exact(&mut close).await.unwrap();
        assert_eq!(close, CLOSE_NORMAL);
        reset(client);
        while let Some(event) = server.receive().await {
            event.unwrap();
        }
        assert!(server.closed().unwrap().clean);
    });
}
