//! A transport with a script, for the blocking shell: what each write takes, and how reads and
//! flushes fail.

use sansocket::{
    Client, Config, MaskKey, MaskKeys, Negotiated, ReadBuffer, Server,
    blocking::{Transport, WebSocket},
};
use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Read, Write},
    rc::Rc,
    time::Duration,
};

/// What a transport has to be read, and how its calls go.
#[derive(Debug, Default)]
pub struct Script {
    /// What is there to be read.
    pub incoming: VecDeque<u8>,
    /// How reads fail once `incoming` is used up; after that they would block, or end.
    pub read_errors: VecDeque<ErrorKind>,
    /// Whether reading ends behind all that.
    pub ends: bool,
    /// How many bytes each write takes, 0 for one that would block; after that all.
    pub takes: VecDeque<usize>,
    /// How flushes fail, before they work.
    pub flush_errors: VecDeque<ErrorKind>,
    /// How the first write fails.
    pub write_error: Option<ErrorKind>,
    /// What was offered when a write would block: it is offered again.
    pub offered: Vec<u8>,
    /// Written and not flushed.
    pub held: Vec<u8>,
    /// Flushed.
    pub sent: Vec<u8>,
    /// Whether the writing side was ended.
    pub shut_down: bool,
    /// Whether reads panic.
    pub read_panics: bool,
    /// How timeouts can't be set once the writing side was ended.
    pub timeout_error: Option<ErrorKind>,
}

/// A transport that follows a script, which its clones share.
#[derive(Clone, Debug, Default)]
pub struct Reluctant(Rc<RefCell<Script>>);

impl Reluctant {
    /// A transport whose script is changed so.
    pub fn new(change: impl FnOnce(&mut Script)) -> Self {
        let transport = Self::default();
        change(&mut transport.script());
        transport
    }

    /// The script as it is now, to be looked at and changed.
    pub fn script(&self) -> RefMut<'_, Script> {
        self.0.borrow_mut()
    }

    /// What was written and flushed.
    pub fn sent(&self) -> Vec<u8> {
        self.0.borrow().sent.clone()
    }

    /// A server over it.
    pub fn server(&self, config: Config) -> WebSocket<Self, Server> {
        let negotiated = Negotiated::new();
        WebSocket::new(self.clone(), Server::new(), negotiated, ReadBuffer::new(), config)
    }

    /// A client over it, whose mask key is of zeros.
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
        assert!(from.starts_with(&script.offered), "another write than the one that would block");
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
