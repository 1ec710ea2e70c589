//! A TCP stream for the blocking shell that keeps a copy of what is written to it.

use crate::sent::{Sent, sent};
use sansocket::blocking::Transport;
use std::{
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A stream that keeps a copy of what is written to it.
#[derive(Clone, Debug)]
pub struct Tapped {
    stream: Arc<TcpStream>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Tapped {
    /// Wraps a stream.
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream: Arc::new(stream), written: Arc::default() }
    }

    /// Discards what was written so far.
    pub fn clear(&self) {
        self.written.lock().unwrap().clear();
    }

    /// Returns the messages written since the last call.
    pub fn messages(&self) -> Vec<Sent> {
        sent(&core::mem::take(&mut *self.written.lock().unwrap()))
    }
}

impl Read for Tapped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(into)
    }
}

impl Write for Tapped {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        // Locks before the write, so that a test that has received bytes also finds them here.
        let mut written = self.written.lock().unwrap();
        let count = (&*self.stream).write(from)?;
        written.extend_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = from.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.write(&all)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Tapped {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}
