//! The network: links that carry bytes in order, late, in pieces, and not always to their end.

use crate::random::Random;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What an end of a link notices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arrival {
    /// A client has connected. Only the server is told.
    Opened,
    Bytes(Vec<u8>),
    /// There is room for bytes again, after a write that was not complete.
    Room,
    /// The other end has finished sending.
    Finished,
    /// The link is gone.
    Lost,
    /// The link was dead for so long that the system has noticed it.
    TimedOut,
}

#[derive(Debug)]
enum Event {
    Arrival(Side, Arrival),
    Break { is_silent: bool },
}

/// How much can be on its way in one direction: little, so that a slow reader is felt soon.
const WINDOW: usize = 4 << 10;

/// After how long the system gives up a link on which nothing arrives any more.
const GIVEN_UP: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
struct Direction {
    in_flight: usize,
    last: Duration,
    stalled_until: Duration,
    writer_waits: bool,
    is_finished: bool,
    /// What is on its way will not arrive, and neither will anything after it.
    is_swallowed: bool,
}

#[derive(Debug, Default)]
struct Link {
    to_client: Direction,
    to_server: Direction,
    /// The sides that have nothing more to do with the link.
    is_over: [bool; 2],
    ends: Ends,
}

/// Whose link it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) client: usize,
    pub(crate) server: usize,
}

impl Link {
    const fn to(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) now: Duration,
    pub(crate) random: Random,
    /// Whether links break and stall.
    pub(crate) has_faults: bool,
    links: BTreeMap<LinkId, Link>,
    agenda: BTreeMap<(Duration, u64), (LinkId, Event)>,
    scheduled: u64,
    opened: u64,
    trace: DefaultHasher,
    /// The client that opens links now.
    pub(crate) client: usize,
    /// How many servers that client can reach: the first, or more.
    pub(crate) servers: usize,
}

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            now: Duration::from_secs(1000),
            random,
            has_faults: true,
            links: BTreeMap::new(),
            agenda: BTreeMap::new(),
            scheduled: 0,
            opened: 0,
            trace: DefaultHasher::new(),
            client: 0,
            servers: 1,
        }
    }

    /// Picks a server that the client can reach.
    pub(crate) const fn pick_server(&mut self) -> usize {
        self.random.below(self.servers as u64) as usize
    }

    /// A client connects to any server.
    pub(crate) fn open(&mut self) -> LinkId {
        let server = self.pick_server();
        self.open_to(server)
    }

    /// A client connects to this server.
    pub(crate) fn open_to(&mut self, server: usize) -> LinkId {
        self.opened += 1;
        let id = LinkId(self.opened);
        let ends = Ends { client: self.client, server };
        self.links.insert(id, Link { ends, ..Link::default() });
        self.deliver(id, Side::Server, Arrival::Opened);
        if self.has_faults && !self.random.once_in(3) {
            let at = self.now + self.random.millis(1, 60_000);
            let is_silent = self.random.once_in(4);
            self.schedule(at, id, Event::Break { is_silent });
        }
        id
    }

    /// Writes as much as there is room for, and returns how much that was.
    pub(crate) fn write(&mut self, id: LinkId, from: Side, bytes: &[u8]) -> usize {
        let now = self.now;
        let stalls = self.has_faults && self.random.once_in(300);
        let stall = self.random.millis(1_000, 90_000);
        let Some(link) = self.links.get_mut(&id) else { return bytes.len() };
        let direction = link.to(from.other());
        assert!(!direction.is_finished, "{from:?} writes behind its end");
        let count = bytes.len().min(WINDOW - direction.in_flight);
        direction.in_flight += count;
        direction.writer_waits |= count < bytes.len();
        if stalls {
            direction.stalled_until = now + stall;
        }
        let is_swallowed = direction.is_swallowed;
        let mut rest = &bytes[..count];
        while !rest.is_empty() && !is_swallowed {
            let (most, is_whole) = (rest.len() as u64, self.random.once_in(2));
            let length = if is_whole { rest.len() } else { 1 + self.random.below(most) as usize };
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            self.deliver(id, from.other(), Arrival::Bytes(piece.to_vec()));
        }
        count
    }

    /// Ends a direction.
    pub(crate) fn finish(&mut self, id: LinkId, from: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let direction = link.to(from.other());
        if !std::mem::replace(&mut direction.is_finished, true) && !direction.is_swallowed {
            self.deliver(id, from.other(), Arrival::Finished);
        }
    }

    /// Drops an end: what was written still arrives.
    pub(crate) fn close(&mut self, id: LinkId, side: Side) {
        self.finish(id, side);
        self.is_over(id, side);
    }

    /// Drops an end at once: what is on its way is lost.
    pub(crate) fn reset(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !std::mem::replace(&mut link.to(side.other()).is_swallowed, true) {
            self.deliver(id, side.other(), Arrival::Lost);
        }
        self.is_over(id, side);
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Takes what happens by now, with those whose link it is.
    pub(crate) fn next(&mut self) -> Option<(Ends, LinkId, Side, Arrival)> {
        loop {
            let entry = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now)?;
            let (id, event) = entry.remove();
            let Some(link) = self.links.get_mut(&id) else { continue };
            let (side, arrival) = match event {
                Event::Arrival(side, arrival) => (side, arrival),
                Event::Break { is_silent } => {
                    if self.has_faults {
                        self.break_link(id, is_silent);
                    }
                    continue;
                }
            };
            let ends = link.ends;
            let direction = link.to(side);
            match &arrival {
                Arrival::Bytes(bytes) if !direction.is_swallowed => {
                    direction.in_flight -= bytes.len();
                    if std::mem::take(&mut direction.writer_waits) {
                        let room = Event::Arrival(side.other(), Arrival::Room);
                        self.schedule(self.now, id, room);
                    }
                }
                Arrival::Bytes(_) | Arrival::Finished if direction.is_swallowed => continue,
                _ => {}
            }
            if !self.notice(id, side, &arrival) {
                continue;
            }
            (self.now, id, side, &arrival).hash(&mut self.trace);
            return Some((ends, id, side, arrival));
        }
    }

    /// Returns a hash of all that has arrived, and when.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub(crate) fn links(&self) -> usize {
        self.links.len()
    }

    /// Returns whether the side has to be told.
    fn notice(&mut self, id: LinkId, side: Side, arrival: &Arrival) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let was_over = link.is_over[side as usize];
        match arrival {
            Arrival::Lost | Arrival::TimedOut => self.is_over(id, side),
            Arrival::Finished if link.to(side.other()).is_finished => self.is_over(id, side),
            // As TCP does it: the other end learns that nobody is there, and may lose what it has not
            // read.
            Arrival::Bytes(_) if was_over => self.answer_by_reset(id, side),
            _ => {}
        }
        !was_over
    }

    fn answer_by_reset(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !std::mem::replace(&mut link.to(side.other()).is_swallowed, true) {
            self.deliver(id, side.other(), Arrival::Lost);
        }
    }

    fn break_link(&mut self, id: LinkId, is_silent: bool) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.to_client.is_swallowed = true;
        link.to_server.is_swallowed = true;
        for side in [Side::Client, Side::Server] {
            let (later, arrival) = match is_silent {
                true => (GIVEN_UP, Arrival::TimedOut),
                false => (self.random.millis(0, 100), Arrival::Lost),
            };
            self.schedule(self.now + later, id, Event::Arrival(side, arrival));
        }
    }

    fn is_over(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.is_over[side as usize] = true;
        if link.is_over == [true; 2] {
            self.links.remove(&id);
        }
    }

    fn deliver(&mut self, id: LinkId, to: Side, arrival: Arrival) {
        let delay = self.random.millis(1, 40);
        let Some(link) = self.links.get_mut(&id) else { return };
        let direction = link.to(to);
        let at = (self.now + delay).max(direction.last).max(direction.stalled_until);
        direction.last = at;
        self.schedule(at, id, Event::Arrival(to, arrival));
    }

    fn schedule(&mut self, at: Duration, id: LinkId, event: Event) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), (id, event));
    }
}
