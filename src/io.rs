//! What the shells have in common about transports: how their failures are understood, and how much
//! is read and written at a time.

use crate::{TransportEnd, WriteBuffer};
use alloc::boxed::Box;
use core::time::Duration;
use std::io::{self, ErrorKind};

/// From this many bytes on, a borrowed payload is written from where it is.
pub(crate) const WRITE_THROUGH_FROM: usize = 16 * 1024;

/// Bytes that are read and dropped after the last frame, so that the peer comes to read our Close.
pub(crate) const DRAIN_LIMIT: usize = 64 << 20;

/// Bytes that are read and dropped after a refusal, so that the client comes to read it.
pub(crate) const REFUSAL_DRAIN_LIMIT: usize = 1 << 20;

/// Bytes that are read after the deadline for the peer's Close: it may lie in the socket since
/// before, if this end was busy elsewhere.
pub(crate) const LATE_LIMIT: usize = 4 << 20;

/// Slices handed to one vectored write.
pub(crate) const SLICES: usize = 64;

/// Whether a transport says that nothing could be read or written now, in either of its ways.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
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

/// That writing to a transport has failed. What the peer sent before may still be there and says why,
/// so reading goes on for a while.
#[derive(Debug, Default)]
pub(crate) struct Broken(Option<Box<Failure>>);

#[derive(Debug)]
struct Failure {
    /// How long to read on.
    until: Duration,
    /// How the transport broke, if the failure says so. The system tells a reset once: reading then
    /// meets what looks like an end in order.
    by: Option<TransportEnd>,
}

impl Broken {
    /// Notes the first failure; `until` is how long to read on.
    pub(crate) fn note(&mut self, error: &io::Error, until: Duration) {
        self.0.get_or_insert_with(|| {
            let by = match error.kind() {
                ErrorKind::ConnectionReset => Some(TransportEnd::Reset),
                ErrorKind::TimedOut => Some(TransportEnd::Timeout),
                _ => None,
            };
            Box::new(Failure { until, by })
        });
    }

    pub(crate) const fn is_broken(&self) -> bool {
        self.0.is_some()
    }

    /// Until when to read on.
    pub(crate) fn until(&self) -> Option<Duration> {
        self.0.as_ref().map(|failure| failure.until)
    }

    /// How the transport really ended, if reading found this.
    pub(crate) fn how(&self, found: TransportEnd) -> TransportEnd {
        let Some(Failure { by, .. }) = self.0.as_deref() else { return found };
        match found {
            TransportEnd::Eof => by.unwrap_or(found),
            TransportEnd::Timeout => by.unwrap_or(TransportEnd::Reset),
            _ => found,
        }
    }
}

/// Puts what is queued into `slices`, and behind it `behind` if all that is queued has found a place;
/// returns how many places were used.
pub(crate) fn gather<'a>(
    output: &'a WriteBuffer,
    behind: &'a [u8],
    slices: &mut [&'a [u8]; SLICES],
) -> usize {
    let places = if behind.is_empty() { SLICES } else { SLICES - 1 };
    let mut used = output.slices(&mut slices[..places]);
    let queued: usize = slices[..used].iter().map(|slice| slice.len()).sum();
    if queued == output.len() && !behind.is_empty() {
        slices[used] = behind;
        used += 1;
    }
    used
}
