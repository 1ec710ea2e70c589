//! A scripted transport for the blocking shell: the script tells how much each write takes, and how
//! reads and flushes fail.

use sansocket::{
    Config,
    blocking::{Transport, WebSocket},
    buffer::ReadBuffer,
    connection::{Client, Server},
    handshake::Negotiated,
    mask::{MaskKey, MaskKeys},
};
use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Read, Write},
    rc::Rc,
    time::Duration,
};

/// The input of a transport, and the outcome of its calls.
#[derive(Debug, Default)]
pub struct Script {
    /// The bytes to read.
    pub incoming: VecDeque<u8>,
    /// The errors of reads once `incoming` is used up. Further reads would block, or report the
    /// end.
    pub read_errors: VecDeque<ErrorKind>,
    /// Whether reading ends after all that.
    pub ends: bool,
    /// How many bytes each write takes; 0 means that it would block. Later writes take everything.
    pub takes: VecDeque<usize>,
    /// The errors of flushes before they succeed.
    pub flush_errors: VecDeque<ErrorKind>,
    /// The error of the first write.
    pub write_error: Option<ErrorKind>,
    /// The bytes offered to a write that would block. The next write must offer them again.
    pub offered: Vec<u8>,
    /// The bytes written but not flushed.
    pub held: Vec<u8>,
    /// The bytes flushed.
    pub sent: Vec<u8>,
    /// Whether the writing side was ended.
    pub shut_down: bool,
    /// Whether reads panic.
    pub read_panics: bool,
    /// The error of setting a timeout after the writing side was ended.
    pub timeout_error: Option<ErrorKind>,
}

/// A transport that follows a script shared by its clones.
#[derive(Clone, Debug, Default)]
pub struct Reluctant(Rc<RefCell<Script>>);

impl Reluctant {
    /// Returns a transport with the default script changed by `change`.
    pub fn new(change: impl FnOnce(&mut Script)) -> Self {
        let transport = Self::default();
        change(&mut transport.script());
        transport
    }

    /// Returns the script, to inspect or change it.
    pub fn script(&self) -> RefMut<'_, Script> {
        self.0.borrow_mut()
    }

    /// Returns the bytes that were written and flushed.
    pub fn sent(&self) -> Vec<u8> {
        self.0.borrow().sent.clone()
    }

    /// Returns a server over this transport.
    pub fn server(&self, config: Config) -> WebSocket<Self, Server> {
        let negotiated = Negotiated::new();
        WebSocket::new(self.clone(), Server::new(), negotiated, ReadBuffer::new(), config)
    }

    /// Returns a client over this transport. Its mask key consists of zeros.
    pub fn client(&self) -> WebSocket<Self, Client<impl MaskKeys>> {
        let (role, config) = (Client::new(|| MaskKey::new([0; 4])), Config::default());
        WebSocket::new(self.clone(), role, Negotiated::new(), ReadBuffer::new(), config)
    }
}

impl Read for Reluctant {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut script = self.0.borrow_mut();
        assert!(!script.read_panics, "this transport's reads panic");
        if !script.incoming.is_empty() {
            return script.incoming.read(into);
        }
        match script.read_errors.pop_front() {
            Some(kind) => Err(kind.into()),
            None if script.ends => Ok(0),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Reluctant {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut script = self.0.borrow_mut();
        if let Some(kind) = script.write_error.take() {
            return Err(kind.into());
        }
        assert!(from.starts_with(&script.offered), "not the write that would have blocked");
        script.offered.clear();
        let count = match script.takes.pop_front() {
            Some(0) => {
                script.offered = from.to_vec();
                return Err(ErrorKind::WouldBlock.into());
            }
            Some(most) => most.min(from.len()),
            None => from.len(),
        };
        script.held.extend_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = from.iter().flat_map(|slice| slice.to_vec()).collect();
        self.write(&all)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut script = self.0.borrow_mut();
        if let Some(kind) = script.flush_errors.pop_front() {
            return Err(kind.into());
        }
        let held = std::mem::take(&mut script.held);
        script.sent.extend(held);
        Ok(())
    }
}

impl Transport for Reluctant {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        let script = self.0.borrow();
        match script.timeout_error {
            Some(kind) if script.shut_down => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.borrow_mut().shut_down = true;
        Ok(())
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}
