//! The receiving half of a connection: bytes in, events out (RFC 6455 §5, §6.2).

mod finding;
mod in_progress;
#[cfg(feature = "deflate")]
mod inflating;
mod progress;
mod single_frame;
mod traffic;

use self::in_progress::{FrameInProgress, MessageInProgress};
#[cfg(feature = "deflate")]
use self::inflating::Inflating;
pub use self::progress::Progress;
use self::traffic::Rare;
#[cfg(feature = "std")]
pub(crate) use self::traffic::{Traffic, TrafficLimit};
use super::shared_config::SharedConfig;
use super::{
    Chunk, Config, Event, Message, MessageKind, ProtocolError, ReceiveError, Received, Reply, Role,
};
use crate::buffer::ReadBuffer;
use crate::buffer::memory::{Heap, Memory, Source};
use crate::frame::{CloseCode, CloseFrame, Rsv};
use crate::negotiated::Negotiated;
use alloc::boxed::Box;
use core::marker::PhantomData;

/// The most work that one call of `advance` does, in bytes consumed plus bytes decompressed. Frames
/// and restarts of decompression count as work too.
const MOST_WORK: usize = 256 << 10;

/// The work that a frame counts as, in addition to its bytes.
const WORK_OF_FRAME: usize = 64;

/// The receiving half of a connection.
///
/// A receiver sends nothing itself. After each [`advance`](Self::advance), it may owe the peer a
/// [`reply`](Self::reply), which you pass to the sending half.
#[derive(Debug)]
pub struct Receiver<R> {
    config: SharedConfig,
    #[cfg(feature = "deflate")]
    inflating: Option<Box<Inflating>>,
    /// Id of the bound read buffer; 0 means unbound.
    buffer: u32,
    /// The shortest payload of a plain frame that has to be checked against the limits.
    limit_of_plain: u16,
    frame: Option<FrameInProgress>,
    message: Option<MessageInProgress>,
    current: Option<Current>,
    owes: Owes,
    heard: Heard,
    /// Boxed, because most connections never have it.
    rare: Option<Box<Rare>>,
    role: PhantomData<fn() -> R>,
}

/// What the sending half has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owes {
    Nothing,
    /// What to reply to the current event, or to a failure.
    Reply,
    /// What has arrived of the peer's messages.
    Received,
}

/// What the peer has sent since the sending half was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing, or control frames inside a message.
    Nothing,
    /// A part of a message, but not its end.
    Part,
    /// A control frame between messages.
    Control,
    /// The end of a message, or a part of a message and a control frame between messages.
    Message,
    /// The peer's Close, or a fault that has failed the connection. This stays.
    End,
}

/// What the last `advance` found; the bytes are still in the read buffer.
#[derive(Clone, Copy, Debug)]
enum Current {
    Message(MessageKind),
    Chunk {
        kind: MessageKind,
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
    /// The code of a Close; the read buffer keeps the reason.
    Close(Option<CloseCode>),
}

impl<R: Role> Receiver<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(super) fn new(config: SharedConfig, settings: &Config, negotiated: &Negotiated) -> Self {
        #[cfg(feature = "deflate")]
        let inflating = negotiated
            .deflate
            .map(|agreed| Box::new(Inflating::new::<R>(&agreed, negotiated.reservation.clone())));
        let limit_of_plain = Self::limit_of_plain(&config.limits);
        Self {
            // The path of plain messages does not count, so that it stays as short as it is. With
            // counters, no message takes it.
            limit_of_plain: if settings.counters { 0 } else { limit_of_plain },
            config,
            #[cfg(feature = "deflate")]
            inflating,
            buffer: 0,
            frame: None,
            message: None,
            current: None,
            owes: Owes::Nothing,
            heard: Heard::Nothing,
            rare: Rare::new(settings, limit_of_plain).map(Box::new),
            role: PhantomData,
        }
    }

    /// Processes buffered input up to the next event: a whole message or a control frame. This may
    /// take [several](Progress::More) calls.
    ///
    /// A call releases the bytes that the last event borrowed.
    ///
    /// # Errors
    ///
    /// - [`ReceiveError::Protocol`]: the peer is at fault. Every later call returns the same error.
    /// - [`ReceiveError::ForeignBuffer`]: `input` is not the bound buffer; see
    ///   [`unbind`](Self::unbind). Nothing changes.
    /// - [`ReceiveError::MixedModes`]: the message in progress is received the other way. Nothing
    ///   changes.
    #[inline]
    pub fn advance(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        let Some(kind) = self.receive_plain(self.limit_of_plain, input) else {
            return self.advance_general(input);
        };
        self.find_plain(kind, input)
    }

    /// Like [`advance`](Self::advance), but stops at the next piece of a message. Read the piece
    /// with [`chunk`](Self::chunk). If you do not need the rest of a message,
    /// [skip](Self::skip_message) it.
    ///
    /// The limits on frames, messages and fragments do not apply here, because they do not bound
    /// memory.
    ///
    /// # Errors
    ///
    /// - [`ReceiveError::Protocol`]: the peer is at fault. Every later call returns the same error.
    /// - [`ReceiveError::ForeignBuffer`]: `input` is not the bound buffer; see
    ///   [`unbind`](Self::unbind). Nothing changes.
    /// - [`ReceiveError::MixedModes`]: the message in progress is received the other way. Nothing
    ///   changes.
    pub fn advance_chunk(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        self.step(input, true)
    }

    /// Skips the rest of the message of which [`advance_chunk`](Self::advance_chunk) has found a
    /// chunk. The next call of either method then goes on behind that message, so that you can change
    /// from chunks to whole messages.
    ///
    /// The rest still has to arrive, and must be valid: it is checked and, if it is compressed,
    /// decompressed, because later messages can refer to it (RFC 7692 §7.2.3.2). It takes no memory.
    ///
    /// Does nothing if there is no such message: between messages, or if all chunks were found, or
    /// none.
    ///
    /// ```
    /// use sansocket::connection::{Connection, Progress, Server};
    /// use sansocket::{Config, Event, buffer::ReadBuffer, handshake::Negotiated};
    ///
    /// let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    /// let (_, mut receiver) = connection.split();
    /// let mut input = ReadBuffer::new();
    /// // The first fragment of a binary message, the rest of it, and a text.
    /// input.extend_from_slice(&[0x02, 0x81, 0, 0, 0, 0, 7]);
    /// assert_eq!(receiver.advance_chunk(&mut input)?, Progress::Event);
    /// receiver.skip_message();
    /// input.extend_from_slice(&[0x80, 0x82, 0, 0, 0, 0, 8, 9, 0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    /// assert_eq!(receiver.advance(&mut input)?, Progress::Event);
    /// assert_eq!(receiver.event(&input), Some(Event::Text("hi")));
    /// # Ok::<(), sansocket::connection::ReceiveError>(())
    /// ```
    pub fn skip_message(&mut self) {
        if let Some(message) = &mut self.message {
            message.skip();
        }
    }

    /// Like [`advance_chunk`](Self::advance_chunk), for a caller that discards what it receives: in
    /// chunks, no message is too large. A message that began whole is received whole to its end.
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

    /// Returns the event that the last [`advance`](Self::advance) found, or `None` if it found
    /// none.
    // Always inlined, so that an event is built where it is used and not moved through memory.
    #[inline(always)]
    #[must_use]
    pub fn event<'b>(&self, input: &'b ReadBuffer) -> Option<Event<'b>> {
        if self.buffer != input.id() {
            return None;
        }
        match self.current? {
            Current::Message(MessageKind::Text) => {
                Some(Event::Text(input.kept_text(input.kept_len())))
            }
            Current::Message(MessageKind::Binary) => Some(Event::Binary(input.kept())),
            Current::Ping { len } => Some(Event::Ping(control_payload(input, len)?)),
            Current::Pong { len } => Some(Event::Pong(control_payload(input, len)?)),
            Current::Close(code) => {
                let reason = close_reason(input);
                Some(Event::Close(code.map(|code| CloseFrame { code, reason })))
            }
            Current::Chunk { .. } => None,
        }
    }

    /// Returns the chunk that the last [`advance_chunk`](Self::advance_chunk) found, or `None` if
    /// it found none.
    #[must_use]
    pub fn chunk<'b>(&self, input: &'b ReadBuffer) -> Option<Chunk<'b>> {
        match self.current_in(input)? {
            Current::Chunk { kind, len, first, last } => {
                let event = match kind {
                    MessageKind::Text => Event::Text(input.kept_text(len)),
                    MessageKind::Binary => Event::Binary(input.kept().get(..len)?),
                };
                Some(Chunk { event, first, last })
            }
            Current::Message(_) => None,
            _ => Some(Chunk { event: self.event(input)?, first: true, last: true }),
        }
    }

    /// Takes the current event as an owned message, if it is a whole message.
    /// [`event`](Self::event) then no longer returns it.
    ///
    /// A message of 64 KiB or more that fills at least half of the buffer's memory takes that
    /// memory along. Any other message is copied.
    pub fn take_message(&mut self, input: &mut ReadBuffer) -> Option<Message> {
        self.take_message_of(input, &Heap)
    }

    /// Like [`take_message`](Self::take_message), but the buffer leases its next memory from
    /// `memory`, and dropping the message releases the message's memory to it. Messages then take
    /// their memory along from [fewer bytes](Memory::leaves_from) on. A decompressed message always
    /// has memory of its own.
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
        self.heard(Heard::Message);
        Some(match kind {
            MessageKind::Text => Message::Text(input.take_kept_text(source)),
            MessageKind::Binary => Message::Binary(input.take_kept(source)),
        })
    }

    /// Returns the reply that is owed for what the last `advance` found, once. Pass it to
    /// [`Sender::reply`](super::Sender::reply).
    pub fn reply(&mut self, input: &ReadBuffer) -> Option<Reply> {
        if let (Owes::Reply, Some(error)) = (self.owes, self.failure()) {
            self.owes = Owes::Nothing;
            return Some(Reply::Failure(error));
        }
        if self.owes == Owes::Nothing || self.buffer != input.id() {
            return None;
        }
        if core::mem::replace(&mut self.owes, Owes::Nothing) == Owes::Received {
            return Some(Reply::Received(self.take_received(input)));
        }
        match self.current_in(input)? {
            Current::Ping { len } => Some(Reply::Pong(input.unread().get(..len)?.into())),
            Current::Close(code) => {
                Some(Reply::Close { code, reason: input.kept_text(input.kept_len()).into() })
            }
            Current::Pong { len } => Some(Reply::PongReceived(input.unread().get(..len)?.into())),
            Current::Message(_) | Current::Chunk { .. } => None,
        }
    }

    /// Returns `true` if a [`reply`](Self::reply) is owed.
    #[must_use]
    pub const fn owes_reply(&self) -> bool {
        !matches!(self.owes, Owes::Nothing)
    }

    /// Returns `true` if the peer's Close has arrived or the connection has failed.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.heard, Heard::End)
    }

    pub(super) fn failure(&self) -> Option<ProtocolError> {
        self.rare.as_ref()?.failure
    }

    #[inline]
    fn current_in(&self, input: &ReadBuffer) -> Option<Current> {
        self.current.filter(|_| self.buffer == input.id())
    }

    /// Works like [`advance`](Self::advance), for any input.
    // Out of line, like everything it calls, to keep the path of most messages short.
    #[inline(never)]
    fn advance_general(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        let Some(kind) = self.receive_counted_plain(input) else { return self.step(input, false) };
        self.find_plain(kind, input)
    }

    /// Validates a plain message that was received.
    #[inline(always)]
    fn find_plain(
        &mut self,
        kind: MessageKind,
        input: &mut ReadBuffer,
    ) -> Result<Progress, ReceiveError> {
        if kind == MessageKind::Text && !input.validate_whole() {
            return self.locate_fault(input);
        }
        self.current = Some(Current::Message(kind));
        Ok(Progress::Event)
    }

    #[inline(never)]
    fn step(&mut self, input: &mut ReadBuffer, chunked: bool) -> Result<Progress, ReceiveError> {
        if !self.is_used_with(input) {
            if self.has_ended() {
                return self.drop_after_end(input);
            }
            return Err(ReceiveError::ForeignBuffer);
        }
        let is_mixed = self.message.is_some_and(|message| !message.fits(chunked));
        if is_mixed && !self.has_ended() {
            return Err(ReceiveError::MixedModes);
        }
        self.release_current(input);
        if self.has_ended() {
            return self.drop_after_end(input);
        }
        let progress = self.find_event(input, chunked).map_err(|error| self.fail(error))?;
        if self.rare.is_some() {
            self.count_held(progress, input)?;
        }
        if progress == Progress::NeedsInput && self.config.watches_messages() {
            self.owes = Owes::Received;
        }
        Ok(progress)
    }

    /// Returns `true` if `input` is the bound buffer. Binds it if the receiver is unbound.
    #[inline]
    fn is_used_with(&mut self, input: &ReadBuffer) -> bool {
        self.buffer == input.id() || self.adopts(input)
    }

    fn adopts(&mut self, input: &ReadBuffer) -> bool {
        let has_none = self.buffer == 0;
        if has_none {
            self.buffer = input.id();
        }
        has_none
    }

    /// Finds the first invalid byte of a whole text message, and fails the connection.
    #[cold]
    fn locate_fault(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        self.current = None;
        let message = MessageInProgress::new(MessageKind::Text, Rsv::NONE, false);
        message
            .validate(input)
            .and_then(|len| message.check_end(len, input))
            .map_err(|error| self.fail(error))?;
        Ok(Progress::Event)
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError) -> ReceiveError {
        self.rare.get_or_insert_default().failure = Some(error);
        self.heard = Heard::End;
        self.owes = Owes::Reply;
        // What is buffered is useless now, and its owner drops it.
        self.hold_nothing();
        // Nothing more is received, so free the decompressor.
        #[cfg(feature = "deflate")]
        {
            self.inflating = None;
        }
        error.into()
    }

    /// Unbinds the read buffer if it is empty. Returns `true` if the receiver is now unbound.
    ///
    /// A receiver is bound to the first buffer that it advances through, and refuses any other with
    /// [`ReceiveError::ForeignBuffer`]. You need this method if connections do not own their
    /// buffers but lease them, as with `sansocket::pool`. Call it before you wait, once an advance
    /// has returned anything other than an event. If the method returns `true`, you can give back
    /// the buffer, and the next advance binds the buffer that you pass to it. If it returns
    /// `false`, keep the buffer: it still holds part of a frame or message, or an event that you
    /// can still look at.
    ///
    /// If each connection has its own read buffer, you never need this method. You can switch to
    /// another write buffer whenever the current one is empty.
    pub fn unbind(&mut self, input: &ReadBuffer) -> bool {
        // The receiver may already be unbound.
        let has_none = self.buffer == 0 || self.current.is_none() && input.is_drained();
        if has_none {
            self.buffer = 0;
        }
        has_none
    }

    /// Returns `true` if no message is partly received. You can then advance either way: to whole
    /// messages or in chunks.
    #[inline]
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.message.is_none()
    }

    /// Returns the decompression work since the last call: bytes produced, and restarts. For shells
    /// that count work.
    #[allow(dead_code, reason = "used by some shells only")]
    #[inline]
    pub(crate) fn take_inflating_work(&mut self) -> u32 {
        #[cfg(feature = "deflate")]
        if let Some(inflating) = &mut self.inflating {
            return inflating.take_work();
        }
        0
    }

    /// Notes what arrived. For messages on the fast path this is called before the next read, and not
    /// for each of them.
    #[inline]
    fn heard(&mut self, heard: Heard) {
        self.heard = match self.heard {
            Heard::Nothing => heard,
            Heard::End => Heard::End,
            before if before == heard => heard,
            _ => Heard::Message,
        };
    }

    /// Returns what has arrived since the last call.
    fn take_received(&mut self, input: &ReadBuffer) -> Received {
        let is_unfinished = self.frame.is_some() || self.message.is_some() || !input.is_drained();
        let has_progressed = matches!(self.heard, Heard::Part | Heard::Message);
        let was_finished = !is_unfinished || matches!(self.heard, Heard::Control | Heard::Message);
        if self.heard != Heard::End {
            self.heard = Heard::Nothing;
        }
        Received { has_progressed, was_finished, is_unfinished }
    }

    /// Releases the current event and drops all buffered input.
    pub(super) fn discard(&mut self, input: &mut ReadBuffer) {
        if self.is_used_with(input) {
            self.release_current(input);
            Self::drop_all(input);
            self.hold_nothing();
        }
    }

    /// Drops input that arrives after the end, in whichever buffer, because nothing will look at
    /// it.
    fn drop_after_end(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        Self::drop_all(input);
        self.hold_nothing();
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
            Some(Current::Message(_)) => {
                input.release();
                self.heard(Heard::Message);
            }
            Some(Current::Close(_)) => input.release(),
            Some(Current::Chunk { len, last, .. }) => {
                input.release_front(len);
                self.heard(if last { Heard::Message } else { Heard::Part });
            }
            Some(Current::Ping { len } | Current::Pong { len }) => {
                input.skip(len);
                if self.message.is_none() {
                    self.heard(Heard::Control);
                }
            }
        }
    }
}

// These two return what fits into registers. A function that returns a whole event would make every
// event go through memory, at the cost of a stall.

#[cold]
fn control_payload(input: &ReadBuffer, len: usize) -> Option<&[u8]> {
    input.unread().get(..len)
}

#[cold]
fn close_reason(input: &ReadBuffer) -> &str {
    input.kept_text(input.kept_len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Connection, Server};

    #[test]
    fn input_after_the_end_takes_no_memory() {
        // A Close; a reserved opcode after half of a message.
        let ends = [&[0x88, 0x80, 0, 0, 0, 0][..], &[0x02, 0x83, 0, 0, 0, 0, 1, 2, 3, 0x83, 0x80]];
        for (end, takes_chunks) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
            let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
            let (_, mut receiver) = connection.split();
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
    fn a_close_replaces_a_message_in_progress() {
        // Half of a text, cut in the middle of a character; then a Close with a reason.
        let text = [0x01, 0x82, 0, 0, 0, 0, b'a', 0xc3];
        let close = [0x88, 0x84, 0, 0, 0, 0, 3, 232, 0xc3, 0xa9];
        let code = CloseCode::NORMAL;
        for takes_chunks in [false, true] {
            let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
            let (_, mut receiver) = connection.split();
            let advance = if takes_chunks { Receiver::advance_chunk } else { Receiver::advance };
            let mut input = ReadBuffer::new();
            input.extend_from_slice(&text);
            let _ = advance(&mut receiver, &mut input);
            input.extend_from_slice(&close);
            assert_eq!(advance(&mut receiver, &mut input), Ok(Progress::Event));
            // More input may move the bytes of the event.
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
