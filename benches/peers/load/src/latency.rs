//! Measures how long the messages of a broadcast take until each connection has read them.
//!
//! The server writes the time into each message, by the clock of the system that both programs run
//! on. One message is under way at a time, so that none waits for an earlier one.

use crate::{
    Result,
    answers::{self, Timed},
    connection::{Connection, Tools},
    expected::{Expected, TIME},
    frames::Kind,
    histogram::Histogram,
    incoming::{Incoming, Receiver},
    processor_time,
    reactor::Reactor,
};
use mio::{Events, Token};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Receives the messages one by one, and says `ready` before each.
pub(crate) fn measure(
    expected: &Expected,
    connections: &mut [Connection],
    reactor: &mut Reactor,
    events: &mut Events,
    tools: &mut Tools,
) -> Result<Timed> {
    for connection in connections.iter_mut().filter(|connection| !connection.has_frames) {
        connection.incoming = Incoming::raw(expected.size);
    }
    let (mut all, mut last) = (Histogram::new(), Histogram::new());
    let before = processor_time::own();
    for _ in 0..expected.count {
        last.record(receive_one(expected, &mut all, connections, reactor, events, tools)?);
    }
    let messages = expected.count * connections.len() as u64;
    Ok(Timed {
        ok: true,
        messages,
        p50_us: all.quantile(0.5) as f64 / 1e3,
        p99_us: all.quantile(0.99) as f64 / 1e3,
        last_us: last.quantile(0.5) as f64 / 1e3,
        generator_cpu_us: (processor_time::own() - before) / messages as f64,
    })
}

/// Receives one message on all connections. Returns the latency of the last, in nanoseconds.
fn receive_one(
    expected: &Expected,
    latencies: &mut Histogram,
    connections: &mut [Connection],
    reactor: &mut Reactor,
    events: &mut Events,
    tools: &mut Tools,
) -> Result<u64> {
    let mut progress = vec![Progress::default(); connections.len()];
    let (mut unfinished, mut last) = (connections.len(), 0);
    reactor.progressed(Instant::now());
    answers::say("ready");
    while unfinished > 0 {
        reactor.wait(events, || format!("a message on {unfinished} connections"))?;
        for Token(number) in events.iter().map(|event| event.token()) {
            let (connection, progress) = (&mut connections[number], &mut progress[number]);
            let mut message = Message { expected: expected.payload(0), progress, now: 0 };
            let had_latency = message.progress.latency.is_some();
            connection.receive(tools, &mut message)?;
            connection.write(&mut tools.out)?;
            if let (false, Some(latency)) = (had_latency, progress.latency) {
                latencies.record(latency);
                last = last.max(latency);
                unfinished -= 1;
            }
        }
        reactor.progressed(Instant::now());
    }
    Ok(last)
}

#[derive(Clone, Copy, Default)]
struct Progress {
    /// The number of bytes that have arrived.
    arrived: usize,
    sent: [u8; TIME],
    /// In nanoseconds, if the whole message has arrived.
    latency: Option<u64>,
}

/// Checks the message on one connection.
struct Message<'a> {
    /// The payload, with other bytes in the place of the time.
    expected: &'a [u8],
    progress: &'a mut Progress,
    /// The time of the last read, in nanoseconds since 1970.
    now: u64,
}

impl Receiver for Message<'_> {
    fn arrived(&mut self) {
        self.now = now();
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let Progress { arrived, sent, .. } = self.progress;
        let missing = sent.get_mut(*arrived..).unwrap_or_default();
        let (time, rest) = bytes.split_at(bytes.len().min(missing.len()));
        missing[..time.len()].copy_from_slice(time);
        *arrived += time.len();
        if self.expected[*arrived..].get(..rest.len()) != Some(rest) {
            return Err(format!(
                "a message of {} bytes is wrong after the first {arrived}",
                self.expected.len()
            ));
        }
        *arrived += rest.len();
        Ok(())
    }

    fn end(&mut self, kind: Kind) -> Result<()> {
        let Progress { arrived, sent, latency } = self.progress;
        if kind != Kind::Binary {
            return Err(format!("a message is {kind:?} and not binary"));
        }
        if latency.is_some() {
            return Err("received more than one message".into());
        }
        if *arrived != self.expected.len() {
            return Err(format!("a message has {arrived} of {} bytes", self.expected.len()));
        }
        let sent = u64::from_le_bytes(*sent);
        let taken = self.now.checked_sub(sent);
        *latency = Some(taken.ok_or("a message is from the future: was the clock set?")?);
        Ok(())
    }
}

/// Returns the time in nanoseconds since 1970, as the servers do.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(pieces: &[&[u8]], now: u64) -> Result<Option<u64>> {
        let expected = Expected::parse("time 10 1", false).expect("the command is valid");
        let mut progress = Progress::default();
        let mut message = Message { expected: expected.payload(0), progress: &mut progress, now };
        for piece in pieces {
            message.data(piece)?;
        }
        message.end(Kind::Binary)?;
        Ok(progress.latency)
    }

    #[test]
    fn the_time_in_a_message_can_be_split_anywhere() {
        let mut message = 1_000_000_u64.to_le_bytes().to_vec();
        message.extend([248, 23]);
        for cut in 0..=message.len() {
            let (start, end) = message.split_at(cut);
            assert_eq!(receive(&[start, end], 1_000_250), Ok(Some(250)), "{cut}");
        }
    }

    #[test]
    fn wrong_messages_are_refused() {
        let time = 5_u64.to_le_bytes();
        for (rest, now) in [(&[248][..], 9), (&[248, 24], 9), (&[248, 23, 54], 9), (&[248, 23], 4)]
        {
            assert!(receive(&[&time, rest], now).is_err(), "{rest:?} at {now}");
        }
        assert!(receive(&[&time, &[248, 23]], 5).is_ok());
    }
}
