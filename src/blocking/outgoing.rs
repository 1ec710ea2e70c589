//! The sending side of a blocking connection: all of it but the read buffer, so that a reply can be
//! sent while a received event borrows that.

use super::Transport;
use super::incoming::Line;
use super::shared::Board;
use super::transport::{Patience, Timed, earliest};
use crate::{
    CloseCode, Closed, Error, Kind, Payload, Reply, Role, SendError, Sender, State, TransportEnd,
    WriteBuffer,
    io::{Broken, WRITE_THROUGH_FROM, is_timeout},
};
use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;
use std::io::{self, ErrorKind};

#[derive(Debug)]
pub(super) struct Outgoing<S, R> {
    pub(super) sender: Sender<R>,
    pub(super) output: WriteBuffer,
    pub(super) transport: Timed<S>,
    broken: Broken,
    closed: Option<Box<Closed>>,
    /// What the reading half of a split connection has for this side.
    board: Option<Arc<Board>>,
}

/// How long a write of a split connection lasts before the writer looks at what the other half did.
const STEP: Duration = Duration::from_millis(200);

/// How long one lasts that must not wait, and how long a series of such.
const BRIEF_STEP: Duration = Duration::from_millis(1);
const BRIEF: Duration = Duration::from_millis(10);

impl<S: Transport, R: Role> Outgoing<S, R> {
    pub(super) fn new(transport: Timed<S>, sender: Sender<R>) -> Self {
        Self {
            sender,
            output: WriteBuffer::new(),
            transport,
            broken: Broken::default(),
            closed: None,
            board: None,
        }
    }

    /// Makes this the sending side of a split connection.
    pub(super) fn attach(&mut self, board: Arc<Board>) {
        self.board = Some(board);
    }

    /// Takes over what the reading half has for this side; true if there were replies. Not to be
    /// called amid a frame.
    pub(super) fn catch_up(&mut self) -> bool {
        let Some(board) = &self.board else { return false };
        let replies = board.take_replies();
        for reply in &replies {
            self.sender.reply(reply, &mut self.output);
        }
        if let Some(how) = board.ended() {
            self.end(how);
        }
        !replies.is_empty()
    }

    pub(super) fn feed(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        self.check_transport()?;
        match self.sender.send(payload, &mut self.output) {
            Err(full @ SendError::QueueFull { .. }) => {
                self.flush_for_room(full)?;
                Ok(self.sender.send(payload, &mut self.output)?)
            }
            outcome => Ok(outcome?),
        }
    }

    pub(super) fn feed_fragment(&mut self, piece: Payload<'_>, fin: bool) -> Result<(), Error> {
        self.check_transport()?;
        match self.sender.send_fragment(piece, fin, &mut self.output) {
            Err(full @ SendError::QueueFull { .. }) => {
                self.flush_for_room(full)?;
                Ok(self.sender.send_fragment(piece, fin, &mut self.output)?)
            }
            outcome => Ok(outcome?),
        }
    }

    pub(super) fn send(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        self.check_transport()?;
        match (payload, payload.borrowed()) {
            (_, Some((kind, data, compressible)))
                if self.writes_through(data.len(), compressible) =>
            {
                self.write_through(kind, data)
            }
            (Payload::Message(message), _) if self.writes_by_frames(message.as_bytes().len()) => {
                self.write_through(message.kind(), message.as_bytes())
            }
            _ => {
                self.feed(payload)?;
                self.flush()
            }
        }
    }

    pub(super) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.check_transport()?;
        self.sender.ping(payload, &mut self.output)?;
        self.flush()
    }

    pub(super) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.check_transport()?;
        self.sender.close(code, reason, &mut self.output)?;
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if self.output.is_empty() && !self.transport.is_unflushed() {
            return Ok(());
        }
        let written = self.write(&mut &[][..], None);
        self.checked(written)
    }

    /// Writes what the transport takes without waiting.
    pub(super) fn flush_briefly(&mut self) {
        if self.has_unwritten() {
            let written =
                self.write(&mut &[][..], Some(self.transport.now().saturating_add(BRIEF)));
            // The reading half hears of it when it is to wait no longer.
            let _ = self.checked(written);
        }
    }

    /// Sends a Close as far as the transport takes it without waiting, if none was sent.
    pub(super) fn close_briefly(&mut self, code: CloseCode) {
        if self.closed.is_none() && self.sender.state() == State::Open {
            // Open, with no reason and a code of this crate's, it can't be refused.
            let _ = self.sender.close(code, "", &mut self.output);
        }
        self.flush_briefly();
    }

    /// Whether something is left to write, and can still be.
    pub(super) fn has_unwritten(&self) -> bool {
        let waits = !self.output.is_empty() || self.transport.is_unflushed();
        waits && self.closed.is_none() && !self.broken.is_broken()
    }

    /// Writes because there is too much to queue more. If that would block, the message is not
    /// queued, which is another error than that it was and could not be written yet.
    fn flush_for_room(&mut self, full: SendError) -> Result<(), Error> {
        self.flush().map_err(|error| if error.is_would_block() { full.into() } else { error })
    }

    /// Fails if the transport has ended, or can't be written any more: that says more than that
    /// nothing can be sent.
    fn check_transport(&self) -> Result<(), Error> {
        match &self.closed {
            Some(closed) => Err(Error::Closed(closed.clone())),
            None if self.broken.is_broken() => Err(io::Error::from(ErrorKind::BrokenPipe).into()),
            None => Ok(()),
        }
    }

    pub(super) fn closed(&self) -> Option<&Closed> {
        self.closed.as_deref()
    }

    /// Notes how the transport ended, the first time.
    pub(super) fn end(&mut self, how: TransportEnd) -> &Closed {
        let is_unflushed = self.transport.is_unflushed();
        let all_written = self.output.is_empty() && !is_unflushed && !self.broken.is_broken();
        let how = self.broken.how(how);
        self.closed.get_or_insert_with(|| Box::new(self.sender.ended(how, all_written)))
    }

    pub(super) fn close_timeout_from_now(&self) -> Duration {
        self.transport.now().saturating_add(self.sender.close_timeout())
    }

    /// The moment at which waiting for the peer has to end.
    pub(super) fn deadline(&mut self) -> Option<Duration> {
        if self.sender.next_deadline() == Some(Duration::ZERO) {
            self.sender.pass_deadline(self.transport.now());
        }
        earliest(self.sender.next_deadline(), self.broken.until())
    }

    fn deadline_passed(&mut self) -> bool {
        let now = self.transport.now();
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    fn writes_through(&self, len: usize, compressible: bool) -> bool {
        // A masked payload has to be copied anyway (§5.3).
        !(compressible && self.sender.compresses(len))
            && ((!R::MASKS && len >= WRITE_THROUGH_FROM) || self.writes_by_frames(len))
    }

    /// Whether a message is queued only as it is written, so that replies of a reading half go out
    /// between its frames.
    fn writes_by_frames(&self, len: usize) -> bool {
        self.board.is_some() && len > self.sender.fragment_size() && !self.sender.compresses(len)
    }

    /// Sends a large borrowed payload in fragments, each written behind its header and what else is
    /// queued. Only what is to be masked is copied, and what the transport did not take.
    fn write_through(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Error> {
        let size = self.sender.fragment_size();
        if let Err(full @ SendError::QueueFull { .. }) = self.sender.check_message(&self.output) {
            self.flush_for_room(full)?;
        }
        let mut rest = payload;
        loop {
            let (mut piece, later) = rest.split_at(size.min(rest.len()));
            let len = piece.len() as u64;
            let key = self.sender.start_frame(kind, len, later.is_empty(), &mut self.output)?;
            if let Some(key) = key {
                self.output.extend_masked(piece, key);
                piece = &[];
            }
            let written = self.write(&mut piece, None);
            if written.as_ref().is_err_and(is_timeout) {
                self.output.extend_from_slice(piece);
                // §5.5.1: nothing follows a Close that has come between.
                if !later.is_empty() && self.sender.state() == State::Open {
                    self.sender.queue_rest(later, &mut self.output);
                }
            }
            self.checked(written)?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    /// Writes all that is queued, then `behind`. With a moment by which to stop, or at the deadline,
    /// it fails with `TimedOut`.
    fn write(&mut self, behind: &mut &[u8], stop_at: Option<Duration>) -> io::Result<()> {
        let step = match stop_at {
            Some(_) => Some(BRIEF_STEP),
            None => self.board.as_ref().map(|_| STEP),
        };
        loop {
            if self.closed.is_some() || self.broken.is_broken() || self.is_given_up() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let deadline = self.deadline();
            let patience = Patience { deadline: earliest(deadline, stop_at), step };
            let Self { sender, output, transport, board, .. } = self;
            let outcome = transport.write(output, behind, patience, |output| {
                sender.queue_owed(output);
                for reply in board.iter().flat_map(|board| board.take_replies()) {
                    sender.reply(&reply, output);
                }
            });
            let goes_on = outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut)
                && step == Some(STEP)
                && !self.deadline_passed();
            if !goes_on {
                return outcome;
            }
        }
    }

    /// Whether the reading half has come to the end of the transport.
    fn is_given_up(&self) -> bool {
        self.board.as_ref().is_some_and(|board| board.ended().is_some())
    }

    /// The outcome of a write for the user.
    fn checked(&mut self, written: io::Result<()>) -> Result<(), Error> {
        let Err(error) = written else { return Ok(()) };
        self.catch_up();
        self.check_transport()?;
        if error.kind() == ErrorKind::TimedOut && self.deadline_passed() {
            return Err(Error::Closed(Box::new(self.end(TransportEnd::Timeout).clone())));
        }
        if !is_timeout(&error) {
            self.broken.note(&error, self.close_timeout_from_now());
        }
        Err(error.into())
    }
}

/// The line of a connection that is not split: reading waits for writing only as long as the
/// transport does.
impl<S: Transport, R: Role> Line for Outgoing<S, R> {
    fn reply(&mut self, reply: Reply) {
        self.sender.reply(&reply, &mut self.output);
    }

    /// If writing has become impossible, what the peer sent before is read all the same: that says
    /// how the connection ended.
    fn flush(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(error) if error.is_would_block() => Err(error),
            _ => Ok(()),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        if self.closed.is_some() {
            return Ok(0);
        }
        let deadline = self.deadline();
        match self.transport.read_late(into, deadline) {
            Ok(0) => {
                self.end(TransportEnd::Eof);
                Ok(0)
            }
            Ok(count) => Ok(count),
            Err(error) => {
                let late = self.deadline_passed();
                self.read_failed(error, late)
            }
        }
    }

    fn shut_down(&mut self) -> Result<bool, Error> {
        if self.closed.is_some() {
            return Ok(true);
        }
        let deadline = self.deadline();
        match self.transport.shut_down(deadline) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::TimedOut && self.deadline_passed() => {
                self.end(TransportEnd::Timeout);
            }
            Err(error) if is_timeout(&error) => return Err(error.into()),
            Err(_) => {
                self.end(TransportEnd::Reset);
            }
        }
        Ok(true)
    }

    fn hang_up(&mut self) {
        self.transport.end();
    }

    fn end(&mut self, how: TransportEnd) {
        self.end(how);
    }

    fn closed(&self) -> Option<Closed> {
        self.closed().cloned()
    }
}
