use super::Transport;
use super::transport::Timed;
use crate::{
    Error, ReadBuffer, WriteBuffer,
    io::{REFUSAL_DRAIN_LIMIT, is_timeout},
    opening::REFUSAL_LINGER,
};
use core::time::Duration;
use std::io;

/// A transport during the opening handshake, of which all has to be done by one deadline.
#[derive(Debug)]
pub(super) struct Exchange<S> {
    pub(super) transport: Timed<S>,
    pub(super) input: ReadBuffer,
    pub(super) output: WriteBuffer,
    deadline: Option<Duration>,
}

impl<S: Transport> Exchange<S> {
    pub(super) fn new(transport: S, timeout: Option<Duration>) -> Self {
        Self {
            transport: Timed::new(transport),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
            deadline: timeout,
        }
    }

    /// Sets the deadline to `timeout` from now.
    pub(super) fn restart(&mut self, timeout: Option<Duration>) {
        self.deadline = timeout.map(|timeout| self.transport.now().saturating_add(timeout));
    }

    /// Sets the deadline to `timeout` from now, unless it is sooner.
    pub(super) fn shorten(&mut self, timeout: Duration) {
        let deadline = self.transport.now().saturating_add(timeout);
        self.deadline = Some(self.deadline.map_or(deadline, |sooner| sooner.min(deadline)));
    }

    /// Reads once; 0 at the end of the transport.
    pub(super) fn read(&mut self) -> Result<usize, Error> {
        let read = self.transport.read(self.input.spare(1), self.deadline);
        let count = read.map_err(|error| self.timed_out(error))?;
        self.input.filled(count);
        Ok(count)
    }

    /// As [`read`](Self::read), also of what is there already when the time is over.
    pub(super) fn read_late(&mut self) -> Result<usize, Error> {
        let read = self.transport.read_late(self.input.spare(1), self.deadline);
        let count = read.map_err(|error| self.timed_out(error))?;
        self.input.filled(count);
        Ok(count)
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let written = self.transport.write(&mut self.output, &mut &[][..], self.deadline, |_| {});
        written.map_err(|error| self.timed_out(error))
    }

    /// Sends the refusal that is queued, and ends the transport so that it arrives: what the client
    /// still sends is read and dropped, within bounds. That the client is gone already or does not
    /// read is no news: why it was refused is what counts.
    pub(super) fn end_refused(&mut self) {
        self.restart(Some(REFUSAL_LINGER));
        if self.flush().is_err() || self.transport.shut_down(self.deadline).is_err() {
            return;
        }
        let mut scrap = [0; 4096];
        let mut drained = 0;
        while drained < REFUSAL_DRAIN_LIMIT {
            match self.transport.read(&mut scrap, self.deadline) {
                Ok(count) if count > 0 => drained += count,
                _ => break,
            }
        }
    }

    fn timed_out(&self, error: io::Error) -> Error {
        let passed = self.deadline.is_some_and(|deadline| deadline <= self.transport.now());
        if is_timeout(&error) && passed { Error::HandshakeTimeout } else { error.into() }
    }
}
