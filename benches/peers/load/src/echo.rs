//! Sends messages and checks their echoes.

use crate::{
    Result,
    answers::{self, Echoed},
    arguments::{Amount, Arguments},
    connection::{Connection, Tools},
    echoes::{Echoes, Totals},
    opening,
    payloads::Payloads,
    processor_time::{self, ProcessorTime},
    reactor::Reactor,
};
use mio::{Events, Token};
use std::{collections::VecDeque, iter::repeat_n, mem, ops::Range, time::Instant};

/// The most bytes to encode before a write. Pipelined small messages arrive in one piece, and many
/// large ones do not take memory at once.
const BATCH: usize = 256 * 1024;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut load = Load::new(arguments)?;
    load.open(0..arguments.connections)?;
    load.send(0..arguments.connections, Limit::Each(arguments.warm_up_messages))?;
    load.totals = Totals::new();
    let replies_before = load.reply_bytes();

    let server_before = arguments.pid.map(ProcessorTime::of_idle).transpose()?;
    let own_before = processor_time::own();
    let start = Instant::now();
    load.send(
        0..arguments.connections,
        match arguments.amount {
            Amount::Time(time) => Limit::Until(start + time),
            Amount::Messages(messages) => Limit::All(messages),
        },
    )?;
    let own = processor_time::own() - own_before;
    let server_after = arguments.pid.map(ProcessorTime::of_idle).transpose()?;

    let Totals { messages, request_bytes, ref latencies, .. } = load.totals;
    if messages == 0 {
        return Err("no message was sent in time; increase --seconds".into());
    }
    let each = |total: f64| total / messages as f64;
    let server = server_before.zip(server_after).map(|(before, after)| after.since(before));
    answers::print(&Echoed {
        ok: true,
        messages,
        seconds: (load.now - start).as_secs_f64(),
        server_cpu_us: server.as_ref().map(|spent| each(spent.total)),
        server_user_us: server.as_ref().map(|spent| each(spent.user)),
        server_sys_us: server.as_ref().map(|spent| each(spent.system)),
        generator_cpu_us: each(own),
        p50_us: latencies.quantile(0.5) as f64 / 1e3,
        p99_us: latencies.quantile(0.99) as f64 / 1e3,
        max_us: latencies.largest() as f64 / 1e3,
        request_bytes: each(request_bytes as f64),
        reply_bytes: each((load.reply_bytes() - replies_before) as f64),
        agreed: load.agreed(),
    });
    load.close();
    Ok(())
}

/// When to stop sending.
pub(crate) enum Limit {
    /// After this many messages on each connection since it was opened.
    Each(u64),
    /// After this many more messages on all connections together.
    All(u64),
    Until(Instant),
}

/// Connections with messages in flight.
pub(crate) struct Load<'a> {
    arguments: &'a Arguments,
    pub(crate) reactor: Reactor,
    pub(crate) events: Events,
    pub(crate) tools: Tools,
    pub(crate) lanes: Vec<Lane>,
    payloads: Payloads,
    totals: Totals,
    /// When the last bytes were read.
    now: Instant,
}

pub(crate) struct Lane {
    pub(crate) connection: Connection,
    sent: u64,
    received: u64,
    /// The number of bytes of the next echo that have arrived and are correct.
    matched: usize,
    /// The time at which each message in flight was written.
    starts: VecDeque<Instant>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(arguments: &'a Arguments) -> Result<Self> {
        Ok(Self {
            arguments,
            reactor: Reactor::new(arguments.timeout)?,
            events: Events::with_capacity(1024),
            tools: Tools::new(arguments.seed),
            lanes: Vec::with_capacity(arguments.connections),
            payloads: Payloads::new(arguments)?,
            totals: Totals::new(),
            now: Instant::now(),
        })
    }

    /// Opens the connections with these numbers, which continue those of the open connections.
    pub(crate) fn open(&mut self, numbers: Range<usize>) -> Result<()> {
        let Self { arguments, reactor, events, tools, .. } = self;
        let opened = opening::open(arguments, reactor, events, tools, numbers)?;
        self.lanes.extend(opened.into_iter().map(|connection| Lane {
            connection,
            sent: 0,
            received: 0,
            matched: 0,
            starts: VecDeque::with_capacity(self.arguments.outstanding),
        }));
        Ok(())
    }

    /// Keeps messages in flight on these connections up to a limit, and waits for all echoes.
    pub(crate) fn send(&mut self, numbers: Range<usize>, mut limit: Limit) -> Result<()> {
        self.now = Instant::now();
        self.reactor.progressed(self.now);
        for number in numbers {
            self.fill(number, &mut limit)?;
        }
        let mut events = mem::replace(&mut self.events, Events::with_capacity(0));
        while self.totals.in_flight > 0 {
            let (lanes, size) = (&self.lanes, self.arguments.size_on_connection());
            self.reactor.wait(&mut events, || missing(lanes, size))?;
            for Token(number) in events.iter().map(|event| event.token()) {
                self.receive(number)?;
                self.fill(number, &mut limit)?;
            }
        }
        self.events = events;
        Ok(())
    }

    fn receive(&mut self, number: usize) -> Result<()> {
        let Lane { connection, received, matched, starts, .. } = &mut self.lanes[number];
        let before = (*received, *matched);
        let mut echoes = Echoes {
            number,
            payloads: &self.payloads,
            totals: &mut self.totals,
            now: self.now,
            received,
            matched,
            starts,
        };
        connection.receive(&mut self.tools, &mut echoes)?;
        self.now = echoes.now;
        // Pings alone do not count as progress.
        if (*received, *matched) != before {
            self.reactor.progressed(self.now);
        }
        Ok(())
    }

    /// Writes what is pending on a connection, and new messages as far as the limit allows.
    fn fill(&mut self, number: usize, limit: &mut Limit) -> Result<()> {
        let Self { tools, payloads, totals, .. } = self;
        let Lane { connection, sent, starts, .. } = &mut self.lanes[number];
        // Bytes left over from an earlier write, and answers to pings.
        if !connection.write(&mut tools.out)? {
            return Ok(());
        }
        loop {
            let mut count = 0;
            while starts.len() + count < self.arguments.outstanding
                && tools.out.len() < BATCH
                && limit.allows(*sent, self.now)
            {
                let message = payloads.message(number, *sent);
                totals.request_bytes += connection.encode(tools, message)? as u64;
                *sent += 1;
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            starts.extend(repeat_n(Instant::now(), count));
            totals.in_flight += count;
            if !connection.write(&mut tools.out)? {
                return Ok(());
            }
        }
    }

    pub(crate) fn close(self) {
        let Self { lanes, mut tools, .. } = self;
        lanes.into_iter().for_each(|lane| lane.connection.close(&mut tools));
    }

    fn reply_bytes(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.connection.incoming.payload_bytes()).sum()
    }

    pub(crate) fn agreed(&self) -> Option<String> {
        self.lanes.first()?.connection.agreed.clone()
    }
}

impl Limit {
    fn allows(&mut self, sent: u64, now: Instant) -> bool {
        match self {
            Self::Each(messages) => sent < *messages,
            Self::All(left) => {
                let is_allowed = *left > 0;
                *left = left.saturating_sub(1);
                is_allowed
            }
            Self::Until(end) => now < *end,
        }
    }
}

fn missing(lanes: &[Lane], size: usize) -> String {
    let waiting = || lanes.iter().filter(|lane| !lane.starts.is_empty());
    let first = waiting().next().map_or_else(String::new, |lane| {
        format!(
            "; connection {} has {} of {size} bytes of its echo {}",
            lane.connection.number, lane.matched, lane.received
        )
    });
    let messages: usize = waiting().map(|lane| lane.starts.len()).sum();
    format!("{messages} echoes on {} of {} connections{first}", waiting().count(), lanes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_limit_stops_sending() {
        let now = Instant::now();
        let allowed =
            |mut limit: Limit| (0..10).take_while(|sent| limit.allows(*sent, now)).count();
        assert_eq!(allowed(Limit::Each(3)), 3);
        assert_eq!(allowed(Limit::All(4)), 4);
        assert_eq!(allowed(Limit::Until(now)), 0);
        assert_eq!(allowed(Limit::Until(now + Duration::from_secs(1))), 10);
    }
}
