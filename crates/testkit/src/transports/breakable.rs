//! A TCP stream that breaks, for the blocking shell.

use sansocket::{
    Config, Negotiated, ReadBuffer, Server,
    blocking::{Transport, WebSocket},
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

/// A stream whose writes can be made to fail, and with less control over it than others give.
#[derive(Debug)]
pub struct Breakable {
    /// What it is made of.
    pub stream: TcpStream,
    /// Whether writes fail by now. Clones share it.
    pub broken: Arc<AtomicBool>,
    /// What can't be done with it.
    pub lacks: Option<Lack>,
}

/// Control over a stream that others give. It is taken for done, and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// To bound how long a write takes.
    WriteTimeout,
    /// To end the writing side.
    Shutdown,
}

impl Breakable {
    /// A server over a stream.
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
