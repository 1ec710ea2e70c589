//! Networks that fail: a cable that is pulled, a host of whose addresses one is dead, and a slow link.
//!
//! Each test runs in a network of its own: this program starts itself again in new Linux namespaces,
//! where it is root. That needs `unshare` (util-linux) and `ip` and `tc` (iproute2); and either root, or a kernel
//! that lets you create user namespaces.
#![cfg(all(target_os = "linux", feature = "futures-io", feature = "tokio"))]

use sansocket::{
    Config, Error,
    blocking::{self, ServerWebSocket},
    client::Stage,
    connection::{Cause, Keepalive, TransportEnd},
    on_futures_io, on_tokio,
};
use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddrV6, TcpListener},
    process::{self, Command},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Runs an ignored test of this program in new namespaces, after these commands.
#[track_caller]
fn run_apart(test: &str, commands: &str) {
    let script = format!("set -e\nip link set lo up\n{commands}\nexec \"$0\" \"$@\"");
    let output = Command::new("unshare")
        .args(as_root())
        .args(["--net", "--mount", "sh", "-c", &script])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", test])
        .output()
        .expect("install util-linux, which has `unshare`");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

/// Returns the arguments with which `unshare` makes its caller root. If the kernel forbids that, only
/// root can run these tests.
fn as_root() -> &'static [&'static str] {
    let arguments = &["--user", "--map-root-user"];
    let tried = Command::new("unshare").args(arguments).arg("true").output();
    if tried.is_ok_and(|tried| tried.status.success()) { arguments } else { &[] }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Accepts one connection of the blocking shell, and keeps it.
fn serve_one(listener: TcpListener) -> JoinHandle<ServerWebSocket> {
    thread::spawn(move || blocking::accept(listener.accept().unwrap().0).unwrap())
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[track_caller]
fn assert_given_up(error: &Error) {
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    assert!(error.is_transient());
}

fn keepalive() -> Config {
    let short = Duration::from_millis(300);
    Config::default().keepalive(Keepalive::new(short, short))
}

#[test]
fn a_pulled_cable_is_noticed() {
    run_apart("blocking_notices_a_pulled_cable", "");
    run_apart("tokio_notices_a_pulled_cable", "");
}

#[test]
#[ignore = "run in a network of its own by the test above"]
fn blocking_notices_a_pulled_cable() {
    let (listener, port) = listen();
    let server = serve_one(listener);
    let connector = blocking::Connector::new().config(keepalive());
    let (mut client, _) = connector.connect(format!("ws://127.0.0.1:{port}/")).unwrap();
    let mut server = server.join().unwrap();
    let answering = thread::spawn(move || {
        server.get_ref().set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // Pings are answered for some time.
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            if let Some(Err(_)) | None = server.receive() {
                break;
            }
        }
        server.send("still here").unwrap();
        server
    });
    assert_eq!(client.next().unwrap().unwrap().as_text(), Some("still here"));
    ip("link set lo down");
    assert_given_up(&client.next().unwrap().unwrap_err());
    // The other end waits for as long as the system does.
    drop(answering);
}

#[test]
#[ignore = "run in a network of its own by a test above"]
fn tokio_notices_a_pulled_cable() {
    let (listener, port) = listen();
    let server = serve_one(listener);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connector = on_tokio::Connector::new().config(keepalive());
        let url = format!("ws://127.0.0.1:{port}/");
        let (mut client, _) = connector.connect(url).await.unwrap();
        let mut server = server.join().unwrap();
        let answering = thread::spawn(move || drop(server.next()));
        assert!(tokio::time::timeout(Duration::from_secs(2), client.next()).await.is_err());
        ip("link set lo down");
        // Bytes that only the system takes do not show that the peer is there.
        let (mut sender, mut receiver) = client.split();
        let sending = tokio::spawn(async move {
            while sender.send("hello").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert_given_up(&receiver.next().await.unwrap().unwrap_err());
        sending.await.unwrap();
        drop(answering);
    });
}

/// An upload that takes much longer than the interval and the timeout of keepalive.
#[test]
fn a_busy_upload_over_a_slow_link_is_not_given_up() {
    let slow = "ip link set lo mtu 1500
        tc qdisc add dev lo root tbf rate 16mbit burst 32kb latency 100ms";
    run_apart("both_shells_upload_over_a_slow_link", slow);
}

#[test]
#[ignore = "run in a network of its own by the test above"]
fn both_shells_upload_over_a_slow_link() {
    // Three seconds.
    let data = vec![b'x'; 6 << 20];
    let second = Duration::from_secs(1);
    let config = Config::default().keepalive(Keepalive::new(second / 4, second));
    let (listener, port) = listen();
    let serve = |listener: &TcpListener| {
        let server = serve_one(listener.try_clone().unwrap());
        thread::spawn(move || {
            let mut server = server.join().unwrap();
            let len = server.next().unwrap().unwrap().as_bytes().len();
            server.send(len.to_string()).unwrap();
            server.next().map(Result::unwrap)
        })
    };
    // What the system has taken is on its way for it. A ping behind too much of that would be late.
    const SYSTEMS: usize = 64 << 10;
    let url = format!("ws://127.0.0.1:{port}/");
    let expected = data.len().to_string();

    let began = Instant::now();
    let server = serve(&listener);
    let (client, _) = blocking::Connector::new().config(config).connect(&url).unwrap();
    let socket = socket2::SockRef::from(client.get_ref().tcp().unwrap());
    socket.set_send_buffer_size(SYSTEMS).unwrap();
    // One thread receives meanwhile, and so answers for the connection.
    let (mut sender, mut receiver) = client.split().unwrap();
    let sending = thread::spawn({
        let data = data.clone();
        move || {
            sender.send(&data).unwrap();
            sender
        }
    });
    assert_eq!(receiver.next().unwrap().unwrap().as_text(), Some(&*expected));
    drop((receiver, sending.join().unwrap()));
    assert_eq!(server.join().unwrap(), None);
    assert!(began.elapsed() > 2 * second, "the link is not slow");

    let server = serve(&listener);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connector = on_tokio::Connector::new().config(config);
        let (client, _) = connector.connect(&url).await.unwrap();
        let socket = socket2::SockRef::from(client.get_ref().tcp().unwrap());
        socket.set_send_buffer_size(SYSTEMS).unwrap();
        let (mut sender, mut receiver) = client.split();
        let sending = tokio::spawn(async move { sender.send(data).await.map(|()| sender) });
        assert_eq!(receiver.next().await.unwrap().unwrap().as_text(), Some(&*expected));
        sending.await.unwrap().unwrap();
    });
    drop(server);
}

#[test]
fn a_dead_address_does_not_keep_a_client_from_the_live_one() {
    let hosts = env::temp_dir().join(format!("sansocket-hosts-{}", process::id()));
    // The system prefers the first, to which there is a route, but nobody answers.
    fs::write(&hosts, "2001:db8::1 two.test\n127.0.0.1 two.test\n").unwrap();
    let commands = format!(
        "ip link add dead0 type veth peer name dead1
        ip link set dead0 up
        ip link set dead1 up
        ip -6 addr add 2001:db8::2/64 dev dead0 nodad
        mount --bind {} /etc/hosts",
        hosts.display(),
    );
    run_apart("every_shell_reaches_the_live_address", &commands);
    fs::remove_file(hosts).unwrap();
}

#[test]
#[ignore = "run in a network of its own by the test above"]
fn every_shell_reaches_the_live_address() {
    // The dead address alone is found to be dead after the system's three seconds, or not in time.
    let patience = Duration::from_secs(2);
    let (listener, port) = listen();
    let connector = blocking::Connector::new().handshake_timeout(patience);
    let error = connector.connect(format!("ws://[2001:db8::1]:{port}/")).unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout(Stage::Connect)), "{error}");

    let url = format!("ws://two.test:{port}/");
    let server = serve_one(listener.try_clone().unwrap());
    let (client, _) = connector.connect(&url).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    drop((client, server.join().unwrap()));

    let server = serve_one(listener.try_clone().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connector = on_tokio::Connector::new().handshake_timeout(patience);
    let (client, _) = runtime.block_on(connector.connect(&url)).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    drop((client, server.join().unwrap()));

    let connector = on_futures_io::Connector::new().handshake_timeout(patience);
    // Another one, since the system has already found the first to be dead.
    let dead = connector.connect(format!("ws://[2001:db8::3]:{port}/"));
    let error = async_io::block_on(dead).unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout(Stage::Connect)), "{error}");
    let server = serve_one(listener);
    let (client, _) = async_io::block_on(connector.connect(&url)).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    drop((client, server.join().unwrap()));
}

#[test]
fn an_address_is_reached_on_the_link_that_it_names() {
    let commands = "ip link add one0 type veth peer name one1
        ip link set one0 up
        ip link set one1 up
        ip -6 addr add fe80::5/64 dev one0 nodad";
    run_apart("every_shell_reaches_an_address_with_a_scope", commands);
}

#[test]
#[ignore = "run in a network of its own by the test above"]
fn every_shell_reaches_an_address_with_a_scope() {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap();
    let of_link = addresses.lines().find(|line| line.ends_with(" one0")).unwrap();
    let scope = u32::from_str_radix(of_link.split(' ').nth(1).unwrap(), 16).unwrap();
    let address = SocketAddrV6::new("fe80::5".parse().unwrap(), port, 0, scope);
    let listed = move || Ok(vec![address.into()]);
    let serve = || serve_one(listener.try_clone().unwrap());
    let url = "ws://one.test/";

    let server = serve();
    let connector = blocking::Connector::new().resolver(move |_, _| listed());
    let (client, _) = connector.connect(url).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap(), address.into());
    drop((client, server.join().unwrap()));

    let server = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connector = on_tokio::Connector::new().resolver(move |_, _| async move { listed() });
    let (client, _) = runtime.block_on(connector.connect(url)).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap(), address.into());
    drop((client, server.join().unwrap()));

    let server = serve();
    let connector = on_futures_io::Connector::new().resolver(move |_, _| async move { listed() });
    let (client, _) = async_io::block_on(connector.connect(url)).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap(), address.into());
    drop((client, server.join().unwrap()));
}
