//! The way to a server: hooks, the deadlines of its stages, and the options of the socket.

use sansocket::{
    Error,
    blocking::{Connector, Stream, accept},
    client::{Proxy, ProxyError, Stage},
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

/// The time for a stage that does not end.
const SHORT: Duration = Duration::from_millis(50);

/// A proxy or server that accepts connections in a thread.
fn peer(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    port
}

fn through(port: u16, scheme: &str) -> Connector {
    Connector::new().proxy(Proxy::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap())
}

fn fail(connector: &Connector) -> Error {
    connector.connect("ws://server.test/").map(drop).unwrap_err()
}

#[test]
fn each_stage_has_its_deadline() {
    // The hooks wait until the end of the test.
    let (end, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let wait = Arc::new(move || assert!(wait.lock().unwrap().recv().is_err()));
    let resolve = Arc::clone(&wait);
    let stuck = Connector::new().resolver(move |_, _| {
        resolve();
        Ok(Vec::new())
    });
    let error = fail(&stuck.stage_timeout(Stage::Lookup, SHORT));
    assert!(matches!(error, Error::ConnectTimeout(Stage::Lookup)), "{error}");
    let stuck = Connector::new().dialer(move |_, _| {
        wait();
        Err::<Stream, _>(ErrorKind::Other.into())
    });
    let error = fail(&stuck.stage_timeout(Stage::Connect, SHORT));
    assert!(matches!(error, Error::ConnectTimeout(Stage::Connect)), "{error}");
    drop(end);

    let silent = peer(std::mem::forget);
    for scheme in ["http", "socks5"] {
        let error = fail(&through(silent, scheme).stage_timeout(Stage::Proxy, SHORT));
        assert!(matches!(error, Error::ConnectTimeout(Stage::Proxy)), "{error}");
        let error = fail(&through(silent, scheme).handshake_timeout(SHORT));
        assert!(matches!(error, Error::ConnectTimeout(Stage::Proxy)), "{error}");
    }
    let connector = Connector::new().stage_timeout(Stage::Handshake, SHORT);
    let error = connector.connect(format!("ws://127.0.0.1:{silent}/")).unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
}

#[test]
fn hooks_get_the_host_to_connect_to() {
    let port = peer(|stream| drop(accept(stream).map(|mut server| server.next())));
    for timeout in [None, Some(Duration::from_secs(30))] {
        let connector = Connector::new().handshake_timeout(timeout).resolver(move |host, asked| {
            assert_eq!((&*host, asked), ("server.test", 99));
            Ok(vec![([127, 0, 0, 1], port).into()])
        });
        let (websocket, _) = connector.connect("ws://server.test:99/").unwrap();
        assert_eq!(websocket.get_ref().peer_addr().unwrap().port(), port);
        drop(websocket);
        let connector = connector.dialer(move |host, asked| {
            assert_eq!((&*host, asked), ("server.test", 99));
            TcpStream::connect(("127.0.0.1", port))
        });
        connector.connect("ws://server.test:99/").unwrap();
        let connector = connector.dialer(|host, asked| {
            assert_eq!((&*host, asked), ("proxy.test", 1080));
            Err::<Stream, _>(ErrorKind::AddrInUse.into())
        });
        let error = fail(&connector.proxy(Proxy::parse("socks5://proxy.test").unwrap()));
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::AddrInUse));
    }
}

#[test]
fn a_hook_that_panics_does_so_with_and_without_a_deadline() {
    let connector = Connector::new().dialer(|_, _| -> io::Result<Stream> { panic!("on purpose") });
    for connector in [connector.clone(), connector.handshake_timeout(None)] {
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fail(&connector)));
        assert!(failed.is_err());
    }
}

#[test]
fn a_refusal_of_the_proxy_is_not_one_of_the_server() {
    let port = peer(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        let answer = b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nby policy";
        stream.write_all(answer).unwrap();
    });
    let error = fail(&through(port, "http"));
    let Error::Proxy(ProxyError::Refused(refusal)) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.status(), refusal.body()), (403, &b"by policy"[..]));
    let error = fail(&through(port, "socks5"));
    assert!(matches!(error, Error::Proxy(ProxyError::InvalidSocks { .. })), "{error}");
    let error = fail(&through(peer(drop), "http"));
    assert!(error.is_transient(), "{error}");
}

#[cfg(all(target_os = "linux", feature = "socket2"))]
#[test]
fn sockets_get_their_options() {
    use sansocket::client::TcpKeepalive;

    let port = peer(|stream| {
        assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.3");
        let _ = accept(stream).map(|mut server| server.next());
    });
    for timeout in [None, Some(Duration::from_secs(30))] {
        let keepalive = TcpKeepalive::new(Duration::from_secs(77)).probes(3);
        let connector = Connector::new()
            .handshake_timeout(timeout)
            .local_address([127, 0, 0, 3].into())
            .tcp_keepalive(keepalive);
        let (websocket, _) = connector.connect(format!("ws://127.0.0.1:{port}/")).unwrap();
        let socket = socket2::SockRef::from(websocket.get_ref().tcp().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        let error = connector.connect("ws://[::1]:9/").map(drop).unwrap_err();
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::InvalidInput));
    }
}

#[test]
fn redirections_and_challenges_lead_to_the_server() {
    use sansocket_testkit::{opening::response_to, pair::blocking::read_head};

    let port = peer(|mut stream| {
        loop {
            let head = read_head(&mut stream);
            let text = String::from_utf8_lossy(&head);
            let answer: &[u8] = if text.starts_with("GET /old ") {
                b"HTTP/1.1 308 x\r\nLocation: new\r\nConnection: close\r\n\r\n"
            } else if !text.contains("Authorization: token\r\n") {
                b"HTTP/1.1 401 x\r\nContent-Length: 4\r\n\r\nwho?"
            } else {
                &response_to(&head)
            };
            stream.write_all(answer).unwrap();
            if answer.starts_with(b"HTTP/1.1 101") {
                return std::mem::forget(stream);
            }
            if answer.starts_with(b"HTTP/1.1 308") {
                return;
            }
        }
    });
    let connector = Connector::new().redirects(1).authenticate(|challenge| {
        let refusal = challenge.refusal;
        assert_eq!((refusal.status(), refusal.body()), (401, &b"who?"[..]));
        Some("token".into())
    });
    connector.connect(format!("ws://127.0.0.1:{port}/old")).unwrap();
    let error = connector.redirects(0).connect(format!("ws://127.0.0.1:{port}/old")).unwrap_err();
    assert!(matches!(error, Error::Handshake(_)), "{error}");
}
