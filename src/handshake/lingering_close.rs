//! The end of a connection that its user dropped.

use super::exchange::{Exchange, HandshakeNext, OpeningError, Opens};
use crate::buffer::{ReadBuffer, WriteBuffer};
use core::time::Duration;

/// Ends a connection that its user dropped, in the same way as that of a refused client. It
/// writes the queued bytes, ends the writing side, and reads and drops what still arrives, so that
/// no reset overtakes the written bytes.
#[derive(Debug)]
pub(crate) struct LingeringClose(Exchange);

impl LingeringClose {
    pub(crate) fn new() -> Self {
        let mut exchange = Exchange::new(None);
        exchange.refuse();
        Self(exchange)
    }
}

impl Opens for LingeringClose {
    type Step = ();
    type Error = OpeningError;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<()> {
        input.skip(input.unread_len());
        let all_written = self.0.is_all_written(output);
        self.0.linger(all_written, clock()).map_or(HandshakeNext::Ready(()), HandshakeNext::Wants)
    }

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.0
    }
}
