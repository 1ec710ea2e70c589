//! Peers that use TLS to do harm: they send a byte at a time, fill buffers, and fail late.

use crate::{
    authority::server_tls,
    raw::{client_config, raw_client, server, streams},
};
use rustls::{
    ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, StreamOwned,
    SupportedCipherSuite,
    crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage},
};
use sansocket::{
    CloseCode, Config, Error,
    blocking::{Acceptor, ServerWebSocket},
    connection::{Cause, TransportEnd},
    tls::TlsFault,
};
use sansocket_testkit::{frames::masked, opening::REQUEST, pair::blocking::read_head};
use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// A client after the opening handshake, which makes its TLS records itself.
struct Hostile {
    socket: TcpStream,
    encrypter: Box<dyn MessageEncrypter>,
    number: u64,
}

impl Hostile {
    fn open(stream: TcpStream) -> Self {
        let mut config = client_config(&[]);
        config.enable_secret_extraction = true;
        let session =
            ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut client = StreamOwned::new(session, stream);
        client.write_all(REQUEST).unwrap();
        read_head(&mut client);
        let Some(SupportedCipherSuite::Tls13(suite)) = client.conn.negotiated_cipher_suite() else {
            panic!("TLS 1.3 was not agreed on");
        };
        let (session, socket) = client.into_parts();
        let (number, secrets) = session.dangerous_extract_secrets().unwrap().tx;
        let (ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("an unknown cipher was agreed on");
        };
        socket.set_nodelay(true).unwrap();
        Self { socket, encrypter: suite.aead_alg.encrypter(key, iv), number }
    }

    fn record(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(payload);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        let record = self.encrypter.encrypt(message, self.number).unwrap();
        self.number += 1;
        record.encode()
    }
}

/// Begins a record of 16 KiB, and sends a byte of it every 20 ms as long as that works.
fn drip(socket: &mut TcpStream) {
    let began = Instant::now();
    let _ = socket.write_all(&[23, 3, 3, 0x40, 0]);
    while began.elapsed() < LONG && socket.write_all(&[0]).is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

const SHORT: Duration = Duration::from_millis(150);
/// Much longer than anything here may take.
const LONG: Duration = Duration::from_secs(20);

/// Runs `act` on a server whose client drips, and returns what it returned.
fn under_drip<T: Send + 'static>(act: impl FnOnce(ServerWebSocket) -> T + Send + 'static) -> T {
    let (client, server) = streams();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let config = Config::default().close_timeout(SHORT);
        let acceptor = Acceptor::new().config(config).tls(server_tls());
        let _ = tell.send(act(acceptor.accept_tcp(server).unwrap()));
    });
    let mut client = Hostile::open(client);
    let dripping = thread::spawn(move || drip(&mut client.socket));
    let outcome = told.recv_timeout(LONG / 2).expect("a deadline was suspended");
    dripping.join().unwrap();
    outcome
}

#[test]
fn a_peer_that_drips_suspends_no_deadline() {
    let closed = under_drip(|mut server| {
        server.close(CloseCode::NORMAL, "").unwrap();
        server.wait_closed()
    });
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    let closed = under_drip(|server| {
        let (mut sender, mut receiver) = server.split().unwrap();
        sender.close(CloseCode::NORMAL, "").unwrap();
        receiver.wait_closed()
    });
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    let error = under_drip(|mut server| {
        server.get_ref().set_read_timeout(Some(SHORT)).unwrap();
        server.next().unwrap().unwrap_err()
    });
    assert!(error.is_would_block(), "{error}");
}

#[test]
fn a_peer_that_drips_its_request_runs_into_the_handshake_timeout() {
    let (client, server) = streams();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let acceptor = Acceptor::new().tls(server_tls()).handshake_timeout(SHORT);
        let _ = tell.send(acceptor.accept_tcp(server).map(drop));
    });
    let mut client = raw_client(client, &[]);
    client.conn.complete_io(&mut client.sock).unwrap();
    client.sock.set_nodelay(true).unwrap();
    let dripping = thread::spawn(move || drip(&mut client.sock));
    let outcome = told.recv_timeout(LONG / 2).expect("the deadline was suspended");
    assert!(matches!(outcome, Err(Error::HandshakeTimeout)), "{outcome:?}");
    dripping.join().unwrap();
}

#[test]
fn an_end_with_a_full_buffer_is_an_end() {
    // What fills the buffer of 65,535 bytes exactly depends on what the records add.
    for less in [0, 66, 132, 133, 150] {
        let (client, server) = streams();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut server = Acceptor::new().tls(server_tls()).accept_tcp(server).unwrap();
            let _ = tell.send(server.next().unwrap().unwrap_err());
        });
        let mut client = Hostile::open(client);
        let filling = thread::spawn(move || {
            // The beginning of a message of the handshake of 65,000 bytes, which rustls joins.
            let mut message = vec![4, 0, 0xfd, 0xe8];
            message.resize(60_000, 0);
            for part in message.chunks(10_000) {
                let record = client.record(ContentType::Handshake, part);
                client.socket.write_all(&record).unwrap();
            }
            thread::sleep(Duration::from_millis(100));
            let mut part = vec![23, 3, 3, 0x40, 0];
            part.resize(65_535 - 60_000 - less, 0);
            let _ = client.socket.write_all(&part);
            thread::sleep(Duration::from_millis(100));
            let _ = client.socket.shutdown(Shutdown::Write);
            client
        });
        let error = told.recv_timeout(LONG).expect("the end was not noticed");
        assert!(matches!(error, Error::Closed(_) | Error::Tls(_)), "{error:?}");
        drop(filling.join().unwrap());
    }
}

#[test]
fn a_message_before_a_failure_arrives() {
    let (mut server, mut client) = server(&[]);
    client.conn.writer().write_all(&masked(0x81, b"hello")).unwrap();
    let mut records = Vec::new();
    client.conn.write_tls(&mut records).unwrap();
    // In the same segment, a record that can't be decrypted.
    records.extend_from_slice(&[23, 3, 3, 0, 32]);
    records.extend_from_slice(&[7; 32]);
    client.sock.write_all(&records).unwrap();
    assert_eq!(server.next().unwrap().unwrap().as_text(), Some("hello"));
    let error = server.next().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::InvalidData), "{error}");
    // The alert has not changed what the user set on the socket.
    assert_eq!(server.get_ref().tcp().unwrap().write_timeout().unwrap(), None);
}

#[cfg(feature = "rustls-0_23")]
#[test]
fn early_data_is_not_accepted() {
    let mut config = crate::raw::server_config(&[]);
    config.max_early_data_size = 1000;
    let tls = sansocket::tls::ServerTls::from(config);
    let mut config = client_config(&[]);
    config.enable_early_data = true;
    let config = Arc::new(config);
    for _ in 0..2 {
        let (client, server) = streams();
        let acceptor = Acceptor::new().tls(tls.clone());
        let server = thread::spawn(move || acceptor.accept_tcp(server).map(drop));
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut client = StreamOwned::new(session, client);
        if let Some(mut early) = client.conn.early_data() {
            let _ = early.write(REQUEST);
        }
        client.conn.complete_io(&mut client.sock).unwrap();
        assert!(!client.conn.is_early_data_accepted());
        client.write_all(REQUEST).unwrap();
        server.join().unwrap().unwrap();
        read_head(&mut client);
    }
}
