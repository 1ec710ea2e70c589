use super::Transport;
use super::timed::{Stopped, Timed};
use crate::{Error, ReadBuffer, WriteBuffer, io::REFUSAL_DRAIN_LIMIT, opening::REFUSAL_LINGER};
use core::time::Duration;

/// For how long what is there is still read after the deadline.
const LATE_TIME: Duration = Duration::from_millis(500);

/// How long a read takes at most that is to find what is there already.
const BRIEF: Duration = Duration::from_millis(1);

/// A transport during the opening handshake, of which all has to be done by one deadline.
#[derive(Debug)]
pub(super) struct Exchange<S> {
    pub(super) transport: Timed<S>,
    pub(super) input: ReadBuffer,
    pub(super) output: WriteBuffer,
    deadline: Option<Duration>,
    /// Until when what came in time is read after the deadline.
    late_until: Option<Duration>,
}

impl<S: Transport> Exchange<S> {
    pub(super) fn new(transport: S, timeout: Option<Duration>) -> Self {
        Self {
            transport: Timed::new(transport),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
            deadline: timeout,
            late_until: None,
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
        self.read_for(self.transport.left(self.deadline))
    }

    /// As [`read`](Self::read), also of what is there already when the time is over.
    pub(super) fn read_late(&mut self) -> Result<usize, Error> {
        let left = self.transport.left(self.deadline);
        if !left.is_some_and(|left| left.is_zero()) {
            return self.read_for(left);
        }
        let now = self.transport.now();
        let until = *self.late_until.get_or_insert(now.saturating_add(LATE_TIME));
        self.read_for(Some(until.saturating_sub(now).min(BRIEF)))
    }

    fn read_for(&mut self, timeout: Option<Duration>) -> Result<usize, Error> {
        let count = self.transport.read(self.input.spare(1), timeout).map_err(in_time)?;
        self.input.filled(count);
        Ok(count)
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.transport.write_all(&mut self.output, self.deadline).map_err(in_time)
    }

    /// Sends the refusal that is queued, and ends the transport so that it arrives: what the client
    /// still sends is read and dropped, within bounds. That the client is gone already or does not
    /// read is no news: why it was refused is what counts.
    pub(super) fn end_refused(&mut self) {
        self.restart(Some(REFUSAL_LINGER));
        if self.flush().is_err()
            || self.transport.shut_down(self.transport.left(self.deadline)).is_err()
        {
            return;
        }
        let mut scrap = [0; 4096];
        let mut drained = 0;
        while drained < REFUSAL_DRAIN_LIMIT {
            match self.transport.read(&mut scrap, self.transport.left(self.deadline)) {
                Ok(count) if count > 0 => drained += count,
                _ => break,
            }
        }
    }
}

fn in_time(stopped: Stopped) -> Error {
    match stopped {
        Stopped::Over => Error::HandshakeTimeout,
        Stopped::NotReady(error) | Stopped::Failed(error) => error.into(),
    }
}
