//! `/metrics`.

use crate::{
    server::{Running, handlers, options},
    stomp::Client,
};
use sansocket::on_tokio::{Connector, connect};
use sansocket_realtime::hub::Answer;
use sansocket_server::{ListenOptions, Server};
use std::collections::BTreeMap;
use tokio::net::TcpListener;

/// Prometheus' text format, and its rules for names: counters alone end with `_total`.
#[tokio::test]
async fn each_metric_has_a_help_and_a_type_before_its_series() {
    let running = Running::start(options()).await;
    let metrics = running.connect().await.get("/metrics").await.body;
    let (mut kinds, mut series) = (BTreeMap::new(), Vec::new());
    let mut lines = metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ").unwrap();
        let (name, text) = help.split_once(' ').unwrap();
        assert!(text.ends_with('.'), "{line}");
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert_eq!(kinds.insert(name, kind), None, "{name} is there twice");
        assert_eq!(kind, if name.ends_with("_total") { "counter" } else { "gauge" }, "{name}");
        let before = series.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (of, value) = line.rsplit_once(' ').unwrap();
            assert!(of == name || of.starts_with(&format!("{name}{{")), "{line}");
            value.parse::<u64>().unwrap();
            series.push(of);
        }
        assert!(series.len() > before, "{name} has no series");
    }
    let of = |name| series.iter().filter(|of| of.starts_with(name)).copied().collect::<Vec<_>>();
    let transports = ["websocket", "sockjs", "sse", "poll", "publish", "mqtt"];
    let connections = transports.map(|it| format!("sansocket_connections{{transport=\"{it}\"}}"));
    assert_eq!(of("sansocket_connections{"), connections);
    let publishers = ["client", "application"]
        .map(|it| format!("sansocket_messages_published_total{{publisher=\"{it}\"}}"));
    assert_eq!(of("sansocket_messages_published_total{"), publishers);
}

#[tokio::test]
async fn connections_are_counted_by_their_transport() {
    let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options();
    options.mqtt = Some(broker.local_addr().unwrap().to_string());
    let running = Running::start(options).await;
    let url = format!("ws://{}", running.address);
    let websocket = connect(&format!("{url}/ws")).await.unwrap();
    let raw = connect(&format!("{url}/ws/websocket")).await.unwrap();
    let sockjs = connect(&format!("{url}/ws/0/a/websocket")).await.unwrap();
    let mqtt = Connector::new().subprotocol("mqtt").connect(&format!("{url}/mqtt")).await.unwrap();
    let mut requests = Vec::new();
    for (method, target, fields) in [
        ("POST", "/ws/0/b/xhr_streaming", &[][..]),
        ("GET", "/events?topic=/topic/a", &[]),
        ("GET", "/poll?topic=/topic/a", &[]),
        ("GET", "/poll?topic=/topic/b", &[]),
        ("GET", "/poll?topic=/topic/c", &[]),
    ] {
        let mut connection = running.connect().await;
        connection.send(method, target, fields, "").await;
        requests.push(connection);
    }
    let series = |transport| format!("sansocket_connections{{transport=\"{transport}\"}}");
    let counts = [("websocket", 2), ("sockjs", 2), ("sse", 1), ("poll", 3), ("mqtt", 1)];
    for (transport, count) in counts {
        running.wait_for(&series(transport), count).await;
    }
    assert_eq!(running.figure("sansocket_connections").await, 9);
    assert_eq!(running.server.connections(), 6);
    drop((websocket, raw, sockjs, mqtt, requests));
    running.wait_for("sansocket_connections", 0).await;
}

#[tokio::test]
async fn messages_are_counted_by_who_publishes_them() {
    let server = handlers(Server::builder(options()))
        .on("/app/nowhere", |call| Answer::new().publish("/nowhere", call.message.clone()));
    let running = Running::serve(server.build().unwrap(), ListenOptions::default()).await;
    let published = async |clients: u64, application: u64, what: &str| {
        let series = |of| format!("sansocket_messages_published_total{{publisher=\"{of}\"}}");
        let counts =
            (running.figure(&series("client")).await, running.figure(&series("application")).await);
        assert_eq!(counts, (clients, application), "{what}");
    };
    running.publish("/topic/a", "x");
    running.publish("/nowhere", "x");
    published(0, 1, "the application, and what is refused").await;
    let json = [("content-type", "application/json")];
    let body =
        r#"[{"destination":"/topic/a","body":"x"},{"destination":"/app/nothing","body":"x"}]"#;
    running.connect().await.request("POST", "/publish", &json, body).await;
    published(1, 1, "a batch, of which one is refused").await;
    let mut client = Client::connected(&running).await;
    client.send("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0").await;
    client.next().await;
    published(2, 1, "SEND").await;
    let send = "SEND\ndestination:/topic/a\ntransaction:t\n\nx\0";
    client.send(&format!("BEGIN\ntransaction:t\n\n\0{send}{send}")).await;
    client.send("COMMIT\ntransaction:t\nreceipt:2\n\n\0").await;
    client.next().await;
    published(4, 1, "a transaction").await;
    client.send("SEND\ndestination:/app/echo/a\nreceipt:3\n\nx\0").await;
    client.next().await;
    published(5, 2, "a message to the application, which publishes another").await;
    client.send("SEND\ndestination:/app/nowhere\nreceipt:4\n\nx\0").await;
    assert!(client.next().await.starts_with("ERROR\n"));
    published(6, 2, "a message to the application, which publishes one that is refused").await;
}
