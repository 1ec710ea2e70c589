//! Where Redis is, and which servers are refused.

use crate::{
    hubs::Hubs,
    node::{Node, options},
    server::{PATIENCE, Server, is_left_out},
};
use sansocket_realtime::{Message, hub::Start};
use sansocket_server::broker::redis::{Redis, RedisOptions};
use std::{
    env, fs,
    io::{self, Write},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Publishes a message and reads it again.
async fn works(options: RedisOptions) {
    let (mut node, ..) = Node::up(1, options).await;
    node.follow(1, "/topic/a", None);
    node.has_published(1, &["/topic/a"]).await;
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [1] after 0 of 1");
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts a node that can't come up, and waits until the log says why.
async fn is_refused(options: RedisOptions, why: &str) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let node = Node::start(1, options);
    let began = Instant::now();
    loop {
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        if logged.contains(why) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{logged}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(node.ends().await, [""; 0]);
}

#[tokio::test]
async fn users_passwords_and_databases_are_used() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[
        "--requirepass",
        "secret",
        "--user",
        "joe",
        "on",
        ">joes",
        "~*",
        "&*",
        "+@all",
    ]);
    let address = |login: &str| format!("redis://{login}127.0.0.1:{}/3", server.port);
    for login in [":secret@", "joe:joes@"] {
        let mut options = options(&server);
        options.address = address(login).parse().unwrap();
        options.prefix = login.into();
        works(options).await;
    }
    let client = redis::Client::open(address(":secret@")).unwrap();
    let keys: usize = redis::cmd("DBSIZE").query(&mut client.get_connection().unwrap()).unwrap();
    assert!(keys > 0);
    let mut options = options(&server);
    is_refused(options.clone(), "NOAUTH").await;
    options.address = address("joe:wrong@").parse().unwrap();
    is_refused(options, "WRONGPASS").await;
}

#[tokio::test]
async fn systems_with_other_prefixes_and_databases_do_not_meet() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut others = Vec::new();
    for (prefix, database) in [("a", 0), ("b", 0), ("a", 1)] {
        let mut options = options(&server);
        options.prefix = prefix.into();
        options.address = format!("{}/{database}", server.address()).parse().unwrap();
        let (mut node, ..) = Node::up(1, options).await;
        node.follow(1, "/topic/*", Some(0));
        assert_eq!(node.shown(1).await, ["/topic/* [] after 0 of 0"]);
        others.push(node);
    }
    for node in &mut others {
        node.publish(1, "/topic/a", "");
        let mut shown = node.shown(2).await;
        shown.sort();
        assert_eq!(shown, ["1 /topic/a", "published 1 at 1"]);
    }
}

#[tokio::test]
async fn a_socket_of_the_machine_is_an_address() {
    if is_left_out() {
        return;
    }
    // A path of a socket can't be longer than about a hundred bytes.
    let folder = env::temp_dir().join(format!("sansocket-redis-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let server = Server::start(&["--unixsocket", path.to_str().unwrap()]);
    let mut options = options(&server);
    options.address = format!("unix://{}", path.display()).parse().unwrap();
    works(options).await;
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn servers_that_can_not_do_it_are_refused() {
    if is_left_out() {
        return;
    }
    let cluster = Server::start(&["--cluster-enabled", "yes"]);
    is_refused(options(&cluster), "Redis is a cluster").await;

    let server = Server::start(&[]);
    let mut durable = options(&server);
    durable.durable = true;
    is_refused(durable, "Redis has to be durable").await;

    let (node, ..) = Node::up(1, options(&server)).await;
    node.ends().await;
    let _: usize = server.run("HSET {sansocket} version 9");
    is_refused(options(&server), "is of version 9, and this program knows version 2").await;
}

/// The test runs itself again as another process, which trusts the server's certificate.
#[tokio::test]
async fn tls_is_spoken() {
    const PORT: &str = "SANSOCKET_TLS_REDIS";
    if is_left_out() {
        return;
    }
    if let Ok(port) = env::var(PORT) {
        let mut options = RedisOptions::default();
        options.address = format!("rediss://localhost:{port}").parse().unwrap();
        return works(options).await;
    }
    let issued = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("redis-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, issued.cert.pem()).unwrap();
    fs::write(&key, issued.key_pair.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let server = Server::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-auth-clients",
        "no",
    ]);
    let test = "connections::tls_is_spoken";
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test]).env(PORT, &port).env("SSL_CERT_FILE", certificate);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // Who does not trust the certificate does not connect.
    let mut options = options(&server);
    options.address = format!("rediss://localhost:{port}").parse().unwrap();
    is_refused(options, "certificate").await;
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn sentinels_name_the_master_also_after_a_failover() {
    if is_left_out() {
        return;
    }
    let mut master = Server::start(&[]);
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    let sentinel = Server::sentinel("orders", master.port);
    let began = Instant::now();
    while !sentinel.run::<String>("INFO sentinel").contains("slaves=1") {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let address = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/orders", sentinel.port);
    let mut hubs = Hubs::join(2, 100, &master, |options| {
        options.address = address.parse().unwrap();
    });
    hubs.are_up().await;
    hubs.subscribe(0, "/topic/a", Start::Now);
    hubs.have_begun().await;
    for hub in [0, 1, 1] {
        hubs.publish(hub, "/topic/a");
    }
    hubs.have_published_all().await;
    master.kill();
    hubs.are_down().await;
    hubs.publish(1, "/topic/a");
    // What the master had answered can be missing in the replica, so it is another sequence.
    assert_eq!(hubs.check(&["/topic/a"]).await, 2);
    assert_eq!(hubs.gaps_and_messages(0), (1, 5));
    assert!(replica.run::<String>("INFO replication").contains("role:master"));
}

#[tokio::test]
async fn what_redis_did_not_get_is_logged() {
    if is_left_out() {
        return;
    }
    let mut redis = Server::start(&[]);
    let options = options(&redis);
    redis.kill();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let builder = sansocket_server::Server::builder(sansocket_server::Options::default());
    let server = builder.broker(Redis::new(options).unwrap()).build().unwrap();
    let _router = server.router();
    server.publish("/topic/a", Message::new("hello"));
    server.shut_down(Duration::ZERO);
    server.ended().await;
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("does not get what waited for it messages=1 bytes=5"), "{logged}");
}
