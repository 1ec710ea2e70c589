//! A transport in memory with rules of its own: what it holds, how long bytes are under way, how many
//! go at a time, whether it has a half-close, and how a reset behaves.

use sansocket::IoFailure;
use std::{collections::VecDeque, time::Duration};

/// What the two directions of a transport have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Bytes that a direction holds, under way or unread.
    pub(crate) capacity: usize,
    /// How long bytes, ends and resets are under way.
    pub(crate) latency: Duration,
    /// Bytes that one call reads or writes at most.
    pub(crate) piece: usize,
    pub(crate) half_close: bool,
}

/// What goes wrong for one end, because a test says so.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// What reading comes to once nothing is there to be read.
    pub(crate) read: Option<IoFailure>,
    pub(crate) write: Option<IoFailure>,
    /// Writes take 0 bytes.
    pub(crate) takes_nothing: bool,
    /// A half-close is not ready before.
    pub(crate) shut_down_from: Duration,
}

/// What is under way from one end to the other.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// Each with the moment of its arrival.
    pieces: VecDeque<(Duration, VecDeque<u8>)>,
    held: usize,
    /// How it ends behind the last piece, and when that is known at the other end.
    end: Option<(Duration, Result<(), IoFailure>)>,
    /// When a reset arrives, which overtakes what is unread.
    reset: Option<Duration>,
    /// A system tells of a reset once; who reads after that meets an end in order.
    reset_told: bool,
    reader_left: bool,
}

impl Direction {
    /// The next moment after `now` at which the reader would find something new.
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

/// One end of the transport at one moment.
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
        assert!(outgoing.end.is_none(), "nothing is written behind the end");
        if self.faults.takes_nothing {
            return Ok(0);
        }
        let count = bytes.len().min(rules.piece).min(rules.capacity - outgoing.held);
        if count == 0 {
            return Err(IoFailure::NotReady);
        }
        outgoing.held += count;
        if outgoing.reader_left {
            // What comes to a socket that is not there any more is answered by a reset.
            incoming.reset_at(*now + 2 * rules.latency);
        } else {
            outgoing.pieces.push_back((*now + rules.latency, bytes[..count].to_vec().into()));
        }
        Ok(count)
    }

    /// A half-close, if there is one.
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

    /// Ends what this end sends, for whatever reason.
    pub(crate) fn end_outgoing(&mut self, how: Result<(), IoFailure>) {
        self.outgoing.end.get_or_insert((self.now + self.rules.latency, how));
    }

    /// Closes this end. What is unread, or comes later, is answered by a reset.
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
