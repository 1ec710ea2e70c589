//! Compression in the shell: negotiated according to the configuration, and the same messages at
//! both endpoints.
#![cfg(feature = "deflate")]

use sansocket::{
    CloseCode, Config, DeflateConfig, Event, Message, Payload,
    buffer::ReadBuffer,
    connection::Server,
    deflate::DeflateParameters,
    handshake::{Accept, Negotiated, Request},
    on_tokio::{Acceptor, Connector, WebSocket},
};
use sansocket_testkit::{
    clock::run,
    endpoint::{Endpoint, client_role},
    pair::tokio::{pair, streams},
    polling::poll_once,
    transports::wire::{EAGER, SERVER, Wire},
};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

fn compressing() -> Config {
    Config::default().deflate(DeflateConfig::new())
}

#[test]
fn messages_of_all_forms_arrive_unchanged() {
    run(async {
        let (connector, acceptor) =
            (Connector::new().config(compressing()), Acceptor::new().config(compressing()));
        let (mut client, server) = pair(connector, acceptor).await;
        assert!(client.negotiated().deflate.is_some());
        assert_eq!(client.negotiated(), server.negotiated());
        let echo = tokio::spawn(async move {
            let mut server = server;
            server
                .receive_with(|event, replies| match event {
                    Event::Text(text) => replies.try_feed(text),
                    Event::Binary(data) => replies.try_feed(data),
                    _ => Ok::<(), sansocket::Error>(()),
                })
                .await
                .unwrap();
            server.closed().unwrap().clean
        });
        for size in [0, 10, 1000, 16_384, 100_000, 1_000_000] {
            let text = "said again and again ".repeat(size / 21);
            client.send(&text).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text.as_str()));
            client.send(Payload::from(&text).uncompressed()).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text.as_str()));
            client.send(&Message::text(text.as_str())).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
        }
        client.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(client.wait_closed().await.clean);
        assert!(echo.await.unwrap());
    });
}

#[test]
fn a_response_can_override_the_configured_compression() {
    run(async {
        let (client, server) = streams().await;
        let connector = Connector::new().config(compressing());
        let connect = async { connector.connect_over("ws://localhost/", client).await.unwrap().0 };
        let accept = async {
            let opening = Acceptor::new().config(compressing());
            let opening = opening.receive_request(server).await.unwrap();
            let high = DeflateConfig::new().threshold(1000);
            opening.accept(&Accept::new().deflate(high)).await.unwrap()
        };
        let (_client, mut server) = tokio::join!(connect, accept);
        for (len, is_compressed) in [(999, false), (1000, true)] {
            server.try_feed(vec![7; len]).unwrap();
            assert_eq!(server.buffered_amount() < len, is_compressed, "{len}");
            server.flush().await.unwrap();
        }
    });
}

#[test]
fn a_response_can_omit_the_configured_compression() {
    run(async {
        let (client, server) = streams().await;
        let connector = Connector::new().config(compressing());
        let connect = async { connector.connect_over("ws://localhost/", client).await.unwrap().0 };
        let accept = async {
            let acceptor = Acceptor::new().config(compressing());
            let decide = |_: &Request| Ok(Accept::new().deflate(None));
            acceptor.accept_with(server, decide).await.unwrap()
        };
        let (mut client, mut server) = tokio::join!(connect, accept);
        assert!(client.negotiated().deflate.is_none() && server.negotiated().deflate.is_none());
        let text = "said again and again ".repeat(100);
        server.feed(&text).await.unwrap();
        assert!(server.buffered_amount() > text.len());
        server.flush().await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
    });
}

#[test]
fn compression_is_off_unless_both_endpoints_want_it() {
    run(async {
        for (one, other) in [(true, false), (false, true), (false, false)] {
            let config = |is_on| if is_on { compressing() } else { Config::default() };
            let connector = Connector::new().config(config(one));
            let (mut client, mut server) =
                pair(connector, Acceptor::new().config(config(other))).await;
            assert!(client.negotiated().deflate.is_none() && server.negotiated().deflate.is_none());
            client.send("plain").await.unwrap();
            assert_eq!(server.next().await.unwrap().unwrap(), Message::text("plain"));
        }
    });
}

#[test]
fn uncompressed_payloads_stay_uncompressed_in_pieces() {
    run(async {
        let (connector, acceptor) =
            (Connector::new().config(compressing()), Acceptor::new().config(compressing()));
        let (mut client, mut server) = pair(connector, acceptor).await;
        let text = "said again and again ".repeat(100);
        for (piece, is_compressed) in
            [(Payload::from(&text), true), (Payload::from(&text).uncompressed(), false)]
        {
            server.feed_fragment(piece, false).await.unwrap();
            assert_eq!(server.buffered_amount() < text.len(), is_compressed);
            // The rest continues as the first piece began.
            server.feed_fragment(Payload::from(&text), true).await.unwrap();
            assert_eq!(server.buffered_amount() < 2 * text.len(), is_compressed);
            server.flush().await.unwrap();
            let received = client.next().await.unwrap().unwrap();
            assert_eq!(received, Message::text(text.repeat(2)));
        }
    });
}

/// Compression is work, so it yields. If a future is dropped before its message is compressed,
/// nothing of the message is sent, and the next message is not affected.
#[test]
fn compressing_yields_and_can_be_dropped() {
    let agreed = Negotiated::new().deflate(DeflateParameters::default());
    let large = "a sentence that comes again and again ".repeat(100_000);
    let turns = large.len() / (256 << 10);
    let mut needed = None;
    for drop_after in 0.. {
        let wire = Wire::new();
        let (end, input) = (wire.end(SERVER, EAGER), ReadBuffer::new());
        let mut server = WebSocket::new(end, Server::new(), agreed.clone(), input, compressing());
        assert!(matches!(poll_once(server.send("first, first, first")), Poll::Ready(Ok(()))));
        let mut is_sent = false;
        {
            let mut feed = pin!(server.feed(&large));
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..drop_after {
                if let Poll::Ready(outcome) = feed.as_mut().poll(&mut cx) {
                    outcome.unwrap();
                    is_sent = true;
                    break;
                }
            }
        }
        assert!(matches!(poll_once(server.send("last, first, first")), Poll::Ready(Ok(()))));
        let mut peer = Endpoint::agreed(client_role(), &agreed, compressing());
        peer.fill(&wire.take(SERVER));
        let mut expected = vec!["first, first, first", "last, first, first"];
        if is_sent {
            expected.insert(1, &large);
        }
        assert!(
            peer.messages()
                .unwrap()
                .iter()
                .map(|message| message.as_bytes())
                .eq(expected.iter().map(|text| text.as_bytes()))
        );
        if is_sent {
            needed = Some(drop_after);
            break;
        }
    }
    assert!(needed.is_some_and(|polls| polls > turns), "{needed:?}");
}
