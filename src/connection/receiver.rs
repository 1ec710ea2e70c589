//! The receiving half: bytes in, events out (RFC 6455 §5, §6.2).

#[cfg(feature = "deflate")]
use super::compressed::Inflating;
use super::config::SharedConfig;
use super::incoming::{Frame, Incoming, PlainFrame, kind_begun_by};
use super::{Chunk, Event, Kind, Message, ProtocolError, ReceiveError, Reply, Role, Sender};
use crate::{
    CloseFrame, FrameHeader, Limits, MAX_CONTROL_PAYLOAD, Negotiated, OpCode, ReadBuffer, Rsv,
    WriteBuffer, apply_mask,
};
use alloc::boxed::Box;
use core::marker::PhantomData;

/// What [`Receiver::advance`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the outcomes there can be")]
pub enum Progress {
    /// There is an event: look at it, then advance again.
    Event,
    /// All that is buffered was used: fill in more.
    NeedsInput,
    /// The peer has closed: nothing more will be received.
    Ended,
}

/// The receiving half of a connection.
///
/// It sends nothing itself: after each [`advance`](Self::advance) it may owe the peer a
/// [`reply`](Self::reply), which is for the sending half.
#[derive(Debug)]
pub struct Receiver<R> {
    pub(super) config: SharedConfig,
    /// Bits that a negotiated extension gives a meaning to.
    usable_bits: Rsv,
    #[cfg(feature = "deflate")]
    pub(super) inflating: Option<Box<Inflating>>,
    /// The read buffer that is advanced through: 0 is none.
    buffer: u32,
    pub(super) frame: Option<Frame>,
    pub(super) message: Option<Incoming>,
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
    Chunk { kind: Kind, len: usize, first: bool, last: bool },
    Control { opcode: OpCode, len: usize },
}

impl<R: Role> Receiver<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
    pub(super) fn new(config: SharedConfig, negotiated: &Negotiated) -> Self {
        #[cfg(feature = "deflate")]
        let inflating = negotiated.deflate.map(|agreed| Box::new(Inflating::new::<R>(&agreed)));
        #[cfg(feature = "deflate")]
        let usable_bits = if inflating.is_some() { Rsv::RSV1 } else { Rsv::NONE };
        #[cfg(not(feature = "deflate"))]
        let usable_bits = Rsv::NONE;
        Self {
            config,
            usable_bits,
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

    /// Uses what is buffered up to the next event: a whole message or a control frame.
    ///
    /// What the last event lent is released by it.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Protocol`] for what the peer did wrong, from then on at every call. The
    /// other errors are misuse and change nothing.
    #[inline]
    pub fn advance(&mut self, input: &mut ReadBuffer) -> Result<Progress, ReceiveError> {
        self.step(input, false)
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
            Current::Control { opcode, len } => control_event(opcode, input, len),
            Current::Chunk { .. } => None,
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
            Current::Control { opcode, len } => {
                let event = control_event(opcode, input, len)?;
                Some(Chunk { event, first: true, last: true })
            }
            Current::Message(_) => None,
        }
    }

    /// Makes the current event owned, if it is a whole message; it is not lent any more then.
    ///
    /// A large message that fills at least half of the buffer's memory is handed over with that
    /// memory, any other is copied. In the tokio shell that is so from 10 KiB on, and the memory
    /// goes back to its pool when the message is dropped; else from 64 KiB on.
    pub fn take_message(&mut self, input: &mut ReadBuffer) -> Option<Message> {
        let Some(Current::Message(kind)) = self.current_in(input) else { return None };
        self.current = None;
        Some(match kind {
            Kind::Text => Message::Text(input.take_kept_text()),
            Kind::Binary => Message::Binary(input.take_kept()),
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
        let Some(Current::Control { len, .. }) = self.current_in(input) else { return None };
        let payload = input.unread().get(..len)?.into();
        Some(if self.ended { Reply::Close(payload) } else { Reply::Pong(payload) })
    }

    /// As [`reply`](Self::reply), to a sending half that is at hand.
    #[inline]
    pub(crate) fn reply_to(
        &mut self,
        sender: &mut Sender<R>,
        input: &ReadBuffer,
        output: &mut WriteBuffer,
    ) {
        // Mostly there is none, and to make one takes room for a payload.
        if !self.owes_reply {
            return;
        }
        if let Some(reply) = self.reply(input) {
            sender.reply(&reply, output);
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

    #[inline]
    fn step(&mut self, input: &mut ReadBuffer, chunked: bool) -> Result<Progress, ReceiveError> {
        if self.buffer != input.id() {
            if self.buffer != 0 {
                return Err(ReceiveError::ForeignBuffer);
            }
            self.buffer = input.id();
        }
        let is_mixed = self.message.is_some_and(|message| message.chunked != chunked);
        if is_mixed && !self.has_ended() {
            return Err(ReceiveError::MixedModes);
        }
        self.release_current(input);
        if self.ended {
            return self.failure().map_or(Ok(Progress::Ended), |error| Err(error.into()));
        }
        self.find_event(input, chunked).map_err(|error| self.fail(error))
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

    /// Lets another buffer be used from now on, if this one is drained; whether it is.
    #[cfg(feature = "tokio")]
    pub(crate) fn let_go(&mut self, input: &ReadBuffer) -> bool {
        // If it has none, it waited before.
        let rests = self.buffer == 0 || self.current.is_none() && input.is_drained();
        if rests {
            self.buffer = 0;
        }
        rests
    }

    /// Whether it has let go of its buffer and is between two messages: an advance would find
    /// nothing in an empty one.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) const fn rests(&self) -> bool {
        self.buffer == 0 && self.message.is_none()
    }

    /// Lends nothing any more.
    pub(super) fn release(&mut self, input: &mut ReadBuffer) {
        if self.buffer == input.id() {
            self.release_current(input);
        }
    }

    #[inline]
    fn release_current(&mut self, input: &mut ReadBuffer) {
        match self.current.take() {
            None => {}
            Some(Current::Message(_)) => input.release(),
            Some(Current::Chunk { len, .. }) => input.release_front(len),
            Some(Current::Control { len, .. }) => input.skip(len),
        }
    }

    #[inline]
    fn find_event(
        &mut self,
        input: &mut ReadBuffer,
        chunked: bool,
    ) -> Result<Progress, ProtocolError> {
        if !chunked && self.message.is_none() && self.receive_whole(input)? {
            return Ok(Progress::Event);
        }
        self.find_event_by_state(input, chunked)
    }

    /// Out of line, so that the way of most messages stays short.
    #[inline(never)]
    fn find_event_by_state(
        &mut self,
        input: &mut ReadBuffer,
        chunked: bool,
    ) -> Result<Progress, ProtocolError> {
        loop {
            if let Some(frame) = self.frame {
                if let Some(current) = self.receive_payload(frame, input)? {
                    self.current = Some(current);
                    return Ok(Progress::Event);
                }
                if self.frame.is_some() {
                    return Ok(Progress::NeedsInput);
                }
            }
            let Some((header, header_len)) = FrameHeader::parse(input.unread())? else {
                return Ok(Progress::NeedsInput);
            };
            self.check_header(&header)?;
            if header.opcode.is_control() {
                return self.receive_control(&header, header_len, input);
            }
            self.start_frame(&header, chunked)?;
            input.skip(header_len);
        }
    }

    /// What is right or wrong about a header on this connection.
    #[inline]
    fn check_header(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // §5.1: a server fails on an unmasked frame, a client on a masked one.
        match (R::MASKS, header.mask) {
            (false, None) => return Err(ProtocolError::Unmasked),
            (true, Some(_)) => return Err(ProtocolError::Masked),
            _ => {}
        }
        // §5.2: a reserved bit without an extension that gives it a meaning fails the connection.
        // RFC 7692 §6: the one of compression stands in the first frame of a message alone.
        let begins = kind_begun_by(header.opcode).is_some();
        let usable = if begins { self.usable_bits } else { Rsv::NONE };
        let unusable = header.rsv.without(usable);
        if !unusable.is_none() {
            return Err(ProtocolError::ReservedBits(header.rsv));
        }
        Ok(())
    }

    /// Takes in the next message if it is one plain frame, all of which is there: most are, and go
    /// so without a state that would be read again at once. False for any other, and for what is
    /// wrong with a header, of which nothing is used up; no message is in progress.
    #[inline]
    fn receive_whole(&mut self, input: &mut ReadBuffer) -> Result<bool, ProtocolError> {
        let Some(frame) = PlainFrame::parse(input.unread()) else { return Ok(false) };
        let limits = &self.config.limits;
        let is_allowed = frame.mask.is_some() != R::MASKS
            && frame.payload_len as u64 <= limits.frame.min(limits.message)
            && limits.fragments > 0;
        if !is_allowed {
            return Ok(false);
        }
        let payload = input.keep_behind(frame.header_len, frame.payload_len);
        if let Some(key) = frame.mask {
            apply_mask(payload, key, 0);
        }
        if frame.kind == Kind::Text {
            let message = Incoming::new(Kind::Text, Rsv::NONE, false);
            let len = message.validate(input)?;
            message.check_end(len, input)?;
        }
        self.current = Some(Current::Message(frame.kind));
        Ok(true)
    }

    /// Takes up a data frame whose header has come; all limits are checked here, before any of its
    /// payload is waited for.
    fn start_frame(&mut self, header: &FrameHeader, chunked: bool) -> Result<(), ProtocolError> {
        // §5.4: fragments of one message are not interleaved with those of another.
        let mut message = match (kind_begun_by(header.opcode), self.message) {
            (None, Some(message)) => message,
            (None, None) => return Err(ProtocolError::NothingToContinue),
            (Some(_), Some(_)) => return Err(ProtocolError::MessageAmidMessage),
            (Some(kind), None) => Incoming::new(kind, header.rsv, chunked),
        };
        message.announce(header.payload_len);
        if !chunked {
            self.check_limits(header, &message)?;
        }
        self.message = Some(message);
        self.frame = Some(Frame {
            fin: header.fin,
            key: header.mask,
            received: 0,
            payload_len: header.payload_len,
        });
        Ok(())
    }

    #[inline]
    fn check_limits(&self, header: &FrameHeader, message: &Incoming) -> Result<(), ProtocolError> {
        let Limits { frame, message: whole, fragments, .. } = self.config.limits;
        if header.payload_len > frame {
            return Err(ProtocolError::FrameTooLarge { len: header.payload_len, limit: frame });
        }
        // What a compressed one comes to is known when it is decompressed.
        #[cfg(feature = "deflate")]
        let announces_all = !message.compressed;
        #[cfg(not(feature = "deflate"))]
        let announces_all = true;
        if announces_all && message.announced() > whole {
            return Err(ProtocolError::MessageTooLarge { len: message.announced(), limit: whole });
        }
        if message.fragments > fragments {
            return Err(ProtocolError::TooManyFragments { limit: fragments });
        }
        Ok(())
    }

    /// Takes in what has come of the current frame's payload: unmasked, joined to the message and
    /// validated. Comes to an event if that ends the message, or in chunks if there is any.
    fn receive_payload(
        &mut self,
        mut frame: Frame,
        input: &mut ReadBuffer,
    ) -> Result<Option<Current>, ProtocolError> {
        #[cfg(feature = "deflate")]
        if self.message.is_some_and(|message| message.compressed) {
            let all_is_there = self.receive_compressed(&mut frame, input)?;
            return self.found(frame, all_is_there, input);
        }
        let missing = frame.payload_len - frame.received;
        let count = input.unread_len().min(usize::try_from(missing).unwrap_or(usize::MAX));
        if let Some(key) = frame.key {
            // Only the phase within the key matters of the position.
            apply_mask(input.unread_mut(count), key, (frame.received % 4) as usize);
        }
        input.keep(count);
        frame.received += count as u64;
        self.found(frame, true, input)
    }

    /// What is found in the payload so far, of which `all_is_there` or else some is still to be
    /// decompressed.
    fn found(
        &mut self,
        frame: Frame,
        all_is_there: bool,
        input: &mut ReadBuffer,
    ) -> Result<Option<Current>, ProtocolError> {
        let frame_ends = all_is_there && frame.received == frame.payload_len;
        input.set_wanted(frame.payload_len - frame.received);
        self.frame = if frame_ends { None } else { Some(frame) };

        let Some(message) = &mut self.message else { return Ok(None) };
        let message_ends = frame_ends && frame.fin;
        // Of several faults the first counts, however the payload is cut: bytes that can't be UTF-8,
        // compressed data that ends too early, then a character that does.
        let len = message.validate(input)?;
        #[cfg(feature = "deflate")]
        if message_ends && message.compressed {
            let at = message.released() + input.kept_len() as u64;
            if let Some(inflating) = &mut self.inflating {
                inflating.finish().map_err(|_| ProtocolError::InvalidCompression { at })?;
            }
        }
        if message_ends {
            message.check_end(len, input)?;
        }
        let kind = message.kind;
        let current = if message.chunked && (message_ends || len > 0) {
            let first = message.release(len);
            Some(Current::Chunk { kind, len, first, last: message_ends })
        } else {
            (!message.chunked && message_ends).then_some(Current::Message(kind))
        };
        if message_ends {
            self.message = None;
        }
        Ok(current)
    }

    /// Takes a control frame, once all of it is there (§5.5).
    fn receive_control(
        &mut self,
        header: &FrameHeader,
        header_len: usize,
        input: &mut ReadBuffer,
    ) -> Result<Progress, ProtocolError> {
        let len = MAX_CONTROL_PAYLOAD.min(header.payload_len as usize);
        if input.unread_len() < header_len + len {
            return Ok(Progress::NeedsInput);
        }
        input.skip(header_len);
        if let Some(key) = header.mask {
            apply_mask(input.unread_mut(len), key, 0);
        }
        if header.opcode == OpCode::Close {
            CloseFrame::parse(&input.unread()[..len])?;
            self.ended = true;
        }
        // §5.5.1, §5.5.2: a Close is answered by a Close, a Ping by a Pong.
        self.owes_reply = header.opcode != OpCode::Pong;
        self.current = Some(Current::Control { opcode: header.opcode, len });
        Ok(Progress::Event)
    }
}

#[cold]
fn control_event(opcode: OpCode, input: &ReadBuffer, len: usize) -> Option<Event<'_>> {
    let payload = input.unread().get(..len)?;
    match opcode {
        OpCode::Ping => Some(Event::Ping(payload)),
        OpCode::Pong => Some(Event::Pong(payload)),
        OpCode::Close => CloseFrame::parse(payload).ok().map(Event::Close),
        OpCode::Continuation | OpCode::Text | OpCode::Binary => None,
    }
}
