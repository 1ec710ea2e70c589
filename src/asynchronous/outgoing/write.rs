//! Writing what is queued, in as few pieces as the transport takes.

use super::Outgoing;
use crate::asynchronous::shell::Shell;
use crate::buffer::WriteBuffer;
use crate::connection::Role;
use crate::io::SLICES;
use alloc::boxed::Box;
use core::task::{Context, Poll, ready};
use std::io::{self, ErrorKind, IoSlice};

/// Bytes that are put together for a transport that writes one slice at a time.
const GATHERED: usize = 4096;

/// Places for one large message behind a few others: to clear more of them takes a while.
pub(super) const FEW_SLICES: usize = 4;

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Writes all that is queued, and has the transport write it.
    pub(super) fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            match self.poll_write(cx) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return self.wait_to_write(cx),
            }
        }
        if self.unflushed {
            match M::poll_flush(&mut self.transport, cx) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return self.wait_to_write(cx),
            }
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// One write of what is queued.
    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { output, transport, .. } = self;
        let count = match ready!(poll_write_pieces::<S, M>(transport, output, cx)) {
            Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            outcome => outcome?,
        };
        self.unflushed = true;
        output.consume(count);
        self.sender.queue_owed(output);
        Poll::Ready(Ok(()))
    }

    /// Notes who is woken when the transport takes more: it remembers one waker alone, and a call that
    /// does not wait must not take that place.
    #[cold]
    fn wait_to_write<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        match &mut self.writer {
            Some(waker) => (**waker).clone_from(cx.waker()),
            none => *none = Some(Box::new(cx.waker().clone())),
        }
        Poll::Pending
    }
}

#[inline]
fn poll_write_pieces<S, M: Shell<S>>(
    transport: &mut S,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let front = output.front();
    if front.len() == output.len() {
        return M::poll_write(transport, cx, front);
    }
    poll_write_several::<S, M>(transport, output, cx)
}

/// Apart, since its slices take room on the stack.
#[inline(never)]
fn poll_write_several<S, M: Shell<S>>(
    transport: &mut S,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !M::is_write_vectored(transport) {
        return poll_write_gathered::<S, M>(transport, output, cx);
    }
    if output.most_pieces() <= FEW_SLICES {
        poll_write_slices::<S, M, FEW_SLICES>(transport, output, cx)
    } else {
        poll_write_slices::<S, M, SLICES>(transport, output, cx)
    }
}

fn poll_write_slices<S, M: Shell<S>, const PLACES: usize>(
    transport: &mut S,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [&[][..]; PLACES];
    let used = output.slices(&mut slices);
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
    let mut gathered = [0; GATHERED];
    let mut len = 0;
    for slice in &slices[..used] {
        let count = slice.len().min(GATHERED - len);
        gathered[len..len + count].copy_from_slice(&slice[..count]);
        len += count;
    }
    M::poll_write(transport, cx, &gathered[..len])
}
