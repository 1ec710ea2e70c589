//! What the shells have in common about transports: how their failures are understood, and how much
//! is read and written at a time.

use crate::TransportEnd;
use std::io::{self, ErrorKind};

/// From this many bytes on, a borrowed payload is written from where it is.
pub(crate) const WRITE_THROUGH_FROM: usize = 16 * 1024;

/// Bytes that are read and dropped after the last frame, so that the peer comes to read our Close.
pub(crate) const DRAIN_LIMIT: usize = 64 << 20;

/// Bytes that are read and dropped after a refusal, so that the client comes to read it.
pub(crate) const REFUSAL_DRAIN_LIMIT: usize = 1 << 20;

/// Slices handed to one vectored write.
pub(crate) const SLICES: usize = 64;

/// Whether a transport says that nothing could be read or written now, in either of its ways.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// How a transport has broken, if a failed write says so. The system tells a reset once: reading then
/// meets what looks like an end in order.
pub(crate) fn broken_by(error: &io::Error) -> Option<TransportEnd> {
    match error.kind() {
        ErrorKind::ConnectionReset => Some(TransportEnd::Reset),
        ErrorKind::TimedOut => Some(TransportEnd::Timeout),
        _ => None,
    }
}

/// How a transport has ended that fails so; `None` for what there is no word for but the error.
pub(crate) fn end_of(error: &io::Error) -> Option<TransportEnd> {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, WriteZero};
    match error.kind() {
        ErrorKind::UnexpectedEof => Some(TransportEnd::TlsTruncated),
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | WriteZero => {
            Some(TransportEnd::Reset)
        }
        _ => None,
    }
}
