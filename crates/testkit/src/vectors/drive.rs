//! Drives one connection through a vector, with each method of receiving that this crate has.

use super::format::{Action, Ending, Hex, Seen, Step, Vector};
use crate::traffic::frames;
use sansocket::{
    CloseCode, Closed, Config, Message, State,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{
        Cause, Client, Connection, MessageKind, Progress, ReceiveError, Receiver, Role, SendError,
        Sender, Server, TransportEnd,
    },
    frame::{FrameHeader, OpCode},
    handshake::Negotiated,
    mask::{MaskKey, apply_mask},
};

/// A way to use a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whole messages, borrowed from the read buffer.
    Borrowed,
    /// Whole messages, owned.
    Owned,
    /// Messages in chunks, which are joined here.
    Chunks,
    /// The two halves of a connection, with the replies carried between them.
    Halves,
}

/// Runs a vector with its input cut at `cuts`, ascending positions in the concatenated input.
///
/// The error describes the difference from the expected outcome.
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

/// The outcome of a vector's script.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The events received.
    pub events: Vec<Seen>,
    /// The bytes sent.
    pub output: Vec<u8>,
    /// How the connection ended.
    pub end: Ending,
    /// The error from receiving.
    pub error: Option<ReceiveError>,
}

/// Returns the outcome of a vector whose input is cut at `cuts` and received in this way.
///
/// The error describes how the crate contradicts itself.
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
    /// The message whose chunks are arriving.
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
            let (sender, receiver) = connection.split();
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
                    self.act(action).map_err(|error| format!("{action:?} was refused: {error}"))?;
                }
                // A half by itself is not told about the end of the transport.
                Step::Refuse(_) if eof && way_has_halves => {}
                Step::Refuse(action) => {
                    let sent_before = self.output.len();
                    let is_done = self.act(action).is_ok();
                    // A second Close may be ignored instead.
                    let is_passed_over =
                        matches!(action, Action::Close(..)) && self.output.len() == sent_before;
                    if is_done && !is_passed_over {
                        return Err(format!("{action:?} was not refused"));
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
                        return Err(format!("at a check: events {seen:?}, output {sent}"));
                    }
                }
            }
        }
        Ok(self.finish(eof))
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.input.extend_from_slice(bytes);
        loop {
            let sent_before = self.output.len();
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
                    if self.error.is_none() {
                        leave_out_reason(error, &mut self.output, sent_before);
                    }
                    if *self.error.get_or_insert(error) != error {
                        return Err(format!("first {:?}, then {error:?}", self.error));
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Returns `true` if there is an event or a chunk.
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

    /// Records the current event or chunk.
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
                Action::Send(MessageKind::Text, data) => end.send_text(text(data), queue),
                Action::Send(MessageKind::Binary, data) => end.send_binary(data, queue),
                Action::Fragment(MessageKind::Text, is_last, data) => {
                    end.send_fragment(text(data), *is_last, queue)
                }
                Action::Fragment(MessageKind::Binary, is_last, data) => {
                    end.send_fragment(data, *is_last, queue)
                }
                Action::Ping(data) => end.ping(data, queue),
                Action::Pong(data) => end.pong(data, queue),
                Action::Close(code, reason) => end.close(*code, reason, queue),
            },
            Ends::Halves(_, end) => match action {
                Action::Send(MessageKind::Text, data) => {
                    end.send(Message::text(text(data).to_owned()), queue)
                }
                Action::Send(MessageKind::Binary, data) => {
                    end.send(Message::binary(data.clone()), queue)
                }
                Action::Fragment(MessageKind::Text, is_last, data) => {
                    end.send_fragment(text(data), *is_last, queue)
                }
                Action::Fragment(MessageKind::Binary, is_last, data) => {
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

    /// Writes all queued bytes.
    fn drain(&mut self) {
        while !self.queue.is_empty() {
            let count = self.queue.front().len();
            self.output.extend_from_slice(self.queue.front());
            self.queue.consume(count);
            match &mut self.ends {
                Ends::Joined(connection) => connection.queue_pending_pong(&mut self.queue),
                Ends::Halves(_, sender) => sender.queue_pending_pong(&mut self.queue),
            }
        }
    }

    fn finish(self, eof: bool) -> Outcome {
        let mut connection = match self.ends {
            Ends::Joined(connection) => connection,
            Ends::Halves(receiver, sender) => Connection::join(sender, receiver),
        };
        let state = connection.state();
        let has_peer_closed = self.events.iter().any(|seen| matches!(seen, Seen::Close(_)));
        let closed = connection.transport_ended(TransportEnd::Eof, &self.queue).clone();
        let end = match (self.error, state) {
            (Some(error), _) => failed(error, &closed),
            (None, State::Open) if !eof => Ending::Open,
            (None, State::Closing) if !eof && !has_peer_closed => Ending::Closing,
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
    let agreed =
        sansocket::deflate::DeflateParameters::from_response(&negotiated.extensions[0]).unwrap();
    negotiated.deflate(agreed)
}

/// Checks that the error and the connection's end agree in every detail.
fn failed(error: ReceiveError, closed: &Closed) -> Ending {
    let ReceiveError::Protocol(error) = error else { panic!("misuse: {error}") };
    assert_eq!(closed.cause, Cause::Protocol(error));
    assert!(!closed.clean);
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::ABNORMAL, ""));
    Ending::Failed(error.close_code())
}

/// Checks the reason of the Close that fails the connection and removes it, since its text is up to
/// the implementation.
fn leave_out_reason(error: ReceiveError, output: &mut Vec<u8>, from: usize) {
    let Some(&(at, OpCode::Close)) = frames(&output[from..]).last() else { return };
    let mut frame = output.split_off(from + at);
    let (header, len) = FrameHeader::parse(&frame).unwrap().unwrap();
    let unmask =
        |bytes: &mut [u8]| header.mask.into_iter().for_each(|key| apply_mask(bytes, key, 0));
    unmask(&mut frame[len..]);
    let ReceiveError::Protocol(why) = error else { panic!("misuse: {error}") };
    let text = why.to_string();
    assert_eq!(frame[len + 2..], text.as_bytes()[..text.len().min(123)], "{why}");
    frame.truncate(len + 2);
    unmask(&mut frame[len..]);
    frame[1] = frame[1] & 0x80 | 2;
    output.extend(frame);
}

fn text(data: &[u8]) -> &str {
    core::str::from_utf8(data).unwrap()
}
