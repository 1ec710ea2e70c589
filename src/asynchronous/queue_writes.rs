//! Writes of a queue, so that a frame's header and payload never leave in two writes.

use super::shell::Shell;
use crate::buffer::WriteBuffer;
use crate::connection::{LargeMessage, gather};
use crate::io::SLICES;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

/// How many bytes are copied together for a transport that writes one slice at a time.
const GATHERED: usize = 4096;

/// The number of slices for one large message after a few small ones. Initializing many more takes
/// noticeable time.
const FEW_SLICES: usize = 4;

/// Writes once from a queue.
#[inline]
pub(super) fn poll_write_queue<S, M: Shell<S>>(
    transport: &mut S,
    output: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let front = output.front();
    if front.len() == output.len() {
        M::poll_write(transport, cx, front)
    } else {
        poll_write_pieces::<S, M>(transport, output, None, cx)
    }
}

/// Writes once from a queue that has several pieces, or with a message behind it.
///
/// A separate function, because its slices take room on the stack.
#[inline(never)]
pub(super) fn poll_write_pieces<S, M: Shell<S>>(
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

/// Copies the pieces together first, so that a header does not leave in a write of its own.
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
