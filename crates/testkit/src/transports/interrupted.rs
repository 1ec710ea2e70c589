//! A transport for the two halves of a blocking connection, which run on two threads. Something
//! arrives during a write, and the write continues once the reading thread has handled it.

use sansocket::blocking::Transport;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

/// The state and the behavior of the transport.
#[derive(Debug, Default)]
pub struct Script {
    /// The bytes to read.
    pub incoming: VecDeque<u8>,
    /// What arrives during the next write.
    pub during_write: Option<Vec<u8>>,
    /// How many bytes each write takes; 0 means that it would block. Later writes take everything.
    pub takes: VecDeque<usize>,
    /// The bytes written.
    pub sent: Vec<u8>,
    /// Whether reading ends after `incoming`.
    pub ends: bool,
    /// Whether read timeouts are supported.
    pub has_timeouts: bool,
    read_timeout: Option<Duration>,
    /// Whether the reading thread waits for more to read.
    reader_waits: bool,
}

/// A transport whose handles share one script.
#[derive(Clone, Debug, Default)]
pub struct Interrupted(Arc<(Mutex<Script>, Condvar)>);

/// How long a thread waits for the other before the test counts as hanging.
const WATCHDOG: Duration = Duration::from_secs(60);

impl Interrupted {
    /// Changes the script and wakes the waiting threads.
    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script());
        self.0.1.notify_all();
    }

    /// Waits until the script satisfies the condition.
    pub fn wait(&self, is_wanted: impl Fn(&Script) -> bool) -> MutexGuard<'_, Script> {
        let (script, changed) = &*self.0;
        let unwanted = |script: &mut Script| !is_wanted(script);
        let (script, waited) =
            changed.wait_timeout_while(script.lock().unwrap(), WATCHDOG, unwanted).unwrap();
        assert!(!waited.timed_out(), "{script:?}");
        script
    }

    /// Waits until the reading thread waits for more to read.
    pub fn wait_for_reader(&self) {
        drop(self.wait(|script| script.reader_waits));
    }

    /// Waits until `len` bytes were written, and returns them.
    pub fn sent(&self, len: usize) -> Vec<u8> {
        self.wait(|script| script.sent.len() >= len).sent.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.0.lock().unwrap()
    }
}

impl Read for Interrupted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.change(|script| script.reader_waits = script.incoming.is_empty());
        let is_ready = |script: &Script| !script.incoming.is_empty() || script.ends;
        let timeout = self.script().read_timeout;
        let mut script = match timeout {
            None => self.wait(is_ready),
            Some(timeout) => {
                let (script, changed) = &*self.0;
                let waits = |script: &mut Script| !is_ready(script);
                changed.wait_timeout_while(script.lock().unwrap(), timeout, waits).unwrap().0
            }
        };
        script.reader_waits = false;
        if is_ready(&script) {
            script.incoming.read(into)
        } else {
            Err(ErrorKind::WouldBlock.into())
        }
    }
}

impl Write for Interrupted {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let (mut count, mut is_interrupted) = (0, false);
        self.change(|script| {
            count = from.len().min(script.takes.pop_front().unwrap_or(usize::MAX));
            script.sent.extend(&from[..count]);
            if let Some(bytes) = script.during_write.take() {
                script.incoming.extend(bytes);
                script.reader_waits = false;
                is_interrupted = true;
            }
        });
        if is_interrupted {
            self.wait_for_reader();
        }
        if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Interrupted {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut script = self.script();
        script.read_timeout = timeout.filter(|_| script.has_timeouts);
        if script.has_timeouts { Ok(()) } else { Err(ErrorKind::Unsupported.into()) }
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}
