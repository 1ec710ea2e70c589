//! The sending half: messages and control frames in, bytes out (RFC 6455 §5, §6.1).

use super::closing::{Closing, SentClose};
#[cfg(feature = "deflate")]
use super::compressed::Deflating;
use super::pongs::Pongs;
use super::{
    Closed, Config, Kind, Message, Payload, PreparedMessage, ProtocolError, Reply, Role, SendError,
    State, TransportEnd,
};
use crate::{
    CloseCode, FrameHeader, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, MAX_FRAME_HEADER, MaskKey,
    Negotiated, OpCode, Rsv, WriteBuffer, apply_mask, timers::Deadline,
};
#[cfg(feature = "deflate")]
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// The sending half of a connection.
#[derive(Debug)]
pub struct Sender<R> {
    role: R,
    queued_output: usize,
    fragment_size: usize,
    close_timeout: Duration,
    /// The kind of the message that is being sent in fragments.
    message: Option<Kind>,
    #[cfg(feature = "deflate")]
    deflating: Option<Deflating>,
    /// Whether a message is being sent in fragments that is compressed.
    #[cfg(feature = "deflate")]
    compressed: bool,
    closing: Closing,
    close_deadline: Deadline,
    pongs: Pongs,
}

/// What was due when the time came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// Nothing: ask for the next deadline again.
    Nothing,
    /// The peer did not finish closing in time: end the transport without it.
    CloseTimeout,
}

/// From this many bytes on, a shared payload is linked into the output instead of copied.
const LINK_FROM: usize = 8 * 1024;

impl<R: Role> Sender<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
    pub(super) fn new(role: R, config: &Config, negotiated: &Negotiated) -> Self {
        #[cfg(feature = "deflate")]
        let deflating = negotiated
            .deflate
            .and_then(|agreed| Deflating::new::<R>(&agreed, &config.deflate.unwrap_or_default()));
        Self {
            #[cfg(feature = "deflate")]
            deflating,
            #[cfg(feature = "deflate")]
            compressed: false,
            role,
            queued_output: config.limits.queued_output,
            fragment_size: match config.fragment_size {
                0 => usize::MAX,
                size => size,
            },
            close_timeout: config.close_timeout,
            message: None,
            closing: Closing::default(),
            close_deadline: Deadline::Unset,
            pongs: Pongs::default(),
        }
    }

    /// Queues a text message.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send_text(&mut self, text: &str, output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_borrowed(Kind::Text, text.as_bytes(), output)
    }

    /// Queues a binary message.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, data: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_borrowed(Kind::Binary, data, output)
    }

    /// Queues a message, in whichever form it is at hand. Of a [`Message`] that is large, a server
    /// links the payload into the output without a copy.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text).
    pub fn send<'a>(
        &mut self,
        payload: impl Into<Payload<'a>>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        match payload.into() {
            Payload::Text(text) => self.send_text(text, output),
            Payload::Binary(data) => self.send_binary(data, output),
            Payload::UncompressedText(text) => {
                self.check_message(output)?;
                self.append_message(Kind::Text, Rsv::NONE, text.as_bytes(), output);
                Ok(())
            }
            Payload::UncompressedBinary(data) => {
                self.check_message(output)?;
                self.append_message(Kind::Binary, Rsv::NONE, data, output);
                Ok(())
            }
            Payload::Message(message)
                if !R::MASKS
                    && message.as_bytes().len() >= LINK_FROM
                    && !self.compresses(message.as_bytes().len()) =>
            {
                self.send_linked(message, output)
            }
            Payload::Message(message) => {
                self.send_borrowed(message.kind(), message.as_bytes(), output)
            }
            Payload::Prepared(message) => self.send_prepared(message, output),
        }
    }

    /// Queues a message that was encoded before. A server neither encodes nor copies it again if it
    /// is large; a client has to mask each sending anew (RFC 6455 §5.3).
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text).
    pub fn send_prepared(
        &mut self,
        message: &PreparedMessage,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if R::MASKS {
            return self.send(message.message(), output);
        }
        self.check_message(output)?;
        let frames = message.frames();
        #[cfg(feature = "deflate")]
        let frames = match &mut self.deflating {
            Some(deflating) => deflating.prepared(message).unwrap_or(frames),
            None => frames,
        };
        if frames.len() < LINK_FROM {
            output.extend_from_slice(frames);
        } else {
            output.link(frames.clone());
        }
        Ok(())
    }

    /// Queues a piece of a text message as a frame of its own; `fin` ends the message.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text); [`SendError::MessageInProgress`] if the message in
    /// progress is binary.
    pub fn send_text_fragment(
        &mut self,
        text: &str,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_fragment(Kind::Text, text.as_bytes(), true, fin, output)
    }

    /// Queues a piece of a binary message as a frame of its own; `fin` ends the message.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text); [`SendError::MessageInProgress`] if the message in
    /// progress is text.
    pub fn send_binary_fragment(
        &mut self,
        data: &[u8],
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_fragment(Kind::Binary, data, true, fin, output)
    }

    /// Queues the header alone of a frame of `len` bytes, for a caller that writes its payload to
    /// the transport itself, behind all that is queued, without a copy.
    ///
    /// The payload is to be masked with the key that is returned, if one is. Until all of it is
    /// written, or [appended](WriteBuffer::extend_from_slice) to the output, nothing else may be
    /// queued. The fragments of a text message together must be UTF-8.
    ///
    /// # Errors
    ///
    /// As for [`send_text_fragment`](Self::send_text_fragment); [`SendError::MessageInProgress`] also
    /// amid a message that is compressed, for what goes on with it has to be compressed too.
    pub fn start_frame(
        &mut self,
        kind: Kind,
        len: u64,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<Option<MaskKey>, SendError> {
        self.check_open()?;
        // RFC 7692 §6.1: the bit of the first frame is that of the whole message.
        #[cfg(feature = "deflate")]
        if self.compressed {
            return Err(SendError::MessageInProgress);
        }
        let opcode = self.check_fragment(kind, fin, output)?;
        Ok(self.append_header(opcode, Rsv::NONE, fin, len, output))
    }

    /// Queues a ping with at most 125 bytes of payload. The peer answers with an
    /// [`Event::Pong`](super::Event::Pong) of the same payload.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::ControlTooLong`].
    pub fn ping(&mut self, payload: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_control(OpCode::Ping, payload, output)
    }

    /// Queues a pong that no ping asked for, a sign of life (RFC 6455 §5.5.3). Pings are answered
    /// without it.
    ///
    /// # Errors
    ///
    /// As for [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_control(OpCode::Pong, payload, output)
    }

    /// Queues a Close: nothing more can be sent, and the peer is expected to answer within the
    /// close timeout (RFC 6455 §7.1.2).
    ///
    /// It may be called amid a fragmented message, which is then never finished.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::UnsendableCode`] or [`SendError::ReasonTooLong`].
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_open()?;
        if !code.is_sendable() {
            return Err(SendError::UnsendableCode(code));
        }
        if reason.len() > MAX_CLOSE_REASON {
            return Err(SendError::ReasonTooLong { len: reason.len() });
        }
        self.append_close(Some(code), reason, SentClose::First, output);
        Ok(())
    }

    /// Queues what the receiving half owes the peer.
    ///
    /// Pongs stay in order. While 4 KiB of them wait to be written, the next is held back, and a
    /// newer one takes its place.
    pub fn reply(&mut self, reply: &Reply, output: &mut WriteBuffer) {
        match reply {
            Reply::Pong(payload) => self.answer_ping(payload, output),
            Reply::Close(payload) => self.answer_close(payload, output),
            Reply::Failure(error) => self.fail(*error, output),
        }
    }

    /// Queues the pong that was held back, if there is room for it now. To be called after writes.
    pub fn queue_owed(&mut self, output: &mut WriteBuffer) {
        let Some(held_back) = self.pongs.held_back() else { return };
        let frame_len = control_frame_len::<R>(held_back.len());
        if self.pongs.have_room(frame_len, output) {
            if let Some(payload) = self.pongs.release() {
                self.append_pong(&payload, output);
            }
        }
    }

    /// When [`pass_deadline`](Self::pass_deadline) is to be called next, by the clock that it is
    /// told. [`Duration::ZERO`] asks to be told the time at once.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.close_deadline.next()
    }

    /// Says what time it is, as a duration since any fixed moment, and learns what is due.
    pub fn pass_deadline(&mut self, now: Duration) -> Due {
        if self.close_deadline.passed(now) { Due::CloseTimeout } else { Due::Nothing }
    }

    /// Says how the transport ended, and learns how the connection did.
    ///
    /// What was received should be advanced through before, and its replies given here. What is
    /// left in `output` was not written: if this end's Close is in it, the end is not clean. Told
    /// more than once, the first stays.
    pub fn transport_ended(&mut self, how: TransportEnd, output: &WriteBuffer) -> Closed {
        self.ended(how, output.is_empty())
    }

    /// As [`transport_ended`](Self::transport_ended), for a shell that knows more than its output
    /// whether all was written.
    pub(crate) fn ended(&mut self, how: TransportEnd, all_written: bool) -> Closed {
        self.close_deadline = Deadline::Unset;
        self.closing.transport_ended(how, all_written)
    }

    /// How far the closing handshake is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.closing.state()
    }

    /// §5.5.2: a ping is answered unless the peer has closed; this end's Close does not hinder.
    fn answer_ping(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        if self.state() == State::Closed {
            return;
        }
        self.queue_owed(output);
        let frame_len = control_frame_len::<R>(payload.len());
        if self.pongs.held_back().is_none() && self.pongs.have_room(frame_len, output) {
            self.append_pong(payload, output);
        } else {
            self.pongs.hold_back(payload);
        }
    }

    /// §5.5.1: a Close is answered by one with the same code, unless one was sent before.
    fn answer_close(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        self.pongs.release();
        let code = self.closing.received(payload);
        if self.closing.sent.is_none() {
            self.append_close(code, "", SentClose::Answer, output);
        }
    }

    /// §7.1.7: a Close says why the connection fails, unless one was sent before.
    fn fail(&mut self, error: ProtocolError, output: &mut WriteBuffer) {
        self.pongs.release();
        self.closing.failure = Some(error);
        if self.closing.sent.is_none() {
            self.append_close(Some(error.close_code()), "", SentClose::Failure, output);
        }
    }

    pub(super) fn has_transport_ended(&self) -> bool {
        self.closing.transport.is_some()
    }

    fn check_open(&self) -> Result<(), SendError> {
        // §5.5.1: no frame of the application's follows a Close; §6.1: none leaves a connection
        // that is not open.
        if self.state() == State::Open { Ok(()) } else { Err(SendError::Closed) }
    }

    /// Whether there is room for more of the application's.
    pub(crate) fn check_queue(&self, output: &WriteBuffer) -> Result<(), SendError> {
        // Pongs have their own room beside it.
        let queued = output.len().saturating_sub(self.pongs.unwritten(output));
        let limit = self.queued_output;
        if queued > limit { Err(SendError::QueueFull { queued, limit }) } else { Ok(()) }
    }

    /// Sends a shared message from where it is, unmasked.
    fn send_linked(
        &mut self,
        message: &Message,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_message(output)?;
        let payload = message.clone().into_bytes();
        self.in_fragments(message.kind().opcode(), payload.len(), |sender, range, opcode, fin| {
            sender.link_frame(opcode, fin, payload.slice(range), output);
        });
        Ok(())
    }

    /// Whether a message may be begun.
    pub(crate) fn check_message(&self, output: &WriteBuffer) -> Result<(), SendError> {
        self.check_open()?;
        if self.message.is_some() {
            return Err(SendError::MessageInProgress);
        }
        self.check_queue(output)
    }

    /// Checks that a fragment fits to what was sent before, and says with which opcode it goes.
    fn check_fragment(
        &mut self,
        kind: Kind,
        fin: bool,
        output: &WriteBuffer,
    ) -> Result<OpCode, SendError> {
        self.check_open()?;
        let opcode = match self.message {
            None => kind.opcode(),
            Some(current) if current == kind => OpCode::Continuation,
            Some(_) => return Err(SendError::MessageInProgress),
        };
        self.check_queue(output)?;
        self.message = (!fin).then_some(kind);
        Ok(opcode)
    }

    fn send_borrowed(
        &mut self,
        kind: Kind,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_message(output)?;
        #[cfg(feature = "deflate")]
        if let Some(compressed) = self.compress(payload) {
            self.append_message(kind, Rsv::RSV1, &compressed, output);
            return Ok(());
        }
        self.append_message(kind, Rsv::NONE, payload, output);
        Ok(())
    }

    /// Appends a message, in fragments if it is large; the bits stand in the first (RFC 7692 §6.1).
    fn append_message(&mut self, kind: Kind, rsv: Rsv, payload: &[u8], output: &mut WriteBuffer) {
        if payload.len() <= self.fragment_size {
            self.append_frame(kind.opcode(), rsv, true, payload, output);
            return;
        }
        self.in_fragments(kind.opcode(), payload.len(), |sender, range, opcode, fin| {
            let rsv = if range.start == 0 { rsv } else { Rsv::NONE };
            sender.append_frame(opcode, rsv, fin, &payload[range], output);
        });
    }

    /// Whether a message of this length is compressed.
    pub(crate) fn compresses(&self, len: usize) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflating.as_ref().is_some_and(|deflating| deflating.applies_to(len));
        #[cfg(not(feature = "deflate"))]
        {
            let _ = len;
            false
        }
    }

    #[cfg(feature = "deflate")]
    fn compress(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let deflating = self.deflating.as_mut()?;
        if deflating.applies_to(payload.len()) { deflating.message(payload) } else { None }
    }

    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "all goes plain"))]
    fn send_fragment(
        &mut self,
        kind: Kind,
        payload: &[u8],
        compressible: bool,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        let opcode = self.check_fragment(kind, fin, output)?;
        #[cfg(feature = "deflate")]
        if let Some((rsv, compressed)) = self.compress_fragment(opcode, payload, compressible, fin)
        {
            self.append_frame(opcode, rsv, fin, &compressed, output);
            return Ok(());
        }
        self.append_frame(opcode, Rsv::NONE, fin, payload, output);
        Ok(())
    }

    /// Of a message whose length is not known all is compressed or nothing.
    #[cfg(feature = "deflate")]
    fn compress_fragment(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        compressible: bool,
        fin: bool,
    ) -> Option<(Rsv, Vec<u8>)> {
        let begins = opcode != OpCode::Continuation;
        let deflating = self.deflating.as_mut()?;
        if begins {
            self.compressed = compressible && (!fin || deflating.applies_to(payload.len()));
        }
        if !self.compressed {
            return None;
        }
        self.compressed = !fin;
        let compressed = deflating.piece(payload, fin);
        Some((if begins { Rsv::RSV1 } else { Rsv::NONE }, compressed))
    }

    fn send_control(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_open()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong { len: payload.len() });
        }
        self.check_queue(output)?;
        self.append_frame(opcode, Rsv::NONE, true, payload, output);
        Ok(())
    }

    /// Calls `send_one` for each frame of `len` bytes of a message (§5.4), the first with `opcode`.
    fn in_fragments(
        &mut self,
        mut opcode: OpCode,
        len: usize,
        mut send_one: impl FnMut(&mut Self, core::ops::Range<usize>, OpCode, bool),
    ) {
        let mut start = 0_usize;
        loop {
            let end = len.min(start.saturating_add(self.fragment_size));
            send_one(self, start..end, opcode, end == len);
            if end == len {
                return;
            }
            (start, opcode) = (end, OpCode::Continuation);
        }
    }

    fn append_pong(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        let start = output.end_position();
        self.append_frame(OpCode::Pong, Rsv::NONE, true, payload, output);
        self.pongs.queued(start, output);
    }

    fn append_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        sent: SentClose,
        output: &mut WriteBuffer,
    ) {
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let mut len = 0;
        if let Some(code) = code {
            len = 2 + reason.len();
            payload[..2].copy_from_slice(&code.number().to_be_bytes());
            payload[2..len].copy_from_slice(reason.as_bytes());
        }
        self.append_frame(OpCode::Close, Rsv::NONE, true, &payload[..len], output);
        self.closing.sent = Some(sent);
        self.close_deadline.set(self.close_timeout);
    }

    fn append_frame(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        let key = self.append_header(opcode, rsv, fin, payload.len() as u64, output);
        let payload = output.append(payload);
        if let Some(key) = key {
            apply_mask(payload, key, 0);
        }
    }

    /// Only for a server: what is linked can't be masked.
    fn link_frame(&mut self, opcode: OpCode, fin: bool, payload: Bytes, output: &mut WriteBuffer) {
        self.append_header(opcode, Rsv::NONE, fin, payload.len() as u64, output);
        output.link(payload);
    }

    fn append_header(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload_len: u64,
        output: &mut WriteBuffer,
    ) -> Option<MaskKey> {
        let mask = self.role.next_key();
        let header = FrameHeader { fin, rsv, opcode, mask, payload_len };
        let mut bytes = [0; MAX_FRAME_HEADER];
        let len = header.encode(&mut bytes);
        output.extend_from_slice(&bytes[..len]);
        mask
    }
}

/// For the shells.
#[cfg(feature = "std")]
impl<R: Role> Sender<R> {
    /// Queues a piece of a message, of whichever kind it is.
    pub(crate) fn send_piece(
        &mut self,
        piece: Payload<'_>,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        let (kind, data, compressible) = match piece {
            Payload::Text(text) => (Kind::Text, text.as_bytes(), true),
            Payload::Binary(data) => (Kind::Binary, data, true),
            Payload::UncompressedText(text) => (Kind::Text, text.as_bytes(), false),
            Payload::UncompressedBinary(data) => (Kind::Binary, data, false),
            Payload::Message(message) => (message.kind(), message.as_bytes(), true),
            Payload::Prepared(prepared) => {
                let message = prepared.message();
                (message.kind(), message.as_bytes(), true)
            }
        };
        self.send_fragment(kind, data, compressible, fin, output)
    }

    /// Queues the rest of a message in progress, whatever waits already: it was accepted as a
    /// whole.
    pub(crate) fn queue_rest(&mut self, rest: &[u8], output: &mut WriteBuffer) {
        self.message = None;
        self.in_fragments(OpCode::Continuation, rest.len(), |sender, range, opcode, fin| {
            sender.append_frame(opcode, Rsv::NONE, fin, &rest[range], output);
        });
    }

    pub(crate) const fn fragment_size(&self) -> usize {
        self.fragment_size
    }

    pub(crate) const fn close_timeout(&self) -> Duration {
        self.close_timeout
    }
}

fn control_frame_len<R: Role>(payload_len: usize) -> usize {
    2 + if R::MASKS { 4 } else { 0 } + payload_len
}
