//! The receiving half: bytes in, events out (RFC 6455 §5, §6.2).

mod finding;
mod in_progress;
#[cfg(feature = "deflate")]
mod inflating;
mod plain;

use self::in_progress::{FrameInProgress, MessageInProgress};
#[cfg(feature = "deflate")]
use self::inflating::Inflating;
use super::config::SharedConfig;
use super::{Chunk, Event, Kind, Message, ProtocolError, ReceiveError, Reply, Role};
use crate::buffer::ReadBuffer;
use crate::buffer::memory::{Heap, Memory, Source};
use crate::frame::{CloseCode, CloseFrame, Rsv};
use crate::negotiated::Negotiated;
use alloc::boxed::Box;
use core::marker::PhantomData;

/// What [`Receiver::advance`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the outcomes there can be")]
pub enum Progress {
    /// There is an event: look at it, then advance again.
    Event,
    /// There is no event yet, but buffered input is left to process: advance again, without waiting for input. One
    /// advance does at most 256 KiB of work, so that others have their turn.
    More,
    /// No whole event is left in what is buffered: fill in more.
    NeedsInput,
    /// The connection has ended: nothing more will be received.
    Ended,
}

impl Progress {
    /// Whether to advance again at once, after you have looked at the event if there is one.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Event, Negotiated, ReadBuffer, Server, WriteBuffer};
    ///
    /// let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    /// let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    /// input.extend_from_slice(&[0x82, 0x81, 0, 0, 0, 0, 7]);
    /// let mut seen = Vec::new();
    /// while connection.advance(&mut input, &mut output)?.goes_on() {
    ///     if let Some(Event::Binary(data)) = connection.event(&input) {
    ///         seen.extend_from_slice(data);
    ///     }
    /// }
    /// assert_eq!(seen, [7]);
    /// # Ok::<(), sansocket::ReceiveError>(())
    /// ```
    #[must_use]
    pub const fn goes_on(self) -> bool {
        matches!(self, Self::Event | Self::More)
    }
}

/// What one advance does at most, in bytes that are consumed or made of compressed ones. Frames and restarts of
/// decompression count too.
const MOST_WORK: usize = 256 << 10;

/// What a frame counts for beside its bytes.
const WORK_OF_FRAME: usize = 64;

/// The receiving half of a connection.
///
/// It sends nothing itself: after each [`advance`](Self::advance) it may owe the peer a
/// [`reply`](Self::reply), which is for the sending half.
#[derive(Debug)]
pub struct Receiver<R> {
    config: SharedConfig,
    #[cfg(feature = "deflate")]
    inflating: Option<Box<Inflating>>,
    /// The read buffer that is advanced through: 0 is none.
    buffer: u32,
    /// The shortest payload of a plain frame that the limits have to be asked about.
    limit_of_plain: u16,
    frame: Option<FrameInProgress>,
    message: Option<MessageInProgress>,
    current: Option<Current>,
    owes_reply: bool,
    /// Whether the peer's Close has come, or the connection has failed.
    ended: bool,
    failure: Option<Box<ProtocolError>>,
    role: PhantomData<fn() -> R>,
}

/// What the last `advance` found, still in the read buffer.
#[derive(Clone, Copy, Debug)]
enum Current {
    Message(Kind),
    Chunk {
        kind: Kind,
        len: usize,
        first: bool,
        last: bool,
    },
    Ping {
        len: usize,
    },
    Pong {
        len: usize,
    },
    /// Of which the reason is kept.
    Close(Option<CloseCode>),
}

impl<R: Role> Receiver<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
    pub(super) fn new(config: SharedConfig, negotiated: &Negotiated) -> Self {
        #[cfg(feature = "deflate")]
        let inflating = negotiated.deflate.map(|agreed| Box::new(Inflating::new::<R>(&agreed)));
        Self {
            limit_of_plain: Self::limit_of_plain(&config.limits),
            config,
            #[cfg(feature = "deflate")]
            inflating,
            buffer: 0,
            frame: None,
            message: None,
            current: None,
            owes_reply: false,
            ended: false,
            failure: None,
            role: PhantomData,
        }
    }

    /// Uses what is buffered up to the next event: a whole message or a control frame. That may take
    /// [several](Progress::More) advances.
    ///
    /// What the last event lent is released by it.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Protocol`] for what the peer did wrong, from then on at every call. The
    /// other errors are misuse and change nothing.
    #[inline]
    pub fn advance(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        let Some(kind) = self.receive_plain(input) else { return self.step(input, false) };
        if kind == Kind::Text && !input.validate_whole() {
            return self.locate_fault(input);
        }
        self.current = Some(Current::Message(kind));
        Ok(Progress::Event)
    }

    /// As [`advance`](Self::advance), but up to the next piece of a message: look at it with
    /// [`chunk`](Self::chunk).
    ///
    /// The limits of frame, message and fragments don't bound memory here and do not apply.
    ///
    /// # Errors
    ///
    /// As for [`advance`](Self::advance).
    pub fn advance_chunk(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        self.step(input, true)
    }

    /// As [`advance_chunk`](Self::advance_chunk), for a caller that drops what it receives. In chunks no
    /// message is too large. A message that was begun whole is received whole to its end.
    #[cfg(feature = "std")]
    pub(crate) fn advance_unseen(
        &mut self,
        input: &mut ReadBuffer,
    ) -> Result<Progress, ReceiveError> {
        match self.advance_chunk(input) {
            Err(ReceiveError::MixedModes) => self.advance(input),
            progress => progress,
        }
    }

    /// The event that the last [`advance`](Self::advance) found; `None` if it found none.
    // Always: an event is made where it is looked at, and not moved through memory.
    #[inline(always)]
    #[must_use]
    pub fn event<'b>(&self, input: &'b ReadBuffer) -> Option<Event<'b>> {
        if self.buffer != input.id() {
            return None;
        }
        match self.current? {
            Current::Message(Kind::Text) => Some(Event::Text(input.kept_text(input.kept_len()))),
            Current::Message(Kind::Binary) => Some(Event::Binary(input.kept())),
            _ => self.control_event(input),
        }
    }

    /// The chunk that the last [`advance_chunk`](Self::advance_chunk) found; `None` if it found
    /// none.
    #[must_use]
    pub fn chunk<'b>(&self, input: &'b ReadBuffer) -> Option<Chunk<'b>> {
        match self.current_in(input)? {
            Current::Chunk { kind, len, first, last } => {
                let event = match kind {
                    Kind::Text => Event::Text(input.kept_text(len)),
                    Kind::Binary => Event::Binary(input.kept().get(..len)?),
                };
                Some(Chunk { event, first, last })
            }
            Current::Message(_) => None,
            _ => {
                let event = self.control_event(input)?;
                Some(Chunk { event, first: true, last: true })
            }
        }
    }

    /// Makes the current event owned, if it is a whole message; it is not lent any more then.
    ///
    /// A message of 64 KiB or more that fills at least half of the buffer's memory is handed over with
    /// that memory, any other is copied.
    pub fn take_message(&mut self, input: &mut ReadBuffer) -> Option<Message> {
        self.take_message_of(input, &Heap)
    }

    /// As [`take_message`](Self::take_message), where the buffer's memory is to come from `memory`, and
    /// that of the message to go there: so messages are handed over from
    /// [fewer bytes](Memory::leaves_from) on. What was decompressed is memory of its own.
    pub fn take_message_with(
        &mut self,
        input: &mut ReadBuffer,
        memory: &impl Memory,
    ) -> Option<Message> {
        self.take_message_of(input, memory)
    }

    fn take_message_of(&mut self, input: &mut ReadBuffer, source: &impl Source) -> Option<Message> {
        let Some(Current::Message(kind)) = self.current_in(input) else { return None };
        self.current = None;
        Some(match kind {
            Kind::Text => Message::Text(input.take_kept_text(source)),
            Kind::Binary => Message::Binary(input.take_kept(source)),
        })
    }

    /// The answer that is owed for what the last advance found, once. It is for
    /// [`Sender::reply`](super::Sender::reply).
    pub fn reply(&mut self, input: &ReadBuffer) -> Option<Reply> {
        if !self.owes_reply || self.buffer != input.id() {
            return None;
        }
        self.owes_reply = false;
        if let Some(error) = self.failure() {
            return Some(Reply::Failure(error));
        }
        match self.current_in(input)? {
            Current::Ping { len } => Some(Reply::Pong(input.unread().get(..len)?.into())),
            Current::Close(code) => {
                Some(Reply::Close { code, reason: input.kept_text(input.kept_len()).into() })
            }
            Current::Message(_) | Current::Chunk { .. } | Current::Pong { .. } => None,
        }
    }

    /// Whether there is a [`reply`](Self::reply).
    #[must_use]
    pub const fn owes_reply(&self) -> bool {
        self.owes_reply
    }

    /// Whether the peer's Close has come, or the connection has failed.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn failure(&self) -> Option<ProtocolError> {
        self.failure.as_deref().copied()
    }

    #[inline]
    fn current_in(&self, input: &ReadBuffer) -> Option<Current> {
        self.current.filter(|_| self.buffer == input.id())
    }

    // Out of line, as what follows: so the way of most messages stays short.
    #[inline(never)]
    fn step(&mut self, input: &mut ReadBuffer, chunked: bool) -> Result<Progress, ReceiveError> {
        if !self.is_used_with(input) {
            if self.ended {
                return self.drop_after_end(input);
            }
            return Err(ReceiveError::ForeignBuffer);
        }
        let is_mixed = self.message.is_some_and(|message| message.chunked != chunked);
        if is_mixed && !self.has_ended() {
            return Err(ReceiveError::MixedModes);
        }
        self.release_current(input);
        if self.ended {
            return self.drop_after_end(input);
        }
        self.find_event(input, chunked).map_err(|error| self.fail(error))
    }

    /// Whether this is the buffer that it is advanced through, from now on if there was none.
    #[inline]
    fn is_used_with(&mut self, input: &ReadBuffer) -> bool {
        self.buffer == input.id() || self.takes_to(input)
    }

    fn takes_to(&mut self, input: &ReadBuffer) -> bool {
        let has_none = self.buffer == 0;
        if has_none {
            self.buffer = input.id();
        }
        has_none
    }

    /// Says where a whole message ceases to be text.
    #[cold]
    fn locate_fault(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        self.current = None;
        let message = MessageInProgress::new(Kind::Text, Rsv::NONE, false);
        message
            .validate(input)
            .and_then(|len| message.check_end(len, input))
            .map_err(|error| self.fail(error))?;
        Ok(Progress::Event)
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError) -> ReceiveError {
        self.failure = Some(Box::new(error));
        self.ended = true;
        self.owes_reply = true;
        // Nothing more is received.
        #[cfg(feature = "deflate")]
        {
            self.inflating = None;
        }
        error.into()
    }

    /// Lets go of the read buffer, if nothing is left in it; whether that is so.
    ///
    /// A receiver keeps to the buffer that it was first advanced through, and refuses any other with
    /// [`ReceiveError::ForeignBuffer`]. Where buffers do not belong to connections but are lent to them, as
    /// by `sansocket::pool`, ask this before you wait, when an advance has come to something else than
    /// an event. If it is true, the buffer can be given back, and the next advance takes to the one
    /// that it is called with. If it is false, the buffer has to stay: some of a frame or a message, or an
    /// event that is lent, is still in it.
    ///
    /// If you keep a buffer for each connection, you never need to ask this. A write buffer can be another one
    /// at any time once it is empty.
    pub fn let_go(&mut self, input: &ReadBuffer) -> bool {
        // If it has none, it waited before.
        let has_none = self.buffer == 0 || self.current.is_none() && input.is_drained();
        if has_none {
            self.buffer = 0;
        }
        has_none
    }

    /// Whether no message has begun to come whose rest has not, so that either way to advance is right.
    #[inline]
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.message.is_none()
    }

    /// The work of decompression since this was asked last, for a shell that counts it: bytes that were made, and
    /// restarts.
    #[allow(dead_code, reason = "not every shell does")]
    #[inline]
    pub(crate) fn take_inflating_work(&mut self) -> u32 {
        #[cfg(feature = "deflate")]
        if let Some(inflating) = &mut self.inflating {
            return inflating.take_work();
        }
        0
    }

    /// Lends nothing any more, and drops what is buffered.
    pub(super) fn discard(&mut self, input: &mut ReadBuffer) {
        if self.is_used_with(input) {
            self.release_current(input);
            Self::drop_all(input);
        }
    }

    /// What comes after the end is not looked at, so it is not kept either, whatever buffer it is in.
    fn drop_after_end(&self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        Self::drop_all(input);
        self.failure().map_or(Ok(Progress::Ended), |error| Err(error.into()))
    }

    fn drop_all(input: &mut ReadBuffer) {
        input.release();
        input.skip(usize::MAX);
        input.set_wanted(0);
    }

    #[inline]
    fn release_current(&mut self, input: &mut ReadBuffer) {
        match self.current.take() {
            None => {}
            Some(Current::Message(_) | Current::Close(_)) => input.release(),
            Some(Current::Chunk { len, .. }) => input.release_front(len),
            Some(Current::Ping { len } | Current::Pong { len }) => input.skip(len),
        }
    }

    #[cold]
    fn control_event<'b>(&self, input: &'b ReadBuffer) -> Option<Event<'b>> {
        match self.current? {
            Current::Ping { len } => Some(Event::Ping(input.unread().get(..len)?)),
            Current::Pong { len } => Some(Event::Pong(input.unread().get(..len)?)),
            Current::Close(code) => {
                let reason = input.kept_text(input.kept_len());
                Some(Event::Close(code.map(|code| CloseFrame { code, reason })))
            }
            Current::Message(_) | Current::Chunk { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Connection, Server};

    #[test]
    fn what_comes_after_the_end_takes_no_memory() {
        // A Close; a reserved opcode behind half of a message.
        let ends = [&[0x88, 0x80, 0, 0, 0, 0][..], &[0x02, 0x83, 0, 0, 0, 0, 1, 2, 3, 0x83, 0x80]];
        for (end, takes_chunks) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
            let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
            let (mut receiver, _) = connection.split();
            let advance = if takes_chunks { Receiver::advance_chunk } else { Receiver::advance };
            let mut input = ReadBuffer::new();
            input.extend_from_slice(end);
            while !receiver.has_ended() {
                let _ = advance(&mut receiver, &mut input);
            }
            let last = advance(&mut receiver, &mut input);
            for _ in 0..1000 {
                input.extend_from_slice(&[0; 1000]);
                assert_eq!(advance(&mut receiver, &mut input), last);
                assert!(input.is_drained());
            }
            assert!(input.capacity() < 20_000, "{input:?}");
        }
    }
    #[test]
    fn a_close_takes_the_place_of_a_message_in_progress() {
        // Half of a text, cut amid a character; then a Close with a reason.
        let text = [0x01, 0x82, 0, 0, 0, 0, b'a', 0xc3];
        let close = [0x88, 0x84, 0, 0, 0, 0, 3, 232, 0xc3, 0xa9];
        let code = CloseCode::NORMAL;
        for takes_chunks in [false, true] {
            let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
            let (mut receiver, _) = connection.split();
            let advance = if takes_chunks { Receiver::advance_chunk } else { Receiver::advance };
            let mut input = ReadBuffer::new();
            input.extend_from_slice(&text);
            let _ = advance(&mut receiver, &mut input);
            input.extend_from_slice(&close);
            assert_eq!(advance(&mut receiver, &mut input), Ok(Progress::Event));
            // More input may move what is lent.
            input.extend_from_slice(&[0xff; 10_000]);
            let event = Event::Close(Some(CloseFrame { code, reason: "\u{e9}" }));
            let seen = if takes_chunks {
                receiver.chunk(&input).map(|chunk| chunk.event)
            } else {
                receiver.event(&input)
            };
            assert_eq!(seen, Some(event));
            let reply = Reply::Close { code: Some(code), reason: "\u{e9}".into() };
            assert_eq!(receiver.reply(&input), Some(reply));
            assert_eq!(receiver.reply(&input), None);
            assert_eq!(advance(&mut receiver, &mut input), Ok(Progress::Ended));
        }
    }
}
