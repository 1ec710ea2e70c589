//! `serve`: handshakes, limits, failing handlers and shutdown.

use sansocket::{
    CloseCode, Error,
    blocking::{
        Acceptor, ClientWebSocket, Connector, Serve, ServeError, ServerWebSocket, ShutdownHandle,
        connect, serve,
    },
    connection::Initiator,
    handshake::{Accept, PlainResponse, Request},
};
use sansocket_testkit::{
    frames::{masked, plain},
    opening::REQUEST,
    pair::blocking::{read_head, read_to_end},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// A server in a thread of its own.
struct Running {
    address: SocketAddr,
    stop: ShutdownHandle,
    errors: Receiver<ServeError>,
    thread: JoinHandle<()>,
}

impl Running {
    fn start<H>(handler: H, options: impl FnOnce(Serve<H>) -> Serve<H>) -> Self
    where
        H: Fn(ServerWebSocket, Request) -> Result<(), Error> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (report, errors) = channel();
        let server = options(serve(listener, handler).on_error(move |error| {
            let _ = report.send(error);
        }));
        let stop = server.shutdown_handle();
        let thread = thread::spawn(move || server.run());
        Self { address, stop, errors, thread }
    }

    fn echo() -> Self {
        Self::start(echo, |serve| serve)
    }

    fn connect(&self) -> ClientWebSocket {
        connect(format!("ws://{}/", self.address)).unwrap()
    }

    fn stream(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Returns a stream that has sent its request.
    fn requesting(&self) -> TcpStream {
        let mut stream = self.stream();
        stream.write_all(REQUEST).unwrap();
        stream
    }

    fn opened(&self) -> TcpStream {
        let mut stream = self.requesting();
        assert!(read_head(&mut stream).starts_with(b"HTTP/1.1 101 "));
        stream
    }

    /// Stops the server, waits for it to end and checks that it reported no error.
    fn check_end(self) {
        self.stop.shutdown();
        self.thread.join().unwrap();
        let errors: Vec<_> = self.errors.try_iter().collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

fn echo(mut websocket: ServerWebSocket, _: Request) -> Result<(), Error> {
    while let Some(message) = websocket.next() {
        websocket.send(message?)?;
    }
    Ok(())
}

fn check_echo(client: &mut ClientWebSocket) {
    client.send("hello").unwrap();
    assert_eq!(client.next().unwrap().unwrap().as_bytes(), b"hello");
}

fn close_away() -> Vec<u8> {
    plain(0x88, &1001_u16.to_be_bytes())
}

fn check_closed_as_away(mut client: ClientWebSocket) {
    for message in client.by_ref() {
        message.unwrap();
    }
    let closed = client.closed().unwrap();
    assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed:?}");
    assert_eq!(closed.code, CloseCode::GOING_AWAY);
}

/// Checks that nothing arrives for a short while.
fn check_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let kind = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind:?}");
    stream.set_read_timeout(None).unwrap();
}

#[test]
fn every_way_to_accept_tcp_sends_small_segments_at_once() {
    let (report, reported) = std::sync::mpsc::channel();
    let server = Running::start(
        move |websocket, _| {
            report.send(websocket.get_ref().tcp().unwrap().nodelay()?).unwrap();
            Ok::<(), Error>(())
        },
        |serve| serve,
    );
    drop(server.connect());
    assert!(reported.recv().unwrap(), "serve");
    server.stop.shutdown();
    server.check_end();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let client = thread::spawn(move || {
        (connect(&url).unwrap(), connect(&url).unwrap(), connect(&url).unwrap())
    });
    let stream = || listener.accept().unwrap().0;
    let accepted = [
        sansocket::blocking::accept(stream()).unwrap(),
        Acceptor::new().accept_tcp(stream()).unwrap(),
        Acceptor::new().accept_tcp_with(stream(), |_| Ok(Accept::new())).unwrap(),
    ];
    assert!(accepted.iter().all(|server| server.get_ref().tcp().unwrap().nodelay().unwrap()));
    drop(client.join().unwrap());
}

#[test]
fn a_shutdown_closes_every_connection() {
    let server = Running::echo();
    let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &mut clients {
        check_echo(client);
    }
    // One of them leaves before the shutdown.
    clients.pop().unwrap().wait_closed();
    server.stop.shutdown();
    clients.into_iter().for_each(check_closed_as_away);
    server.check_end();
}

#[test]
fn a_shutdown_without_connections_is_immediate() {
    Running::start(echo, |serve| serve.shutdown_timeout(Duration::MAX)).check_end();
    // The same holds for a server that listens on all addresses, or is stopped before it runs.
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let server = serve(listener, echo);
    let stop = server.shutdown_handle();
    let thread = thread::spawn(move || server.run());
    stop.shutdown();
    stop.shutdown();
    thread.join().unwrap();
}

#[test]
fn a_nonblocking_listener_works_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (report, errors) = channel();
    let server = serve(listener, echo).on_error(move |error| drop(report.send(error)));
    let stop = server.shutdown_handle();
    let thread = thread::spawn(move || server.run());
    let mut client = connect(format!("ws://{address}/")).unwrap();
    check_echo(&mut client);
    stop.shutdown();
    check_closed_as_away(client);
    thread.join().unwrap();
    assert!(errors.recv().is_err());
}

/// Other sockets on the same address may get the connection that is to wake the server.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_shares_its_address_stops() {
    use socket2::{Domain, Socket, Type};
    let listen = |address: SocketAddr| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(128).unwrap();
        TcpListener::from(socket)
    };
    for _ in 0..4 {
        let listener = listen(([127, 0, 0, 1], 0).into());
        let address = listener.local_addr().unwrap();
        let (entered, has_entered) = channel();
        let server = serve(listener, move |websocket: ServerWebSocket, request: Request| {
            entered.send(()).unwrap();
            echo(websocket, request)
        });
        let stop = server.shutdown_handle();
        let thread = thread::spawn(move || server.run());
        // Once it has had a client, the server waits for the next one.
        let client = connect(format!("ws://{address}/")).unwrap();
        has_entered.recv().unwrap();
        drop(client);
        let others: Vec<_> = (0..3).map(|_| listen(address)).collect();
        stop.shutdown();
        thread.join().unwrap();
        drop(others);
    }
}

/// The environment makes the stacks of new threads too large for the system, so this test runs in
/// a process of its own.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_server_without_threads_pauses_and_keeps_its_client() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;
    const STACK: (&str, &str) = ("RUST_MIN_STACK", "1152921504606846976");
    const NAME: &str = "serve::a_server_without_threads_pauses_and_keeps_its_client";
    if std::env::var(STACK.0).as_deref() != Ok(STACK.1) {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", NAME]).env(STACK.0, STACK.1).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // One client fails four times only if it is kept.
    let client = TcpStream::connect(address).unwrap();
    let server = serve(listener, echo);
    let stop = server.shutdown_handle();
    let (fail, failures) = channel();
    let failed = AtomicUsize::new(0);
    let server = server.on_error(move |error| {
        let ServeError::Accept(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        fail.send(Instant::now()).unwrap();
        if failed.fetch_add(1, Ordering::SeqCst) + 1 == 4 {
            stop.shutdown();
        }
    });
    server.run();
    drop(client);
    let failures: Vec<_> = failures.iter().collect();
    // The pauses are 10, 20 and 40 ms.
    assert!(failures[3] - failures[0] >= Duration::from_millis(70), "{failures:?}");
}

#[test]
fn each_request_is_passed_to_decide_and_then_to_the_handler() {
    let handler = |mut websocket: ServerWebSocket, request: Request| {
        assert_eq!(websocket.negotiated().subprotocol.as_deref(), Some("chat"));
        websocket.send(request.path())
    };
    let decide = |request: &Request| match request.path() {
        "/no" => Err(PlainResponse::new(404)),
        "/never" => Ok(Accept::new().subprotocol("not offered")),
        _ => Ok(Accept::new().subprotocol("chat")),
    };
    let server = Running::start(handler, |serve| serve.decide(decide));
    let connect = |path| {
        let url = format!("ws://{}{path}", server.address);
        Connector::new().subprotocol("chat").connect(url)
    };
    let (mut client, _) = connect("/yes").unwrap();
    assert_eq!(client.next().unwrap().unwrap().as_bytes(), b"/yes");
    let error = |path| {
        connect(path).unwrap_err();
        match server.errors.recv().unwrap() {
            ServeError::Handshake { error, peer } if peer.ip().is_loopback() => error,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(error("/no"), Error::Refused(404)));
    assert!(matches!(error("/never"), Error::Accept(_)));
}

#[test]
fn a_plain_http_request_gets_its_response_and_is_not_an_error() {
    let acceptor = Acceptor::new().plain_response(|_| Some(PlainResponse::new(200).body("fine")));
    let server = Running::start(echo, |serve| serve.acceptor(acceptor));
    let mut stream = server.stream();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let response = read_to_end(&mut stream);
    assert!(response.starts_with(b"HTTP/1.1 200 ") && response.ends_with(b"fine"));
    drop(stream);
    server.check_end();
}

#[test]
fn a_client_that_sends_no_request_times_out_and_others_are_served() {
    let acceptor = Acceptor::new().handshake_timeout(Duration::from_millis(200));
    let server = Running::start(echo, |serve| serve.acceptor(acceptor));
    let mut silent = server.stream();
    let mut other = server.connect();
    check_echo(&mut other);
    assert_eq!(read_to_end(&mut silent), b"");
    match server.errors.recv().unwrap() {
        ServeError::Handshake { peer, error: Error::HandshakeTimeout } => {
            assert_eq!(peer, silent.local_addr().unwrap());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pending_handshakes_are_limited() {
    let server = Running::start(echo, |serve| serve.max_handshakes(2));
    // Open connections do not count.
    let mut open = [server.connect(), server.connect(), server.connect()];
    let silent = [server.stream(), server.stream()];
    let mut next = server.requesting();
    check_silent(&mut next);
    check_echo(&mut open[2]);
    drop(silent);
    assert!(read_head(&mut next).starts_with(b"HTTP/1.1 101 "));
}

#[test]
fn a_refused_client_holds_up_no_other_handshake() {
    for refused in ["GET /no HTTP/1.1", "GET /plain HTTP/1.0", "POST / HTTP/1.1"] {
        let acceptor = Acceptor::new().plain_response(|_| Some(PlainResponse::new(200)));
        let server = Running::start(echo, |serve| {
            serve.acceptor(acceptor).max_handshakes(1).max_connections(2).decide(|request| {
                if request.path() == "/no" {
                    Err(PlainResponse::new(404))
                } else {
                    Ok(Accept::new())
                }
            })
        });
        let mut stream = server.stream();
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        let (_, headers) = request.split_once("\r\n").unwrap();
        let headers = if refused.contains("plain") { "\r\n" } else { headers };
        stream.write_all(format!("{refused}\r\n{headers}").as_bytes()).unwrap();
        assert!(!read_head(&mut stream).starts_with(b"HTTP/1.1 101 "));
        // The client does not end its side, so the server still waits for that.
        let mut next = server.connect();
        check_echo(&mut next);
        assert!(server.errors.try_recv().is_err(), "{refused}");
        // It counts as a connection until then.
        let mut last = server.requesting();
        check_silent(&mut last);
        drop(stream);
        assert!(read_head(&mut last).starts_with(b"HTTP/1.1 101 "));
    }
}

#[test]
fn open_connections_are_limited() {
    let server = Running::start(echo, |serve| serve.max_connections(2));
    let (mut one, mut two) = (server.connect(), server.connect());
    let mut next = server.requesting();
    check_silent(&mut next);
    check_echo(&mut one);
    drop(one);
    assert!(read_head(&mut next).starts_with(b"HTTP/1.1 101 "));
    check_echo(&mut two);
    // A full server shuts down like any other.
    server.stop.shutdown();
    check_closed_as_away(two);
}

#[test]
fn a_handler_that_panics_or_fails_ends_only_its_own_connection() {
    let handler = |mut websocket: ServerWebSocket, _: Request| {
        while let Some(message) = websocket.next() {
            match message?.as_bytes() {
                b"panic" => panic!("asked for by the client"),
                b"fail" => return Err(std::io::Error::other("asked for by the client").into()),
                other => websocket.send(other)?,
            }
        }
        Ok(())
    };
    let server = Running::start(handler, |serve| serve);
    let mut good = server.connect();
    for what in ["panic", "fail"] {
        let mut bad = server.opened();
        bad.write_all(&masked(0x82, what.as_bytes())).unwrap();
        assert_eq!(read_to_end(&mut bad), b"", "{what}");
        check_echo(&mut good);
        let mut next = server.connect();
        check_echo(&mut next);
        assert!(next.wait_closed().clean);
        if what == "fail" {
            let peer_of_bad = bad.local_addr().unwrap();
            drop(bad);
            let error = server.errors.recv().unwrap();
            let ServeError::Handler { peer, error } = error else { panic!("{error:?}") };
            assert_eq!(peer, peer_of_bad);
            assert_eq!(error.to_string(), "asked for by the client");
        }
    }
    server.stop.shutdown();
    check_closed_as_away(good);
    server.check_end();
}

#[test]
fn a_dropped_connection_ends_without_a_reset_while_the_peer_still_sends() {
    for closes in [true, false] {
        let handler = move |mut websocket: ServerWebSocket, _: Request| {
            websocket.next().unwrap()?;
            if closes {
                websocket.close(CloseCode::POLICY_VIOLATION, "enough")?;
            }
            Ok(())
        };
        let server = Running::start(handler, |serve| serve);
        let mut client = server.opened();
        // This is more than the server would read if it did not wait for the client.
        client.write_all(&masked(0x82, b"x")).unwrap();
        for _ in 0..8 {
            client.write_all(&masked(0x82, &[0; 100_000])).unwrap();
        }
        let close = [&1008_u16.to_be_bytes()[..], b"enough"].concat();
        let expected = if closes { plain(0x88, &close) } else { Vec::new() };
        assert_eq!(read_to_end(&mut client), expected, "{closes}");
        // The server still reads it.
        client.write_all(&[0; 1000]).unwrap();
        drop(client);
        server.check_end();
    }
}

#[test]
fn queued_messages_arrive_after_the_handler_drops_the_connection() {
    const LEN: usize = 8 << 20;
    for splits in [false, true] {
        let handler = move |mut websocket: ServerWebSocket, _: Request| {
            if splits {
                let (mut sender, receiver) = websocket.split()?;
                sender.feed(vec![7; LEN])?;
                drop(receiver);
            } else {
                websocket.feed(vec![7; LEN])?;
            }
            Ok(())
        };
        let server = Running::start(handler, |serve| serve);
        let mut client = server.connect();
        assert!(client.next().unwrap().unwrap().as_bytes() == vec![7; LEN]);
        // Dropping the receiving half sends a Close. Dropping a whole connection sends none.
        let end = client.next();
        assert_eq!(end.is_some_and(|end| end.is_err()), !splits);
        let expected = if splits { CloseCode::GOING_AWAY } else { CloseCode::ABNORMAL };
        assert_eq!(client.closed().unwrap().code, expected);
        drop(client);
        server.check_end();
    }
}

#[test]
fn a_read_timeout_of_the_handler_expires() {
    // One is shorter and one is longer than a read lasts before it checks for a shutdown.
    for timeout in [100, 300] {
        let (expired, has_expired) = channel();
        let handler = move |mut websocket: ServerWebSocket, _: Request| {
            let timeout = Some(Duration::from_millis(timeout));
            websocket.get_mut().set_read_timeout(timeout)?;
            let error = websocket.next().unwrap().unwrap_err();
            assert_eq!(websocket.get_ref().tcp().unwrap().read_timeout()?, timeout);
            expired.send(error).unwrap();
            // Nothing is lost.
            while let Some(message) = websocket.next() {
                match message {
                    Ok(message) => websocket.send(message)?,
                    Err(error) if error.is_would_block() => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        let server = Running::start(handler, |serve| serve);
        let mut client = server.connect();
        let error = has_expired.recv().unwrap();
        assert!(error.is_would_block(), "{error:?}");
        check_echo(&mut client);
        server.stop.shutdown();
        check_closed_as_away(client);
        server.check_end();
    }
}

/// Neither a timeout of the handler nor one that a split connection used ends the delivery.
#[test]
fn leftover_timeouts_do_not_cut_off_queued_messages() {
    const LEN: usize = 8 << 20;
    for splits in [false, true] {
        let handler = move |mut websocket: ServerWebSocket, _: Request| {
            if splits {
                let (mut sender, mut receiver) = websocket.split()?;
                sender.send("hello")?;
                receiver.next().unwrap()?;
                sender.feed(vec![7; LEN])?;
            } else {
                let timeout = Some(Duration::from_millis(100));
                websocket.get_mut().set_read_timeout(timeout)?;
                websocket.get_mut().set_write_timeout(timeout)?;
                websocket.send("hello")?;
                websocket.next().unwrap()?;
                websocket.feed(vec![7; LEN])?;
            }
            Ok(())
        };
        let server = Running::start(handler, |serve| serve);
        let mut client = server.connect();
        assert_eq!(client.next().unwrap().unwrap().as_bytes(), b"hello");
        client.send("now").unwrap();
        // In this time the server can't write everything, and its timeouts would expire.
        thread::sleep(Duration::from_millis(500));
        assert!(client.next().unwrap().unwrap().as_bytes() == vec![7; LEN], "{splits}");
        drop(client);
        server.check_end();
    }
}

#[test]
fn a_handler_that_takes_the_transport_keeps_it() {
    let (sender, taken) = channel();
    let handler = move |websocket: ServerWebSocket, _: Request| {
        sender.send(websocket.into_parts().transport).unwrap();
        Ok(())
    };
    let server = Running::start(handler, |serve| serve);
    let mut client = server.opened();
    let mut transport = taken.recv().unwrap();
    server.check_end();
    transport.write_all(b"other").unwrap();
    drop(transport);
    assert_eq!(read_to_end(&mut client), b"other");
}

#[test]
fn a_shutdown_reaches_a_busy_handler() {
    let handler = |mut websocket: ServerWebSocket, _: Request| {
        let mut received = 0;
        while let Some(message) = websocket.next() {
            message?;
            received += 1;
            if received == 1000 {
                websocket.send("many")?;
            }
        }
        Ok(())
    };
    let server = Running::start(handler, |serve| serve);
    let mut client = server.opened();
    let mut writer = client.try_clone().unwrap();
    let (enough, has_enough) = channel::<()>();
    let floods = thread::spawn(move || {
        let many = masked(0x82, &[1; 1000]).repeat(100);
        while has_enough.try_recv().is_err() {
            writer.write_all(&many).unwrap();
        }
        writer.write_all(&masked(0x88, &1001_u16.to_be_bytes())).unwrap();
    });
    let mut frame = [0; 6];
    client.read_exact(&mut frame).unwrap();
    assert_eq!(frame[..], plain(0x81, b"many"));
    server.stop.shutdown();
    client.read_exact(&mut frame[..4]).unwrap();
    assert_eq!(frame[..4], close_away());
    enough.send(()).unwrap();
    assert_eq!(read_to_end(&mut client), b"");
    floods.join().unwrap();
    drop(client);
    server.check_end();
}

#[test]
fn a_shutdown_reaches_a_split_connection() {
    let handler = |websocket: ServerWebSocket, _: Request| {
        let (mut sender, receiver) = websocket.split()?;
        let sends = thread::spawn(move || {
            let mut number = 0;
            while sender.send(format!("{number}")).is_ok() {
                number += 1;
            }
        });
        for message in receiver {
            message?;
        }
        sends.join().unwrap();
        Ok(())
    };
    let server = Running::start(handler, |serve| serve);
    let mut client = server.connect();
    client.next().unwrap().unwrap();
    server.stop.shutdown();
    check_closed_as_away(client);
    server.check_end();
}

#[test]
fn a_shutdown_finishes_pending_handshakes_and_accepts_no_new_client() {
    let server = Running::echo();
    let mut late = server.stream();
    late.write_all(&REQUEST[..20]).unwrap();
    let client = server.connect();
    server.stop.shutdown();
    check_closed_as_away(client);
    // The listener is dropped at about this time.
    while let Ok(stream) = TcpStream::connect(server.address) {
        drop(stream);
        thread::yield_now();
    }
    let refused = TcpStream::connect(server.address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    late.write_all(&REQUEST[20..]).unwrap();
    assert!(read_head(&mut late).starts_with(b"HTTP/1.1 101 "));
    let mut close = [0; 4];
    late.read_exact(&mut close).unwrap();
    assert_eq!(close[..], close_away());
    late.write_all(&masked(0x88, &1001_u16.to_be_bytes())).unwrap();
    assert_eq!(read_to_end(&mut late), b"");
    drop(late);
    server.check_end();
}

#[test]
fn the_shutdown_timeout_ends_all_transports() {
    let (entered, has_entered): (Sender<()>, _) = channel();
    let handler = move |mut websocket: ServerWebSocket, request: Request| {
        entered.send(()).unwrap();
        match request.path() {
            // This handler sends to a peer that does not read.
            "/full" => loop {
                websocket.send(vec![0; 100_000])?;
            },
            _ => echo(websocket, request),
        }
    };
    let timeout = Duration::from_millis(300);
    let server = Running::start(handler, |serve| serve.shutdown_timeout(timeout));
    let mut clients = vec![server.stream()];
    for path in ["/full", "/silent"] {
        let mut stream = server.stream();
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        stream.write_all(request.replacen('/', path, 1).as_bytes()).unwrap();
        read_head(&mut stream);
        has_entered.recv().unwrap();
        clients.push(stream);
    }
    server.stop.shutdown();
    server.thread.join().unwrap();
    for mut client in clients {
        // The stream ends, in order or by a reset.
        let _ = client.read_to_end(&mut Vec::new());
    }
    // All handlers have ended too.
    while has_entered.recv().is_ok() {}
}

#[test]
fn the_debug_output_shows_the_options() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = serve(listener, echo).max_connections(7).max_handshakes(8);
    let shown = format!("{server:?} {:?}", server.shutdown_handle());
    assert!(shown.contains("max_connections: 7") && shown.contains("max_handshakes: 8"));
}
