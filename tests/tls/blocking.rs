//! The blocking shell over TLS: two threads on one connection, slow peers, `serve`.

use crate::authority::{TRUSTED, Validity, client_tls, server_tls};
use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    blocking::{Acceptor, ClientWebSocket, Connector, ServerWebSocket, Stream, Transport, serve},
    client::Stage,
    connection::{Cause, TransportEnd},
    tls::TlsFault,
};
use sansocket_testkit::pair::blocking::read_head;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

fn large() -> Config {
    Config::default().limits(Limits::default().message(64 << 20))
}

fn pair() -> (ClientWebSocket, ServerWebSocket) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let acceptor = Acceptor::new().config(large()).tls(server_tls());
        acceptor.accept_tcp(listener.accept().unwrap().0).unwrap()
    });
    let connector = Connector::new().config(large()).tls(client_tls());
    let (client, _) = connector.connect(url).unwrap();
    (client, server.join().unwrap())
}

fn data(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + seed) as u8).collect()
}

#[test]
fn large_messages_pass_in_both_directions() {
    let (mut client, mut server) = pair();
    let echo = thread::spawn(move || {
        while let Some(message) = server.next() {
            server.send(message.unwrap()).unwrap();
        }
    });
    for len in [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_536, 1 << 20, 5 << 20] {
        let sent = data(len, len);
        client.send(&sent).unwrap();
        assert_eq!(client.next().unwrap().unwrap().into_bytes(), sent);
    }
    client.close(CloseCode::NORMAL, "").unwrap();
    assert!(client.wait_closed().clean);
    echo.join().unwrap();
}

#[test]
fn one_thread_reads_while_another_sends() {
    const COUNT: usize = 40;
    const LEN: usize = 300_000;
    let (client, server) = pair();
    let (mut client_sender, mut client_receiver) = client.split().unwrap();
    let (mut server_sender, mut server_receiver) = server.split().unwrap();
    // Neither end could finish if its sender waited for its receiver or the other way round: both
    // send far more than the sockets hold.
    let threads: [JoinHandle<()>; 4] = [
        thread::spawn(move || {
            for number in 0..COUNT {
                client_sender.send(data(LEN, number)).unwrap();
            }
            client_sender.close(CloseCode::NORMAL, "").unwrap();
        }),
        thread::spawn(move || {
            for number in 0..COUNT {
                server_sender.send(data(LEN, number + 7)).unwrap();
            }
        }),
        thread::spawn(move || {
            for number in 0..COUNT {
                let message = client_receiver.next().unwrap().unwrap();
                assert_eq!(message.into_bytes(), data(LEN, number + 7));
            }
            assert!(client_receiver.wait_closed().clean);
        }),
        thread::spawn(move || {
            for number in 0..COUNT {
                let message = server_receiver.next().unwrap().unwrap();
                assert_eq!(message.into_bytes(), data(LEN, number));
            }
            assert!(server_receiver.next().is_none());
        }),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A read brings more than one TLS record. What is not decrypted yet goes along to the thread that
/// reads next.
#[test]
fn what_was_read_but_not_decrypted_survives_a_split_and_a_reunion() {
    const COUNT: usize = 90;
    let (mut client, mut server) = pair();
    for number in 0..COUNT {
        server.send(data(1000, number)).unwrap();
    }
    let mut numbers = 0..;
    let mut check = |received: Option<Result<Message, Error>>| {
        assert_eq!(received.unwrap().unwrap().into_bytes(), data(1000, numbers.next().unwrap()));
    };
    check(client.next());
    let (sender, mut receiver) = client.split().unwrap();
    // More than one read brings, and less than two.
    (0..30).for_each(|_| check(receiver.next()));
    let mut client = sender.reunite(receiver).unwrap();
    (31..COUNT).for_each(|_| check(client.next()));
}

#[test]
fn a_read_timeout_of_the_user_holds_over_tls() {
    let (client, mut server) = pair();
    server.get_ref().set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    for _ in 0..2 {
        assert!(server.next().unwrap().unwrap_err().is_would_block());
    }
    drop(client);
}

#[test]
fn receiving_goes_on_while_a_sender_is_stuck() {
    let (client, mut server) = pair();
    let (mut sender, mut receiver) = client.split().unwrap();
    let sending = thread::spawn(move || sender.send(data(30 << 20, 0)));
    // The server does not read, so the sender fills the sockets and stays in its write.
    thread::sleep(Duration::from_millis(100));
    server.send("hello").unwrap();
    assert_eq!(receiver.next().unwrap().unwrap(), Message::from("hello"));
    drop(receiver);
    // The end of the receiving half ends the write of the other thread.
    sending.join().unwrap().unwrap_err();
    while let Some(Ok(_)) = server.next() {}
}

#[test]
fn a_server_serves_tls_and_reports_who_does_not_speak_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (report, reports) = std::sync::mpsc::channel();
    let server = serve(listener, |mut websocket, request| {
        assert!(websocket.get_ref().is_secure());
        assert_eq!(request.path(), "/chat");
        while let Some(message) = websocket.next() {
            websocket.send(message?)?;
        }
        Ok::<(), Error>(())
    })
    .acceptor(Acceptor::new().tls(server_tls()))
    .on_error(move |error| report.send(error.to_string()).unwrap());
    let shutdown = server.shutdown_handle();
    let running = thread::spawn(move || server.run());
    let connector = Connector::new().tls(client_tls());
    let (mut client, _) = connector.connect(format!("wss://localhost:{port}/chat")).unwrap();
    client.send("hello").unwrap();
    assert_eq!(client.next().unwrap().unwrap(), Message::from("hello"));
    connector.connect(format!("ws://localhost:{port}/chat")).unwrap_err();
    let error = reports.recv().unwrap();
    assert!(error.contains("does not speak TLS"), "{error}");
    shutdown.shutdown();
    assert!(client.next().is_none());
    assert_eq!(client.closed().unwrap().code, CloseCode::GOING_AWAY);
    running.join().unwrap();
}

#[test]
fn tls_runs_over_a_transport_of_the_users_own() {
    let (client, mut server) = pair();
    // A tunnel: the WebSocket over TLS, as the user's own transport of a second one.
    let inner = client.into_parts().transport;
    assert!(inner.is_secure() && inner.peer_addr().is_ok());
    let boxed = Stream::boxed(inner);
    assert!(!boxed.is_secure() && boxed.tcp().is_none() && boxed.peer_addr().is_err());
    let opening =
        thread::spawn(move || Connector::new().connect_over("ws://localhost/", boxed).unwrap().0);
    let outer = server.into_parts().transport;
    server = Acceptor::new().accept(outer).unwrap();
    let client = opening.join().unwrap();
    let (mut sender, mut receiver) = client.split().unwrap();
    sender.send("hello").unwrap();
    assert_eq!(server.next().unwrap().unwrap(), Message::from("hello"));
    server.send("back").unwrap();
    assert_eq!(receiver.next().unwrap().unwrap(), Message::from("back"));
}

/// A transport that keeps what is written until it is flushed.
struct Buffering {
    stream: TcpStream,
    kept: Vec<u8>,
}

impl Read for Buffering {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }
}

impl Write for Buffering {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.kept.extend_from_slice(from);
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&std::mem::take(&mut self.kept))
    }
}

impl Transport for Buffering {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

#[test]
fn a_transport_that_buffers_is_flushed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut server =
            Acceptor::new().tls(server_tls()).accept_tcp(listener.accept().unwrap().0)?;
        let message = server.next().unwrap()?;
        server.send(message)?;
        Ok::<_, Error>(server.wait_closed())
    });
    let connector = Connector::new().tls(client_tls()).dialer(move |_, _| {
        let stream = TcpStream::connect(address)?;
        Ok(Stream::boxed(Buffering { stream, kept: Vec::new() }))
    });
    let (mut client, _) = connector.connect("wss://localhost/").unwrap();
    client.send("hello").unwrap();
    assert_eq!(client.next().unwrap().unwrap(), Message::from("hello"));
    // This sends a `close_notify`.
    drop(client);
    let closed = server.join().unwrap().unwrap();
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
}

#[test]
fn an_alert_is_flushed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        Acceptor::new().tls(server_tls()).accept_tcp(listener.accept().unwrap().0).map(drop)
    });
    let connector = Connector::new().tls(client_tls()).dialer(move |_, _| {
        let stream = TcpStream::connect(address)?;
        Ok(Stream::boxed(Buffering { stream, kept: Vec::new() }))
    });
    connector.connect("wss://example.com/").unwrap_err();
    assert_refused_by_peer(&server.join().unwrap().unwrap_err());
}

pub(crate) fn assert_refused_by_peer(error: &Error) {
    assert!(
        matches!(error, Error::Tls(error) if error.fault() == TlsFault::RefusedByPeer),
        "{error:?}"
    );
}

/// A transport of which each write takes a byte and a while.
struct Slow {
    written: Arc<AtomicUsize>,
}

impl Read for Slow {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for Slow {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(20));
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(from.len().min(1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Slow {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn all_writes_of_the_handshake_have_one_deadline() {
    let written = Arc::new(AtomicUsize::new(0));
    let of_transport = Arc::clone(&written);
    let connector = Connector::new()
        .tls(client_tls())
        .stage_timeout(Stage::Tls, Duration::from_millis(50))
        .dialer(move |_, _| Ok(Stream::boxed(Slow { written: Arc::clone(&of_transport) })));
    let error = connector.connect("wss://localhost/").unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout(Stage::Tls)), "{error:?}");
    // A ClientHello has more than 100 bytes.
    let written = written.load(Ordering::Relaxed);
    assert!((1..10).contains(&written), "{written} writes");
}

/// Otherwise an attacker who answers the plain request could have the certificate shown to any server.
#[test]
fn a_redirection_to_another_origin_shows_no_certificate() {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (first, other) = (listen(), listen());
    let url = format!("ws://{}/", first.local_addr().unwrap());
    let port = other.local_addr().unwrap().port();
    let redirecting = thread::spawn(move || {
        let (mut stream, _) = first.accept().unwrap();
        read_head(&mut stream);
        let location = format!("Location: https://localhost:{port}/");
        let answer = format!("HTTP/1.1 302 x\r\n{location}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let server = thread::spawn(move || {
        let tls = server_tls().require_client_certificates(TRUSTED.pem()).unwrap();
        Acceptor::new().tls(tls).accept_tcp(other.accept().unwrap().0).map(drop)
    });
    let identity = TRUSTED.issue("client", Validity::Now);
    let tls = client_tls().certificate(&identity.chain, &identity.key).unwrap();
    let connector = Connector::new().tls(tls).redirects(1);
    let connector = connector.resolver(|_, port| Ok(vec![([127, 0, 0, 1], port).into()]));
    assert!(matches!(
        connector.connect(url).map(|(mut client, _)| client.next()),
        Err(Error::Tls(_)) | Ok(Some(Err(_)))
    ));
    assert!(matches!(server.join().unwrap(), Err(Error::Tls(_))));
    redirecting.join().unwrap();
}
