//! Drives one connection through a vector, in each of the ways in which this crate can be used.

use super::format::{Action, Ending, Hex, Seen, Step, Vector};
use sansocket::{
    Cause, Client, CloseCode, Closed, Config, Connection, Kind, MaskKey, Message, Negotiated,
    Progress, ReadBuffer, ReceiveError, Receiver, Role, SendError, Sender, Server, State,
    TransportEnd, WriteBuffer,
};

/// A way to use a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whole messages, looked at in the read buffer.
    Borrowed,
    /// Whole messages, made owned.
    Owned,
    /// Messages in chunks, which are joined here.
    Chunks,
    /// The two halves of a connection, with the replies carried between them.
    Halves,
}

/// Runs a vector with its input cut at `cuts`, ascending positions within all of its input.
///
/// An error says what was not as expected.
pub fn run(vector: &Vector, cuts: &[usize], way: Way) -> Result<(), String> {
    let outcome = outcome(vector, cuts, way)?;
    if outcome.events != vector.events {
        return Err(format!("events {:?}\ninstead of {:?}", outcome.events, vector.events));
    }
    if outcome.output != vector.output {
        let (got, expected) = (Hex(&outcome.output), Hex(&vector.output));
        return Err(format!("output {got}\ninstead of {expected}"));
    }
    if outcome.end != vector.end {
        return Err(format!("end {:?}\ninstead of {:?}", outcome.end, vector.end));
    }
    Ok(())
}

/// What became of a vector's script.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was received.
    pub events: Vec<Seen>,
    /// What was sent.
    pub output: Vec<u8>,
    /// How it ended.
    pub end: Ending,
    /// The error that receiving came to.
    pub error: Option<ReceiveError>,
}

/// What becomes of a vector whose input is cut at `cuts`, received in this way.
///
/// An error says how the crate contradicts itself.
pub fn outcome(vector: &Vector, cuts: &[usize], way: Way) -> Result<Outcome, String> {
    if vector.is_client {
        let key = vector.mask;
        Drive::new(Client::new(move || MaskKey::new(key)), vector, way).all(vector, cuts)
    } else {
        Drive::new(Server::new(), vector, way).all(vector, cuts)
    }
}

enum Ends<R> {
    Joined(Connection<R>),
    Halves(Receiver<R>, Sender<R>),
}

struct Drive<R> {
    ends: Ends<R>,
    way: Way,
    input: ReadBuffer,
    queue: WriteBuffer,
    events: Vec<Seen>,
    /// The message whose chunks are coming.
    joined: Option<Seen>,
    output: Vec<u8>,
    error: Option<ReceiveError>,
    has_ended: bool,
}

impl<R: Role> Drive<R> {
    fn new(role: R, vector: &Vector, way: Way) -> Self {
        let config = Config::default().limits(vector.limits).fragment_size(vector.fragment_size);
        let connection = Connection::new(role, &negotiated(vector), config);
        let ends = if way == Way::Halves {
            let (receiver, sender) = connection.split();
            Ends::Halves(receiver, sender)
        } else {
            Ends::Joined(connection)
        };
        Self {
            ends,
            way,
            input: ReadBuffer::new(),
            queue: WriteBuffer::new(),
            events: Vec::new(),
            joined: None,
            output: Vec::new(),
            error: None,
            has_ended: false,
        }
    }

    fn all(mut self, vector: &Vector, cuts: &[usize]) -> Result<Outcome, String> {
        let mut position = 0;
        let mut eof = false;
        let way_has_halves = self.way == Way::Halves;
        for step in &vector.steps {
            match step {
                Step::Input(bytes) => {
                    let mut from = 0;
                    for cut in cuts.iter().filter(|cut| **cut > position) {
                        let cut = cut - position;
                        if cut < bytes.len() {
                            self.receive(&bytes[from..cut])?;
                            from = cut;
                        }
                    }
                    self.receive(&bytes[from..])?;
                    position += bytes.len();
                }
                Step::Do(action) => {
                    self.act(action).map_err(|error| format!("{action:?} is refused: {error}"))?;
                }
                // A half by itself does not hear of the end of the transport.
                Step::Refuse(_) if eof && way_has_halves => {}
                Step::Refuse(action) => {
                    if self.act(action).is_ok() {
                        return Err(format!("{action:?} is not refused"));
                    }
                }
                Step::Attempt(action) => {
                    let _ = self.act(action);
                }
                Step::Eof => {
                    eof = true;
                    if let Ends::Joined(connection) = &mut self.ends {
                        connection.transport_ended(TransportEnd::Eof, &self.queue);
                    }
                }
                Step::Check { events, output } => {
                    if (self.events.len(), self.output.len()) != (*events, *output) {
                        let seen = &self.events;
                        let sent = Hex(&self.output);
                        return Err(format!("at a point events are {seen:?} and output {sent}"));
                    }
                }
            }
        }
        Ok(self.finish(eof))
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.input.extend_from_slice(bytes);
        loop {
            let progress = match &mut self.ends {
                Ends::Joined(connection) if self.way == Way::Chunks => {
                    connection.advance_chunk(&mut self.input, &mut self.queue)
                }
                Ends::Joined(connection) => connection.advance(&mut self.input, &mut self.queue),
                Ends::Halves(receiver, sender) => {
                    let progress = receiver.advance(&mut self.input);
                    if let Some(reply) = receiver.reply(&self.input) {
                        sender.reply(&reply, &mut self.queue);
                    }
                    if receiver.reply(&self.input).is_some() {
                        return Err("a reply is owed twice".into());
                    }
                    progress
                }
            };
            self.drain();
            match progress {
                Ok(Progress::Event) if self.has_ended => {
                    return Err("an event after the end".into());
                }
                Ok(Progress::Event) => self.look()?,
                Ok(Progress::More) => {}
                Ok(Progress::NeedsInput) => return Ok(()),
                Ok(Progress::Ended) => {
                    self.has_ended = true;
                    return Ok(());
                }
                Err(error) => {
                    if self.lends() {
                        return Err(format!("an event beside {error:?}"));
                    }
                    if *self.error.get_or_insert(error) != error {
                        return Err(format!("first {:?}, then {error:?}", self.error));
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Whether there is anything to look at.
    fn lends(&mut self) -> bool {
        let input = &mut self.input;
        match &mut self.ends {
            Ends::Joined(connection) => {
                connection.event(input).is_some()
                    || connection.chunk(input).is_some()
                    || connection.take_message(input).is_some()
            }
            Ends::Halves(receiver, _) => {
                receiver.event(input).is_some()
                    || receiver.chunk(input).is_some()
                    || receiver.take_message(input).is_some()
            }
        }
    }

    /// Notes the event that there is.
    fn look(&mut self) -> Result<(), String> {
        let event = match &mut self.ends {
            Ends::Joined(connection) if self.way == Way::Chunks => {
                let chunk = connection.chunk(&self.input).ok_or("no chunk")?;
                let piece = Seen::from(chunk.event);
                return self.join(piece, chunk.first, chunk.last);
            }
            Ends::Joined(connection) => {
                let event = connection.event(&self.input).map(Seen::from);
                let take = self.way == Way::Owned;
                match take.then(|| connection.take_message(&mut self.input)).flatten() {
                    Some(message) => Some(Seen::from(&message)),
                    None => event,
                }
            }
            Ends::Halves(receiver, _) => receiver.event(&self.input).map(Seen::from),
        };
        self.events.push(event.ok_or("no event")?);
        Ok(())
    }

    fn join(&mut self, piece: Seen, first: bool, last: bool) -> Result<(), String> {
        let is_message = matches!(piece, Seen::Text(_) | Seen::Binary(_));
        if !is_message {
            self.events.push(piece);
            return Ok(());
        }
        if first != self.joined.is_none() {
            return Err(format!("first is {first} with {piece:?} after {:?}", self.joined));
        }
        let joined = match (self.joined.take(), piece) {
            (None, piece) => piece,
            (Some(Seen::Text(front)), Seen::Text(text)) => Seen::Text(front + &text),
            (Some(Seen::Binary(mut front)), Seen::Binary(data)) => {
                front.extend(data);
                Seen::Binary(front)
            }
            (front, piece) => return Err(format!("chunk {piece:?} after {front:?}")),
        };
        if last {
            self.events.push(joined);
        } else {
            self.joined = Some(joined);
        }
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(), SendError> {
        let queue = &mut self.queue;
        let result = match &mut self.ends {
            Ends::Joined(end) => match action {
                Action::Send(Kind::Text, data) => end.send_text(text(data), queue),
                Action::Send(Kind::Binary, data) => end.send_binary(data, queue),
                Action::Fragment(Kind::Text, is_last, data) => {
                    end.send_fragment(text(data), *is_last, queue)
                }
                Action::Fragment(Kind::Binary, is_last, data) => {
                    end.send_fragment(data, *is_last, queue)
                }
                Action::Ping(data) => end.ping(data, queue),
                Action::Pong(data) => end.pong(data, queue),
                Action::Close(code, reason) => end.close(*code, reason, queue),
            },
            Ends::Halves(_, end) => match action {
                Action::Send(Kind::Text, data) => {
                    end.send(&Message::text(text(data).to_owned()), queue)
                }
                Action::Send(Kind::Binary, data) => end.send(&Message::binary(data.clone()), queue),
                Action::Fragment(Kind::Text, is_last, data) => {
                    end.send_fragment(text(data), *is_last, queue)
                }
                Action::Fragment(Kind::Binary, is_last, data) => {
                    end.send_fragment(data, *is_last, queue)
                }
                Action::Ping(data) => end.ping(data, queue),
                Action::Pong(data) => end.pong(data, queue),
                Action::Close(code, reason) => end.close(*code, reason, queue),
            },
        };
        self.drain();
        result
    }

    /// Writes what is queued.
    fn drain(&mut self) {
        while !self.queue.is_empty() {
            let count = self.queue.front().len();
            self.output.extend_from_slice(self.queue.front());
            self.queue.consume(count);
            match &mut self.ends {
                Ends::Joined(connection) => connection.queue_owed(&mut self.queue),
                Ends::Halves(_, sender) => sender.queue_owed(&mut self.queue),
            }
        }
    }

    fn finish(self, eof: bool) -> Outcome {
        let mut connection = match self.ends {
            Ends::Joined(connection) => connection,
            Ends::Halves(receiver, sender) => Connection::join(receiver, sender),
        };
        let state = connection.state();
        let closed = connection.transport_ended(TransportEnd::Eof, &self.queue).clone();
        let end = match (self.error, state) {
            (Some(error), _) => failed(error, &closed),
            (None, State::Open) if !eof => Ending::Open,
            (None, State::CloseSent) if !eof => Ending::Closing,
            _ => {
                let Closed { code, reason, initiator, .. } = closed;
                let is_clean = closed.clean && closed.cause == Cause::ClosingHandshake;
                let end = if is_clean { Ending::Closed } else { Ending::Lost };
                end(initiator, code, reason)
            }
        };
        Outcome { events: self.events, output: self.output, end, error: self.error }
    }
}

#[cfg(not(feature = "deflate"))]
fn negotiated(_: &Vector) -> Negotiated {
    Negotiated::new()
}

#[cfg(feature = "deflate")]
fn negotiated(vector: &Vector) -> Negotiated {
    let Some(parameters) = &vector.deflate else { return Negotiated::new() };
    let negotiated =
        Negotiated::new().extension(&format!("permessage-deflate{parameters}")).unwrap();
    let agreed = sansocket::DeflateParameters::from_response(&negotiated.extensions[0]).unwrap();
    negotiated.deflate(agreed)
}

/// A failure is one in all that there is to know about it.
fn failed(error: ReceiveError, closed: &Closed) -> Ending {
    let ReceiveError::Protocol(error) = error else { panic!("misuse: {error}") };
    assert_eq!(closed.cause, Cause::Protocol(error));
    assert!(!closed.clean);
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::ABNORMAL, ""));
    Ending::Failed(error.close_code())
}

fn text(data: &[u8]) -> &str {
    core::str::from_utf8(data).unwrap()
}
