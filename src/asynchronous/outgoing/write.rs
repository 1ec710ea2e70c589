//! One write of what is queued, in as few pieces as the transport takes.

use crate::{WriteBuffer, transport::SLICES};
use ::tokio::io::AsyncWrite;
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{self, IoSlice};

/// Bytes that are put together for a transport that writes one slice at a time.
const GATHERED: usize = 4096;

/// Places for one large message behind a few others: to clear more of them takes a while.
pub(super) const FEW_SLICES: usize = 4;

/// One write of what is queued.
#[inline]
pub(super) fn poll_write_pieces<S: AsyncWrite>(
    transport: Pin<&mut S>,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let front = output.front();
    if front.len() == output.len() {
        return transport.poll_write(cx, front);
    }
    poll_write_several(transport, output, cx)
}

/// Apart, since its slices take room on the stack.
#[inline(never)]
fn poll_write_several<S: AsyncWrite>(
    transport: Pin<&mut S>,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !transport.is_write_vectored() {
        return poll_write_gathered(transport, output, cx);
    }
    if output.most_pieces() <= FEW_SLICES {
        poll_write_slices::<_, FEW_SLICES>(transport, output, cx)
    } else {
        poll_write_slices::<_, SLICES>(transport, output, cx)
    }
}

fn poll_write_slices<S: AsyncWrite, const PLACES: usize>(
    transport: Pin<&mut S>,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [&[][..]; PLACES];
    let used = output.slices(&mut slices);
    let vectors = slices.map(IoSlice::new);
    transport.poll_write_vectored(cx, &vectors[..used])
}

/// So that a header does not leave in a write of its own.
fn poll_write_gathered<S: AsyncWrite>(
    transport: Pin<&mut S>,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let front = output.front();
    if front.len() >= GATHERED {
        return transport.poll_write(cx, front);
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
    transport.poll_write(cx, &gathered[..len])
}
