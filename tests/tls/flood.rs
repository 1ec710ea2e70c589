//! A server that sends TLS records without data, over a stream of the user's own that is always ready.

use crate::{authority::client_tls, raw::server_config};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConnection, SupportedCipherSuite,
    crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage},
};
use sansocket::{
    Error,
    connection::{Cause, TransportEnd},
    on_tokio::{Connector, Stream},
};
use sansocket_testkit::opening::response_to;
use std::{
    future::{Future, poll_fn},
    io::{self, Read, Write},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// A server in the memory of its client.
struct Server {
    stage: Stage,
    /// The bytes of the flood that the client has read.
    flooded: Arc<AtomicUsize>,
    reader: Option<Waker>,
}

enum Stage {
    /// The server has this much of the request.
    Opening(Box<ServerConnection>, Vec<u8>),
    Flooding(Flood),
}

/// Makes records itself: rustls sends no more tickets than a client needs.
struct Flood {
    encrypter: Box<dyn MessageEncrypter>,
    number: u64,
    ready: Vec<u8>,
}

/// Where the flood ends.
const LENGTH: usize = 1 << 20;

impl Server {
    fn new(flooded: Arc<AtomicUsize>) -> Self {
        let mut config = server_config(&["http/1.1"]);
        config.enable_secret_extraction = true;
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        Self { stage: Stage::Opening(Box::new(session), Vec::new()), flooded, reader: None }
    }
}

impl Flood {
    fn after(session: ServerConnection) -> Self {
        let Some(SupportedCipherSuite::Tls13(suite)) = session.negotiated_cipher_suite() else {
            panic!("TLS 1.3 was not agreed on");
        };
        let (number, secrets) = session.dangerous_extract_secrets().unwrap().tx;
        let (ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("an unknown cipher was agreed on");
        };
        Self { encrypter: suite.aead_alg.encrypter(key, iv), number, ready: Vec::new() }
    }

    fn read(&mut self, into: &mut [u8]) -> usize {
        while self.ready.len() < into.len() {
            // NewSessionTicket (RFC 8446 §4.6.1).
            const TICKET: [u8; 18] = [4, 0, 0, 14, 0, 0, 1, 0, 1, 2, 3, 4, 0, 0, 1, 7, 0, 0];
            let tickets = TICKET.repeat(100);
            let message = OutboundPlainMessage {
                typ: ContentType::Handshake,
                version: ProtocolVersion::TLSv1_2,
                payload: OutboundChunks::Single(&tickets),
            };
            let record = self.encrypter.encrypt(message, self.number).unwrap();
            self.number += 1;
            self.ready.extend_from_slice(&record.encode());
        }
        into.copy_from_slice(&self.ready[..into.len()]);
        self.ready.drain(..into.len());
        into.len()
    }
}

impl AsyncRead for Server {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stage, flooded, reader } = &mut *self;
        let count = match stage {
            Stage::Opening(session, _) if session.wants_write() => {
                session.write_tls(&mut into.initialize_unfilled())?
            }
            Stage::Opening(..) => {
                *reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Stage::Flooding(_) if flooded.load(Ordering::Relaxed) >= LENGTH => 0,
            Stage::Flooding(flood) => {
                let count = flood.read(into.initialize_unfilled());
                flooded.fetch_add(count, Ordering::Relaxed);
                count
            }
        };
        into.advance(count);
        // The response is out.
        if let Stage::Opening(session, request) = stage {
            if request.ends_with(b"\r\n\r\n") && !session.wants_write() {
                let other = ServerConnection::new(Arc::new(server_config(&[]))).unwrap();
                let session = std::mem::replace(&mut **session, other);
                *stage = Stage::Flooding(Flood::after(session));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stage, reader, .. } = &mut *self;
        let Stage::Opening(session, request) = stage else { return Poll::Ready(Ok(from.len())) };
        let count = session.read_tls(&mut &*from)?;
        let state = session.process_new_packets().map_err(io::Error::other)?;
        let start = request.len();
        request.resize(start + state.plaintext_bytes_to_read(), 0);
        session.reader().read_exact(&mut request[start..])?;
        if request.ends_with(b"\r\n\r\n") {
            session.writer().write_all(&response_to(request))?;
        }
        if let Some(waker) = reader.take() {
            waker.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[::tokio::test]
async fn records_without_data_do_not_occupy_a_thread() {
    let flooded = Arc::new(AtomicUsize::new(0));
    let of_server = Arc::clone(&flooded);
    let connector = Connector::new().tls(client_tls()).dialer(move |_, _| {
        let server = Server::new(Arc::clone(&of_server));
        async { Ok(Stream::boxed(server)) }
    });
    let (mut client, _) = connector.connect("wss://localhost/").await.unwrap();
    let mut next = pin!(client.next());
    let first = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
    assert!(first.is_pending(), "{first:?}");
    let read = flooded.load(Ordering::Relaxed);
    assert!(read <= 128 << 10, "{read} bytes in one poll");
    // The task is polled again, until the end.
    let error = next.await.unwrap().unwrap_err();
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::TlsTruncated));
    assert!(flooded.load(Ordering::Relaxed) >= LENGTH);
}
