//! A bare TLS endpoint against one of sansocket: ALPN, endings, and peers without TLS.

use crate::authority::{TRUSTED, Validity, client_tls, server_tls};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sansocket::{
    CloseCode, Error,
    blocking::{Acceptor, ClientWebSocket, Connector, ServerWebSocket},
    client::Stage,
    connection::{Cause, TransportEnd},
    tls::TlsFault,
};
use sansocket_testkit::{
    frames::{CLOSE_NORMAL, masked},
    opening::{REQUEST, response_to},
    pair::blocking::read_head,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

pub(crate) type RawClient = StreamOwned<ClientConnection, TcpStream>;
pub(crate) type RawServer = StreamOwned<ServerConnection, TcpStream>;

/// A client's configuration that is not sansocket's.
pub(crate) fn client_config(alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(TRUSTED.pem().as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// A server's configuration that is not sansocket's.
pub(crate) fn server_config(alpn: &[&str]) -> ServerConfig {
    let identity = TRUSTED.issue("localhost", Validity::Now);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

pub(crate) fn raw_client(stream: TcpStream, alpn: &[&str]) -> RawClient {
    let config = Arc::new(client_config(alpn));
    let session = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(session, stream)
}

/// Returns a server of sansocket, and its client after the opening handshake.
pub(crate) fn server(alpn: &[&str]) -> (ServerWebSocket, RawClient) {
    let (client, server) = streams();
    let server = thread::spawn(|| Acceptor::new().tls(server_tls()).accept_tcp(server).unwrap());
    let mut client = raw_client(client, alpn);
    client.write_all(REQUEST).unwrap();
    let server = server.join().unwrap();
    read_head(&mut client);
    (server, client)
}

/// Returns a client of sansocket, and its server after the opening handshake.
pub(crate) fn client() -> (ClientWebSocket, RawServer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let client = thread::spawn(move || Connector::new().tls(client_tls()).connect(url).unwrap().0);
    let config = server_config(&["h2", "http/1.1"]);
    let session = ServerConnection::new(Arc::new(config)).unwrap();
    let mut server = StreamOwned::new(session, listener.accept().unwrap().0);
    let head = read_head(&mut server);
    server.write_all(&response_to(&head)).unwrap();
    (client.join().unwrap(), server)
}

#[test]
fn alpn_agrees_on_http_1_1() {
    for offered in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
        let (_server, client) = server(offered);
        let agreed = client.conn.alpn_protocol();
        assert_eq!(agreed, (!offered.is_empty()).then_some(&b"http/1.1"[..]));
    }
    // A server that prefers HTTP/2 does not get it.
    let (_client, server) = client();
    assert_eq!(server.conn.alpn_protocol(), Some(&b"http/1.1"[..]));

    let (stream, server) = streams();
    let server = thread::spawn(|| Acceptor::new().tls(server_tls()).accept_tcp(server));
    raw_client(stream, &["h2"]).write_all(REQUEST).unwrap_err();
    let error = server.join().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::Incompatible), "{error}");
}

#[cfg(feature = "rustls-0_23")]
#[test]
fn configurations_of_rustls_can_be_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let acceptor = Acceptor::new().tls(server_config(&["h2"]).into());
        acceptor.accept_tcp(listener.accept().unwrap().0).unwrap()
    });
    // What the configurations say of ALPN is replaced.
    let tls = sansocket::tls::ClientTls::from(client_config(&["h2"]));
    let (client, _) = Connector::new().tls(tls).connect(url).unwrap();
    assert!(client.get_ref().is_secure() && server.join().unwrap().get_ref().is_secure());
}

#[test]
fn tls_1_2_works_too() {
    let (stream, server) = streams();
    let server = thread::spawn(|| Acceptor::new().tls(server_tls()).accept_tcp(server).unwrap());
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.version().version == ProtocolVersion::TLSv1_2);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(TRUSTED.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut client = StreamOwned::new(session, stream);
    client.write_all(REQUEST).unwrap();
    let mut server = server.join().unwrap();
    read_head(&mut client);
    server.send("hello").unwrap();
    let mut message = [0; 7];
    client.read_exact(&mut message).unwrap();
    assert_eq!(&message, b"\x81\x05hello");
    client.write_all(&masked(0x81, b"back")).unwrap();
    assert_eq!(server.next().unwrap().unwrap().as_text(), Some("back"));
}

#[test]
fn a_peer_may_change_its_keys() {
    let (mut server, mut client) = server(&[]);
    for _ in 0..3 {
        client.conn.refresh_traffic_keys().unwrap();
        client.write_all(&masked(0x81, b"new keys")).unwrap();
        assert_eq!(server.next().unwrap().unwrap().as_text(), Some("new keys"));
        server.send("fine").unwrap();
        let mut message = [0; 6];
        client.read_exact(&mut message).unwrap();
        assert_eq!(&message, b"\x81\x04fine");
    }
}

#[test]
fn a_server_ends_with_a_close_notify() {
    let (mut server, mut client) = server(&[]);
    let server = thread::spawn(move || {
        server.close(CloseCode::NORMAL, "").unwrap();
        server.wait_closed()
    });
    let mut close = [0; 4];
    client.read_exact(&mut close).unwrap();
    assert_eq!(close, CLOSE_NORMAL);
    client.write_all(&masked(0x88, &[3, 0xe8])).unwrap();
    // Without a `close_notify` this fails with UnexpectedEof.
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
    client.conn.send_close_notify();
    client.flush().unwrap();
    drop(client);
    assert!(server.join().unwrap().clean);
}

#[test]
fn a_server_that_leaves_ends_with_a_close_notify() {
    let (server, mut client) = server(&[]);
    drop(server);
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_client_ends_with_a_close_notify() {
    let (mut client, mut server) = client();
    let client = thread::spawn(move || {
        client.close(CloseCode::NORMAL, "").unwrap();
        client.wait_closed()
    });
    let mut close = [0; 8];
    server.read_exact(&mut close).unwrap();
    server.write_all(&CLOSE_NORMAL).unwrap();
    server.conn.send_close_notify();
    server.flush().unwrap();
    assert!(client.join().unwrap().clean);
    assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn an_end_without_close_notify_is_told_as_truncation() {
    let (mut client, server) = client();
    server.sock.shutdown(Shutdown::Both).unwrap();
    let error = client.next().unwrap().unwrap_err();
    let Error::Closed(closed) = &error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::TlsTruncated), "{closed:?}");
    assert!(client.next().is_none());
}

#[test]
fn an_end_with_close_notify_and_without_close_is_told_as_an_end() {
    let (mut client, mut server) = client();
    server.conn.send_close_notify();
    server.flush().unwrap();
    let error = client.next().unwrap().unwrap_err();
    let Error::Closed(closed) = &error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof), "{closed:?}");
}

#[test]
fn a_truncated_end_after_both_closes_is_clean() {
    let (mut server, mut client) = server(&[]);
    client.write_all(&masked(0x88, &[3, 0xe8])).unwrap();
    let server = thread::spawn(move || {
        assert!(server.next().is_none());
        server.wait_closed()
    });
    let mut close = [0; 4];
    client.read_exact(&mut close).unwrap();
    drop(client);
    assert!(server.join().unwrap().clean);
}

#[test]
fn a_peer_without_tls_is_told_apart() {
    let (mut client, server) = streams();
    let server = thread::spawn(|| Acceptor::new().tls(server_tls()).accept_tcp(server));
    client.write_all(REQUEST).unwrap();
    let error = server.join().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::InvalidData), "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let client = thread::spawn(move || Connector::new().tls(client_tls()).connect(url));
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let error = client.join().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::InvalidData), "{error}");
    drop(server);

    let (client, server) = streams();
    drop(client);
    let error = Acceptor::new().tls(server_tls()).accept_tcp(server).unwrap_err();
    assert!(matches!(&error, Error::Io(io) if io.kind() == ErrorKind::UnexpectedEof), "{error}");
}

#[test]
fn a_corrupt_record_fails_the_connection_with_an_alert() {
    let (mut server, mut client) = server(&[]);
    // A record of application data that was encrypted with another key.
    client.sock.write_all(&[[23, 3, 3, 0, 32].as_slice(), &[7; 32]].concat()).unwrap();
    let error = server.next().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::InvalidData), "{error}");
    assert!(server.next().is_none());
    drop(server);
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[test]
fn the_handshake_timeout_covers_tls() {
    let timeout = Duration::from_millis(50);
    let (_client, server) = streams();
    let acceptor = Acceptor::new().tls(server_tls()).handshake_timeout(timeout);
    let error = acceptor.accept_tcp(server).unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let connector = Connector::new().tls(client_tls()).handshake_timeout(timeout);
    let error = connector.connect(url).unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout(Stage::Tls)), "{error}");

    // TLS is done in time, but the request does not come.
    let (client, server) = streams();
    let server = thread::spawn(move || acceptor.accept_tcp(server));
    let mut client = raw_client(client, &[]);
    client.conn.complete_io(&mut client.sock).unwrap();
    let error = server.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
}
