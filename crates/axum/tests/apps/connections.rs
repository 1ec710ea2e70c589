//! What handlers do with open connections.

use crate::server::{Server, Version, http2, on_both, run};
use axum::{Router, routing::any};
use futures_util::StreamExt;
use sansocket::{
    CloseCode, Config, Message,
    buffer::ReadBuffer,
    client::Connector,
    connection::{Client, MessageKind, Server as Role},
    handshake::Negotiated,
    on_tokio,
    random::SystemMaskKeys,
};
use sansocket_axum::{Group, PreparedMessage, WebSocket, WebSocketUpgrade};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex},
    sync::mpsc,
};

/// Larger than the limit of a whole message, and than all windows.
#[test]
fn a_long_message_is_read_as_it_arrives() {
    const LEN: u64 = 20 << 20;

    async fn measure(mut websocket: WebSocket) {
        let mut reader = websocket.next_reader().await.unwrap().unwrap();
        let len = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap();
        drop(reader);
        websocket.send(len.to_string()).await.unwrap();
        websocket.wait_closed().await;
    }

    on_both(|version| async move {
        let app =
            Router::new().route("/", any(async |ws: WebSocketUpgrade| ws.on_upgrade(measure)));
        let mut client = Server::new(app).open(version).await;
        let mut writer = client.message_writer(MessageKind::Binary);
        tokio::io::copy(&mut tokio::io::repeat(7).take(LEN), &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
        drop(writer);
        let told = client.next().await.unwrap().unwrap();
        assert_eq!(told.as_text(), Some(&*LEN.to_string()));
    });
}

#[test]
fn a_prepared_message_reaches_members_on_both_versions() {
    run(async {
        let room = Group::new();
        let app = Router::new().route(
            "/",
            any({
                let room = room.clone();
                async |ws: WebSocketUpgrade| {
                    ws.on_upgrade(async move |websocket| {
                        let (sender, mut receiver) = websocket.split();
                        let member = room.join(sender);
                        while let Some(Ok(message)) = receiver.next().await {
                            let text = message.into_text().unwrap();
                            room.send_except(member.id(), &PreparedMessage::new(text));
                        }
                    })
                }
            }),
        );
        let server = Server::new(app);
        let mut clients = Vec::new();
        for version in [Version::Http1, Version::Http2, Version::Http1, Version::Http2] {
            clients.push(server.open(version).await);
        }
        while room.len() < clients.len() {
            tokio::task::yield_now().await;
        }
        clients[0].send("to the others").await.unwrap();
        for client in &mut clients[1..] {
            assert_eq!(client.next().await.unwrap().unwrap(), Message::from("to the others"));
        }
        let left = clients.pop().unwrap();
        drop(left);
        clients[1].send("still here").await.unwrap();
        assert_eq!(clients[0].next().await.unwrap().unwrap(), Message::from("still here"));
    });
}

#[test]
fn two_tasks_send_and_receive() {
    on_both(|version| async move {
        let (counts, mut counted) = mpsc::unbounded_channel();
        let handler = async move |ws: WebSocketUpgrade| {
            ws.on_upgrade(async move |websocket| {
                let (mut sender, mut receiver) = websocket.split();
                let sending = tokio::spawn(async move {
                    for number in 0..20 {
                        sender.send(format!("message {number}")).await.unwrap();
                    }
                    sender.close(CloseCode::NORMAL, "goodbye").await.unwrap();
                });
                let mut count = 0;
                while receiver.next().await.is_some() {
                    count += 1;
                }
                sending.await.unwrap();
                receiver.wait_closed().await;
                counts.send(count).unwrap();
            })
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        let mut client = server.open(version).await;
        client.send("one").await.unwrap();
        client.send("two").await.unwrap();
        for number in 0..20 {
            let message = client.next().await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some(&*format!("message {number}")));
        }
        assert!(client.next().await.is_none());
        let closed = client.wait_closed().await;
        assert_eq!((closed.code, &*closed.reason), (CloseCode::NORMAL, "goodbye"));
        assert_eq!(counted.recv().await, Some(2));
    });
}

/// A handler that is generic over its transport needs no server in a test.
#[test]
fn a_handler_is_tested_without_a_server() {
    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(mut websocket: on_tokio::WebSocket<S, Role>) {
        while let Some(Ok(Message::Text(name))) = websocket.next().await {
            websocket.send(format!("hello, {}", name.as_str())).await.unwrap();
        }
    }

    // It takes the connections of an app, too.
    let _ = |websocket: WebSocket| greet(websocket);
    run(async {
        let (near, far) = duplex(1024);
        let (none, config) = (Negotiated::new(), Config::default());
        let role = Client::new(SystemMaskKeys::new().unwrap());
        let mut client =
            on_tokio::WebSocket::new(near, role, none.clone(), ReadBuffer::new(), config);
        let server = on_tokio::WebSocket::new(far, Role::new(), none, ReadBuffer::new(), config);
        tokio::spawn(greet(server));
        client.send("you").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from("hello, you"));
    });
}

#[test]
fn a_websocket_is_a_stream_and_a_sink() {
    on_both(|version| async move {
        let app = Router::new().route(
            "/",
            any(async |ws: WebSocketUpgrade| {
                ws.on_upgrade(async |websocket| {
                    let (sink, stream) = StreamExt::split(websocket);
                    let _ = stream.forward(sink).await;
                })
            }),
        );
        let mut client = Server::new(app).open(version).await;
        client.send("and back").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from("and back"));
    });
}

/// RFC 8441 §5: each stream is a connection of its own.
#[test]
fn websockets_share_a_connection_of_http2() {
    run(async {
        let handler = async |ws: WebSocketUpgrade| {
            let path = ws.request().path().to_owned();
            ws.on_upgrade(async move |mut websocket| {
                assert!(websocket.get_ref().is_stream());
                websocket.send(path).await.unwrap();
                websocket.wait_closed().await;
            })
        };
        let server = Server::new(Router::new().route("/{number}", any(handler)));
        let mut http2 = http2(server.connection()).await;
        let connector = Connector::new();
        let mut clients = Vec::new();
        for number in 0..20 {
            let url = format!("ws://h/{number}");
            clients.push(sansocket_hyper::connect(&connector, &mut http2, url).await.unwrap().0);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let told = client.next().await.unwrap().unwrap();
            assert_eq!(told.as_text(), Some(&*format!("/{number}")));
        }
    });
}

/// More than fits into the pipe and, on HTTP/2, into a window.
#[test]
fn what_a_dropped_websocket_has_queued_is_delivered() {
    on_both(|version| async move {
        let handler = async |ws: WebSocketUpgrade| {
            ws.on_upgrade(async |mut websocket| {
                for number in 0..200_u8 {
                    websocket.feed([number; 50_000]).await.unwrap();
                }
            })
        };
        let mut client = Server::new(Router::new().route("/", any(handler))).open(version).await;
        for number in 0..200_u8 {
            let message = client.next().await.unwrap().expect("it was queued before the drop");
            assert_eq!(message, Message::from(vec![number; 50_000]));
        }
        // Nobody has closed the connection.
        assert!(client.next().await.unwrap().is_err());
        assert_eq!(client.closed().unwrap().code, CloseCode::ABNORMAL);
    });
}

/// The Close with the reason has to wait, because the client does not read what was sent before.
#[test]
fn a_client_learns_why_its_connection_failed_though_the_handler_returns() {
    on_both(|version| async move {
        let (returns, mut returned) = mpsc::unbounded_channel();
        let handler = async move |ws: WebSocketUpgrade| {
            ws.max_message_size(10).on_upgrade(async move |mut websocket| {
                let mut refused = 0;
                while refused < 100 {
                    refused =
                        if websocket.try_feed([0; 10_000]).is_err() { refused + 1 } else { 0 };
                    tokio::task::yield_now().await;
                }
                assert!(websocket.next().await.unwrap().is_err());
                drop(websocket);
                returns.send(()).unwrap();
            })
        };
        let mut client = Server::new(Router::new().route("/", any(handler))).open(version).await;
        client.send([0; 11]).await.unwrap();
        returned.recv().await.unwrap();
        while let Some(Ok(_)) = client.next().await {}
        assert_eq!(client.closed().unwrap().code, CloseCode::MESSAGE_TOO_BIG);
    });
}
