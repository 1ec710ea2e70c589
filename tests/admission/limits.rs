//! Limits of connections, handshakes, messages and bytes.

use crate::server::{Options, Running, ServeError, text, with_both, with_options};
use sansocket::{
    Error, blocking,
    connection::ProtocolError,
    server::{AddressLimit, PerAddress, Rate},
};
use sansocket_testkit::{
    frames::{masked, plain},
    opening::REQUEST,
    pair::blocking::{read_head, read_to_end},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

const ONE: &str = "127.0.0.1";
const OTHER: &str = "127.0.0.2";

fn check_refusal_reported(server: &mut Running, stream: &TcpStream) {
    let error = server.error();
    let ServeError::Handshake { peer, error: Error::AddressLimit(limit) } = error else {
        panic!("{error}")
    };
    assert_eq!(limit, AddressLimit::Connections(2));
    assert_eq!(peer, stream.local_addr().unwrap());
}

fn check_echo(stream: &mut TcpStream) {
    stream.write_all(&text(b"a")).unwrap();
    let mut echo = [0; 3];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(echo[..], plain(0x81, b"a"));
}

/// Sends a ping. By the time of the pong, the server has counted what was sent.
fn check_pong(stream: &mut TcpStream) {
    stream.write_all(&masked(0x89, b"b")).unwrap();
    let mut pong = [0; 3];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(pong[..], plain(0x8a, b"b"));
}

/// Closes a connection, and waits until the server has dropped it.
fn close(mut stream: TcpStream) {
    stream.write_all(&masked(0x88, &[])).unwrap();
    assert!(read_to_end(&mut stream).ends_with(&[0x88, 0]));
}

#[test]
fn connections_of_an_address_are_limited() {
    with_both(PerAddress::new().connections(2), |server| {
        let first = server.open(ONE);
        let mut second = server.open(ONE);
        let (refused, head) = server.check_refused(ONE);
        assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
        let mut other = server.open(OTHER);
        // Two are refused at a time. The others get no answer.
        let (also_refused, _) = server.check_refused(ONE);
        assert_eq!(read_to_end(&mut server.stream(ONE)), b"");
        for stream in [refused, also_refused] {
            stream.shutdown(Shutdown::Write).unwrap();
            check_refusal_reported(server, &stream);
        }
        check_echo(&mut second);
        check_echo(&mut other);
        close(first);
        // The place is free once the server has dropped the connection, which is a little later.
        while server.request(ONE).1.starts_with("HTTP/1.1 429 ") {
            assert!(matches!(server.error(), ServeError::Handshake { .. }));
            thread::sleep(Duration::from_millis(1));
        }
        // That request was accepted, and its stream is gone.
        assert!(matches!(server.error(), ServeError::Handler { .. }));
        close(second);
        close(other);
    });
}

/// The function for errors makes a request of its own, which needs the place.
#[test]
fn a_failed_handshake_gives_its_place_back_before_it_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, heads) = channel();
    let server = blocking::serve(listener, |websocket, _| {
        drop(websocket);
        Ok::<(), Error>(())
    });
    let server = server.limits_per_address(PerAddress::new().connections(1));
    let server = server.on_error(move |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(REQUEST).unwrap();
        let _ = tell.send(read_head(&mut stream));
    });
    let shutdown = server.shutdown_handle();
    let running = thread::spawn(move || server.run());
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(read_head(&mut client).starts_with(b"HTTP/1.1 400 "));
    drop(client);
    let head = heads.recv().unwrap();
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    shutdown.shutdown();
    running.join().unwrap();
}

#[test]
fn handshakes_of_an_address_are_limited() {
    with_both(PerAddress::new().handshakes(Rate::per_minute(1).burst(2)), |server| {
        for _ in 0..2 {
            close(server.open(ONE));
        }
        let (refused, head) = server.check_refused(ONE);
        let seconds = head.split_once("\r\nRetry-After: ").unwrap().1.split_once("\r\n").unwrap().0;
        assert!((1..=60).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");
        drop(refused);
        assert!(matches!(
            server.error(),
            ServeError::Handshake { error: Error::AddressLimit(_), .. }
        ));
        close(server.open(OTHER));
    });
}

#[test]
fn messages_of_an_address_are_limited() {
    let rate = Rate::per_minute(1).burst(10);
    with_both(PerAddress::new().messages(rate), |server| {
        let (mut first, mut second) = (server.open(ONE), server.open(ONE));
        let mut other = server.open(OTHER);
        for _ in 0..5 {
            // A ping is a message too.
            check_pong(&mut first);
            check_pong(&mut second);
        }
        // All connections of the address share the limit.
        first.write_all(&text(b"b")).unwrap();
        server.check_failed(first, ProtocolError::TooManyMessages { rate });
        second.write_all(&text(b"b")).unwrap();
        server.check_failed(second, ProtocolError::TooManyMessages { rate });
        check_echo(&mut other);
        close(other);
    });
}

#[test]
fn messages_that_come_at_once_are_limited() {
    let rate = Rate::per_minute(1).burst(10);
    with_both(PerAddress::new().messages(rate), |server| {
        // The client waits for the end, and sends nothing more.
        let mut client = server.open(ONE);
        client.write_all(&text(b"a").repeat(11)).unwrap();
        server.check_failed(client, ProtocolError::TooManyMessages { rate });
    });
}

#[test]
fn fragments_of_a_message_count_once() {
    let rate = Rate::per_minute(1).burst(2);
    with_both(PerAddress::new().messages(rate), |server| {
        let mut client = server.open(ONE);
        let message = [masked(0x01, b"a"), masked(0x00, b"").repeat(20), masked(0x80, b"b")];
        client.write_all(&message.concat()).unwrap();
        let mut echo = [0; 4];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(echo[..], plain(0x81, b"ab"));
        close(client);
    });
}

#[test]
fn bytes_of_an_address_are_limited() {
    let rate = Rate::per_minute(1).burst(1000);
    with_both(PerAddress::new().bytes(rate), |server| {
        let (mut first, mut second) = (server.open(ONE), server.open(ONE));
        first.write_all(&text(&[b'a'; 500])).unwrap();
        read_frame(&mut first, 500);
        check_pong(&mut first);
        // 515 of 1000 bytes are used. What is in the middle of a message counts as well.
        second.write_all(&text(&[b'a'; 600])[..500]).unwrap();
        server.check_failed(second, ProtocolError::TooManyBytes { rate });
        let mut other = server.open(OTHER);
        check_echo(&mut other);
        // The other connections of the address fail with their next byte.
        first.write_all(&[0x81]).unwrap();
        server.check_failed(first, ProtocolError::TooManyBytes { rate });
        close(other);
    });
}

#[test]
fn split_connections_are_limited_too() {
    let rate = Rate::per_minute(1).burst(10);
    let limits = Some(PerAddress::new().messages(rate));
    with_options(Options { limits, splits: true, ..Options::default() }, |server| {
        let mut client = server.open(ONE);
        check_echo(&mut client);
        client.write_all(&text(b"a").repeat(10)).unwrap();
        server.check_failed(client, ProtocolError::TooManyMessages { rate });
    });
}

/// Waits until a client is refused because of what others of its address have received.
fn check_refused_soon(server: &mut Running) {
    // The server counts once it has dropped a connection, which is a little after its end.
    while server.request(ONE).1.starts_with("HTTP/1.1 101 ") {
        assert!(matches!(server.error(), ServeError::Handler { .. }));
    }
    assert!(matches!(server.error(), ServeError::Handshake { error: Error::AddressLimit(_), .. }));
}

#[test]
fn bytes_that_come_with_the_request_count() {
    let rate = Rate::per_minute(1).burst(100);
    with_both(PerAddress::new().bytes(rate), |server| {
        let mut client = server.stream(ONE);
        client.write_all(&[REQUEST, &text(&[b'a'; 500])].concat()).unwrap();
        assert!(read_head(&mut client).starts_with(b"HTTP/1.1 101 "));
        server.check_failed(client, ProtocolError::TooManyBytes { rate });
    });
}

/// The handler takes one of five messages, and returns. Nothing is read after that.
#[test]
fn messages_of_a_handler_that_returns_count() {
    for limits in [
        PerAddress::new().messages(Rate::per_minute(1).burst(1)),
        PerAddress::new().bytes(Rate::per_minute(1).burst(20)),
    ] {
        let limits = Some(limits);
        with_options(Options { limits, answers_once: true, ..Options::default() }, |server| {
            let mut client = server.open(ONE);
            client.write_all(&text(b"a").repeat(5)).unwrap();
            assert!(read_to_end(&mut client).starts_with(&plain(0x81, b"a")));
            check_refused_soon(server);
        });
    }
}

#[test]
fn connecting_again_does_not_get_around_the_limit_of_messages() {
    let rate = Rate::per_minute(1).burst(10);
    with_both(PerAddress::new().messages(rate), |server| {
        let mut client = server.open(ONE);
        client.write_all(&text(b"a").repeat(11)).unwrap();
        server.check_failed(client, ProtocolError::TooManyMessages { rate });
        let (refused, head) = server.check_refused(ONE);
        assert!(head.contains("\r\nRetry-After: "), "{head}");
        drop(refused);
        assert!(matches!(
            server.error(),
            ServeError::Handshake { error: Error::AddressLimit(_), .. }
        ));
        close(server.open(OTHER));
    });
}

fn read_frame(stream: &mut TcpStream, len: usize) {
    let mut frame = vec![0; 4 + len];
    stream.read_exact(&mut frame).unwrap();
}

/// A client that sends and leaves at once can't get around the limit.
#[test]
fn messages_before_the_end_count() {
    let rate = Rate::per_minute(1).burst(10);
    with_both(PerAddress::new().messages(rate), |server| {
        let mut client = server.open(ONE);
        client.write_all(&text(b"a").repeat(11)).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        server.check_failed(client, ProtocolError::TooManyMessages { rate });
    });
}

#[test]
fn nothing_allowed_means_no_answer() {
    with_both(PerAddress::new().connections(0), |server| {
        // Nor a report: that would take the time of the loop which accepts.
        assert_eq!(read_to_end(&mut server.stream(ONE)), b"");
    });
}

/// A limit does not answer in the place of the rules for requests.
#[test]
fn an_invalid_request_gets_its_own_answer_and_counts() {
    with_both(PerAddress::new().handshakes(Rate::per_minute(1)), |server| {
        let mut stream = server.stream(ONE);
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(read_head(&mut stream).starts_with(b"HTTP/1.1 400 "));
        drop(stream);
        assert!(matches!(server.error(), ServeError::Handshake { error: Error::Handshake(_), .. }));
        // It has counted.
        let (refused, _) = server.check_refused(ONE);
        drop(refused);
        assert!(matches!(
            server.error(),
            ServeError::Handshake { error: Error::AddressLimit(_), .. }
        ));
    });
}
