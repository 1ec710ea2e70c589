//! Messages: whole, already encoded, in pieces, or frame by frame (RFC 6455 §5.4, §5.6), and which
//! of them are compressed (RFC 7692 §6.1).

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::fragments::Fragments;
use crate::connection::payload::{Form, LINK_FROM};
use crate::connection::{AsPayload, Message, MessageKind, PreparedMessage, Role, SendError};
use crate::frame::{FrameHeader, HEADER_ROOM, OpCode, Rsv};
#[cfg(feature = "deflate")]
use alloc::vec::Vec;

impl<R: Role> Sender<R> {
    /// Queues a text message.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    #[inline]
    pub fn send_text(&mut self, text: &str, output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_borrowed(MessageKind::Text, text.as_bytes(), output)
    }

    /// Queues a binary message.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_borrowed(MessageKind::Binary, data, output)
    }

    /// Queues a message, in whatever form you have it. A server links the payload of a large
    /// [`Message`] into the output without copying it.
    ///
    /// A message is compressed in one go. If that blocks other work for too long, send a large
    /// message in [pieces](Self::send_fragment).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send(
        &mut self,
        payload: impl AsPayload,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_payload(payload.as_payload().0, output)
    }

    /// Queues a message that is already encoded. A server does not encode it again, and does not
    /// copy it if it is large. A client has to mask the message anew each time (RFC 6455 §5.3).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send_prepared(
        &mut self,
        message: &PreparedMessage,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if R::MASKS {
            return self.send(message.message(), output);
        }
        self.check_message(output)?;
        self.append_prepared(message, output);
        Ok(())
    }

    /// Queues a piece of a message whose end is not known yet. The piece with `fin` ends the
    /// message. A piece is one frame, or several if it is larger than the
    /// [`fragment_size`](crate::Config::fragment_size). All pieces of a message must be of the same
    /// kind. The first piece decides whether the message is compressed.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`], or [`SendError::MessageInProgress`] for a
    /// piece of the other kind.
    pub fn send_fragment(
        &mut self,
        piece: impl AsPayload,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_piece(piece.as_payload().0.parts(), fin, output)
    }
}

impl<R: Role> Sender<R> {
    pub(crate) fn send_payload(
        &mut self,
        payload: Form<'_>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        match payload {
            Form::Text(text) => self.send_text(text, output),
            Form::Binary(data) => self.send_binary(data, output),
            Form::UncompressedText(text) => {
                self.check_message(output)?;
                self.append_message(MessageKind::Text, Rsv::NONE, text.as_bytes(), output);
                Ok(())
            }
            Form::UncompressedBinary(data) => {
                self.check_message(output)?;
                self.append_message(MessageKind::Binary, Rsv::NONE, data, output);
                Ok(())
            }
            Form::Message(message) if self.links(message) => {
                self.check_message(output)?;
                self.append_linked(message, output);
                Ok(())
            }
            Form::Message(message) => {
                self.send_borrowed(message.kind(), message.as_bytes(), output)
            }
            Form::Prepared(message) => self.send_prepared(message, output),
        }
    }

    /// Appends a message, although nothing was checked.
    pub(super) fn append_payload(&mut self, payload: Form<'_>, output: &mut WriteBuffer) {
        match payload {
            Form::Prepared(message) if !R::MASKS => self.append_prepared(message, output),
            Form::Message(message) if self.links(message) => self.append_linked(message, output),
            _ => {
                let (kind, data, may_compress) = payload.parts();
                if may_compress {
                    self.append_compressed(kind, data, output);
                } else {
                    self.append_message(kind, Rsv::NONE, data, output);
                }
            }
        }
    }

    /// Returns `true` if the payload of this message is linked into the output.
    fn links(&self, message: &Message) -> bool {
        let len = message.as_bytes().len();
        !R::MASKS && len >= LINK_FROM && !self.compresses(len)
    }

    #[inline]
    pub(crate) fn fragment_size(&self) -> usize {
        self.config.largest_fragment()
    }

    /// Checks that a message may begin.
    #[inline]
    pub(crate) fn check_message(&self, output: &WriteBuffer) -> Result<(), SendError> {
        self.check_open()?;
        if self.message.is_some() {
            return Err(SendError::MessageInProgress);
        }
        self.check_queue(output)
    }

    /// Returns `true` if a message of this length is compressed.
    pub(crate) fn compresses(&self, len: usize) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflating.as_ref().is_some_and(|deflating| deflating.applies_to(len));
        #[cfg(not(feature = "deflate"))]
        {
            let _ = len;
            false
        }
    }

    /// Returns `true` if every encoded message is sent as it is. Otherwise, a client has to mask it
    /// (§5.3), or the compressor of the connection decides.
    #[allow(dead_code, reason = "used by shells that write it without copying")]
    pub(crate) fn sends_encoded(&self) -> bool {
        !R::MASKS && !self.compresses(usize::MAX)
    }

    /// Appends an encoded message, unmasked.
    fn append_prepared(&mut self, message: &PreparedMessage, output: &mut WriteBuffer) {
        let frames = message.frames();
        #[cfg(feature = "deflate")]
        let frames = match &mut self.deflating {
            Some(deflating) => deflating.prepared(message).unwrap_or(frames),
            None => frames,
        };
        self.count_encoded(frames);
        let bytes = frames.bytes();
        output.begin_frame(bytes.len(), self.fragment_size());
        if bytes.len() < LINK_FROM {
            output.extend_from_slice(bytes);
        } else {
            frames.link_to(message.is_counted(), output);
        }
    }

    /// Links a shared message into the output, unmasked.
    fn append_linked(&mut self, message: &Message, output: &mut WriteBuffer) {
        let payload = message.clone().into_bytes();
        let fragments = self.fragments(message.kind().opcode(), Rsv::NONE, true, payload.len());
        for number in 0..fragments.count() {
            let FrameHeader { fin, rsv, opcode, payload_len, .. } = fragments.header(number);
            let range = fragments.range(number);
            output.begin_frame(range.len(), self.fragment_size());
            self.append_header(opcode, rsv, fin, payload_len, output);
            self.count_frame(opcode, fin);
            output.link(payload.slice(range));
        }
    }

    #[inline]
    fn send_borrowed(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if self.sends_plainly(payload.len(), output) {
            self.append_frame(kind.opcode(), Rsv::NONE, true, payload, output);
            return Ok(());
        }
        self.send_otherwise(kind, payload, output)
    }

    /// Sends a message in fragments, compressed or counted, or refuses it.
    #[inline(never)]
    fn send_otherwise(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if self.send_counted_plainly(kind, payload, output) {
            return Ok(());
        }
        self.check_message(output)?;
        self.append_compressed(kind, payload, output);
        Ok(())
    }

    /// Appends a message, compressed if the connection compresses.
    fn append_compressed(&mut self, kind: MessageKind, payload: &[u8], output: &mut WriteBuffer) {
        #[cfg(feature = "deflate")]
        if let Some(compressed) = self.compress(payload) {
            self.append_message(kind, Rsv::RSV1, &compressed, output);
            return;
        }
        self.append_message(kind, Rsv::NONE, payload, output);
    }

    #[cfg(feature = "deflate")]
    fn compress(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let deflating = self.deflating.as_mut()?;
        if deflating.applies_to(payload.len()) { deflating.message(payload) } else { None }
    }

    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(super) fn send_piece(
        &mut self,
        (kind, payload, compressible): (MessageKind, &[u8], bool),
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        let opcode = self.check_fragment(kind, fin, output)?;
        #[cfg(feature = "deflate")]
        if let Some((rsv, compressed)) = self.compress_fragment(opcode, payload, compressible, fin)
        {
            let fragments = self.fragments(opcode, rsv, fin, compressed.len());
            self.append_fragments(fragments, &compressed, output);
            return Ok(());
        }
        let fragments = self.fragments(opcode, Rsv::NONE, fin, payload.len());
        self.append_fragments(fragments, payload, output);
        Ok(())
    }

    /// Compresses a fragment. If the length of a message is not known in advance, either all of it
    /// or none of it is compressed.
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

    /// Checks that a fragment fits the fragments before it, and returns its opcode.
    fn check_fragment(
        &mut self,
        kind: MessageKind,
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

    pub(super) fn append_message(
        &mut self,
        kind: MessageKind,
        rsv: Rsv,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        let fragments = self.fragments(kind.opcode(), rsv, true, payload.len());
        self.append_fragments(fragments, payload, output);
    }

    fn append_fragments(&mut self, fragments: Fragments, payload: &[u8], output: &mut WriteBuffer) {
        // Growing by doubling would take too much memory, perhaps more than is kept for the next
        // message.
        output.make_room(self.room_of(&fragments, payload.len()));
        for number in 0..fragments.count() {
            self.append_fragment(&fragments, number, &payload[fragments.range(number)], output);
        }
    }

    /// Appends one frame with its payload.
    pub(super) fn append_fragment(
        &mut self,
        fragments: &Fragments,
        number: usize,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        output.begin_frame(payload.len(), self.fragment_size());
        let FrameHeader { fin, rsv, opcode, .. } = fragments.header(number);
        self.append_frame(opcode, rsv, fin, payload, output);
        self.count_frame(opcode, fin);
    }

    /// Returns how much memory a message of `len` bytes takes in the queue if it is copied.
    #[allow(dead_code, reason = "used by shells that supply the queue's memory")]
    pub(crate) fn room_of_message(&self, len: usize) -> usize {
        self.room_of(&self.fragments(OpCode::Binary, Rsv::NONE, true, len), len)
    }

    /// Returns how much memory `len` bytes of a message take in the queue, whichever of its frames
    /// they are in.
    pub(super) fn room_of(&self, fragments: &Fragments, len: usize) -> usize {
        // The first header is the longest.
        let (_, header_len) = fragments.header(0).to_bytes();
        let header_len = header_len + if R::MASKS { 4 } else { 0 };
        let headers = fragments.count().saturating_mul(header_len);
        len.saturating_add(headers).saturating_add(HEADER_ROOM)
    }

    /// Returns the frames for `len` bytes of a message (§5.4). `fin` says whether the message ends
    /// with them.
    pub(super) fn fragments(&self, opcode: OpCode, rsv: Rsv, fin: bool, len: usize) -> Fragments {
        Fragments::new(opcode, rsv, fin, len, self.fragment_size())
    }
}
