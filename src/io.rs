//! Transport details that the shells share: how much to write at a time, and which errors are not
//! failures.

use std::io::{self, ErrorKind};

/// The maximum number of slices in one vectored write.
pub(crate) const SLICES: usize = 64;

/// The maximum number of bytes in a read whose data is discarded.
pub(crate) const DISCARD_SIZE: usize = 4096;

/// Returns `true` if a transport reports, in either of the two ways, that it could not read or
/// write now.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Checks the outcome of a write of at least one byte. A transport that accepts none has failed:
/// retrying would never end.
#[inline]
pub(crate) fn some_written(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        outcome => outcome,
    }
}
