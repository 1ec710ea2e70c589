//! What the shells have in common about transports: how much is written at a time, and which failures
//! are none.

use crate::buffer::WriteBuffer;
use std::io::{self, ErrorKind};

/// Slices handed to one vectored write.
pub(crate) const SLICES: usize = 64;

/// Whether a transport says that nothing could be read or written now, in either of its ways.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Puts what is queued into `slices`, and behind it `behind` if all that is queued has found a place, as
/// far as there are places; returns how many were used.
pub(crate) fn gather<'a>(
    output: &'a WriteBuffer,
    behind: impl Iterator<Item = &'a [u8]>,
    slices: &mut [&'a [u8]],
) -> usize {
    let mut used = output.slices(slices);
    let queued: usize = slices[..used].iter().map(|slice| slice.len()).sum();
    if queued == output.len() {
        for (place, piece) in slices[used..].iter_mut().zip(behind) {
            *place = piece;
            used += 1;
        }
    }
    used
}
