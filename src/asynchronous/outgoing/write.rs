//! Writing the queue, and messages in place, in as few writes as the transport allows.

use super::Outgoing;
use crate::asynchronous::queue_writes::{poll_write_pieces, poll_write_queue};
use crate::asynchronous::shell::Shell;
use crate::connection::{Form, LargeMessage, PreparedMessage, Role};
use crate::error::Error;
use crate::io::some_written;
use crate::sending::Sending;
use core::task::{Context, Poll, ready};
use std::io;

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Writes everything that is queued, then flushes the transport.
    pub(super) fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sending.queue.is_empty() {
            match self.poll_write(cx) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return self.wait_to_write(cx),
            }
        }
        if self.sending.sender.unflushed {
            match M::poll_flush(&mut self.transport, cx) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return self.wait_to_write(cx),
            }
            self.sending.sender.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes once from the queue.
    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { sending: Sending { sender, queue: output }, transport, .. } = self;
        let count = some_written(ready!(poll_write_queue::<S, M>(transport, output, cx)))?;
        sender.unflushed = true;
        sender.count_written(count);
        output.consume(count);
        sender.refill(output);
        Poll::Ready(Ok(()))
    }

    /// Writes a large borrowed payload in place, after the queue. Only the part that the transport
    /// does not accept now is copied. Returns `false`, and does nothing, if the payload must be
    /// copied anyway.
    pub(super) fn write_in_place(
        &mut self,
        payload: Form<'_>,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        // Without vectored writes, the header and the payload must be copied together anyway.
        if !M::is_write_vectored(&self.transport) {
            return Ok(false);
        }
        let Some(mut message) =
            self.sending.sender.start_message(payload, false, &self.sending.queue)?
        else {
            return Ok(false);
        };
        self.sending.sender.start_frames(&mut message, usize::MAX, &mut self.sending.queue)?;
        while !message.is_written() {
            let Self { sending: Sending { queue: output, .. }, transport, .. } = self;
            match poll_write_pieces::<S, M>(transport, output, Some(&message), cx) {
                Poll::Ready(written) => match some_written(written) {
                    Ok(count) => self.did_write_with(&mut message, count),
                    Err(error) => return Err(self.failed(error)),
                },
                Poll::Pending => {
                    output.was_offered();
                    output.reserve(message.len());
                    message.copy_to(output);
                }
            }
        }
        self.take_time();
        Ok(true)
    }

    fn did_write_with(&mut self, message: &mut LargeMessage<'_>, count: usize) {
        self.sending.sender.unflushed = true;
        self.sending.sender.count_written(count);
        let of_queue = count.min(self.sending.queue.len());
        if of_queue > 0 {
            self.sending.queue.consume(of_queue);
        }
        // A pong that was held back may go only between two frames (§5.4). Without a buffer no pong
        // is held back.
        if message.advance(count - of_queue) && !self.sending.queue.is_none() {
            self.sending.sender.queue_pending_pong(&mut self.sending.queue);
        }
    }

    /// Returns `true` if an encoded message can be written as it is, with nothing before its frames
    /// or between them.
    pub(super) fn writes_prepared(&self, message: &PreparedMessage) -> bool {
        self.sending.queue.is_empty()
            && self.sending.sender.sends_encoded()
            && (M::is_write_vectored(&self.transport) || message.frames().is_one())
    }

    /// Writes an encoded message without a buffer, as far as the transport accepts it now. Only the
    /// rest is queued.
    pub(super) fn write_prepared(
        &mut self,
        message: &PreparedMessage,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        self.sending.check()?;
        self.sending.sender.check_message(&self.sending.queue)?;
        let frames = message.frames();
        let bytes = frames.bytes();
        let Poll::Ready(written) = M::poll_write(&mut self.transport, cx, bytes) else {
            return self.queue(|sender, output| sender.send_prepared(message, output));
        };
        let count = some_written(written).map_err(|error| self.failed(error))?;
        self.sending.sender.unflushed = true;
        self.sending.sender.count_encoded(frames);
        self.sending.sender.count_written(count);
        if count < bytes.len() {
            frames.link_to(message.is_counted(), &mut self.sending.queue);
            self.sending.queue.consume(count);
        }
        Ok(())
    }

    /// Stores the task to wake when the transport accepts more. The transport remembers only one
    /// waker, and a call that does not wait must not replace it.
    #[cold]
    fn wait_to_write<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        // Without a buffer nothing was offered to the transport, so no buffer is leased to record
        // that.
        if !self.sending.queue.is_none() {
            self.sending.queue.was_offered();
        }
        self.rare.set_writer(cx.waker());
        Poll::Pending
    }
}
