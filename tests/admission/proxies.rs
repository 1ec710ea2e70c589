//! The address of the client behind a proxy: of the handler, of errors and of limits.

use crate::server::{Options, Running, ServeError, with_options};
use sansocket::{
    Error,
    handshake::HandshakeError,
    server::{
        AddressLimit, ForwardingHeader, Network, PerAddress, ProxyHeaderError, TrustedProxies,
    },
};
use sansocket_testkit::{
    frames::masked,
    opening::REQUEST,
    pair::blocking::{read_head, read_to_end},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

const PROXY: &str = "127.0.0.2";
const OTHER: &str = "127.0.0.3";
const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n";

fn proxy() -> [Network; 1] {
    [PROXY.parse().unwrap()]
}

fn trusting(proxies: TrustedProxies) -> Options {
    Options { proxies: Some(proxies), ..Options::default() }
}

fn expecting_header() -> Options {
    trusting(TrustedProxies::new().proxy_protocol(proxy()))
}

fn reading(header: ForwardingHeader) -> Options {
    trusting(TrustedProxies::new().header(header, proxy()))
}

/// Sends these bytes, and returns the stream and the head of the response.
fn send(server: &Running, from: &str, bytes: &[u8]) -> (TcpStream, String) {
    let mut stream = server.stream(from);
    stream.write_all(bytes).unwrap();
    let head = String::from_utf8(read_head(&mut stream)).unwrap();
    (stream, head)
}

/// Returns a request with header fields.
fn request(fields: &str) -> Vec<u8> {
    [&REQUEST[..REQUEST.len() - 2], fields.as_bytes(), b"\r\n"].concat()
}

/// Sends these bytes, which open a connection, and returns the address of the client and the stream.
fn open(server: &Running, from: &str, bytes: &[u8]) -> (TcpStream, String) {
    let (stream, head) = send(server, from, bytes);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (stream, server.client().to_string())
}

fn close(mut stream: TcpStream) {
    stream.write_all(&masked(0x88, &[])).unwrap();
    assert_eq!(read_to_end(&mut stream), [0x88, 0]);
}

fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let len = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &len, addresses].concat()
}

#[test]
fn without_a_proxy_the_peer_is_the_client() {
    for options in [Options::default(), expecting_header(), reading(ForwardingHeader::Forwarded)] {
        with_options(options, |server| {
            // Whatever the client claims.
            let request = request("Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n");
            let (stream, client) = open(server, OTHER, &request);
            assert_eq!(client, stream.local_addr().unwrap().to_string());
            close(stream);
        });
    }
}

#[test]
fn a_proxy_header_tells_the_client() {
    with_options(expecting_header(), |server| {
        let more = [1, 2, 3, 4, 127, 0, 0, 1, 0x12, 0x34, 0, 80, 3, 0, 4, 9, 9, 9, 9];
        let ipv6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 28], &[0x12, 0x34, 0, 80]].concat();
        for (header, expected) in [
            (LINE.to_vec(), "192.0.2.1:40000"),
            (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(), "[2001:db8::1]:1"),
            (v2(0x21, 0x11, &more), "1.2.3.4:4660"),
            (v2(0x21, 0x21, &ipv6), "[2001:db8::]:4660"),
        ] {
            // The request follows at once, and is not taken for a part of the header.
            let (stream, client) = open(server, PROXY, &[&header, REQUEST].concat());
            assert_eq!(client, expected);
            close(stream);
        }
        for header in [&b"PROXY UNKNOWN\r\n"[..], &v2(0x20, 0, &[]), &v2(0x21, 0, &[7; 9])] {
            let (stream, client) = open(server, PROXY, &[header, REQUEST].concat());
            assert_eq!(client, stream.local_addr().unwrap().to_string());
            close(stream);
        }
    });
}

/// The proxy forwards bytes of someone it does not know. That one may claim anything.
#[test]
fn a_proxy_header_without_a_client_lets_no_header_field_count() {
    let proxies = TrustedProxies::new().proxy_protocol(proxy());
    let proxies = proxies.header(ForwardingHeader::XForwardedFor, proxy());
    with_options(trusting(proxies), |server| {
        let unix = v2(0x21, 0x31, &[7; 216]);
        for header in [&b"PROXY UNKNOWN\r\n"[..], &v2(0x20, 0, &[]), &v2(0x21, 0, &[]), &unix] {
            let request = request("X-Forwarded-For: 192.0.2.1\r\n");
            let (stream, client) = open(server, PROXY, &[header, &request].concat());
            assert_eq!(client, stream.local_addr().unwrap().to_string());
            close(stream);
        }
    });
}

#[test]
fn a_proxy_header_may_arrive_in_pieces() {
    with_options(expecting_header(), |server| {
        for header in [LINE.to_vec(), v2(0x21, 0x11, &[1, 2, 3, 4, 0, 0, 0, 0, 0, 7, 0, 0, 4])] {
            let mut stream = server.stream(PROXY);
            stream.set_nodelay(true).unwrap();
            for byte in header.iter().chain(REQUEST) {
                stream.write_all(&[*byte]).unwrap();
            }
            assert!(read_head(&mut stream).starts_with(b"HTTP/1.1 101 "));
            server.client();
            close(stream);
        }
    });
}

#[test]
fn a_trusted_proxy_has_to_send_the_header() {
    with_options(expecting_header(), |server| {
        for (bytes, expected) in [
            (REQUEST, ProxyHeaderError::Missing),
            (b"PROXY TCP4 host\r\n", ProxyHeaderError::Malformed),
            (&v2(0x31, 0, &[]), ProxyHeaderError::Version(3)),
        ] {
            let mut stream = server.stream(PROXY);
            stream.write_all(bytes).unwrap();
            let mut answer = Vec::new();
            // What the server left unread may reset the connection.
            let _ = stream.read_to_end(&mut answer);
            assert_eq!(answer, b"");
            let error = server.error();
            let ServeError::Handshake { peer, error: Error::ProxyHeader(error) } = error else {
                panic!("{error}")
            };
            assert_eq!((peer, error), (stream.local_addr().unwrap(), expected));
        }
    });
}

#[test]
fn a_proxy_that_leaves_in_its_header_is_reported() {
    with_options(expecting_header(), |server| {
        for (sent, received) in [(0, 0), (20, 20)] {
            let mut stream = server.stream(PROXY);
            stream.write_all(&LINE[..sent]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_to_end(&mut stream), b"");
            let error = server.error();
            let ServeError::Handshake { error: Error::Handshake(error), .. } = error else {
                panic!("{error}")
            };
            assert_eq!(error, HandshakeError::TransportEnded { received });
        }
    });
}

#[test]
fn others_can_not_send_the_header() {
    with_options(expecting_header(), |server| {
        let (stream, head) = send(server, OTHER, LINE);
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        drop(stream);
        let error = server.error();
        let ServeError::Handshake { error: Error::Handshake(_), .. } = error else {
            panic!("{error}")
        };
    });
}

#[test]
fn a_proxy_header_that_trickles_has_the_handshake_timeout() {
    let timeout = Some(Duration::from_millis(50));
    with_options(Options { handshake_timeout: timeout, ..expecting_header() }, |server| {
        let mut stream = server.stream(PROXY);
        // The server gives up in between, whenever that is.
        let mut bytes = [b"PROXY UNKNOWN "].into_iter().flatten().chain([b'x'].iter().cycle());
        for _ in 0..90 {
            if stream.write_all(&[*bytes.next().unwrap()]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let error = server.error();
        let ServeError::Handshake { error: Error::HandshakeTimeout, .. } = error else {
            panic!("{error}")
        };
    });
}

#[test]
fn a_header_field_tells_the_client() {
    for (header, fields) in [
        (ForwardingHeader::XForwardedFor, "X-Forwarded-For: 192.0.2.66, 192.0.2.1:80\r\n"),
        (
            ForwardingHeader::XForwardedFor,
            "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.1:80\r\n",
        ),
        (
            ForwardingHeader::Forwarded,
            "Forwarded: for=1.1.1.1, proto=http;for=\"192.0.2.1:80\"\r\n",
        ),
    ] {
        with_options(reading(header), |server| {
            let (stream, client) = open(server, PROXY, &request(fields));
            assert_eq!(client, "192.0.2.1:80");
            close(stream);
            let (stream, client) = open(server, PROXY, REQUEST);
            assert_eq!(client, stream.local_addr().unwrap().to_string());
            close(stream);
        });
    }
}

/// A balancer that forwards TCP, behind a proxy that forwards HTTP.
#[test]
fn a_proxy_header_can_name_a_proxy() {
    let behind = ["192.0.2.0/24".parse().unwrap()];
    let proxies = TrustedProxies::new().proxy_protocol(proxy());
    let proxies = proxies.header(ForwardingHeader::XForwardedFor, behind);
    with_options(trusting(proxies), |server| {
        let request = request("X-Forwarded-For: 203.0.113.1\r\n");
        let (stream, client) = open(server, PROXY, &[LINE, &request].concat());
        assert_eq!(client, "203.0.113.1:0");
        close(stream);
    });
}

/// Checks that each client behind a proxy has limits of its own. `open` returns what a proxy sends
/// for a client with this address.
fn check_limits(options: Options, opening: impl Fn(&str) -> Vec<u8>) {
    let limits = Some(PerAddress::new().connections(1));
    with_options(Options { limits, ..options }, |server| {
        let (first, _) = open(server, PROXY, &opening("192.0.2.1"));
        let (refused, head) = send(server, PROXY, &opening("192.0.2.1"));
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        drop(refused);
        let error = server.error();
        let ServeError::Handshake { peer, error: Error::AddressLimit(_) } = error else {
            panic!("{error}")
        };
        assert_eq!(peer.ip().to_string(), "192.0.2.1");
        let (second, _) = open(server, PROXY, &opening("192.0.2.2"));
        // The proxy itself is not limited by what its clients do.
        let (direct, _) = open(server, OTHER, REQUEST);
        for stream in [first, second, direct] {
            close(stream);
        }
    });
}

/// A client of a balancer is dropped when its address is known. Before a header field is known, the
/// request is there: it gets an answer.
#[test]
fn nothing_allowed_behind_a_proxy() {
    let limits = Some(PerAddress::new().connections(0));
    with_options(Options { limits, ..expecting_header() }, |server| {
        let mut stream = server.stream(PROXY);
        stream.write_all(LINE).unwrap();
        assert_eq!(read_to_end(&mut stream), b"");
    });
    with_options(Options { limits, ..reading(ForwardingHeader::XForwardedFor) }, |server| {
        let (refused, head) = send(server, PROXY, &request("X-Forwarded-For: 192.0.2.1\r\n"));
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        drop(refused);
        let error = server.error();
        let ServeError::Handshake { error: Error::AddressLimit(limit), .. } = error else {
            panic!("{error}")
        };
        assert_eq!(limit, AddressLimit::Connections(0));
    });
}

#[test]
fn each_client_behind_a_proxy_has_limits_of_its_own() {
    check_limits(expecting_header(), |client| {
        [format!("PROXY TCP4 {client} 198.51.100.1 1 2\r\n").as_bytes(), REQUEST].concat()
    });
    check_limits(reading(ForwardingHeader::XForwardedFor), |client| {
        request(&format!("X-Forwarded-For: {client}\r\n"))
    });
}

#[test]
fn errors_of_handlers_name_the_client() {
    with_options(expecting_header(), |server| {
        let (stream, _) = open(server, PROXY, &[LINE, REQUEST].concat());
        drop(stream);
        let ServeError::Handler { peer, .. } = server.error() else { panic!() };
        assert_eq!(peer, "192.0.2.1:40000".parse().unwrap());
    });
}
