//! Large borrowed payloads of a server, written from where they are: all frames of one in as few
//! writes as can be.

use super::{Outgoing, write::FEW_SLICES};
use crate::asynchronous::shell::Shell;
use crate::connection::{InPlace, Payload, Role};
use crate::error::Error;
use crate::io::{SLICES, gather};
use core::task::{Context, Poll, ready};
use std::io::{self, ErrorKind, IoSlice};

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Sends a large borrowed payload from where it is, behind what is queued, unless it has to be copied:
    /// whether it was. Only what the transport does not take now is copied.
    pub(super) fn write_in_place(
        &mut self,
        payload: Payload<'_>,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        // One that the transport can't take in one write with its header is copied anyway.
        if !M::is_write_vectored(&self.transport) {
            return Ok(false);
        }
        let Some(mut message) = self.sender.start_message(payload, false, &self.output)? else {
            return Ok(false);
        };
        self.sender.start_frames(&mut message, usize::MAX, &mut self.output)?;
        while !message.is_written() {
            let written = if self.output.most_pieces() + message.pieces().count() <= FEW_SLICES {
                self.poll_write_with::<FEW_SLICES>(&mut message, cx)
            } else {
                self.poll_write_with::<SLICES>(&mut message, cx)
            };
            match written {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(self.failed(error)),
                Poll::Pending => {
                    self.output.reserve(message.len());
                    message.copy_to(&mut self.output);
                }
            }
        }
        Ok(true)
    }

    /// One write of what is queued, and of the message if all of that goes along.
    fn poll_write_with<const PLACES: usize>(
        &mut self,
        message: &mut InPlace<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut slices = [&[][..]; PLACES];
        let used = gather(&self.output, message.pieces(), &mut slices);
        let vectors = slices.map(IoSlice::new);
        let written = M::poll_write_vectored(&mut self.transport, cx, &vectors[..used]);
        let count = match ready!(written) {
            Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            outcome => outcome?,
        };
        self.unflushed = true;
        let of_queue = count.min(self.output.len());
        if of_queue > 0 {
            self.output.consume(of_queue);
        }
        // A pong that was held back goes between two frames (§5.4), and only there. With no buffer there
        // is nothing owed.
        if message.advance(count - of_queue) && !self.output.is_none() {
            self.sender.queue_owed(&mut self.output);
        }
        Poll::Ready(Ok(()))
    }
}
