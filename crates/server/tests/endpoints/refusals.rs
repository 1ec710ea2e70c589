//! What is refused: the counts of it, and its log.

use crate::{
    http::Response,
    server::{Running, options, with_users},
    stomp::Client,
};
use sansocket::{
    on_tokio::{Connector, connect},
    server::{ForwardingHeader, OriginPolicy, Rate, TrustedProxies},
};
use sansocket_realtime::{
    guard::{AuthenticationError, ClientLimits, DestinationLimits, Limits, Source, Sources},
    hub::{Principal, QueueConfig},
};
use sansocket_server::{Options, access::Authenticator};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Write},
    sync::Once,
    time::Duration,
};
use tokio::net::TcpListener;

/// All values of the label.
const REASONS: [&str; 15] = [
    "command",
    "credentials_forbidden",
    "credentials_malformed",
    "credentials_missing",
    "credentials_unavailable",
    "credentials_wrong",
    "limit_bytes",
    "limit_connections",
    "limit_destination_name",
    "limit_message_size",
    "limit_messages",
    "limit_new_connections",
    "limit_subscriptions",
    "origin",
    "other",
];

const OPENING: [(&str, &str); 5] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-protocol", "v12.stomp, mqtt"),
];

/// A server, and what it has refused so far.
struct Counted {
    running: Running,
    before: BTreeMap<String, u64>,
}

impl Counted {
    async fn start(options: Options) -> Self {
        let mut counted = Self { running: Running::start(options).await, before: BTreeMap::new() };
        counted.before = counted.refusals().await;
        assert!(counted.before.values().all(|count| *count == 0));
        counted
    }

    async fn refusals(&self) -> BTreeMap<String, u64> {
        let metrics = self.running.connect().await.get("/metrics").await.body;
        let series = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix("sansocket_refusals_total{reason=\"")?;
            let (reason, count) = rest.split_once("\"} ")?;
            Some((reason.to_owned(), count.parse().unwrap()))
        });
        let counts: BTreeMap<_, _> = series.collect();
        assert_eq!(counts.keys().collect::<Vec<_>>(), REASONS);
        counts
    }

    /// Checks that one thing was refused since the last time, for this reason.
    async fn one(&mut self, reason: &str, what: &str) {
        let after = self.refusals().await;
        *self.before.get_mut(reason).unwrap() += 1;
        assert_eq!(after, self.before, "{what}");
    }

    async fn none(&mut self, what: &str) {
        assert_eq!(self.refusals().await, self.before, "{what}");
    }

    async fn request(
        &self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut fields = more.to_vec();
        if target == "/ws" || target.ends_with("websocket") || target == "/mqtt" {
            fields.extend(OPENING);
        }
        self.running.connect().await.request(method, target, &fields, body).await
    }
}

/// Requests of all endpoints that let clients in.
const REQUESTS: [(&str, &str); 9] = [
    ("GET", "/events?topic=/topic/a"),
    ("GET", "/poll?topic=/topic/a&wait=0"),
    ("GET", "/presence?topic=/topic/a"),
    ("POST", "/publish?destination=/topic/a"),
    ("GET", "/mqtt"),
    ("GET", "/ws"),
    ("GET", "/ws/0/a/websocket"),
    ("POST", "/ws/0/a/xhr"),
    ("POST", "/ws/0/a/xhr_send"),
];

/// Users whose token says what becomes of them.
fn with_errors() -> Options {
    let mut options = with_users();
    options.mqtt = Some("127.0.0.1:1".into());
    options.sources = Sources::new([Source::Bearer, Source::Login]);
    options.authenticator = Authenticator::new().method(|credentials| {
        let password = credentials.as_password().map(|(_, password)| password);
        match credentials.as_token().or(password) {
            Some("right") => Ok(Principal::new("ann")),
            Some("forbidden") => Err(AuthenticationError::Forbidden),
            Some("later") => Err(AuthenticationError::Unavailable { retry_after: None }),
            _ => Err(AuthenticationError::Refused),
        }
    });
    options
}

const CREDENTIALS: [(&str, &str); 4] = [
    ("Bearer wrong", "credentials_wrong"),
    ("Bearer forbidden", "credentials_forbidden"),
    ("Bearer later", "credentials_unavailable"),
    ("Bearer", "credentials_malformed"),
];

#[tokio::test]
async fn credentials_of_a_request_are_counted_once_whoever_reads_them() {
    let mut counted = Counted::start(with_errors()).await;
    for (method, target) in REQUESTS {
        for (credentials, reason) in CREDENTIALS {
            let fields = [("authorization", credentials)];
            counted.request(method, target, &fields, "").await;
            counted.one(reason, &format!("{target}, {credentials}")).await;
        }
    }
    let right = [("authorization", "Bearer right")];
    for (method, target) in REQUESTS.into_iter().filter(|(_, target)| !target.starts_with("/ws")) {
        counted.request(method, target, &[], "").await;
        counted.one("credentials_missing", target).await;
        if !target.starts_with("/events") {
            counted.request(method, target, &right, "").await;
            counted.none(target).await;
        }
    }
    assert_eq!(counted.request("POST", "/ws/0/a/xhr", &right, "").await.body, "o\n");
    counted.none("a session").await;
}

#[tokio::test]
async fn credentials_of_a_connect_are_counted() {
    let mut counted = Counted::start(with_errors()).await;
    for (passcode, reason) in [
        ("passcode:wrong\n", "credentials_wrong"),
        ("passcode:forbidden\n", "credentials_forbidden"),
        ("passcode:later\n", "credentials_unavailable"),
        ("", "credentials_missing"),
    ] {
        let login = if passcode.is_empty() { "" } else { "login:x\n" };
        let frame = format!("CONNECT\naccept-version:1.2\nhost:a\n{login}{passcode}\n\0");
        let mut client = Client::open(&counted.running, &[]).await;
        client.send(&frame).await;
        assert!(client.next().await.starts_with("ERROR\n"));
        counted.one(reason, passcode).await;

        let url = format!("ws://{}/ws/0/a/websocket", counted.running.address);
        let mut websocket = connect(&url).await.unwrap();
        websocket.next().await.unwrap().unwrap();
        let escaped = frame.replace('\n', "\\n").replace('\0', "\\u0000");
        websocket.send(format!("[\"{escaped}\"]")).await.unwrap();
        let error = websocket.next().await.unwrap().unwrap();
        assert!(error.into_text().unwrap().starts_with(r#"a["ERROR\n"#));
        counted.one(reason, passcode).await;

        let session = format!("/ws/0/{reason}");
        counted.request("POST", &format!("{session}/xhr"), &[], "").await;
        let body = format!("[\"{escaped}\"]");
        counted.request("POST", &format!("{session}/xhr_send"), &[], &body).await;
        let error = counted.request("POST", &format!("{session}/xhr"), &[], "").await;
        assert!(error.body.starts_with(r#"a["ERROR\n"#), "{error:?}");
        counted.one(reason, passcode).await;
    }
    // Another user than that of the request.
    let mut client = Client::open(&counted.running, &[("authorization", "Bearer right")]).await;
    client.send("CONNECT\naccept-version:1.2\nhost:a\nlogin:x\npasscode:wrong\n\n\0").await;
    assert!(client.next().await.starts_with("ERROR\n"));
    counted.one("credentials_wrong", "another user").await;
}

fn with_limits(options: Options, limits: ClientLimits) -> Options {
    let mut options = options;
    options.guard = options.guard.address(limits);
    options
}

#[tokio::test]
async fn connections_beyond_a_limit_are_counted_on_each_endpoint() {
    let none = with_limits(options(), ClientLimits::none().connections(0));
    let mut none = none;
    none.mqtt = Some("127.0.0.1:1".into());
    let mut counted = Counted::start(none).await;
    for (method, target) in REQUESTS {
        counted.request(method, target, &[], "").await;
        counted.one("limit_connections", target).await;
    }
    let seldom = ClientLimits::none().new_connections(Rate::per_minute(1).burst(1));
    let mut counted = Counted::start(with_limits(options(), seldom)).await;
    let poll = "/poll?topic=/topic/a&wait=0";
    assert_eq!(counted.request("GET", poll, &[], "").await.status, 200);
    counted.none("the first").await;
    assert_eq!(counted.request("GET", poll, &[], "").await.status, 429);
    counted.one("limit_new_connections", poll).await;
}

/// A request with credentials that comes too often is refused for that, and not for its credentials too.
#[tokio::test]
async fn a_request_is_refused_for_one_reason() {
    let options = with_limits(with_errors(), ClientLimits::none().connections(0));
    let mut counted = Counted::start(options).await;
    for (method, target) in REQUESTS {
        for credentials in ["Bearer wrong", "Bearer right"] {
            counted.request(method, target, &[("authorization", credentials)], "").await;
            counted.one("limit_connections", target).await;
        }
    }
}

#[tokio::test]
async fn connections_of_a_user_beyond_a_limit_are_counted() {
    let mut options = with_errors();
    options.guard = options.guard.principal(ClientLimits::none().connections(0));
    let mut counted = Counted::start(options).await;
    let right = [("authorization", "Bearer right")];
    for (method, target) in REQUESTS.into_iter().filter(|(_, target)| !target.ends_with("xhr_send"))
    {
        counted.request(method, target, &right, "").await;
        counted.one("limit_connections", target).await;
    }
    let mut client = Client::open(&counted.running, &[]).await;
    client.send("CONNECT\naccept-version:1.2\nhost:a\nlogin:x\npasscode:right\n\n\0").await;
    assert!(client.next().await.starts_with("ERROR\n"));
    counted.one("limit_connections", "CONNECT").await;
}

#[tokio::test]
async fn messages_and_subscriptions_beyond_a_limit_are_counted() {
    let of_address = |limits: ClientLimits| move |guard: Limits| guard.address(limits);
    let large =
        |guard: Limits| guard.other_destinations(DestinationLimits::default().message_size(5));
    let send = "SEND\ndestination:/topic/a\n\n0123456789\0";
    let subscribe = "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0";
    let publish = ("POST", "/publish?destination=/topic/a", "0123456789");
    let events = ("GET", "/events?topic=/topic/a", "");
    let poll = ("GET", "/poll?topic=/topic/a&wait=0", "");
    let none = ClientLimits::none();
    let no_messages = of_address(none.messages(Rate::per_second(0)));
    let few_bytes = of_address(none.bytes(Rate::per_second(5)));
    let no_subscriptions = of_address(none.subscriptions(0));
    // Names count where destinations have limits.
    let limited = DestinationLimits::default().subscriptions(9).messages(Rate::per_second(9));
    let short = |guard: Limits| guard.other_destinations(limited).destination_name(5);
    type Change<'a> = &'a dyn Fn(Limits) -> Limits;
    let cases: [(&str, Change<'_>, &str, &[_]); 6] = [
        ("limit_messages", &no_messages, send, &[publish]),
        ("limit_bytes", &few_bytes, send, &[publish]),
        ("limit_message_size", &large, send, &[publish]),
        ("limit_subscriptions", &no_subscriptions, subscribe, &[events, poll]),
        ("limit_destination_name", &short, subscribe, &[events, poll]),
        ("limit_destination_name", &short, send, &[publish]),
    ];
    for (reason, change, frame, requests) in cases {
        let mut options = options();
        options.guard = change(options.guard);
        let mut counted = Counted::start(options).await;
        for (method, target, body) in requests {
            counted.request(method, target, &[], body).await;
            counted.one(reason, target).await;
        }
        let mut client = Client::connected(&counted.running).await;
        client.send(frame).await;
        assert!(client.next().await.starts_with("ERROR\n"));
        counted.one(reason, frame).await;
    }
}

#[tokio::test]
async fn commands_that_the_hub_refuses_are_counted_apart() {
    let mut counted = Counted::start(options()).await;
    let target = "/publish?destination=/app/nothing";
    assert_eq!(counted.request("POST", target, &[], "x").await.status, 404);
    counted.one("command", target).await;
}

#[tokio::test]
async fn origins_that_are_refused_are_counted_once() {
    let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options();
    options.mqtt = Some(broker.local_addr().unwrap().to_string());
    options.origins = OriginPolicy::same_origin().also_allow(["https://app.example"]).unwrap();
    let mut counted = Counted::start(options).await;
    let other = [("origin", "https://other.example")];
    let more = [("GET", "/ws/info"), ("GET", "/ws/websocket")];
    for (method, target) in REQUESTS.into_iter().chain(more) {
        assert_eq!(counted.request(method, target, &other, "").await.status, 403, "{target}");
        counted.one("origin", target).await;
    }
    // What everybody may see, and what is not there.
    for target in ["/ws/", "/ws/nothing", "/healthz"] {
        counted.request("GET", target, &other, "").await;
        counted.none(target).await;
    }
    for origin in ["https://app.example", "http://test.example"] {
        let fields = [("origin", origin)];
        counted.request("GET", "/poll?topic=/topic/a&wait=0", &fields, "").await;
        let url = format!("ws://{}/ws", counted.running.address);
        let connector = Connector::new().header("host", "test.example").header("origin", origin);
        drop(connector.connect(&url).await);
        counted.none(origin).await;
    }
}

/// A page of others can have browsers send their cookies, as often as it likes.
#[tokio::test]
async fn a_page_is_refused_before_anybody_is_asked_who_its_user_is() {
    let mut counted = Counted::start(with_errors()).await;
    let fields = [("origin", "https://other.example"), ("authorization", "Bearer wrong")];
    for (method, target) in REQUESTS {
        assert_eq!(counted.request(method, target, &fields, "").await.status, 403, "{target}");
        counted.one("origin", target).await;
    }
}

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is logged on this thread, which runs one test with its server.
struct Log;

impl Log {
    /// Begins to keep what is logged.
    fn start() -> Self {
        static STARTED: Once = Once::new();
        // One subscriber for all threads, since the first thread that could log something finds out for all
        // whether somebody wants to know.
        STARTED.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_writer(|| Self).with_ansi(false);
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        });
        LOGGED.take();
        Self
    }

    fn lines(&self) -> Vec<String> {
        let logged = String::from_utf8(LOGGED.with_borrow(Clone::clone)).unwrap();
        logged.lines().map(Into::into).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_who_and_why_and_has_an_end() {
    let log = Log::start();
    let mut options = with_users();
    let proxies = ["127.0.0.1/32".parse().unwrap()];
    options.trusted_proxies =
        TrustedProxies::new().header(ForwardingHeader::XForwardedFor, proxies);
    let running = Running::start(options).await;
    let poll = "/poll?topic=/topic/a&wait=0";
    let wrong = [("authorization", "Bearer hunter2"), ("x-forwarded-for", "192.0.2.7")];
    for _ in 0..50 {
        let refused = running.connect().await.request("GET", poll, &wrong, "").await;
        assert_eq!(refused.status, 401);
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 10, "{lines:?}");
    for line in &lines {
        let has_all = line.contains("INFO") && line.contains("192.0.2.7");
        assert!(has_all && line.contains(r#"reason="credentials_wrong""#), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    // Another reason has lines of its own.
    let other = [("origin", "https://other.example")];
    running.connect().await.request("GET", poll, &other, "").await;
    let lines = log.lines();
    let (reason, origin) = (r#"reason="origin""#, r#"origin="https://other.example""#);
    assert!(lines[10].contains(reason) && lines[10].contains(origin), "{lines:?}");
    assert_eq!(lines.len(), 11);
}

#[tokio::test]
async fn lookups_that_take_too_long_have_no_lines_of_their_own() {
    let log = Log::start();
    let mut options = options();
    options.authenticator = Authenticator::new()
        .timeout(Duration::from_millis(1))
        .method_async(|_| std::future::pending());
    let running = Running::start(options).await;
    for _ in 0..20 {
        let slow = [("authorization", "Bearer a")];
        let refused = running.connect().await.request("GET", "/poll?topic=/topic/a", &slow, "");
        assert_eq!(refused.await.status, 503);
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 10, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("credentials_unavailable")), "{lines:?}");
}

#[tokio::test]
async fn the_log_of_messages_that_are_given_up_has_an_end() {
    let log = Log::start();
    let mut options = options();
    options.hub = options.hub.queues(QueueConfig::default().deliveries(1));
    let running = Running::start(options).await;
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client-individual\n\n\0").await;
    for _ in 0..20 {
        client.send("SEND\ndestination:/queue/a\n\nx\0").await;
        let message = client.next().await;
        let ack = message.lines().find_map(|line| line.strip_prefix("ack:")).unwrap();
        client.send(&format!("NACK\nid:{ack}\n\n\0")).await;
    }
    running.wait_for("sansocket_discarded_total", 20).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 10, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("/queue/a")), "{lines:?}");
}
