//! Transports without a half-close: a pipe in memory, bare and under a layer similar to TLS.

use sansocket::{
    CloseCode, Config, Error, Message,
    blocking::{Plain, Transport, WebSocket},
    buffer::ReadBuffer,
    connection::{Client, Role, Server},
    frame::FrameError,
    handshake::Negotiated,
    mask::MaskKeys,
};
use sansocket_testkit::{endpoint::client_role, frames::failure_close};
use std::{
    io::{self, ErrorKind, Read, Write},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// One end of a pipe in memory. Reads block. Dropping the other end ends the pipe.
struct Pipe {
    incoming: mpsc::Receiver<Vec<u8>>,
    unread: Vec<u8>,
    outgoing: mpsc::Sender<Vec<u8>>,
}

fn pipes() -> (Pipe, Pipe) {
    let ((to_a, from_b), (to_b, from_a)) = (mpsc::channel(), mpsc::channel());
    let end = |incoming, outgoing| Pipe { incoming, unread: Vec::new(), outgoing };
    (end(from_b, to_b), end(from_a, to_a))
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            self.unread = self.incoming.recv().unwrap_or_default();
        }
        let count = into.len().min(self.unread.len());
        into[..count].copy_from_slice(&self.unread[..count]);
        self.unread.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.outgoing.send(from.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A layer like TLS: written data leaves in records at a flush, and its end is a record too, after
/// which this endpoint still reads.
struct Records {
    pipe: Pipe,
    held: Vec<u8>,
    says_its_end: bool,
    peer_has_ended: bool,
}

const DATA: u8 = 23;
const END: u8 = 21;

impl Records {
    fn new(pipe: Pipe, says_its_end: bool) -> Self {
        Self { pipe, held: Vec::new(), says_its_end, peer_has_ended: false }
    }

    fn write_record(&mut self, kind: u8) -> io::Result<()> {
        let mut record = vec![kind];
        record.append(&mut self.held);
        self.pipe.write_all(&record)
    }
}

impl Read for Records {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.pipe.unread.is_empty() && !self.peer_has_ended {
            let mut kind = [0];
            if self.pipe.read(&mut kind)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.peer_has_ended = kind == [END];
        }
        if self.peer_has_ended { Ok(0) } else { self.pipe.read(into) }
    }
}

impl Write for Records {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(from);
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() { Ok(()) } else { self.write_record(DATA) }
    }
}

impl Transport for Records {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.flush()?;
        if !self.says_its_end {
            return Err(ErrorKind::Unsupported.into());
        }
        self.write_record(END)
    }
}

fn websocket<S: Transport, R: Role>(transport: S, role: R) -> WebSocket<S, R> {
    // Longer than a test may take.
    let config = Config::default().close_timeout(Duration::from_secs(600));
    WebSocket::new(transport, role, Negotiated::new(), ReadBuffer::new(), config)
}

fn client<S: Transport>(transport: S) -> WebSocket<S, Client<impl MaskKeys>> {
    websocket(transport, client_role())
}

/// Exchanges a message in each direction, then closes from either side.
fn converse_and_close<S: Transport + Send + 'static>(ends: impl Fn() -> (S, S)) {
    for client_closes in [true, false] {
        let started = Instant::now();
        let (client_end, server_end) = ends();
        let server = thread::spawn(move || {
            let mut server = websocket(server_end, Server::new());
            let message = server.next().unwrap().unwrap();
            server.send(&message).unwrap();
            if !client_closes {
                server.close(CloseCode::NORMAL, "").unwrap();
            }
            assert!(server.next().is_none());
            // The connection has ended, so this returns at once.
            server.wait_closed().clean
        });
        let mut client = client(client_end);
        client.send("there and back").unwrap();
        assert_eq!(client.next().unwrap().unwrap(), Message::text("there and back"));
        if client_closes {
            client.close(CloseCode::NORMAL, "").unwrap();
        }
        assert!(client.next().is_none());
        assert!(client.wait_closed().clean && server.join().unwrap());
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn a_connection_ends_without_a_half_close() {
    converse_and_close(|| {
        let (client, server) = pipes();
        (Plain(client), Plain(server))
    });
}

#[test]
fn a_connection_ends_over_something_like_tls() {
    for says_its_end in [false, true] {
        converse_and_close(|| {
            let (client, server) = pipes();
            (Records::new(client, says_its_end), Records::new(server, says_its_end))
        });
    }
    converse_and_close(|| {
        let (client, server) = pipes();
        (Plain(Records::new(client, true)), Plain(Records::new(server, true)))
    });
}

#[test]
fn a_fault_is_reported_without_a_half_close() {
    let (mut peer, server_end) = pipes();
    let mut server = websocket(Plain(server_end), Server::new());
    peer.write_all(&[0x83]).unwrap();
    assert!(matches!(server.next(), Some(Err(Error::Protocol(_)))));
    assert!(server.next().is_none());
    drop(server);
    let mut seen = Vec::new();
    peer.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, failure_close(FrameError::ReservedOpCode(3)));
}
