//! Receives messages that the server broadcasts.

use crate::{
    Result,
    answers::{self, Received},
    arguments::Arguments,
    connection::{Connection, Tools},
    expected::Expected,
    frames::Kind,
    incoming::{Incoming, Receiver},
    latency, opening,
    reactor::Reactor,
};
use mio::{Events, Token};
use std::{io::stdin, time::Instant};

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut reactor = Reactor::new(arguments.timeout)?;
    let mut events = Events::with_capacity(1024);
    let mut tools = Tools::new(arguments.seed);
    let numbers = 0..arguments.connections;
    let mut connections = opening::open(arguments, &mut reactor, &mut events, &mut tools, numbers)?;
    answers::say("connected");
    for line in stdin().lines() {
        let line = line.map_err(|error| format!("can't read standard input: {error}"))?;
        let expected = Expected::parse(&line, arguments.raw)?;
        if expected.is_timed {
            answers::print(&latency::measure(
                &expected,
                &mut connections,
                &mut reactor,
                &mut events,
                &mut tools,
            )?);
            continue;
        }
        let start = Instant::now();
        expect(&expected, &mut connections, &mut reactor, &mut events, &mut tools)?;
        answers::print(&Received {
            ok: true,
            messages: expected.count * connections.len() as u64,
            seconds: start.elapsed().as_secs_f64(),
        });
    }
    connections.into_iter().for_each(|connection| connection.close(&mut tools));
    Ok(())
}

fn expect(
    expected: &Expected,
    connections: &mut [Connection],
    reactor: &mut Reactor,
    events: &mut Events,
    tools: &mut Tools,
) -> Result<()> {
    for connection in connections.iter_mut().filter(|connection| !connection.has_frames) {
        connection.incoming = Incoming::raw(expected.size);
    }
    let mut progress = vec![Progress::default(); connections.len()];
    let mut unfinished = if expected.count == 0 { 0 } else { connections.len() };
    let mut receive = |number: usize, reactor: &mut Reactor, progress: &mut [Progress]| {
        let (connection, progress) = (&mut connections[number], &mut progress[number]);
        let was_finished = progress.received == expected.count;
        let before = *progress;
        connection.receive(tools, &mut Messages { expected, progress })?;
        connection.write(&mut tools.out)?;
        if *progress != before {
            reactor.progressed(Instant::now());
        }
        Ok::<_, String>(!was_finished && progress.received == expected.count)
    };
    reactor.progressed(Instant::now());
    // Some messages may have arrived before the command or with the handshake. No new event
    // announces them.
    for number in 0..progress.len() {
        if receive(number, reactor, &mut progress)? {
            unfinished -= 1;
        }
    }
    while unfinished > 0 {
        reactor.wait(events, || missing(&progress, expected))?;
        for Token(number) in events.iter().map(|event| event.token()) {
            if receive(number, reactor, &mut progress)? {
                unfinished -= 1;
            }
        }
    }
    Ok(())
}

fn missing(progress: &[Progress], expected: &Expected) -> String {
    let messages: u64 = progress.iter().map(|one| expected.count - one.received).sum();
    let connections = progress.iter().filter(|one| one.received < expected.count).count();
    format!("{messages} messages on {connections} of {} connections", progress.len())
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Progress {
    received: u64,
    /// The number of bytes of the next message that have arrived and are correct.
    matched: usize,
}

/// Checks the messages on one connection.
struct Messages<'a> {
    expected: &'a Expected,
    progress: &'a mut Progress,
}

impl Receiver for Messages<'_> {
    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let Progress { received, matched } = self.progress;
        if !bytes.is_empty() && *received == self.expected.count {
            return Err(format!("received more than the {received} expected messages"));
        }
        let rest = &self.expected.payload(*received)[*matched..];
        if rest.get(..bytes.len()) != Some(bytes) {
            let same = rest.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            return Err(format!(
                "message {received} is wrong: of {} bytes only the first {} are correct",
                self.expected.size,
                *matched + same
            ));
        }
        *matched += bytes.len();
        Ok(())
    }

    fn end(&mut self, kind: Kind) -> Result<()> {
        let Progress { received, matched } = self.progress;
        let Expected { size, count, .. } = self.expected;
        if kind != Kind::Binary {
            return Err(format!("message {received} is {kind:?} and not binary"));
        }
        if received == count {
            return Err(format!("received more than the {count} expected messages"));
        }
        if matched != size {
            return Err(format!("message {received} has {matched} of {size} bytes"));
        }
        *received += 1;
        *matched = 0;
        Ok(())
    }
}
