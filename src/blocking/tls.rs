//! TLS over a blocking transport.
//!
//! Two threads can use one connection, each with a handle of its own: one reads while the other
//! writes. Neither waits for the other inside the TLS library, because the lock of the session is
//! not held during IO.

use super::Transport;
use super::timed::{BRIEF, Stopped, Timed};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::Error;
use crate::io::{is_timeout, some_written};
use crate::pool::Leased;
use crate::tls::{Session, ended_in_handshake};
use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

/// One handle on a TLS connection.
#[derive(Debug)]
pub(super) struct TlsStream<S> {
    transport: S,
    shared: Arc<Shared>,
}

/// What the handles on a connection share. If several locks are needed, they are taken in the order
/// of input, output, session.
#[derive(Debug)]
struct Shared {
    session: Mutex<Session>,
    /// Ciphertext that is not decrypted yet. Whoever reads from the transport holds this lock. After a
    /// split or a reunion that can be another handle than before.
    input: Mutex<Leased<ReadBuffer>>,
    /// Ciphertext that is not written yet. Whoever writes to the transport holds this lock.
    output: Mutex<Leased<WriteBuffer>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Transport> TlsStream<S> {
    /// Performs the TLS handshake. Returns `None` if it is not finished at `end`.
    pub(super) fn handshake(
        transport: S,
        mut session: Session,
        end: Option<Instant>,
    ) -> Result<Option<Self>, Error> {
        let mut timed = Timed::new(transport);
        let until = end
            .map(|end| timed.now().saturating_add(end.saturating_duration_since(Instant::now())));
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        loop {
            let outcome = session.handshake(&mut input, &mut output);
            let mut is_written = output.is_empty();
            while !is_written {
                let left = if outcome.is_ok() { timed.left(until) } else { Some(BRIEF) };
                match timed.write(&output, None, left) {
                    // Without output, this was a flush.
                    Ok(count) => {
                        is_written = output.is_empty();
                        output.consume(count);
                    }
                    // The failure of the handshake counts, rather than that of its alert.
                    Err(_) if outcome.is_err() => break,
                    Err(stopped) => return failed(stopped),
                }
            }
            if outcome? {
                break;
            }
            match timed.read(input.spare(LEAST_READ), timed.left(until)) {
                Ok(0) => return Err(ended_in_handshake().into()),
                Ok(count) => input.filled(count),
                Err(stopped) => return failed(stopped),
            }
        }
        let (session, input) = (Mutex::new(session), Mutex::new(input.into()));
        let shared = Shared { session, input, output: Mutex::default() };
        Ok(Some(Self { transport: timed.transport, shared: Arc::new(shared) }))
    }

    /// Returns the transport below TLS.
    pub(super) fn get_ref(&self) -> &S {
        &self.transport
    }

    /// Returns the certificates that the peer presented, in DER, its own first.
    pub(super) fn peer_certificates(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.session).peer_certificates()
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        let (transport, shared) = (self.transport.try_clone()?, Arc::clone(&self.shared));
        Ok(Self { transport, shared })
    }
}

impl Shared {
    /// Sends the alert for a failure, unless that would have to wait.
    fn alert(&self, transport: &mut impl Transport) {
        let Ok(mut output) = self.output.try_lock() else { return };
        lock(&self.session).take_output(&mut output);
        let Ok(timeout) = transport.write_timeout() else { return };
        if transport.set_write_timeout(Some(BRIEF)).is_ok() {
            let _ = write_output(transport, &mut output).and_then(|()| transport.flush());
            let _ = transport.set_write_timeout(timeout);
        }
    }
}

const LEAST_READ: usize = 4096;

fn failed<T>(stopped: Stopped) -> Result<Option<T>, Error> {
    match stopped {
        Stopped::Over => Ok(None),
        Stopped::NotReady(error) | Stopped::Failed(error) => Err(Error::final_io(error)),
    }
}

/// Writes the ciphertext that is held back, within the write timeout of the transport.
fn write_output(
    transport: &mut impl Transport,
    output: &mut Leased<WriteBuffer>,
) -> io::Result<()> {
    let began = Instant::now();
    while !output.is_empty() {
        match some_written(transport.write(output.front())) {
            Ok(count) => output.consume(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if !output.is_empty() {
            check_timeout(began, transport.write_timeout()?)?;
        }
    }
    output.give_back();
    Ok(())
}

/// Returns an error if the timeout has passed. One operation here can be several of the transport,
/// each with the whole timeout: without this, a peer that moves a byte at a time would suspend it.
fn check_timeout(began: Instant, timeout: Option<Duration>) -> io::Result<()> {
    match timeout {
        Some(timeout) if began.elapsed() >= timeout => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

impl<S: Transport> Read for TlsStream<S> {
    /// Reads decrypted bytes. Returns 0 once the peer has ended its side of TLS.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let began = Instant::now();
        let mut has_read = false;
        let Self { transport, shared } = self;
        let mut input = lock(&shared.input);
        loop {
            let decrypted = lock(&shared.session).read(&mut input, into);
            match decrypted {
                Ok(Some(count)) => return Ok(count),
                Ok(None) => {}
                Err(error) => {
                    shared.alert(transport);
                    return Err(error);
                }
            }
            if has_read {
                check_timeout(began, transport.read_timeout()?)?;
            }
            has_read = true;
            match transport.read(input.room())? {
                0 => lock(&shared.session).end_input(),
                count => input.filled(count),
            }
        }
    }
}

impl<S: Transport> Write for TlsStream<S> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(from)])
    }

    /// Encrypts bytes, and writes what the transport takes of them. It is no failure if the
    /// transport does not take all: a later write or flush writes the rest.
    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut output = lock(&self.shared.output);
        write_output(&mut self.transport, &mut output)?;
        let count = lock(&self.shared.session).write(from, &mut output)?;
        match write_output(&mut self.transport, &mut output) {
            Err(error) if !is_timeout(&error) => Err(error),
            _ => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut output = lock(&self.shared.output);
        lock(&self.shared.session).take_output(&mut output);
        write_output(&mut self.transport, &mut output)?;
        self.transport.flush()
    }
}

impl<S: Transport> Transport for TlsStream<S> {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.transport.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.transport.set_write_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.transport.read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.transport.write_timeout()
    }

    /// Ends the writing side with a `close_notify`, and then that of the transport. If another
    /// thread is in a write, only the latter, which ends that write.
    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut output = match self.shared.output.try_lock() {
            Ok(output) => output,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return self.transport.shutdown_write(),
        };
        lock(&self.shared.session).close(&mut output);
        write_output(&mut self.transport, &mut output)?;
        self.transport.flush()?;
        self.transport.shutdown_write()
    }

    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }
}
