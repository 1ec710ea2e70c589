//! Checks that echoes match the sent messages, and counts them.

use crate::{Result, frames::Kind, histogram::Histogram, incoming::Receiver, payloads::Payloads};
use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

pub(crate) struct Totals {
    pub(crate) messages: u64,
    pub(crate) in_flight: usize,
    pub(crate) request_bytes: u64,
    pub(crate) latencies: Histogram,
}

impl Totals {
    pub(crate) fn new() -> Self {
        Self { messages: 0, in_flight: 0, request_bytes: 0, latencies: Histogram::new() }
    }
}

/// Checks the echoes on one connection.
pub(crate) struct Echoes<'a> {
    pub(crate) number: usize,
    pub(crate) payloads: &'a Payloads,
    pub(crate) totals: &'a mut Totals,
    pub(crate) now: Instant,
    pub(crate) received: &'a mut u64,
    pub(crate) matched: &'a mut usize,
    pub(crate) starts: &'a mut VecDeque<Instant>,
}

impl Receiver for Echoes<'_> {
    fn arrived(&mut self) {
        self.now = Instant::now();
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.check_expected()?;
        let expected = self.payloads.message(self.number, *self.received).payload;
        let rest = &expected[*self.matched..];
        if rest.get(..bytes.len()) != Some(bytes) {
            let same = rest.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            return Err(format!(
                "echo {} is wrong: of {} bytes only the first {} are correct",
                self.received,
                expected.len(),
                *self.matched + same
            ));
        }
        *self.matched += bytes.len();
        Ok(())
    }

    fn end(&mut self, kind: Kind) -> Result<()> {
        self.check_expected()?;
        let expected = self.payloads.message(self.number, *self.received);
        let (sent, matched) = (expected.payload.len(), mem::take(self.matched));
        if matched != sent {
            return Err(format!("echo {} has {matched} of {sent} bytes", self.received));
        }
        if kind != expected.kind {
            let (sent, received) = (expected.kind, *self.received);
            return Err(format!("echo {received} is {kind:?}, but the message was {sent:?}"));
        }
        let start = self.starts.pop_front().expect("an echo is expected");
        let latency = self.now.saturating_duration_since(start);
        self.totals.latencies.record(latency.min(Duration::from_secs(3600)).as_nanos() as u64);
        self.totals.messages += 1;
        self.totals.in_flight -= 1;
        *self.received += 1;
        Ok(())
    }
}

impl Echoes<'_> {
    fn check_expected(&self) -> Result<()> {
        match self.starts.is_empty() {
            true => Err(format!("received more echoes than the {} sent messages", self.received)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Request};

    /// Returns the outcome of these echoes on connection 3, which has sent two messages.
    fn checked(echoes: &[(Kind, &[u8])], payloads: &Payloads) -> Result<u64> {
        let now = Instant::now();
        let (mut totals, mut received, mut matched) = (Totals::new(), 0, 0);
        totals.in_flight = 2;
        let mut starts = VecDeque::from([now, now]);
        let mut receiver = Echoes {
            number: 3,
            payloads,
            totals: &mut totals,
            now,
            received: &mut received,
            matched: &mut matched,
            starts: &mut starts,
        };
        for (kind, echo) in echoes {
            for piece in echo.chunks(5) {
                receiver.data(piece)?;
            }
            receiver.end(*kind)?;
        }
        Ok(totals.messages)
    }

    #[test]
    fn only_echoes_of_sent_messages_are_accepted() {
        let words = ["--port", "1"].map(std::ffi::OsString::from);
        let Ok(Request::Run(arguments)) = Arguments::parse(words.into_iter()) else {
            panic!("the arguments are invalid");
        };
        let payloads = Payloads::new(&arguments).expect("payloads without compression can be made");
        let sent = |number| payloads.message(3, number).payload;
        let (first, second) = (sent(0), sent(1));
        let good = (Kind::Binary, first);
        assert_eq!(checked(&[good, (Kind::Binary, second)], &payloads), Ok(2));

        let mut corrupt = first.to_vec();
        corrupt[15] ^= 1;
        let long = [first, &[0]].concat();
        let other = payloads.message(4, 0).payload;
        for wrong in [&corrupt, second, other, &first[..15], &long, &[]] {
            assert!(checked(&[(Kind::Binary, wrong)], &payloads).is_err(), "{wrong:?}");
        }
        assert!(checked(&[(Kind::Text, first)], &payloads).is_err());
        assert!(checked(&[good, good], &payloads).is_err());
        let unasked = [good, (Kind::Binary, second), (Kind::Binary, sent(2))];
        assert!(checked(&unasked, &payloads).is_err());
    }
}
