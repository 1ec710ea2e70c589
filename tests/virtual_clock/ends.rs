//! The two kinds of endpoints: a connection with the only loop that drives its transport, and a
//! peer that follows a script.

use super::{
    wire::Socket,
    world::{Action, START},
};
use sansocket::{
    CloseCode, Closed, Config, Event,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{
        Client, Connection, Next, Progress, ProtocolError, ReceiveError, Role, Server, TransportEnd,
    },
    handshake::Negotiated,
    mask::MaskKey,
    transport::{IoFailure, Wants},
};
use std::{collections::VecDeque, time::Duration};

/// What an endpoint learned and when, relative to the beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// All actions.
    pub(crate) trace: Vec<(Duration, String)>,
    /// When the connection first reported how it ended.
    pub(crate) told: Option<(Duration, Closed)>,
    /// When it wanted nothing more from its transport.
    pub(crate) over: Option<Duration>,
    /// When it ended its sending side, and whether that was before it read the peer's end.
    pub(crate) fin: Option<Duration>,
    pub(crate) fin_was_first: bool,
    /// The lengths of the messages received.
    pub(crate) messages: Vec<usize>,
    pub(crate) error: Option<(Duration, ProtocolError)>,
    /// The most memory that the read buffer held.
    pub(crate) most_memory: usize,
    /// All bytes that a scripted peer read.
    pub(crate) received: Vec<u8>,
    /// The round-trip time at the end, latest and smoothed.
    pub(crate) round_trip: Option<(Duration, Duration)>,
    /// How reading ended.
    pub(crate) input_end: Option<(Duration, Result<(), IoFailure>)>,
}

pub(crate) trait End {
    /// Does what can be done now. Returns `true` if anything was done.
    fn turn(&mut self, socket: &mut Socket<'_>) -> bool;
    /// Makes it read its input before it asks what is wanted, like a loop that its socket wakes.
    fn read_first(&mut self);
    fn act(&mut self, action: Action, socket: &mut Socket<'_>);
    fn deadline(&self) -> Option<Duration>;
    fn into_seen(self: Box<Self>) -> Seen;
}

/// A connection with its buffers, and a loop that does what it wants.
pub(crate) struct Driven<R> {
    connection: Connection<R>,
    input: ReadBuffer,
    output: WriteBuffer,
    wants: Option<Wants>,
    /// How often it was asked again at the same moment because a deadline has passed.
    spins: u32,
    reads: bool,
    reads_first: bool,
    seen: Seen,
}

pub(crate) fn server(config: Config) -> Driven<Server> {
    Driven::new(Server::new(), config)
}

pub(crate) fn client(config: Config) -> Driven<Client<impl FnMut() -> MaskKey>> {
    Driven::new(Client::new(|| MaskKey::new([0x37, 0xfa, 0x21, 0x3d])), config)
}

impl<R: Role> Driven<R> {
    fn new(role: R, config: Config) -> Self {
        Self {
            connection: Connection::new(role, &Negotiated::new(), config),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
            wants: None,
            spins: 0,
            reads: true,
            reads_first: false,
            seen: Seen::default(),
        }
    }

    /// Records how the connection ended, the first time that it is reported.
    fn look_at_end(&mut self, now: Duration) {
        let Some(closed) = self.connection.closed() else { return };
        match &self.seen.told {
            Some((_, told)) => assert_eq!(told, closed, "the reported end has changed"),
            None => self.seen.told = Some((now - START, closed.clone())),
        }
    }

    fn read(&mut self, socket: &mut Socket<'_>) -> Result<usize, IoFailure> {
        let outcome = socket.read(self.input.spare(1));
        self.seen.note_outcome(socket.now, "read", outcome);
        match outcome {
            Ok(0) => self.seen.note_input_end(socket.now, Ok(())),
            Ok(count) => self.input.filled(count),
            Err(IoFailure::NotReady) => {}
            Err(failure) => self.seen.note_input_end(socket.now, Err(failure)),
        }
        self.connection.did_read(outcome);
        self.advance(socket.now);
        self.seen.most_memory = self.seen.most_memory.max(self.input.capacity());
        outcome
    }

    fn advance(&mut self, now: Duration) {
        loop {
            match self.connection.advance(&mut self.input, &mut self.output) {
                Ok(Progress::Event | Progress::More) => {}
                Ok(Progress::NeedsInput | Progress::Ended) => return,
                Err(ReceiveError::Protocol(error)) => {
                    self.seen.error.get_or_insert((now - START, error));
                    return;
                }
                Err(misuse) => panic!("{misuse}"),
            }
            if let Some(Event::Binary(data)) = self.connection.event(&self.input) {
                self.seen.messages.push(data.len());
            }
        }
    }

    fn shut_down(&mut self, socket: &mut Socket<'_>) -> Result<(), IoFailure> {
        let outcome = socket.shut_down();
        if outcome != Err(IoFailure::NotReady) {
            assert!(self.seen.fin.is_none(), "the sending side has already ended");
            self.seen.fin = Some(socket.now - START);
            self.seen.fin_was_first = self.seen.input_end.is_none();
        }
        self.connection.did_shut_down(outcome);
        outcome
    }
}

impl<R: Role> End for Driven<R> {
    fn turn(&mut self, socket: &mut Socket<'_>) -> bool {
        if self.seen.over.is_some() {
            return false;
        }
        let now = socket.now;
        let may_read = self.reads && self.wants.is_some_and(|wants| wants.read);
        let mut moved =
            self.reads_first && may_read && self.read(socket) != Err(IoFailure::NotReady);
        let wants = match self.connection.next(&mut self.output, || now) {
            Next::Wants(wants) => wants,
            Next::Ended(closed) => {
                let text = format!("over: {closed}");
                self.seen.note(now, text);
                self.seen.over = Some(now - START);
                self.look_at_end(now);
                socket.close();
                return true;
            }
        };
        self.look_at_end(now);
        let is_something = wants.write || wants.read || wants.shut_down_write;
        assert!(is_something || wants.deadline.is_some(), "nothing is wanted before the end");

        // A failed action is retried when the socket changes. If the connection wants other things
        // now, some of them may be possible at once.
        moved |= self.wants.replace(wants) != Some(wants);
        if wants.write {
            let outcome = socket.write(self.output.front());
            self.seen.note_outcome(now, "write", outcome);
            moved |= outcome != Err(IoFailure::NotReady);
            self.connection.did_write(outcome, &mut self.output);
        }
        if wants.shut_down_write {
            let outcome = self.shut_down(socket);
            self.seen.note_outcome(now, "shut down", outcome);
            moved |= outcome != Err(IoFailure::NotReady);
        }
        if wants.read && self.reads {
            let outcome = self.read(socket);
            moved |= outcome != Err(IoFailure::NotReady);
        }
        let asks_again = !moved && wants.deadline.is_some_and(|deadline| deadline <= now);
        self.spins = if asks_again { self.spins + 1 } else { 0 };
        assert!(self.spins < 4, "nothing changes between calls: {wants:?}");
        moved || asks_again
    }

    fn read_first(&mut self) {
        self.reads_first = true;
    }

    fn act(&mut self, action: Action, socket: &mut Socket<'_>) {
        let Self { connection, output, .. } = self;
        match action {
            Action::Send(len) => connection.send_binary(&vec![7; len], output).unwrap(),
            Action::Close(code, reason) => {
                connection.close(CloseCode::new(code), reason, output).unwrap();
            }
            Action::Say(bytes) => output.extend_from_slice(&bytes),
            Action::StopReading => self.reads = false,
            Action::Drop => {
                connection.transport_ended(TransportEnd::Dropped, output);
            }
            other => panic!("a connection does not {other:?} on {}", socket.now.as_secs()),
        }
        self.wants = None;
    }

    fn deadline(&self) -> Option<Duration> {
        if self.seen.over.is_some() { None } else { self.wants?.deadline }
    }

    fn into_seen(self: Box<Self>) -> Seen {
        let time = self.connection.round_trip_time();
        Seen { round_trip: time.map(|time| (time.latest, time.smoothed)), ..self.seen }
    }
}

/// A peer that follows a script and reads everything. Once the other endpoint has ended, it drops
/// its transport.
#[derive(Default)]
pub(crate) struct Scripted {
    to_say: VecDeque<Vec<u8>>,
    /// How many bytes of the first message were sent.
    said: usize,
    floods_until: Duration,
    finishes: bool,
    stays: bool,
    left: bool,
    deaf: bool,
    seen: Seen,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns a peer that never drops its transport.
    pub(crate) fn that_stays() -> Self {
        Self { stays: true, ..Self::default() }
    }
}

impl End for Scripted {
    fn turn(&mut self, socket: &mut Socket<'_>) -> bool {
        if self.left {
            return false;
        }
        let now = socket.now;
        if self.to_say.is_empty() && self.floods_until > now {
            self.to_say.push_back(vec![0; 1 << 16]);
        }
        let mut moved = false;
        if let Some(bytes) = self.to_say.front() {
            match socket.write(&bytes[self.said..]) {
                Ok(count) => {
                    self.said += count;
                    moved = true;
                }
                Err(IoFailure::NotReady) => {}
                Err(_) => {
                    self.to_say.clear();
                    self.floods_until = Duration::ZERO;
                }
            }
            if self.to_say.front().is_none_or(|bytes| bytes.len() == self.said) {
                self.to_say.pop_front();
                self.said = 0;
            }
        } else if std::mem::take(&mut self.finishes) {
            socket.shut_down().unwrap();
        }
        if self.deaf || self.seen.input_end.is_some() {
            return moved;
        }
        let mut bytes = [0; 4096];
        match socket.read(&mut bytes) {
            Err(IoFailure::NotReady) => return moved,
            Ok(0) => self.seen.note_input_end(now, Ok(())),
            Ok(count) => self.seen.received.extend_from_slice(&bytes[..count]),
            Err(failure) => self.seen.note_input_end(now, Err(failure)),
        }
        if self.seen.input_end.is_some() && !self.stays {
            self.left = true;
            socket.close();
        }
        true
    }

    fn read_first(&mut self) {}

    fn act(&mut self, action: Action, socket: &mut Socket<'_>) {
        match action {
            Action::Say(bytes) => self.to_say.push_back(bytes),
            Action::Flood(until) => self.floods_until = until,
            Action::StopReading => self.deaf = true,
            Action::Finish => self.finishes = true,
            Action::Truncate => socket.end_outgoing(Err(IoFailure::TlsTruncated)),
            Action::Drop => {
                self.left = true;
                socket.close();
            }
            other => panic!("a scripted peer does not {other:?}"),
        }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn into_seen(self: Box<Self>) -> Seen {
        self.seen
    }
}

impl Seen {
    /// Removes how the outcome came about, and what was read after it was known.
    pub(crate) fn outcome(self) -> Self {
        Self { trace: Vec::new(), most_memory: 0, input_end: None, ..self }
    }

    fn note(&mut self, now: Duration, text: String) {
        self.trace.push((now - START, text));
    }

    fn note_outcome<T: std::fmt::Debug>(
        &mut self,
        now: Duration,
        what: &str,
        outcome: Result<T, IoFailure>,
    ) {
        if !matches!(outcome, Err(IoFailure::NotReady)) {
            self.note(now, format!("{what}: {outcome:?}"));
        }
    }

    fn note_input_end(&mut self, now: Duration, how: Result<(), IoFailure>) {
        self.input_end.get_or_insert((now - START, how));
    }
}
