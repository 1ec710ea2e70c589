//! A graceful shutdown of `axum::serve` while WebSockets are open.

use crate::server::{Server, Version, on_both, run};
use axum::{Router, routing::any};
use sansocket::{CloseCode, Message, on_tokio};
use sansocket_axum::{Group, PreparedMessage, WebSocketUpgrade};
use tokio::{net::TcpListener, sync::oneshot};

fn app(room: &Group) -> Router {
    let room = room.clone();
    let handler = async move |ws: WebSocketUpgrade| {
        ws.on_upgrade(async move |websocket| {
            let (sender, mut receiver) = websocket.split();
            let member = room.join(sender);
            while let Some(Ok(message)) = receiver.next().await {
                let answer = PreparedMessage::new(&message);
                room.send_to(member.id(), &answer);
            }
            receiver.wait_closed().await;
        })
    };
    Router::new().route("/", any(handler))
}

#[test]
fn clients_are_told_1001() {
    on_both(|version| async move {
        let room = Group::new();
        let server = Server::new(app(&room));
        let mut client = server.open(version).await;
        while room.is_empty() {
            tokio::task::yield_now().await;
        }
        let serving = server.stop();
        // The crate's docs say so: it waits on HTTP/2 alone.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(serving.is_finished(), version == Version::Http1);
        client.send("still open").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from("still open"));

        assert_eq!(room.close_all(CloseCode::GOING_AWAY, "maintenance").unwrap(), 1);
        assert!(client.next().await.is_none());
        let closed = client.wait_closed().await;
        assert_eq!((closed.code, &*closed.reason), (CloseCode::GOING_AWAY, "maintenance"));
        assert!(closed.clean);
        serving.await.unwrap();
    });
}

#[test]
fn a_stopping_server_opens_no_more_websockets() {
    run(async {
        let room = Group::new();
        let server = Server::new(app(&room));
        let waiting = server.connection();
        server.stop().await.unwrap();
        let connecting = on_tokio::Connector::new().connect_over("ws://h/", waiting).await;
        assert!(connecting.is_err());
    });
}

/// The way to test an app as its clients see it.
#[tokio::test]
async fn an_app_is_tested_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let room = Group::new();
    let served = axum::serve(listener, app(&room));
    let serving =
        tokio::spawn(served.with_graceful_shutdown(async { stopped.await.unwrap() }).into_future());
    let mut client = on_tokio::connect(format!("ws://{address}/")).await.unwrap();
    while room.is_empty() {
        tokio::task::yield_now().await;
    }
    client.send("hello").await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::from("hello"));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    room.close_all(CloseCode::GOING_AWAY, "").unwrap();
    assert!(client.next().await.is_none());
    assert_eq!(client.closed().unwrap().code, CloseCode::GOING_AWAY);
}
