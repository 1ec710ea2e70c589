//! The fixed room that pongs have in the output, beside what the user sends.

use super::reply::ControlPayload;
use crate::buffer::WriteBuffer;
use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

/// Bytes of pong frames that may wait to be written.
///
/// A peer that pings without reading gets no more memory than this. RFC 6455 §5.5.3 allows to
/// answer the latest ping alone when there are several, which is what is done past this.
const ROOM: u64 = 4096;

/// Which pongs are in the output and not written yet, and the one that found no room there. Mostly
/// there are none, and then this has no memory.
#[derive(Debug, Default)]
pub(super) struct Pongs(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// Runs of adjacent pongs, as positions in the output stream.
    unwritten: Vec<Range<u64>>,
    held_back: Option<ControlPayload>,
}

impl Pongs {
    /// Whether none waits.
    #[inline]
    pub(super) const fn are_none(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a pong frame of `len` bytes has room.
    pub(super) fn have_room(&mut self, len: usize, output: &WriteBuffer) -> bool {
        self.forget_written(output);
        self.unwritten(output) as u64 + len as u64 <= ROOM
    }

    /// Forgets those that were written.
    pub(super) fn forget_written(&mut self, output: &WriteBuffer) {
        if let Some(waiting) = &mut self.0 {
            let (written, end) = (output.front_position(), output.end_position());
            // Positions beyond the end are those of another buffer: the user has taken that one
            // away to write it, and goes on with an empty one.
            if waiting.unwritten.last().is_some_and(|run| run.end > end) {
                waiting.unwritten.clear();
            }
            waiting.unwritten.retain(|run| run.end > written);
        }
        self.0.take_if(|waiting| waiting.unwritten.is_empty() && waiting.held_back.is_none());
    }

    /// Bytes of pong frames that wait in the output.
    pub(super) fn unwritten(&self, output: &WriteBuffer) -> usize {
        let Some(waiting) = &self.0 else { return 0 };
        let (from, to) = (output.front_position(), output.end_position());
        let runs = waiting.unwritten.iter().filter(|run| run.end <= to);
        runs.map(|run| run.end.saturating_sub(run.start.max(from)) as usize).sum()
    }

    /// Notes that a pong was appended to the output from `start` on.
    pub(super) fn queued(&mut self, start: u64, output: &WriteBuffer) {
        let end = output.end_position();
        let unwritten = &mut self.0.get_or_insert_default().unwritten;
        match unwritten.last_mut() {
            Some(run) if run.end == start => run.end = end,
            _ => unwritten.push(start..end),
        }
    }

    /// Holds a pong back, in place of an older one.
    pub(super) fn hold_back(&mut self, payload: &[u8]) {
        self.0.get_or_insert_default().held_back = Some(payload.into());
    }

    pub(super) fn held_back(&self) -> Option<&ControlPayload> {
        self.0.as_ref()?.held_back.as_ref()
    }

    pub(super) fn release(&mut self) -> Option<ControlPayload> {
        self.0.as_mut()?.held_back.take()
    }
}
