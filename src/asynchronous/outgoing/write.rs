//! Writes what is queued, and messages from where they are, in as few writes as the transport takes.

use super::Outgoing;
use crate::asynchronous::shell::Shell;
use crate::buffer::WriteBuffer;
use crate::connection::{LargeMessage, Payload, PreparedMessage, Role};
use crate::error::Error;
use crate::io::{SLICES, gather, some_written};
use crate::sending::Sending;
use alloc::boxed::Box;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

/// Bytes that are put together for a transport that writes one slice at a time.
const GATHERED: usize = 4096;

/// Places for one large message behind a few others: to clear more of them takes a while.
const FEW_SLICES: usize = 4;

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Writes all that is queued, and has the transport write it.
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

    /// One write of what is queued.
    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { sending: Sending { sender, queue: output }, transport, .. } = self;
        let front = output.front();
        let written = if front.len() == output.len() {
            M::poll_write(transport, cx, front)
        } else {
            poll_write_pieces::<S, M>(transport, output, None, cx)
        };
        let count = some_written(ready!(written))?;
        sender.unflushed = true;
        output.consume(count);
        sender.queue_owed(output);
        Poll::Ready(Ok(()))
    }

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
        Ok(true)
    }

    fn did_write_with(&mut self, message: &mut LargeMessage<'_>, count: usize) {
        self.sending.sender.unflushed = true;
        let of_queue = count.min(self.sending.queue.len());
        if of_queue > 0 {
            self.sending.queue.consume(of_queue);
        }
        // A pong that was held back goes between two frames (§5.4), and only there. With no buffer there
        // is nothing owed.
        if message.advance(count - of_queue) && !self.sending.queue.is_none() {
            self.sending.sender.queue_owed(&mut self.sending.queue);
        }
    }

    /// Whether an encoded message goes as it is, and nothing goes before or between its frames.
    pub(super) fn writes_prepared(&self, message: &PreparedMessage) -> bool {
        self.sending.queue.is_empty()
            && self.sending.sender.sends_encoded()
            && (M::is_write_vectored(&self.transport) || message.frames().is_one())
    }

    /// Sends an encoded message without a buffer, as far as the transport takes it now. Only the rest is
    /// queued.
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
        if count < bytes.len() {
            frames.link_to(&mut self.sending.queue);
            self.sending.queue.consume(count);
        }
        Ok(())
    }

    /// Notes who is woken when the transport takes more: it remembers one waker alone, and a call that
    /// does not wait must not take that place.
    #[cold]
    fn wait_to_write<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        // Without a buffer nothing was offered, and one is not wanted for it.
        if !self.sending.queue.is_none() {
            self.sending.queue.was_offered();
        }
        match &mut self.writer {
            Some(waker) => (**waker).clone_from(cx.waker()),
            none => *none = Some(Box::new(cx.waker().clone())),
        }
        Poll::Pending
    }
}

/// Apart, since its slices take room on the stack.
#[inline(never)]
fn poll_write_pieces<S, M: Shell<S>>(
    transport: &mut S,
    output: &WriteBuffer,
    behind: Option<&LargeMessage<'_>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !M::is_write_vectored(transport) {
        return poll_write_gathered::<S, M>(transport, output, cx);
    }
    let pieces_behind = behind.map_or(0, LargeMessage::most_pieces);
    if output.most_pieces() + pieces_behind <= FEW_SLICES {
        poll_write_slices::<S, M, FEW_SLICES>(transport, output, behind, cx)
    } else {
        poll_write_slices::<S, M, SLICES>(transport, output, behind, cx)
    }
}

fn poll_write_slices<S, M: Shell<S>, const PLACES: usize>(
    transport: &mut S,
    output: &WriteBuffer,
    behind: Option<&LargeMessage<'_>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [&[][..]; PLACES];
    let used = gather(output, behind, &mut slices);
    let vectors = slices.map(IoSlice::new);
    M::poll_write_vectored(transport, cx, &vectors[..used])
}

/// So that a header does not leave in a write of its own.
fn poll_write_gathered<S, M: Shell<S>>(
    transport: &mut S,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let front = output.front();
    if front.len() >= GATHERED {
        return M::poll_write(transport, cx, front);
    }
    let mut slices = [&[][..]; SLICES];
    let used = output.slices(&mut slices);
    let most = output.unbroken_len().min(GATHERED);
    let mut gathered = [0; GATHERED];
    let mut len = 0;
    for slice in &slices[..used] {
        let count = slice.len().min(most - len);
        gathered[len..len + count].copy_from_slice(&slice[..count]);
        len += count;
    }
    M::poll_write(transport, cx, &gathered[..len])
}
