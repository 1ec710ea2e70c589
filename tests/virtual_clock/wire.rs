//! A transport in memory with configurable rules: its capacity, its latency, the number of bytes
//! per call, whether it has a half-close, and the effect of a reset.

use sansocket::transport::IoFailure;
use std::{collections::VecDeque, time::Duration};

/// The rules shared by both directions of a transport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The most bytes that a direction holds, in flight or unread.
    pub(crate) capacity: usize,
    /// How long bytes, ends and resets are in flight.
    pub(crate) latency: Duration,
    /// The most bytes that one call reads or writes.
    pub(crate) piece: usize,
    pub(crate) half_close: bool,
}

/// The faults that a test sets for one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The result of reading once no input is left.
    pub(crate) read: Option<IoFailure>,
    pub(crate) write: Option<IoFailure>,
    /// Whether writes take 0 bytes.
    pub(crate) takes_nothing: bool,
    /// When a half-close becomes ready.
    pub(crate) shut_down_from: Duration,
}

/// The bytes in flight from one endpoint to the other.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// The pieces, each with the time of its arrival.
    pieces: VecDeque<(Duration, VecDeque<u8>)>,
    held: usize,
    /// How the direction ends after the last piece, and when the other endpoint learns of it.
    end: Option<(Duration, Result<(), IoFailure>)>,
    /// When a reset arrives. It discards unread input.
    reset: Option<Duration>,
    /// Whether the reset was reported. A system reports it once; later reads meet an orderly end.
    reset_told: bool,
    reader_left: bool,
}

impl Direction {
    /// Returns the next moment after `now` at which the reader finds something new.
    pub(crate) fn next_arrival(&self, now: Duration) -> Option<Duration> {
        let pieces = self.pieces.iter().map(|(arrival, _)| *arrival);
        let ends = self.end.map(|(arrival, _)| arrival).into_iter().chain(self.reset);
        pieces.chain(ends).filter(|arrival| *arrival > now).min()
    }

    fn has_arrived(&self, now: Duration) -> bool {
        self.pieces.front().is_some_and(|(arrival, _)| *arrival <= now)
    }

    fn reset_at(&mut self, arrival: Duration) {
        self.reset = Some(self.reset.map_or(arrival, |earlier| earlier.min(arrival)));
    }
}

/// One endpoint of the transport at one moment.
pub(crate) struct Socket<'w> {
    pub(crate) now: Duration,
    pub(crate) rules: Rules,
    pub(crate) faults: &'w Faults,
    pub(crate) incoming: &'w mut Direction,
    pub(crate) outgoing: &'w mut Direction,
}

impl Socket<'_> {
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, IoFailure> {
        let Self { now, incoming, rules, .. } = self;
        if incoming.reset.is_some_and(|arrival| arrival <= *now) {
            incoming.pieces.clear();
            incoming.held = 0;
            let is_news = !std::mem::replace(&mut incoming.reset_told, true);
            return if is_news { Err(IoFailure::Reset) } else { Ok(0) };
        }
        if incoming.has_arrived(*now) {
            let (_, bytes) = &mut incoming.pieces[0];
            let count = bytes.len().min(into.len()).min(rules.piece);
            let count = bytes.as_slices().0.len().min(count);
            into[..count].copy_from_slice(&bytes.as_slices().0[..count]);
            bytes.drain(..count);
            if bytes.is_empty() {
                incoming.pieces.pop_front();
            }
            incoming.held -= count;
            return Ok(count);
        }
        if let Some(failure) = self.faults.read {
            return Err(failure);
        }
        match incoming.end {
            Some((arrival, how)) if arrival <= *now && incoming.pieces.is_empty() => {
                how.map(|()| 0)
            }
            _ => Err(IoFailure::NotReady),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, IoFailure> {
        let Self { now, incoming, outgoing, rules, .. } = self;
        if let Some(failure) = self.faults.write {
            return Err(failure);
        }
        if incoming.reset.is_some_and(|arrival| arrival <= *now) {
            let is_news = !std::mem::replace(&mut incoming.reset_told, true);
            return Err(if is_news { IoFailure::Reset } else { IoFailure::Ended });
        }
        assert!(outgoing.end.is_none(), "a write after the end");
        if self.faults.takes_nothing {
            return Ok(0);
        }
        let count = bytes.len().min(rules.piece).min(rules.capacity - outgoing.held);
        if count == 0 {
            return Err(IoFailure::NotReady);
        }
        outgoing.held += count;
        if outgoing.reader_left {
            // A socket that no longer exists answers input with a reset.
            incoming.reset_at(*now + 2 * rules.latency);
        } else {
            outgoing.pieces.push_back((*now + rules.latency, bytes[..count].to_vec().into()));
        }
        Ok(count)
    }

    /// Does a half-close, if the transport has one.
    pub(crate) fn shut_down(&mut self) -> Result<(), IoFailure> {
        if !self.rules.half_close {
            return Err(IoFailure::Unsupported);
        }
        if self.now < self.faults.shut_down_from {
            return Err(IoFailure::NotReady);
        }
        self.end_outgoing(Ok(()));
        Ok(())
    }

    /// Ends the direction from this endpoint, for whatever reason.
    pub(crate) fn end_outgoing(&mut self, how: Result<(), IoFailure>) {
        self.outgoing.end.get_or_insert((self.now + self.rules.latency, how));
    }

    /// Closes this endpoint. Unread or later input is answered with a reset.
    pub(crate) fn close(&mut self) {
        let Self { now, incoming, outgoing, rules, .. } = self;
        incoming.reader_left = true;
        if incoming.reset.is_some() {
            return;
        }
        if let Some((arrival, _)) = incoming.pieces.front() {
            outgoing.reset_at((*now).max(*arrival) + rules.latency);
        }
        self.end_outgoing(Ok(()));
    }
}
