//! How connections behave, as a handler sets it.

use crate::server::{Server, on_both};
use axum::{Extension, Router, response::Response, routing::any};
use sansocket::{
    CloseCode, Config, Limits, Message,
    client::Connector,
    connection::{Cause, Keepalive, OutboxConfig, TransportEnd, WhenFull},
};
use sansocket_axum::{Acceptor, WebSocket, WebSocketUpgrade};
use std::time::Duration;
use tokio::sync::mpsc;

/// Receives until the end.
async fn drain(mut websocket: WebSocket) {
    while let Some(Ok(_)) = websocket.next().await {}
    websocket.wait_closed().await;
}

fn app(upgrade: impl Fn(WebSocketUpgrade) -> Response + Clone + Send + Sync + 'static) -> Router {
    Router::new().route("/", any(async move |ws: WebSocketUpgrade| upgrade(ws)))
}

#[test]
fn a_message_or_frame_that_is_too_large_fails_the_connection() {
    on_both(|version| async move {
        let acceptor: Acceptor =
            Acceptor::new().config(Config::default().limits(Limits::default().message(10)));
        for app in [
            app(|ws| ws.max_message_size(10).on_upgrade(drain)),
            app(|ws| ws.max_frame_size(10).on_upgrade(drain)),
            app(|ws| {
                let limits = Limits::default().message(10);
                ws.config(Config::default().limits(limits)).on_upgrade(drain)
            }),
            app(|ws| ws.on_upgrade(drain)).layer(Extension(acceptor)),
        ] {
            let server = Server::new(app);
            let mut client = server.open(version).await;
            client.send([0; 10]).await.unwrap();
            client.send([0; 11]).await.unwrap();
            assert!(client.next().await.is_none(), "{version:?}");
            assert_eq!(client.closed().unwrap().code, CloseCode::MESSAGE_TOO_BIG);
        }
    });
}

#[test]
fn keepalive_gives_up_on_a_client_that_does_not_answer() {
    on_both(|version| async move {
        let (ends, mut ended) = mpsc::unbounded_channel();
        let keepalive = Keepalive::new(Duration::from_secs(5), Duration::from_secs(5));
        let app = app(move |ws| {
            let ends = ends.clone();
            ws.keepalive(keepalive).on_upgrade(async move |mut websocket| {
                assert!(websocket.next().await.unwrap().is_err());
                ends.send(websocket.closed().unwrap().cause).unwrap();
            })
        });
        let server = Server::new(app);
        // It is there, but answers no pings because it does not receive.
        let _client = server.open(version).await;
        let cause = ended.recv().await.unwrap();
        assert_eq!(cause, Cause::Transport(TransportEnd::Timeout));
    });
}

#[test]
fn a_client_that_reads_slowly_misses_the_oldest_messages() {
    on_both(|version| async move {
        let app = app(|ws| {
            let outbox = OutboxConfig::new(WhenFull::DropOldest).messages(3);
            ws.outbox(outbox).on_upgrade(async |websocket| {
                let (mut sender, mut receiver) = websocket.split();
                for number in 0..1000_u32 {
                    let large = number.to_be_bytes().repeat(10_000);
                    assert!(sender.push(large).unwrap().is_queued());
                }
                assert!(sender.dropped().oldest.messages > 0);
                // Writes what is left.
                while let Some(Ok(_)) = receiver.next().await {}
            })
        });
        let server = Server::new(app);
        let mut client = server.open(version).await;
        let mut last = 0;
        let mut count = 0;
        while last != 999 {
            let Message::Binary(data) = client.next().await.unwrap().unwrap() else { panic!() };
            let number = u32::from_be_bytes(data[..4].try_into().unwrap());
            assert!(count == 0 || number > last);
            (last, count) = (number, count + 1);
        }
        assert!(count < 1000, "none was dropped");
    });
}

#[cfg(feature = "deflate")]
#[test]
fn messages_are_compressed_if_both_want_it() {
    use sansocket::DeflateConfig;

    on_both(|version| async move {
        let server = Server::new(app(|ws| ws.deflate(DeflateConfig::new()).on_upgrade(drain)));
        let config = Config::default().deflate(DeflateConfig::new());
        let connector = Connector::new().config(config);
        let (client, response) = server.connect(version, &connector, "/").await.unwrap();
        assert!(client.negotiated().deflate.is_some());
        let agreed = response.header_text("Sec-WebSocket-Extensions").unwrap();
        assert!(agreed.starts_with("permessage-deflate"));

        let client = server.open(version).await;
        assert!(client.negotiated().deflate.is_none());
        let server = Server::new(app(|ws| ws.on_upgrade(drain)));
        let (client, _) = server.connect(version, &connector, "/").await.unwrap();
        assert!(client.negotiated().deflate.is_none(), "it is off by default");
    });
}

/// Extraction leaves the limits to the policy that holds in the end.
#[test]
fn a_handler_may_allow_a_longer_head() {
    on_both(|version| async move {
        let config = Config::default().limits(Limits::default().handshake_line(12 << 10));
        let acceptor: Acceptor = Acceptor::new().config(config);
        let path = format!("/?{}", "x".repeat(9000));
        let by_layer = app(|ws| ws.on_upgrade(drain)).layer(Extension(acceptor.clone()));
        let by_acceptor = app(move |ws| ws.acceptor(acceptor.clone()).on_upgrade(drain));
        let by_config = app(move |ws| ws.config(config).on_upgrade(drain));
        for app in [by_layer, by_acceptor, by_config] {
            let opened = Server::new(app).connect(version, &Connector::new(), &path).await;
            assert!(opened.is_ok());
        }
        let by_default = Server::new(app(|ws| ws.on_upgrade(drain)));
        let error = by_default.connect(version, &Connector::new(), &path).await.unwrap_err();
        assert!(error.to_string().contains("414"), "{error}");
    });
}
