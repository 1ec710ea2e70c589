//! The header of the PROXY protocol in front of TLS.

use crate::authority::server_tls;
use crate::raw::{raw_client, streams};
use sansocket::{
    Error,
    blocking::Acceptor,
    handshake::{Accept, Request},
    server::TrustedProxies,
};
use sansocket_testkit::{opening::REQUEST, pair::blocking::read_head};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n";

fn proxies() -> TrustedProxies {
    TrustedProxies::new(["127.0.0.1".parse().unwrap()]).proxy_protocol()
}

/// Plays a proxy and its client. The header and the start of TLS are in one segment.
fn client(mut stream: TcpStream) {
    stream.write_all(HEADER).unwrap();
    let mut client = raw_client(stream, &[]);
    client.write_all(REQUEST).unwrap();
    assert!(read_head(&mut client).starts_with(b"HTTP/1.1 101 "));
}

fn check(request: &Request) {
    assert_eq!(request.client_address(), Some("192.0.2.1:40000".parse().unwrap()));
}

#[test]
fn blocking() {
    let (stream, server) = streams();
    let client = thread::spawn(|| client(stream));
    let acceptor = Acceptor::new().tls(server_tls()).trusted_proxies(proxies());
    let opening = acceptor.receive_tcp_request(server).unwrap();
    check(opening.request());
    assert!(opening.get_ref().is_secure());
    opening.accept(&Accept::new()).unwrap();
    client.join().unwrap();
}

#[cfg(feature = "tokio")]
#[test]
fn tokio() {
    let (stream, server) = streams();
    let client = thread::spawn(|| client(stream));
    let acceptor = sansocket::on_tokio::Acceptor::new();
    let acceptor = acceptor.tls(server_tls()).trusted_proxies(proxies());
    sansocket_testkit::clock::run(async {
        server.set_nonblocking(true).unwrap();
        let server = tokio::net::TcpStream::from_std(server).unwrap();
        let opening = acceptor.receive_tcp_request(server).await.unwrap();
        check(opening.request());
        assert!(opening.get_ref().is_secure());
        opening.accept(&Accept::new()).await.unwrap();
    });
    client.join().unwrap();
}

/// The time for the header is part of that for all handshakes.
#[test]
fn a_client_that_is_silent_after_the_header_has_the_handshake_timeout() {
    let (mut stream, server) = streams();
    stream.write_all(HEADER).unwrap();
    let acceptor = Acceptor::new().tls(server_tls()).trusted_proxies(proxies());
    let acceptor = acceptor.handshake_timeout(Duration::from_millis(20));
    let error = acceptor.accept_tcp(server).unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    drop(stream);
}

/// Without the header, the start of TLS is no more believed than anything else.
#[test]
fn the_header_is_not_inside_tls() {
    let (stream, server) = streams();
    let server = thread::spawn(|| {
        let acceptor = Acceptor::new().tls(server_tls()).trusted_proxies(proxies());
        acceptor.accept_tcp(server).unwrap_err()
    });
    let mut client = raw_client(stream, &[]);
    // The server leaves in the TLS handshake.
    let _ = client.write_all(HEADER);
    assert!(matches!(server.join().unwrap(), Error::ProxyHeader(_)));
    assert!(client.read(&mut [0]).is_err());
}
