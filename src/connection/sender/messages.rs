//! Messages: whole, encoded before, in pieces, or their headers alone (RFC 6455 §5.4, §5.6), and
//! which of them are compressed (RFC 7692 §6.1).

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::fragments::Fragments;
use crate::connection::{Kind, Message, Payload, PreparedMessage, Role, SendError};
use crate::frame::{FrameHeader, HEADER_ROOM, OpCode, Rsv};
use crate::mask::MaskKey;
#[cfg(feature = "deflate")]
use alloc::vec::Vec;

/// From this many bytes on, a shared payload is linked into the output instead of copied.
pub(crate) const LINK_FROM: usize = 8 * 1024;

impl<R: Role> Sender<R> {
    /// Queues a text message.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    #[inline]
    pub fn send_text(&mut self, text: &str, output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_borrowed(Kind::Text, text.as_bytes(), output)
    }

    /// Queues a binary message.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_borrowed(Kind::Binary, data, output)
    }

    /// Queues a message, in whichever form it is at hand. Of a [`Message`] that is large, a server
    /// links the payload into the output without a copy.
    ///
    /// A message is compressed in one go. If that takes too long for others, send a large one in
    /// [pieces](Self::send_fragment).
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
        let bytes = frames.bytes();
        output.begin_frame(bytes.len(), self.fragment_size());
        if bytes.len() < LINK_FROM {
            output.extend_from_slice(bytes);
        } else {
            frames.link_to(output);
        }
        Ok(())
    }

    /// Queues a piece of a message, for a message whose end is not known yet; `fin` ends it. It is a frame
    /// of its own, or several if it is larger than the [`fragment_size`](crate::Config::fragment_size). All
    /// pieces are text or all are binary; whether the message is compressed, the first one says.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Self::send_text); [`SendError::MessageInProgress`] for a piece of the
    /// other kind.
    pub fn send_fragment<'a>(
        &mut self,
        piece: impl Into<Payload<'a>>,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_piece(piece.into().parts(), fin, output)
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
    /// As for [`send_fragment`](Self::send_fragment); [`SendError::MessageInProgress`] also
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
        let len_here = usize::try_from(len).unwrap_or(usize::MAX);
        output.begin_frame(len_here, self.fragment_size());
        Ok(self.append_header(opcode, Rsv::NONE, fin, len, output))
    }
}

impl<R: Role> Sender<R> {
    #[inline]
    pub(crate) fn fragment_size(&self) -> usize {
        self.config.largest_fragment()
    }

    /// Whether a message may be begun.
    #[inline]
    pub(crate) fn check_message(&self, output: &WriteBuffer) -> Result<(), SendError> {
        self.check_open()?;
        if self.message.is_some() {
            return Err(SendError::MessageInProgress);
        }
        self.check_queue(output)
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

    /// Whether each encoded message goes as it is: a client masks each sending anew (§5.3), and of a
    /// connection that compresses anything the compressor decides.
    #[allow(dead_code, reason = "for a shell that writes it from where it is")]
    pub(crate) fn sends_encoded(&self) -> bool {
        !R::MASKS && !self.compresses(usize::MAX)
    }

    /// Sends a shared message from where it is, unmasked.
    fn send_linked(
        &mut self,
        message: &Message,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_message(output)?;
        let payload = message.clone().into_bytes();
        let fragments = self.fragments(message.kind().opcode(), Rsv::NONE, true, payload.len());
        for number in 0..fragments.count() {
            let FrameHeader { fin, rsv, opcode, payload_len, .. } = fragments.header(number);
            let range = fragments.range(number);
            output.begin_frame(range.len(), self.fragment_size());
            self.append_header(opcode, rsv, fin, payload_len, output);
            output.link(payload.slice(range));
        }
        Ok(())
    }

    #[inline]
    fn send_borrowed(
        &mut self,
        kind: Kind,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if self.sends_plainly(payload.len(), output) {
            self.append_frame(kind.opcode(), Rsv::NONE, true, payload, output);
            return Ok(());
        }
        self.send_otherwise(kind, payload, output)
    }

    /// Sends a message in fragments or compressed, or refuses it.
    #[inline(never)]
    fn send_otherwise(
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

    #[cfg(feature = "deflate")]
    fn compress(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let deflating = self.deflating.as_mut()?;
        if deflating.applies_to(payload.len()) { deflating.message(payload) } else { None }
    }

    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "all goes plain"))]
    fn send_piece(
        &mut self,
        (kind, payload, compressible): (Kind, &[u8], bool),
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

    pub(super) fn append_message(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        let fragments = self.fragments(kind.opcode(), rsv, true, payload.len());
        self.append_fragments(fragments, payload, output);
    }

    fn append_fragments(&mut self, fragments: Fragments, payload: &[u8], output: &mut WriteBuffer) {
        // Memory that doubles is more than is needed, and may be more than anyone keeps for the next message.
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
    }

    /// How much memory a message of so many bytes takes while it is queued, if it is copied.
    #[allow(dead_code, reason = "for a shell that gives a queue its memory")]
    pub(crate) fn room_of_message(&self, len: usize) -> usize {
        self.room_of(&self.fragments(OpCode::Binary, Rsv::NONE, true, len), len)
    }

    /// As much for so many bytes of one, in any of its frames.
    pub(super) fn room_of(&self, fragments: &Fragments, len: usize) -> usize {
        // The first header is the longest.
        let (_, header_len) = fragments.header(0).to_bytes();
        let header_len = header_len + if R::MASKS { 4 } else { 0 };
        let headers = fragments.count().saturating_mul(header_len);
        len.saturating_add(headers).saturating_add(HEADER_ROOM)
    }

    /// How `len` bytes of a message go (§5.4), which ends with them or does not.
    pub(super) fn fragments(&self, opcode: OpCode, rsv: Rsv, fin: bool, len: usize) -> Fragments {
        Fragments::new(opcode, rsv, fin, len, self.fragment_size())
    }
}
