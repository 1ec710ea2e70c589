//! SockJS below `/ws`.

use crate::server::{Running, few_connections, options, with_users};
use sansocket::{Message, on_tokio::connect};
use sansocket_server::ListenOptions;

const CONNECT: &str = r#"["CONNECT\naccept-version:1.2\nhost:a\n\n\u0000"]"#;
const SUBSCRIBE: &str = r#"["SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\u0000"]"#;

async fn post(running: &Running, path: &str, body: &str) -> crate::http::Response {
    running.connect().await.request("POST", path, &[], body).await
}

#[tokio::test]
async fn the_prefix_greets_and_tells_what_it_can() {
    let running = Running::start(options()).await;
    for path in ["/ws", "/ws/"] {
        let response = running.connect().await.get(path).await;
        assert_eq!((response.status, &*response.body), (200, "Welcome to SockJS!\n"), "{path}");
    }
    let info = running.connect().await.get("/ws/info").await;
    assert!(info.body.contains(r#""websocket":true"#), "{info:?}");
    for path in ["/ws/a", "/ws/a/b/jsonp", "/ws/a/b.c/xhr", "/ws/a/b/c/xhr"] {
        assert_eq!(running.connect().await.get(path).await.status, 404, "{path}");
    }
    assert_eq!(running.connect().await.get("/ws/websocket").await.status, 400);
}

#[tokio::test]
async fn stomp_over_xhr() {
    let running = Running::start(options()).await;
    assert_eq!(post(&running, "/ws/0/a/xhr", "").await.body, "o\n");
    assert_eq!(post(&running, "/ws/0/a/xhr_send", CONNECT).await.status, 204);
    assert!(post(&running, "/ws/0/a/xhr", "").await.body.starts_with(r#"a["CONNECTED\n"#));
    assert_eq!(post(&running, "/ws/0/a/xhr_send", SUBSCRIBE).await.status, 204);
    running.wait_for("sansocket_subscriptions", 1).await;
    running.publish("/topic/a", "hello");
    let message = post(&running, "/ws/0/a/xhr", "").await.body;
    assert!(message.starts_with(r#"a["MESSAGE\n"#) && message.ends_with("hello\\u0000\"]\n"));
    assert_eq!(post(&running, "/ws/0/a/xhr_send", "[\"").await.status, 500);
    assert_eq!(post(&running, "/ws/0/a/xhr_send", "").await.status, 500);
    assert_eq!(post(&running, "/ws/0/b/xhr_send", CONNECT).await.status, 404);
    let disconnect = r#"["DISCONNECT\nreceipt:1\n\n\u0000"]"#;
    assert_eq!(post(&running, "/ws/0/a/xhr_send", disconnect).await.status, 204);
    assert!(post(&running, "/ws/0/a/xhr", "").await.body.starts_with(r#"a["RECEIPT\n"#));
    assert!(post(&running, "/ws/0/a/xhr", "").await.body.starts_with("c[1000,"));
    running.wait_for("sansocket_connections", 0).await;
}

#[tokio::test]
async fn a_stream_ends_when_it_has_had_enough_and_another_goes_on() {
    let mut options = options();
    let config = (*options.sockjs).clone().response_limit(400);
    options.sockjs = config.into();
    let running = Running::start(options).await;
    let mut stream = running.connect().await;
    stream.send("POST", "/ws/0/a/xhr_streaming", &[], "").await;
    stream.head().await;
    stream.chunks_until("o\n").await;
    // A second receiver is told that there is one.
    assert!(post(&running, "/ws/0/a/xhr", "").await.body.starts_with("c[2010,"));
    post(&running, "/ws/0/a/xhr_send", CONNECT).await;
    post(&running, "/ws/0/a/xhr_send", SUBSCRIBE).await;
    stream.chunks_until("CONNECTED").await;
    running.wait_for("sansocket_subscriptions", 1).await;
    let mut received = String::new();
    let (mut streams, mut published) = (1, 0);
    while !received.contains("(19)") {
        // One frame for each message.
        if received.matches("MESSAGE").count() == published {
            running.publish("/topic/a", &format!("({published})"));
            published += 1;
        }
        match stream.chunk().await {
            Some(chunk) => received += &chunk,
            None => {
                streams += 1;
                stream = running.connect().await;
                stream.send("POST", "/ws/0/a/xhr_streaming", &[], "").await;
                stream.head().await;
            }
        }
    }
    assert!(streams > 2, "{streams}");
    for number in 0..20 {
        assert_eq!(received.matches(&format!("({number})")).count(), 1, "{number}: {received}");
    }
}

#[tokio::test]
async fn a_session_whose_response_is_cut_closes() {
    let running = Running::start(options()).await;
    let mut stream = running.connect().await;
    stream.send("GET", "/ws/0/a/eventsource", &[], "").await;
    stream.head().await;
    stream.chunks_until("data: o\r\n\r\n").await;
    post(&running, "/ws/0/a/xhr_send", CONNECT).await;
    stream.chunks_until("CONNECTED").await;
    running.wait_for("sansocket_connections", 1).await;
    drop(stream);
    running.wait_for("sansocket_connections", 0).await;
}

#[tokio::test]
async fn stomp_in_frames_of_sockjs_over_websocket() {
    let running = Running::start(options()).await;
    let mut websocket =
        connect(&format!("ws://{}/ws/0/a/websocket", running.address)).await.unwrap();
    assert_eq!(websocket.next().await.unwrap().unwrap(), Message::text("o"));
    websocket.send(CONNECT).await.unwrap();
    let connected = websocket.next().await.unwrap().unwrap();
    assert!(connected.into_text().unwrap().starts_with(r#"a["CONNECTED\n"#));
    // Bodies that are not text can't be carried.
    websocket.send(SUBSCRIBE).await.unwrap();
    running.wait_for("sansocket_subscriptions", 1).await;
    running.server.publish("/topic/a", sansocket_realtime::Message::new(&b"\xff"[..]));
    let error = websocket.next().await.unwrap().unwrap();
    assert!(error.into_text().unwrap().starts_with(r#"a["ERROR\n"#));
    let close = websocket.next().await.unwrap().unwrap();
    assert_eq!(close, Message::text(r#"c[1003,""]"#));
    assert!(!matches!(websocket.next().await, Some(Ok(_))));
    // The same without frames of SockJS.
    let mut raw = connect(&format!("ws://{}/ws/websocket", running.address)).await.unwrap();
    raw.send("CONNECT\naccept-version:1.2\nhost:a\n\n\0").await.unwrap();
    let connected = raw.next().await.unwrap().unwrap();
    assert!(connected.into_text().unwrap().starts_with("CONNECTED\n"));
}

#[tokio::test]
async fn broken_json_ends_a_websocket_without_a_close() {
    let running = Running::start(options()).await;
    let mut websocket =
        connect(&format!("ws://{}/ws/0/a/websocket", running.address)).await.unwrap();
    websocket.next().await.unwrap().unwrap();
    websocket.send("[").await.unwrap();
    while let Some(Ok(_)) = websocket.next().await {}
    assert_eq!(websocket.closed().map(|closed| closed.code), Some(sansocket::CloseCode::ABNORMAL));
    running.wait_for("sansocket_connections", 0).await;
}

#[tokio::test]
async fn a_session_is_its_owners_alone() {
    let running = Running::start(with_users()).await;
    let as_user = async |name: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {name}");
        let fields = [("authorization", bearer.as_str())];
        running.connect().await.request("POST", path, &fields, body).await
    };
    assert_eq!(as_user("eve", "/ws/0/a/xhr", "").await.status, 401);
    // Who comes without credentials has to have some in CONNECT.
    assert_eq!(post(&running, "/ws/0/b/xhr", "").await.body, "o\n");
    post(&running, "/ws/0/b/xhr_send", CONNECT).await;
    assert!(post(&running, "/ws/0/b/xhr", "").await.body.starts_with(r#"a["ERROR\n"#));
    assert_eq!(as_user("ann", "/ws/0/a/xhr", "").await.body, "o\n");
    assert_eq!(as_user("joe", "/ws/0/a/xhr", "").await.status, 404);
    assert_eq!(as_user("joe", "/ws/0/a/xhr_send", CONNECT).await.status, 404);
    assert_eq!(as_user("ann", "/ws/0/a/xhr_send", CONNECT).await.status, 204);
}

#[tokio::test]
async fn a_body_for_no_session_is_not_waited_for() {
    let running = Running::start(options()).await;
    let mut sender = running.connect().await;
    sender.send("POST", "/ws/0/a/xhr_send", &[("content-length", "100000")], "").await;
    assert_eq!(sender.head().await.status, 404);
}

#[tokio::test]
async fn what_is_sent_counts_as_a_connection_until_it_is_there() {
    let running = Running::start(few_connections(options(), 2)).await;
    assert_eq!(post(&running, "/ws/0/a/xhr", "").await.body, "o\n");
    let mut slow = running.connect().await;
    slow.send(
        "POST",
        "/ws/0/a/xhr_send",
        &[("content-length", "1000"), ("expect", "100-continue")],
        "",
    )
    .await;
    // The body is waited for now.
    assert_eq!(slow.head().await.status, 100);
    assert_eq!(post(&running, "/ws/0/a/xhr_send", CONNECT).await.status, 429);
    drop(slow);
    let mut status = 429;
    for _ in 0..1_000 {
        if status != 429 {
            break;
        }
        status = post(&running, "/ws/0/a/xhr_send", CONNECT).await.status;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(status, 204);
}

#[tokio::test]
async fn a_session_is_found_by_each_router_of_its_server() {
    let first = Running::start(options()).await;
    let second = Running::serve(first.server.clone(), ListenOptions::default()).await;
    assert_eq!(post(&first, "/ws/0/a/xhr", "").await.body, "o\n");
    assert_eq!(post(&second, "/ws/0/a/xhr_send", CONNECT).await.status, 204);
    assert!(post(&first, "/ws/0/a/xhr", "").await.body.starts_with(r#"a["CONNECTED\n"#));
}

#[tokio::test]
async fn a_cookie_of_a_balancer_is_found_in_any_field() {
    let mut options = options();
    options.sockjs = (*options.sockjs).clone().cookie_needed(true).into();
    let running = Running::start(options).await;
    let fields = [("cookie", "a=b"), ("cookie", "JSESSIONID=node2")];
    let response = running.connect().await.request("POST", "/ws/0/a/xhr", &fields, "").await;
    assert_eq!(response.field("set-cookie"), Some("JSESSIONID=node2; path=/"));
}
