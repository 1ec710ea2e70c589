//! What the shells have in common about transports: how much is written at a time, and which failures
//! are none.

use crate::buffer::WriteBuffer;
use crate::connection::LargeMessage;
use std::io::{self, ErrorKind};

/// Slices handed to one vectored write.
pub(crate) const SLICES: usize = 64;

/// Bytes that are read at a time where nobody looks at them.
pub(crate) const SCRAP: usize = 4096;

/// Whether a transport says that nothing could be read or written now, in either of its ways.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The outcome of a write that had bytes to write. A transport that accepts none of them has failed:
/// trying again would never end.
#[inline]
pub(crate) fn some_written(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        outcome => outcome,
    }
}

/// Puts what is queued into `slices`, and behind it what is started of a message if all that is queued has
/// found a place, as far as there are places; returns how many were used.
pub(crate) fn gather<'a>(
    output: &'a WriteBuffer,
    behind: Option<&'a LargeMessage<'_>>,
    slices: &mut [&'a [u8]],
) -> usize {
    let mut used = output.slices(slices);
    let Some(message) = behind else { return used };
    let queued: usize = slices[..used].iter().map(|slice| slice.len()).sum();
    if queued == output.len() {
        for (place, piece) in slices[used..].iter_mut().zip(message.pieces()) {
            *place = piece;
            used += 1;
        }
    }
    used
}
