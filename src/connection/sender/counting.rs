//! Counters of what is sent, and what the receiving half has told of its own.

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::counters::{Counters, DirectionCounters};
use crate::connection::message::MessageKind;
use crate::connection::prepared::EncodedFrames;
use crate::connection::role::Role;
use crate::frame::{OpCode, Rsv};

/// The counters of both directions.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) received: DirectionCounters,
    pub(super) sent: DirectionCounters,
    /// The queue with a new message is short if it has fewer bytes than this.
    short_queue: u32,
}

impl Counted {
    pub(super) fn new(short_queue: u32) -> Self {
        let (received, sent) = Default::default();
        Self { received, sent, short_queue }
    }
}

impl<R: Role> Sender<R> {
    /// Returns what was counted, or `None` if [`Config::counters`](crate::Config::counters) is off.
    ///
    /// This half knows the bytes that were received, but the frames only as far as it was
    /// [told](Self::note_received).
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        let counted = self.rare.as_ref()?.counters.as_ref()?;
        Some(Counters {
            received: counted.received,
            sent: counted.sent,
            dropped: self.dropped(),
            round_trip_time: self.round_trip_time(),
        })
    }

    /// Notes the [counters](super::super::Receiver::counters) of the receiving half, so that
    /// [`counters`](Self::counters) has them. Does nothing if counters are off.
    pub fn note_received(&mut self, received: DirectionCounters) {
        if let Some(counted) = self.counted_mut() {
            counted.received.set_frames(received);
        }
    }

    /// Counts bytes that arrived with the opening handshake, and were therefore not read later.
    #[cfg(feature = "std")]
    pub(crate) fn count_early_bytes(&mut self, bytes: usize) {
        if let Some(counted) = self.counted_mut() {
            counted.received.count_bytes(bytes);
        }
    }

    /// Counts bytes that were written.
    #[inline]
    pub(crate) fn count_written(&mut self, bytes: usize) {
        if let Some(counted) = self.counted_mut() {
            counted.sent.count_bytes(bytes);
        }
    }

    /// Counts the frames of an encoded message.
    #[inline]
    pub(crate) fn count_encoded(&mut self, frames: &EncodedFrames) {
        if let Some(counted) = self.counted_mut() {
            counted.sent.count_message(frames.frame_count());
        }
    }

    /// Sends and counts a message, if messages are counted and this one takes the fast path; otherwise
    /// changes nothing.
    #[inline]
    pub(super) fn send_counted_plainly(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> bool {
        let Some(counted) = self.rare.as_ref().and_then(|rare| rare.counters.as_ref()) else {
            return false;
        };
        let is_plain = self.is_plain(payload.len(), counted.short_queue, output);
        if is_plain {
            self.append_frame(kind.opcode(), Rsv::NONE, true, payload, output);
            self.count_frame(kind.opcode(), true);
        }
        is_plain
    }

    #[inline]
    pub(super) fn count_frame(&mut self, opcode: OpCode, fin: bool) {
        if let Some(counted) = self.counted_mut() {
            counted.sent.count_frame(opcode, fin);
        }
    }

    #[inline]
    pub(super) fn counted_mut(&mut self) -> Option<&mut Counted> {
        self.rare.as_mut()?.counters.as_deref_mut()
    }
}
