//! Messages that were encoded before, written from where they are.

use super::Outgoing;
use crate::asynchronous::shell::Shell;
use crate::connection::{Payload, PreparedMessage, Role};
use crate::error::Error;
use core::task::{Context, Poll};
use std::io::ErrorKind;

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// As [`poll_feed`](Self::poll_feed), for what is to be flushed next: it need not wait for more.
    pub(in crate::asynchronous) fn poll_send(
        &mut self,
        payload: Payload<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        match payload {
            Payload::Prepared(message) if self.writes_prepared() => {
                Poll::Ready(self.write_prepared(message, cx))
            }
            _ => self.poll_feed(payload, cx),
        }
    }

    /// Whether encoded frames go as they are, and nothing goes before them.
    fn writes_prepared(&self) -> bool {
        // A client masks each sending anew (§5.3); of one that compresses anything the compressor
        // decides.
        !R::MASKS && self.output.is_empty() && !self.sender.compresses(usize::MAX)
    }

    /// Sends a message without a buffer, as far as the transport takes it now. Only the rest is
    /// queued.
    fn write_prepared(
        &mut self,
        message: &PreparedMessage,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        self.check_transport()?;
        self.sender.check_message(&self.output)?;
        let frames = message.frames();
        match M::poll_write(&mut self.transport, cx, frames) {
            Poll::Ready(Ok(0)) => Err(self.failed(ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => {
                self.unflushed = true;
                if count < frames.len() {
                    self.output.link(frames.slice(count..));
                }
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(self.failed(error)),
            Poll::Pending => self.queue(|sender, output| sender.send_prepared(message, output)),
        }
    }
}
