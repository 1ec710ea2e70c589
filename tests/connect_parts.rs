//! Clients that negotiate extensions of their own, and read and write frames themselves.
#![cfg(feature = "std")]

use sansocket::{
    Config, Error, blocking,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{Accept, Response, ServerHandshake},
    transport::Parts,
};
use sansocket_testkit::frames::*;
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
};

const OFFERS: [&str; 2] = ["x-private; level=9", "permessage-deflate; server_max_window_bits=10"];

/// Starts a server for one connection, which agrees on one extension and sends a frame at once. It returns
/// the client's offers, and what the client sends.
fn serve() -> (String, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let mut handshake = ServerHandshake::new(&Default::default());
        let request = loop {
            let count = stream.read(input.spare(1)).unwrap();
            input.filled(count);
            if let Some(request) = handshake.receive(&mut input).unwrap() {
                break request;
            }
        };
        request.accept(&Accept::new().extension("x-private; level=3"), &mut output).unwrap();
        output.extend_from_slice(&plain(TEXT | 0x10, b"private"));
        stream.write_all(output.front()).unwrap();
        let mut sent = Vec::new();
        stream.read_to_end(&mut sent).unwrap();
        let offers: Vec<_> = request.extensions().map(|offer| offer.to_string()).collect();
        (offers.join(", "), sent)
    });
    (url, server)
}

fn config() -> Config {
    // What else the configuration offers does not count.
    #[cfg(feature = "deflate")]
    return Config::default().deflate(sansocket::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    Config::default()
}

fn check(response: &Response, unread: &[u8]) {
    let negotiated = response.negotiated();
    assert_eq!(negotiated.extensions.len(), 1);
    assert_eq!(negotiated.extensions[0].to_string(), "x-private; level=3");
    #[cfg(feature = "deflate")]
    assert_eq!(negotiated.deflate, None);
    assert!(plain(TEXT | 0x10, b"private").starts_with(unread));
}

#[test]
fn a_blocking_client_offers_what_it_is_told() {
    let (url, server) = serve();
    let connector = blocking::Connector::new().config(config());
    let (parts, response) = connector.connect_parts(&url, OFFERS).unwrap();
    let Parts { mut transport, unread, .. } = parts;
    check(&response, &unread);
    // The deadline of the handshake does not limit what comes after it.
    let tcp = transport.tcp().unwrap();
    assert_eq!((tcp.read_timeout().unwrap(), tcp.write_timeout().unwrap()), (None, None));
    let mut rest = vec![0; plain(TEXT, b"private").len() - unread.len()];
    transport.read_exact(&mut rest).unwrap();
    transport.write_all(b"mine").unwrap();
    drop(transport);
    assert_eq!(server.join().unwrap(), (OFFERS.join(", "), b"mine".to_vec()));

    let error = connector.connect_parts(&url, ["not; a=;"]).unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error:?}");
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_client_on_tokio_offers_what_it_is_told() {
    use sansocket::on_tokio::Connector;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (url, server) = serve();
    let connector = Connector::new().config(config());
    let (mut parts, response) = connector.connect_parts(&url, OFFERS).await.unwrap();
    check(&response, &parts.unread);
    let mut rest = vec![0; plain(TEXT, b"private").len() - parts.unread.len()];
    parts.transport.read_exact(&mut rest).await.unwrap();
    parts.transport.write_all(b"mine").await.unwrap();
    drop(parts);
    assert_eq!(server.join().unwrap(), (OFFERS.join(", "), b"mine".to_vec()));
}
