//! What the shells have in common about transports: how much is written at a time, and which failures
//! are none.

use std::io::{self, ErrorKind};

/// From this many bytes on, a borrowed payload is written from where it is.
pub(crate) const WRITE_THROUGH_FROM: usize = 16 * 1024;

/// Slices handed to one vectored write.
pub(crate) const SLICES: usize = 64;

/// Whether a transport says that nothing could be read or written now, in either of its ways.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
