//! Messages over upgraded connections.

use crate::server::{Server, Version, http2, on_both, run};
use sansocket::{CloseCode, Config, Message, client::Connector, server::Acceptor};
use sansocket_hyper::connect;
use std::time::Duration;

#[test]
fn messages_pass_in_both_directions() {
    on_both(|version| async move {
        let server = Server::new(Acceptor::new());
        let (mut client, mut peer) = server.open(version, &Connector::new()).await.unwrap();
        assert_eq!(peer.get_ref().is_stream(), version == Version::Http2);
        assert_eq!(client.get_ref().is_stream(), version == Version::Http2);
        client.send("question").await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::from("question"));
        peer.send(vec![1, 2, 3]).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from(vec![1, 2, 3]));
    });
}

/// Larger than every window and buffer on the way.
#[test]
fn large_messages_pass_while_both_endpoints_read() {
    on_both(|version| async move {
        let config = Config::default();
        let server = Server::new(Acceptor::new().config(config));
        let connector = Connector::new().config(config);
        let (client, mut peer) = server.open(version, &connector).await.unwrap();
        let large: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
        let echo = tokio::spawn(async move {
            while let Some(message) = peer.next().await {
                peer.send(message.unwrap()).await.unwrap();
            }
            peer.wait_closed().await
        });
        let (mut sender, mut receiver) = client.split();
        let sent = large.clone();
        let sending = tokio::spawn(async move {
            sender.send(sent).await.unwrap();
            sender
        });
        assert_eq!(receiver.next().await.unwrap().unwrap(), Message::from(large));
        let mut sender = sending.await.unwrap();
        sender.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(receiver.next().await.is_none());
        assert!(echo.await.unwrap().clean);
        let client = sender.reunite(receiver).unwrap();
        assert!(client.closed().unwrap().clean);
    });
}

/// RFC 8441 §5: each stream is a connection of its own.
#[test]
fn many_websockets_share_a_connection() {
    run(async {
        let server = Server::new(Acceptor::new());
        let mut http2 = http2(server.connection().0).await;
        let connector = Connector::new();
        let mut pairs = Vec::new();
        for index in 0..50 {
            let url = format!("ws://h/{index}");
            let (client, _) = connect(&connector, &mut http2, url).await.unwrap();
            pairs.push((client, server.websocket().await));
        }
        for (index, (client, _)) in pairs.iter_mut().enumerate() {
            client.send(index.to_string()).await.unwrap();
        }
        for (index, (_, peer)) in pairs.iter_mut().enumerate().rev() {
            assert_eq!(peer.next().await.unwrap().unwrap(), Message::from(index.to_string()));
        }
        drop(pairs.swap_remove(7));
        let (client, peer) = &mut pairs[3];
        client.send("still here").await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::from("still here"));
    });
}

/// The streams of a connection share its window, which has to be larger than that of one stream.
#[test]
fn a_stream_that_is_not_read_leaves_the_others_a_larger_window() {
    for (windows, is_enough) in [(1, false), (2, true)] {
        run(async move {
            let server = Server::new(Acceptor::new());
            let mut http2 = http2(server.connection_with_windows(windows).0).await;
            let connector = Connector::new();
            let (mut client, _) = connect(&connector, &mut http2, "ws://h/").await.unwrap();
            let _unread = server.websocket().await;
            let sending = tokio::spawn(async move { client.send(vec![0; 4_000_000]).await });
            let (mut client, _) = connect(&connector, &mut http2, "ws://h/").await.unwrap();
            let mut peer = server.websocket().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!sending.is_finished());
            client.send("through").await.unwrap();
            let received = tokio::time::timeout(Duration::from_secs(1), peer.next()).await;
            assert_eq!(received.is_ok(), is_enough);
        });
    }
}

/// Halves of many WebSockets in tasks of their own, on several threads and one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wakeup_is_lost_between_threads() {
    let server = Server::new(Acceptor::new());
    let mut http2 = http2(server.connection().0).await;
    let connector = Connector::new();
    let mut clients = tokio::task::JoinSet::new();
    for index in 0..8_usize {
        let (client, _) = connect(&connector, &mut http2, "ws://h/").await.unwrap();
        let mut peer = server.websocket().await;
        tokio::spawn(async move {
            while let Some(Ok(message)) = peer.next().await {
                peer.send(message).await.unwrap();
            }
            peer.wait_closed().await
        });
        let (mut sender, mut receiver) = client.split();
        let sizes = move || (0..20).map(move |turn| (turn * 7919 + index * 104_729) % 150_000);
        clients.spawn(async move {
            for size in sizes() {
                sender.send(vec![1; size]).await.unwrap();
            }
            sender.close(CloseCode::NORMAL, "").await.unwrap();
        });
        clients.spawn(async move {
            for size in sizes() {
                assert_eq!(receiver.next().await.unwrap().unwrap(), Message::from(vec![1; size]));
            }
            assert!(receiver.next().await.is_none());
        });
    }
    let outcome = tokio::time::timeout(Duration::from_secs(60), clients.join_all()).await;
    assert!(outcome.is_ok(), "the tasks did not end in time");
}

/// The bytes that a client sends together with its request belong to the WebSocket.
#[test]
fn what_comes_with_the_request_is_not_lost() {
    use tokio::io::AsyncWriteExt;

    run(async {
        let server = Server::new(Acceptor::new());
        let (mut stream, _) = server.connection();
        let request = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        let hello = b"\x81\x85\0\0\0\0hello";
        stream.write_all(&[request.as_bytes(), hello].concat()).await.unwrap();
        tokio::task::yield_now().await;
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte).await.unwrap();
        let mut peer = server.websocket().await;
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::from("hello"));
    });
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_and_used() {
    use sansocket::deflate::DeflateConfig;

    on_both(|version| async move {
        let config = Config::default().deflate(DeflateConfig::default());
        let server = Server::new(Acceptor::new().config(config));
        let connector = Connector::new().config(config);
        let (mut client, mut peer) = server.open(version, &connector).await.unwrap();
        let agreed = &client.negotiated().extensions;
        assert_eq!(agreed, &peer.negotiated().extensions);
        assert_eq!(agreed[0].name, "permessage-deflate");
        let text = "over and over ".repeat(1000);
        client.send(&*text).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::from(&*text));

        let (stream, _) = server.connection();
        let connector = Connector::new();
        let client = crate::server::client(version, stream, &connector, "ws://h/").await.unwrap();
        assert!(client.negotiated().extensions.is_empty());
    });
}
