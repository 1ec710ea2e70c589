//! The way to a server: hooks, the deadlines of its stages, and the options of the socket.

use sansocket::{
    Config, Error,
    client::{Proxy, ProxyError, Stage, TcpKeepalive},
    handshake::{HandshakeError, RequestError},
    on_tokio::{Acceptor, Connector, Stream},
};
use sansocket_testkit::clock::{run, run_paused};
use std::{
    future::{pending, ready},
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

fn listed(address: SocketAddr) -> io::Result<Vec<SocketAddr>> {
    Ok(vec![address])
}

/// A connector of which each stream leads to a new server.
fn connector_to<R>(serve: impl Fn(DuplexStream) -> R + Send + Sync + 'static) -> Connector
where
    R: Future<Output = ()> + Send + 'static,
{
    Connector::new().dialer(move |_, _| {
        let (client, server) = duplex(4096);
        tokio::spawn(serve(server));
        ready(Ok(Stream::boxed(client)))
    })
}

async fn silent(stream: DuplexStream) {
    pending::<()>().await;
    drop(stream);
}

/// Reads the request for a tunnel, and answers after a time.
async fn tunnel_after(stream: &mut DuplexStream, time: Duration) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"CONNECT server.test:80 HTTP/1.1\r\n"));
    sleep(time).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
}

/// Connects, and returns the error and how long it took.
async fn fail(connector: Connector) -> (Error, Duration) {
    let began = Instant::now();
    let error = connector.connect("ws://server.test/").await.unwrap_err();
    (error, began.elapsed())
}

#[test]
fn each_stage_has_its_deadline() {
    run_paused(async {
        let stuck = Connector::new().resolver(|_, _| pending());
        let (error, took) = fail(stuck.stage_timeout(Stage::Lookup, 3 * SECOND)).await;
        assert!(matches!(error, Error::ConnectTimeout(Stage::Lookup)), "{error}");
        assert_eq!((took, error.is_transient()), (3 * SECOND, true));
        assert_eq!(error.to_string(), "time ran out during the lookup of the host");

        let stuck = Connector::new().dialer(|_, _| pending::<io::Result<Stream>>());
        let (error, took) = fail(stuck.stage_timeout(Stage::Connect, 3 * SECOND)).await;
        assert!(matches!(error, Error::ConnectTimeout(Stage::Connect)), "{error}");
        assert_eq!(took, 3 * SECOND);

        for proxy in ["http://proxy.test", "socks5://proxy.test"] {
            let stuck = connector_to(silent).proxy(Proxy::parse(proxy).unwrap());
            let (error, took) = fail(stuck.stage_timeout(Stage::Proxy, 3 * SECOND)).await;
            assert!(matches!(error, Error::ConnectTimeout(Stage::Proxy)), "{error}");
            // The last reads come a little after the deadline.
            assert!((3 * SECOND..4 * SECOND).contains(&took), "{took:?}");
        }

        let stuck = connector_to(silent).stage_timeout(Stage::Handshake, 3 * SECOND);
        let (error, took) = fail(stuck).await;
        assert!(matches!(error, Error::HandshakeTimeout), "{error}");
        assert!((3 * SECOND..4 * SECOND).contains(&took), "{took:?}");
    });
}

#[test]
fn the_whole_has_a_deadline_too() {
    run_paused(async {
        let proxy = Proxy::parse("http://proxy.test").unwrap();
        let slow = |whole: u32, tunnel: u32| {
            connector_to(move |mut stream| async move {
                tunnel_after(&mut stream, tunnel * SECOND).await;
                silent(stream).await;
            })
            .proxy(proxy.clone())
            .handshake_timeout(whole * SECOND)
        };
        let (error, took) = fail(slow(10, 4)).await;
        assert!(matches!(error, Error::HandshakeTimeout), "{error}");
        assert!((10 * SECOND..11 * SECOND).contains(&took), "{took:?}");
        let (error, took) = fail(slow(10, 20).stage_timeout(Stage::Proxy, 15 * SECOND)).await;
        assert!(matches!(error, Error::ConnectTimeout(Stage::Proxy)), "{error}");
        assert!((10 * SECOND..11 * SECOND).contains(&took), "{took:?}");
    });
}

#[test]
fn without_a_limit_nothing_ends_the_wait() {
    run_paused(async {
        let patient = connector_to(|mut stream| async move {
            tunnel_after(&mut stream, 1000 * SECOND).await;
            Acceptor::new().accept(stream).await.unwrap().wait_closed().await;
        });
        let patient = patient.proxy(Proxy::parse("proxy.test").unwrap()).handshake_timeout(None);
        patient.connect("ws://server.test/").await.unwrap();
    });
}

#[test]
fn hooks_get_the_host_to_connect_to() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connector = Connector::new().resolver(move |host, port| {
            assert_eq!((&*host, port), ("server.test", 99));
            ready(listed(address))
        });
        let (connected, accepted) =
            tokio::join!(connector.connect("ws://server.test:99/"), async {
                Acceptor::new().accept_tcp(listener.accept().await.unwrap().0).await
            },);
        let stream = accepted.unwrap();
        assert_eq!(connected.unwrap().0.get_ref().peer_addr().unwrap(), address);
        drop(stream);
        // A later hook does not take the place of another kind.
        let connector = connector.dialer(|host, port| {
            assert_eq!((&*host, port), ("proxy.test", 1080));
            ready(Err::<Stream, _>(ErrorKind::AddrInUse.into()))
        });
        let connector = connector.proxy(Proxy::parse("socks5://proxy.test").unwrap());
        let error = connector.connect("ws://server.test:99/").await.unwrap_err();
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::AddrInUse));
    });
}

#[test]
fn the_resolver_is_not_asked_for_an_address() {
    run(async {
        let resolver = |_, _| ready(Err(io::Error::other("asked")));
        let connector = Connector::new().resolver(resolver);
        for url in ["ws://127.0.0.1:9/", "ws://[::1]:9/"] {
            let error = connector.connect(url).await.map(drop).unwrap_err();
            assert!(!error.to_string().contains("asked"), "{error}");
        }
    });
}

#[test]
fn a_stream_of_a_dialer_has_nodelay() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connector = Connector::new().dialer(move |_, _| TcpStream::connect(address));
        let (connected, accepted) = tokio::join!(connector.connect("ws://h/"), async {
            Acceptor::new().accept_tcp(listener.accept().await.unwrap().0).await
        });
        assert!(connected.unwrap().0.get_ref().tcp().unwrap().nodelay().unwrap());
        drop(accepted);
    });
}

#[test]
fn a_connection_to_the_proxy_that_fails_names_the_proxy() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let resets = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 10]).await;
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        };
        let proxy = Proxy::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let connector = Connector::new().proxy(proxy);
        let (error, ()) = tokio::join!(fail(connector), resets);
        let error = error.0.to_string();
        assert!(error.starts_with("can't reach the proxy 127.0.0.1, port"), "{error}");
    });
}

/// A timeout that a hook reports is not one after which the same call can be made again.
#[test]
fn the_timeout_of_a_hook_is_final() {
    run(async {
        let hook = |_, _| ready(Err::<Stream, _>(ErrorKind::TimedOut.into()));
        let error = Connector::new().dialer(hook).connect("ws://h/").await.unwrap_err();
        assert!(!error.is_would_block() && matches!(error, Error::Io(_)), "{error:?}");
    });
}

#[test]
fn what_can_be_refused_is_refused_before_anything_is_connected() {
    run(async {
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        let connector = Connector::new().dialer(move |_, _| {
            seen.fetch_add(1, Ordering::Relaxed);
            ready(Err::<Stream, _>(io::Error::other("dialed")))
        });
        let connect = async |connector: Connector, url: &str| {
            connector.connect(url).await.map(drop).unwrap_err()
        };
        let url = format!("ws://{}/", "x".repeat(256));
        let socks = Proxy::parse("socks5://proxy.test").unwrap();
        let error = connect(connector.clone().proxy(socks.clone()), &url).await;
        assert!(matches!(error, Error::Proxy(ProxyError::HostTooLong { len: 256 })), "{error}");
        assert!(!error.is_transient());
        let proxy = socks.credentials("", "");
        let error = connect(connector.clone().proxy(proxy), "ws://h/").await;
        assert!(matches!(error, Error::Proxy(ProxyError::InvalidCredentials)), "{error}");
        let proxy = Proxy::parse("proxy.test").unwrap().header("Host", "x");
        let error = connect(connector.clone().proxy(proxy), "ws://h/").await;
        assert!(matches!(error, Error::Proxy(ProxyError::Header(_))), "{error}");
        let error = connect(connector.clone().header("Host", "x"), "ws://h/").await;
        assert!(matches!(error, Error::Request(RequestError::Header(_))), "{error}");
        // It would go to the server.
        let error = connect(connector.clone().header("Proxy-Authorization", "x"), "ws://h/").await;
        assert!(matches!(error, Error::Request(RequestError::Header(_))), "{error}");
        let error = connect(connector.clone(), "http://h/").await;
        assert!(matches!(error, Error::Url(_)), "{error}");
        #[cfg(not(feature = "rustls"))]
        for (proxy, url) in [("https://proxy.test", "ws://h/"), ("http://proxy.test", "wss://h/")] {
            let proxy = Proxy::parse(proxy).unwrap();
            let error = connect(connector.clone().proxy(proxy), url).await;
            assert!(matches!(error, Error::TlsUnsupported), "{error}");
        }
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        connect(connector, "ws://h/").await;
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_refusal_of_the_proxy_is_not_one_of_the_server() {
    run(async {
        let refusing = |answer: &'static str| {
            let connector = connector_to(move |mut stream| async move {
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
            connector.proxy(Proxy::parse("proxy.test").unwrap())
        };
        let (error, _) = fail(refusing("HTTP/1.1 403 No\r\n\r\nby policy")).await;
        let Error::Proxy(ProxyError::Refused(refusal)) = &error else { panic!("{error:?}") };
        assert_eq!((refusal.status(), refusal.body()), (403, &b"by policy"[..]));
        assert_eq!(error.to_string(), "the proxy refused the tunnel with status 403");
        let (error, _) = fail(refusing("HTTP/1.1 200 Yes\r\n\r\n")).await;
        let Error::Handshake(HandshakeError::TransportEnded { received: 0 }) = error else {
            panic!("{error:?}")
        };
        let (error, _) = fail(refusing("")).await;
        assert!(matches!(error, Error::Proxy(ProxyError::Ended { received: 0 })), "{error}");
        let long = "HTTP/1.1 200 Yes\r\nX: a long value of a field that has no end\r\n\r\n";
        let mut config = Config::default();
        config.limits.handshake_bytes = 50;
        let (error, _) = fail(refusing(long).config(config)).await;
        assert!(matches!(error, Error::Proxy(ProxyError::InvalidResponse(_))), "{error}");
        let (error, _) = fail(refusing("SSH-2.0\r\n")).await;
        assert!(matches!(error, Error::Proxy(ProxyError::InvalidResponse(_))), "{error}");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn sockets_get_their_options() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let keepalive = TcpKeepalive::new(77 * SECOND).interval(7 * SECOND).probes(3);
        let local = IpAddr::from([127, 0, 0, 3]);
        let connector = Connector::new().local_address(local).tcp_keepalive(keepalive);
        let (connected, accepted) = tokio::join!(connector.connect(&url), async {
            let (stream, peer) = listener.accept().await.unwrap();
            assert_eq!(peer.ip(), local);
            Acceptor::new().accept_tcp(stream).await
        });
        let (websocket, _) = connected.unwrap();
        let stream = websocket.get_ref().tcp().unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = socket2::SockRef::from(stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 77 * SECOND);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), 7 * SECOND);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        drop(accepted);
        // There is no address of the same family.
        let connector = Connector::new().local_address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let error = connector.connect("ws://[::1]:9/").await.unwrap_err();
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::InvalidInput));
        assert!(!error.is_transient());
    });
}
