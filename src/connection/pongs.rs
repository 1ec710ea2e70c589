//! The fixed room that pongs have in the output, beside what the user sends.

use super::reply::ControlPayload;
use crate::WriteBuffer;
use alloc::{boxed::Box, collections::VecDeque};
use core::ops::Range;

/// Bytes of pong frames that may wait to be written.
///
/// A peer that pings without reading gets no more memory than this. RFC 6455 §5.5.3 allows to
/// answer the latest ping alone when there are several, which is what is done past this.
const ROOM: u64 = 4096;

/// Which pongs are in the output and not written yet, and the one that found no room there.
#[derive(Debug, Default)]
pub(super) struct Pongs {
    /// Runs of adjacent pongs, as positions in the output stream.
    unwritten: VecDeque<Range<u64>>,
    held_back: Option<Box<ControlPayload>>,
}

impl Pongs {
    /// Whether a pong frame of `len` bytes has room.
    pub(super) fn have_room(&mut self, len: usize, output: &WriteBuffer) -> bool {
        let written = output.front_position();
        // Positions beyond the end are those of another buffer: the user has taken that one away
        // to write it, and goes on with an empty one.
        if self.unwritten.back().is_some_and(|run| run.end > output.end_position()) {
            self.unwritten.clear();
        }
        while self.unwritten.front().is_some_and(|run| run.end <= written) {
            self.unwritten.pop_front();
        }
        if self.unwritten.is_empty() && self.unwritten.capacity() > 0 {
            self.unwritten = VecDeque::new();
        }
        self.unwritten(output) as u64 + len as u64 <= ROOM
    }

    /// Bytes of pong frames that wait in the output.
    pub(super) fn unwritten(&self, output: &WriteBuffer) -> usize {
        let (from, to) = (output.front_position(), output.end_position());
        let waiting = self.unwritten.iter().filter(|run| run.end <= to);
        waiting.map(|run| run.end.saturating_sub(run.start.max(from)) as usize).sum()
    }

    /// Notes that a pong was appended to the output from `start` on.
    pub(super) fn queued(&mut self, start: u64, output: &WriteBuffer) {
        let end = output.end_position();
        match self.unwritten.back_mut() {
            Some(run) if run.end == start => run.end = end,
            _ => self.unwritten.push_back(start..end),
        }
    }

    /// Holds a pong back, in place of an older one.
    pub(super) fn hold_back(&mut self, payload: &[u8]) {
        self.held_back = Some(Box::new(payload.into()));
    }

    pub(super) fn held_back(&self) -> Option<&ControlPayload> {
        self.held_back.as_deref()
    }

    pub(super) fn release(&mut self) -> Option<Box<ControlPayload>> {
        self.held_back.take()
    }
}
