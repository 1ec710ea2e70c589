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
};
#[cfg(feature = "tokio")]
use {
    sansocket_testkit::clock::run_paused,
    std::time::Duration,
    tokio::time::{Instant, sleep},
};

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n";

fn proxies() -> TrustedProxies {
    TrustedProxies::new().proxy_protocol(["127.0.0.1".parse().unwrap()])
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

/// The time for the header is part of that for all handshakes: a client that is silent after a late
/// header gets no time of its own.
#[cfg(feature = "tokio")]
#[test]
fn the_header_and_tls_share_the_handshake_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let (mut stream, server) = streams();
    server.set_nonblocking(true).unwrap();
    let acceptor = sansocket::on_tokio::Acceptor::new().handshake_timeout(TIMEOUT);
    let acceptor = acceptor.tls(server_tls()).trusted_proxies(proxies());
    run_paused(async {
        let server = tokio::net::TcpStream::from_std(server).unwrap();
        let began = Instant::now();
        let proxy = async {
            sleep(TIMEOUT * 9 / 10).await;
            // Loopback delivers at once, so the clock does not jump before the server has it.
            stream.write_all(HEADER).unwrap();
        };
        let (accepted, ()) = tokio::join!(acceptor.accept_tcp(server), proxy);
        let error = accepted.unwrap_err();
        assert!(matches!(error, Error::HandshakeTimeout), "{error}");
        assert_eq!(began.elapsed(), TIMEOUT);
    });
    // The server has read the header: bytes left unread would reset the connection.
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
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
