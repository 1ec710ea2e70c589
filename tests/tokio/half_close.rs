//! Peers that end their sending side of TCP and keep reading.

use sansocket::{
    CloseCode, Error, Message,
    connection::{Cause, Initiator, ProtocolError, TransportEnd},
    on_tokio::{Acceptor, Connector},
};
use sansocket_testkit::{
    clock::run,
    frames::{CLOSE_NORMAL, failure_close, masked, plain},
    pair::tokio::{client_and_stream, read_to_end, server_and_stream},
    receiving::assert_ended,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More than the sockets take, so that a part is still queued when the peer's end is read.
const LARGE: usize = 16 << 20;

#[test]
fn a_peer_that_ends_its_side_receives_the_queue_and_our_end() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        server.feed("queued").await.unwrap();
        client.write_all(&masked(0x89, b"?")).await.unwrap();
        client.write_all(&masked(0x81, b"bye")).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("bye"));
        assert_ended(server.next().await, TransportEnd::Eof);
        assert!(server.next().await.is_none());
        // The server's side has ended too, although its user keeps it.
        let expected = [plain(0x81, b"queued"), plain(0x8a, b"?")].concat();
        assert_eq!(read_to_end(&mut client).await, expected);
        drop(server);
    });
}

#[test]
fn a_client_that_ends_its_side_after_its_close_receives_our_close() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        client.shutdown().await.unwrap();
        assert!(server.next().await.is_none());
        assert!(server.closed().unwrap().clean);
        assert_eq!(read_to_end(&mut client).await, CLOSE_NORMAL);
    });
}

#[test]
fn a_server_that_ends_its_side_after_its_close_receives_our_close() {
    run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        server.write_all(&CLOSE_NORMAL).await.unwrap();
        server.shutdown().await.unwrap();
        assert!(client.next().await.is_none());
        assert!(client.closed().unwrap().clean);
        let answer = read_to_end(&mut server).await;
        assert_eq!((answer.len(), &answer[..2]), (8, &[0x88, 0x82][..]));
    });
}

#[test]
fn a_client_that_ends_its_side_receives_the_queue_and_our_close() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        server.try_feed(vec![0; LARGE]).unwrap();
        assert!(server.buffered_amount() > 0, "this test needs a queue");
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        client.shutdown().await.unwrap();
        let (next, received) = tokio::join!(server.next(), read_to_end(&mut client));
        assert!(received.len() > LARGE, "received {} bytes", received.len());
        assert!(received.ends_with(&CLOSE_NORMAL));
        assert!(next.is_none(), "{next:?}");
        let closed = server.closed().unwrap();
        assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed:?}");
    });
}

#[test]
fn a_server_that_ends_its_side_receives_the_queue_and_our_close() {
    run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        client.try_feed(vec![0; LARGE]).unwrap();
        server.write_all(&CLOSE_NORMAL).await.unwrap();
        server.shutdown().await.unwrap();
        let read = async {
            let mut bytes = vec![0; 0];
            while !(bytes.len() > LARGE && bytes[bytes.len() - 8..][..2] == [0x88, 0x82]) {
                assert!(server.read_buf(&mut bytes).await.unwrap() > 0, "{} came", bytes.len());
            }
            drop(server);
        };
        let (next, ()) = tokio::join!(client.next(), read);
        assert!(next.is_none(), "{next:?}");
        assert!(client.closed().unwrap().clean);
    });
}

#[test]
fn a_client_that_ends_its_side_after_a_fault_receives_the_queue_and_the_failure_close() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        server.try_feed(vec![0; LARGE]).unwrap();
        client.write_all(&plain(0x81, b"unmasked")).await.unwrap();
        client.shutdown().await.unwrap();
        let wait = async {
            let next = server.next().await;
            server.wait_closed().await;
            next
        };
        let (next, received) = tokio::join!(wait, read_to_end(&mut client));
        assert!(
            received.ends_with(&failure_close(ProtocolError::Unmasked)),
            "received {} bytes",
            received.len()
        );
        assert!(matches!(next, Some(Err(Error::Protocol(ProtocolError::Unmasked)))), "{next:?}");
        let closed = server.closed().unwrap();
        assert_eq!(closed.cause, Cause::Protocol(ProtocolError::Unmasked));
        assert_eq!(closed.code, CloseCode::ABNORMAL);
    });
}

/// The peer keeps reading, so the queue is still written.
#[test]
fn a_peer_that_ends_its_side_without_a_close_receives_the_queue() {
    const MANY: usize = 8 << 20;
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        server.try_feed(vec![0; MANY]).unwrap();
        client.shutdown().await.unwrap();
        let (next, received) = tokio::join!(server.next(), read_to_end(&mut client));
        assert!(received.len() > MANY, "received {} bytes", received.len());
        let Some(Err(Error::Closed(closed))) = next else { panic!("{next:?}") };
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
        assert!(server.next().await.is_none());
    });
}
