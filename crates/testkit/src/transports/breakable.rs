//! A TCP stream that breaks, for the blocking shell.

use sansocket::{
    Config,
    blocking::{Transport, WebSocket},
    buffer::ReadBuffer,
    connection::Server,
    handshake::Negotiated,
};
use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A stream whose writes can be made to fail, and which may lack a kind of control that others
/// have.
#[derive(Debug)]
pub struct Breakable {
    /// The underlying stream.
    pub stream: TcpStream,
    /// Whether writes fail now. Clones share the flag.
    pub broken: Arc<AtomicBool>,
    /// The missing control.
    pub lacks: Option<Lack>,
}

/// A kind of control over the stream. A stream that lacks it reports success and does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The write timeout.
    WriteTimeout,
    /// Ending the writing side.
    Shutdown,
}

impl Breakable {
    /// Returns a server over a stream.
    pub fn server(
        stream: TcpStream,
        lacks: Option<Lack>,
        config: Config,
    ) -> WebSocket<Self, Server> {
        let server = Self { stream, broken: Arc::default(), lacks };
        WebSocket::new(server, Server::new(), Negotiated::new(), ReadBuffer::new(), config)
    }
}

impl Read for Breakable {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }
}

impl Write for Breakable {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(from)])
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.stream.write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Breakable {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.lacks {
            Some(Lack::WriteTimeout) => Ok(()),
            _ => self.stream.set_write_timeout(timeout),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match self.lacks {
            Some(Lack::Shutdown) => Ok(()),
            _ => self.stream.shutdown(Shutdown::Write),
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Self { stream, broken: Arc::clone(&self.broken), lacks: self.lacks })
    }
}
