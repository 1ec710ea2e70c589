//! Carries out what an opening handshake wants from its transport.

use super::Transport;
use super::timed::{LEAST, Stopped, Timed};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::{Error, OpeningFailure};
use crate::handshake::{self, HandshakeNext, Opens};
use crate::transport::{IoFailure, Wants};
use std::io;

/// A transport during the opening handshake.
#[derive(Debug)]
pub(super) struct Exchange<S> {
    transport: Timed<S>,
    input: ReadBuffer,
    output: WriteBuffer,
    /// The first failure of the transport.
    failed: Option<io::Error>,
}

impl<S: Transport> Exchange<S> {
    pub(super) fn new(transport: S, input: ReadBuffer, output: WriteBuffer) -> Self {
        let transport = Timed::new(transport);
        Self { transport, input, output, failed: None }
    }

    /// Does what `handshake` wants until it is ready with a step or has ended.
    pub(super) fn drive<H: Opens<Error: OpeningFailure>>(
        &mut self,
        handshake: &mut H,
    ) -> Result<H::Step, Error> {
        loop {
            let Self { transport, input, output, .. } = self;
            match handshake.next(input, output, || transport.now()) {
                HandshakeNext::Wants(wants) => self.act(wants, handshake.exchange()),
                HandshakeNext::Ready(step) => return Ok(step),
                HandshakeNext::Ended(error) => {
                    return Err(error.into_error(self.failed.take()));
                }
            }
        }
    }

    /// Returns what the connection continues to use.
    pub(super) fn into_parts(self) -> (S, ReadBuffer, WriteBuffer) {
        (self.transport.transport, self.input, self.output)
    }

    /// Does one of the things that are wanted. A write comes first: a blocking transport can't be
    /// read in the meantime.
    fn act(&mut self, wants: Wants, exchange: &mut handshake::Exchange) {
        let timeout = self.transport.left(wants.deadline).map(|left| left.max(LEAST));
        if wants.write {
            let outcome = self.transport.write(&self.output, None, timeout);
            let result = outcome.map_err(|stopped| self.note(stopped));
            exchange.wrote_or_flushed(result, &mut self.output);
        } else if wants.shut_down_write {
            let outcome = self.transport.shut_down(timeout);
            exchange.did_shut_down(outcome.map_err(|stopped| self.note(stopped)));
        } else if wants.read {
            let outcome = self.transport.read(exchange.room(&mut self.input), timeout);
            self.input.filled(*outcome.as_ref().unwrap_or(&0));
            exchange.did_read(outcome.map_err(|stopped| self.note(stopped)));
        }
    }

    fn note(&mut self, stopped: Stopped) -> IoFailure {
        let error = match stopped {
            Stopped::Over => return IoFailure::NotReady,
            Stopped::NotReady(error) | Stopped::Failed(error) => error,
        };
        let failure = match IoFailure::from(&error) {
            // Retrying on a nonblocking transport would be a busy loop.
            IoFailure::NotReady => IoFailure::Other,
            failure => failure,
        };
        self.failed.get_or_insert(error);
        failure
    }
}
