//! STOMP over WebSocket at `/ws`.

use crate::server::{Running, options, with_users};
use sansocket::{
    Error, Message,
    on_tokio::{ClientWebSocket, Connector},
};
use sansocket_server::access::{Authenticator, Claims};
use std::time::Duration;

/// A client that sends exactly what it is told.
pub(crate) struct Client(ClientWebSocket);

impl Client {
    pub(crate) async fn open(running: &Running, fields: &[(&str, &str)]) -> Self {
        let mut connector = Connector::new().subprotocol("v12.stomp").subprotocol("v11.stomp");
        for (name, value) in fields {
            connector = connector.header(*name, *value);
        }
        let url = format!("ws://{}/ws", running.address);
        let (websocket, _) = connector.connect(&url).await.unwrap();
        assert_eq!(websocket.negotiated().subprotocol.as_deref(), Some("v12.stomp"));
        Self(websocket)
    }

    pub(crate) async fn connected(running: &Running) -> Self {
        let mut client = Self::open(running, &[]).await;
        client.send("CONNECT\naccept-version:1.2\nhost:a\nheart-beat:0,0\n\n\0").await;
        assert!(client.next().await.starts_with("CONNECTED\n"));
        client
    }

    pub(crate) async fn send(&mut self, frame: &str) {
        self.0.send(frame).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await;
        match next.expect("nothing comes").expect("the end comes").unwrap() {
            Message::Text(text) => text.as_str().to_owned(),
            Message::Binary(bytes) => format!("{bytes:?}"),
        }
    }

    /// Waits for the end, and returns the code of the server's Close.
    pub(crate) async fn ended(&mut self) -> Option<u16> {
        let end = async {
            while let Some(received) = self.0.next().await {
                if matches!(received, Err(Error::Closed(_))) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), end).await.expect("no end comes");
        self.0.closed().map(|closed| closed.code.number())
    }

    pub(crate) fn into_inner(self) -> ClientWebSocket {
        self.0
    }
}

#[tokio::test]
async fn one_topic_on_all_transports_with_one_cursor() {
    let running = Running::start(options()).await;
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n\0").await;
    assert!(client.next().await.starts_with("RECEIPT\n"));
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.body_until("id: ").await;
    client.send("SEND\ndestination:/app/echo/a\n\nhello\0").await;
    let message = client.next().await;
    let cursor = message.lines().find_map(|line| line.strip_prefix("message-id:")).unwrap();
    assert!(message.ends_with("\n\nhello\0"), "{message}");
    let event = stream.chunks_until("data: hello\n\n").await;
    assert!(event.contains(&format!("id: {cursor}\n")), "{event}");
    let poll = running.connect().await.get("/poll?topic=/topic/a&since=beginning&wait=0").await;
    assert!(poll.body.ends_with(&format!(r#""cursor":"{cursor}"}}"#)), "{poll:?}");
}

#[tokio::test]
async fn two_frames_in_a_message_and_one_frame_in_two() {
    let running = Running::start(options()).await;
    let mut client = Client::connected(&running).await;
    let frames = "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0SEND\ndestination:/topic/a\n\n1\0";
    client.send(frames).await;
    assert!(client.next().await.ends_with("\n\n1\0"));
    client.send("SEND\ndestination:/to").await;
    client.send("pic/a\n\n2\0\n").await;
    assert!(client.next().await.ends_with("\n\n2\0"));
}

#[tokio::test]
async fn who_a_client_is_says_its_connect_or_its_request() {
    let running = Running::start(with_users()).await;
    let bearer = [("authorization", "Bearer ann")];
    let connect = |more: &str| format!("CONNECT\naccept-version:1.2\nhost:a\n{more}\n\0");
    let whoami =
        "SUBSCRIBE\nid:0\ndestination:/user/queue/replies\n\n\0SEND\ndestination:/app/whoami\n\n\0";
    for (more, name) in [("", "ann"), ("login:x\npasscode:ann\n", "ann")] {
        let mut client = Client::open(&running, &bearer).await;
        client.send(&connect(more)).await;
        assert!(client.next().await.starts_with("CONNECTED\n"));
        client.send(whoami).await;
        assert!(client.next().await.ends_with(&format!("\n\n{name}\0")));
    }
    // Another user than that of the request is refused.
    let mut client = Client::open(&running, &bearer).await;
    client.send(&connect("login:x\npasscode:joe\n")).await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1008));
    // Nobody is anonymous. A request without credentials can have them in CONNECT.
    for (passcode, reply) in [("joe", "CONNECTED\n"), ("eve", "ERROR\n")] {
        let mut client = Client::open(&running, &[]).await;
        client.send(&connect(&format!("login:x\npasscode:{passcode}\n"))).await;
        assert!(client.next().await.starts_with(reply));
    }
    let mut client = Client::open(&running, &[]).await;
    client.send(&connect("")).await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1008));
    // Wrong ones are refused before that.
    let url = format!("ws://{}/ws", running.address);
    let wrong = Connector::new().header("authorization", "Bearer eve");
    let refused = wrong.connect(&url).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
}

#[tokio::test]
async fn an_anonymous_request_can_be_a_user_in_connect() {
    let mut options = with_users();
    options.authenticator = options.authenticator.anonymous(true);
    let running = Running::start(options).await;
    for (passcode, reply) in [("joe", "CONNECTED\n"), ("wrong", "ERROR\n")] {
        let mut client = Client::open(&running, &[]).await;
        client
            .send(&format!(
                "CONNECT\naccept-version:1.2\nhost:a\nlogin:x\npasscode:{passcode}\n\n\0"
            ))
            .await;
        assert!(client.next().await.starts_with(reply));
    }
}

#[tokio::test]
async fn what_is_refused_ends_with_an_error_and_a_close() {
    for (frame, why) in [
        ("SEND\ndestination:/app/nothing\nreceipt:7\n\n\0", "nothing handles"),
        ("SEND\ndestination:/app/refuse\n\n\0", "not today"),
        ("SEND\ndestination:/app/panic\n\n\0", "the handler has failed"),
        ("SEND\ndestination:/topic/secret\n\n\0", "secret"),
        ("SUBSCRIBE\nid:0\ndestination:/topic/secret\n\n\0", "secret"),
        ("NONSENSE\n\n\0", ""),
    ] {
        let mut options = with_users();
        options.authenticator = options.authenticator.anonymous(true);
        let running = Running::start(options).await;
        let mut client = Client::connected(&running).await;
        client.send(frame).await;
        let error = client.next().await;
        assert!(error.starts_with("ERROR\n") && error.contains(why), "{frame}: {error}");
        assert!(client.ended().await.is_some(), "{frame}");
        running.wait_for("sansocket_connections", 0).await;
    }
}

#[tokio::test]
async fn a_client_that_goes_without_a_word_is_forgotten() {
    let running = Running::start(options()).await;
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/room/1\nreceipt:1\n\n\0").await;
    client.next().await;
    running.wait_for("sansocket_subscriptions", 1).await;
    drop(client.into_inner().into_parts());
    running.wait_for("sansocket_connections", 0).await;
    running.wait_for("sansocket_subscriptions", 0).await;
}

#[tokio::test]
async fn a_connection_ends_when_its_credentials_expire() {
    let mut options = options();
    options.authenticator = Authenticator::new().method(|_| {
        let soon = std::time::SystemTime::now() + Duration::from_millis(500);
        Ok(Claims::new().expiring_at(soon).of("ann"))
    });
    let running = Running::start(options).await;
    let bearer = [("authorization", "Bearer x")];
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &bearer, "").await;
    let mut by_request = Client::open(&running, &bearer).await;
    by_request.send("CONNECT\naccept-version:1.2\nhost:a\n\n\0").await;
    let mut by_connect = Client::open(&running, &[]).await;
    by_connect.send("CONNECT\naccept-version:1.2\nhost:a\nlogin:x\npasscode:y\n\n\0").await;
    for mut client in [by_request, by_connect] {
        assert!(client.next().await.starts_with("CONNECTED\n"));
        assert!(client.next().await.contains("expired"));
        assert_eq!(client.ended().await, Some(1008));
    }
    stream.body_until("id: ").await;
    stream.chunks_until("retry: ").await;
    running.wait_for("sansocket_connections", 0).await;
}
