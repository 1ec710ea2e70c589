//! Messages that are encoded once for many connections.

use super::Message;
use super::fragments::Fragments;
use crate::budget::{Budget, CountedOnce};
use crate::buffer::WriteBuffer;
#[cfg(feature = "deflate")]
use crate::deflate::{Compressor, DeflateConfig};
use crate::frame::Rsv;
use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};
use bytes::Bytes;

/// A message that is encoded once, so that a server can send it on many connections.
///
/// Clones share the encoded frames.
///
/// To broadcast, push it, which does not wait for a slow client: see [the
/// example](crate#one-message-to-many-clients). Control frames need no such form: they have at most
/// 125 bytes, so encoding one is as cheap as copying it.
///
/// ```
/// use sansocket::connection::{Connection, Server};
/// use sansocket::{Config, PreparedMessage, buffer::WriteBuffer, handshake::Negotiated};
///
/// let message = PreparedMessage::new("hello");
/// for _client in 0..2 {
///     let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
///     let mut output = WriteBuffer::new();
///     connection.send(&message, &mut output)?;
///     assert_eq!(output.front(), b"\x81\x05hello");
/// }
/// # Ok::<(), sansocket::connection::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage(Arc<Encoded>);

#[derive(Clone, Debug)]
struct Encoded {
    message: Message,
    frames: EncodedFrames,
    /// What a budget counts for this message.
    counted: Option<Arc<CountedOnce>>,
    /// The compressed forms, each with log2 of the window size that it requires.
    #[cfg(feature = "deflate")]
    compressed: Vec<(u8, EncodedFrames)>,
}

/// The consecutive frames of a message.
#[derive(Clone, Debug)]
pub(crate) struct EncodedFrames {
    bytes: Bytes,
    /// The length of each frame but the last, if there are several; otherwise `usize::MAX`.
    frame_len: usize,
}

/// The largest payload of a frame. It is fixed, because the connections that send the message may
/// differ in their [`fragment_size`](super::Config::fragment_size).
const FRAGMENT_SIZE: usize = 64 << 10;

impl PreparedMessage {
    /// Encodes a message into frames with at most 64 KiB of payload each. Takes what
    /// [`Message::from`] takes, so bytes make a binary message, and text a text message. A
    /// [`Payload`](super::Payload) is not accepted. The message is sent uncompressed unless you add a
    /// compressed form with `deflate`.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let frames = EncodedFrames::of(&message, Rsv::NONE, message.as_bytes());
        Self(Arc::new(Encoded {
            message,
            frames,
            counted: None,
            #[cfg(feature = "deflate")]
            compressed: Vec::new(),
        }))
    }

    /// Counts the payload once in a [`Budget`], for as long as a clone of this message exists or waits to
    /// be written. Without this, it counts for each connection on which it waits. With it, these
    /// connections still compare all that waits for them with their fair share. A message that already
    /// counts in a budget stays there.
    ///
    /// ```
    /// use sansocket::{Budget, PreparedMessage};
    ///
    /// static BUDGET: Budget = Budget::new(64 << 20);
    ///
    /// let message = PreparedMessage::new(vec![0; 1000]).budget(&BUDGET);
    /// let clones = [message.clone(), message];
    /// assert_eq!(BUDGET.used(), 1000);
    /// drop(clones);
    /// assert_eq!(BUDGET.used(), 0);
    /// ```
    #[must_use]
    pub fn budget(self, budget: &'static Budget) -> Self {
        if self.is_counted() {
            return self;
        }
        let mut encoded = Arc::unwrap_or_clone(self.0);
        let counted = Arc::new(CountedOnce::new(budget, encoded.message.len()));
        encoded.frames.count(&counted);
        #[cfg(feature = "deflate")]
        for (_, frames) in &mut encoded.compressed {
            frames.count(&counted);
        }
        encoded.counted = Some(counted);
        Self(Arc::new(encoded))
    }

    /// Returns `true` if a budget counts the payload.
    pub(crate) fn is_counted(&self) -> bool {
        self.0.counted.is_some()
    }

    /// Adds a compressed form, for connections that compress with a window of
    /// [`server_max_window_bits`](DeflateConfig::server_max_window_bits) or larger. You can add one
    /// form for each window size that a server's connections negotiate. A second form for the same
    /// size replaces the first. If no form fits a connection, the connection sends the message
    /// uncompressed.
    ///
    /// A compressed form does not refer to earlier messages, so one form works for all these
    /// connections. In turn, the next message on a connection can't refer to anything before this
    /// one. No form is added if the message does not shrink.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(self, config: &DeflateConfig) -> Self {
        let bits = config.in_range().server_max_window_bits;
        let payload = self.message().as_bytes();
        let Some(mut compressor) = Compressor::new(bits, true, config) else { return self };
        let mut compressed = Vec::new();
        let has_worked = compressor.compress(payload, true, &mut compressed);
        if !has_worked || compressed.len() >= payload.len() {
            return self;
        }
        let mut encoded = Arc::unwrap_or_clone(self.0);
        let mut frames = EncodedFrames::of(&encoded.message, Rsv::RSV1, &compressed);
        if let Some(counted) = &encoded.counted {
            frames.count(counted);
        }
        encoded.compressed.retain(|(other, _)| *other != bits);
        encoded.compressed.push((bits, frames));
        encoded.compressed.sort_unstable_by_key(|(bits, _)| *bits);
        Self(Arc::new(encoded))
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    pub(crate) fn frames(&self) -> &EncodedFrames {
        &self.0.frames
    }

    /// Returns the form for the largest window that does not exceed `window_bits`.
    #[cfg(feature = "deflate")]
    pub(super) fn compressed_frames(&self, window_bits: u8) -> Option<&EncodedFrames> {
        let mut fitting = self.0.compressed.iter().rev().filter(|(bits, _)| *bits <= window_bits);
        fitting.next().map(|(_, frames)| frames)
    }
}

/// Adds up what waits in the outboxes of many connections, and counts each [`PreparedMessage`] once,
/// because its payload is shared: see [`Sender::waiting_bytes`](super::Sender::waiting_bytes).
#[derive(Debug, Default)]
pub struct SharedBytes {
    /// The addresses of the messages that were counted.
    counted: BTreeSet<usize>,
}

impl SharedBytes {
    /// Returns the bytes of the payload, or 0 if they were counted before.
    pub(super) fn count(&mut self, message: &PreparedMessage) -> usize {
        let is_new = self.counted.insert(Arc::as_ptr(&message.0).addr());
        if is_new { message.message().len() } else { 0 }
    }
}

/// Bytes that a budget counts.
struct CountedBytes {
    bytes: Bytes,
    _counted: Arc<CountedOnce>,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl EncodedFrames {
    fn of(message: &Message, rsv: Rsv, payload: &[u8]) -> Self {
        let opcode = message.kind().opcode();
        let fragments = Fragments::new(opcode, rsv, true, payload.len(), FRAGMENT_SIZE);
        let (_, header_len) = fragments.header(0).to_bytes();
        let len = fragments.count() * header_len + payload.len();
        let mut bytes = Vec::with_capacity(len);
        let mut frame_len = usize::MAX;
        for number in 0..fragments.count() {
            let (header, len) = fragments.header(number).to_bytes();
            bytes.extend_from_slice(&header[..len]);
            bytes.extend_from_slice(&payload[fragments.range(number)]);
            if number == 0 && fragments.count() > 1 {
                frame_len = bytes.len();
            }
        }
        Self { bytes: bytes.into(), frame_len }
    }

    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Keeps the count of a budget for as long as the bytes exist: they may wait to be written when the
    /// message is gone.
    fn count(&mut self, counted: &Arc<CountedOnce>) {
        let bytes = core::mem::take(&mut self.bytes);
        self.bytes = Bytes::from_owner(CountedBytes { bytes, _counted: Arc::clone(counted) });
    }

    /// Returns `true` if there is only one frame.
    pub(crate) const fn is_one(&self) -> bool {
        self.frame_len == usize::MAX
    }

    /// Returns the number of frames.
    pub(crate) fn frame_count(&self) -> usize {
        // All but the last have the same length.
        if self.is_one() { 1 } else { self.bytes.len().div_ceil(self.frame_len) }
    }

    /// Appends the frames to `output` without copying them. `is_counted` tells whether a budget counts
    /// them for all connections together.
    pub(crate) fn link_to(&self, is_counted: bool, output: &mut WriteBuffer) {
        output.link_frames(self.bytes.clone(), self.frame_len, self.frame_len, is_counted);
    }
}

impl<M: Into<Message>> From<M> for PreparedMessage {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
