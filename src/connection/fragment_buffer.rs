//! Gathers the bytes of a message of unknown length into fragments (RFC 6455 §5.4).

use super::MessageKind;
use crate::frame::CloseCode;
use crate::utf8::{Utf8Error, validate_utf8_prefix};
use alloc::vec::Vec;
use thiserror::Error;

/// The longest fragment that is gathered, which bounds the memory.
const LONGEST: usize = 64 << 10;

/// The longest character in UTF-8. A fragment has room for one, so that it always gets further.
const CHARACTER: usize = 4;

/// Gathers a message of unknown length, in writes of any size, and cuts it into fragments.
///
/// [`gather`](Self::gather) takes bytes.
/// [`Sender::send_gathered`](super::Sender::send_gathered) queues what was gathered as a fragment, and
/// [`Sender::finish_gathered`](super::Sender::finish_gathered) ends the message. The buffer holds at
/// most 64 KiB.
///
/// The bytes of a text may be cut anywhere. A fragment ends between characters: the beginning of a
/// character waits for the rest of it.
///
/// If you drop the buffer before the message is finished, the peer must learn that the message is not
/// complete: close with the [`close_code`](Self::close_code), if there is one. Nobody takes half of a
/// message for a whole one, even without that: the connection refuses another message until this one
/// is finished.
///
/// ```
/// use sansocket::connection::{Connection, FragmentBuffer, MessageKind, Server};
/// use sansocket::{Config, buffer::WriteBuffer, handshake::Negotiated};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::default();
/// let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
/// let mut output = WriteBuffer::new();
/// let mut buffer = FragmentBuffer::new(MessageKind::Text, config.fragment_size);
/// for mut piece in ["one, ", "two, ", "three"].map(str::as_bytes) {
///     while !piece.is_empty() {
///         let count = buffer.gather(piece)?;
///         if count == 0 {
///             connection.send_gathered(&mut buffer, &mut output)?;
///         }
///         piece = &piece[count..];
///     }
/// }
/// connection.finish_gathered(&mut buffer, &mut output)?;
/// assert_eq!(output.front(), b"\x81\x0fone, two, three");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FragmentBuffer {
    kind: MessageKind,
    /// The gathered bytes.
    bytes: Vec<u8>,
    /// How many of them are complete characters, or all of them if the message is binary.
    complete: usize,
    /// The most bytes to gather.
    most: usize,
    /// How many bytes of the message were queued.
    queued: u64,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing is queued.
    New,
    /// A fragment is queued, but not the last.
    Begun,
    /// The whole message is queued.
    Finished,
}

/// The error for bytes that can't be part of a message. Nothing of them was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The bytes can't be text. Write other bytes, or abandon the message.
    #[error("byte {at} of the text message is not valid UTF-8")]
    InvalidUtf8 {
        /// The number of valid bytes at the start of the message.
        at: u64,
    },
    /// The message is finished already. Begin another one.
    #[error("the message is finished")]
    Finished,
}

impl FragmentBuffer {
    /// Creates the buffer for a message. Its fragments have at most `fragment_size` bytes, or 64 KiB
    /// if that is less: pass the [`fragment_size`](crate::Config::fragment_size) of your
    /// configuration. 0 means 64 KiB.
    #[must_use]
    pub const fn new(kind: MessageKind, fragment_size: usize) -> Self {
        Self {
            kind,
            bytes: Vec::new(),
            complete: 0,
            most: longest_fragment(fragment_size),
            queued: 0,
            progress: Progress::New,
        }
    }

    /// Returns the kind of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Takes bytes of the message, and returns how many. If that is 0 although there are some, the
    /// fragment is full: send it.
    ///
    /// # Errors
    ///
    /// - [`GatherError::InvalidUtf8`]: the message is text, and no bytes that follow can make this
    ///   valid. Nothing was taken, and you can go on with other bytes.
    /// - [`GatherError::Finished`]: the message is finished.
    pub fn gather(&mut self, bytes: &[u8]) -> Result<usize, GatherError> {
        if self.is_finished() {
            return Err(GatherError::Finished);
        }
        let gathered = self.bytes.len();
        let count = bytes.len().min(self.most - gathered);
        self.bytes.extend_from_slice(&bytes[..count]);
        if self.kind == MessageKind::Binary {
            self.complete = self.bytes.len();
            return Ok(count);
        }
        match validate_utf8_prefix(&self.bytes[self.complete..]) {
            Ok(complete) => self.complete += complete,
            Err(error) => {
                let at = self.position_of(error);
                self.bytes.truncate(gathered);
                return Err(GatherError::InvalidUtf8 { at });
            }
        }
        Ok(count)
    }

    /// Returns the number of bytes that are gathered and not yet queued. The beginning of a character
    /// counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns `true` if no bytes are gathered that are not yet queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns `true` if the whole message is queued.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.progress == Progress::Finished
    }

    /// Returns the code to close with if you give up this message, so that the peer does not wait for
    /// the rest: [`INTERNAL_ERROR`](CloseCode::INTERNAL_ERROR) if a part of the message is
    /// queued and the end is not. Otherwise there is nothing to tell the peer.
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        (self.progress == Progress::Begun).then_some(CloseCode::INTERNAL_ERROR)
    }
}

/// What the sending half needs.
impl FragmentBuffer {
    pub(super) fn is_new(&self) -> bool {
        self.progress == Progress::New
    }

    /// Returns the gathered bytes that can be sent, which do not end inside a character.
    pub(super) fn complete(&self) -> &[u8] {
        &self.bytes[..self.complete]
    }

    /// Checks that the message can end here.
    pub(super) fn check_end(&self) -> Result<(), GatherError> {
        if self.is_finished() {
            return Err(GatherError::Finished);
        }
        if self.complete < self.bytes.len() {
            return Err(GatherError::InvalidUtf8 { at: self.queued + self.complete as u64 });
        }
        Ok(())
    }

    /// Notes that what is [`complete`](Self::complete) was queued.
    pub(super) fn did_queue(&mut self, is_last: bool) {
        self.queued += self.complete as u64;
        self.bytes.drain(..core::mem::take(&mut self.complete));
        self.progress = if is_last { Progress::Finished } else { Progress::Begun };
    }

    /// Returns where in the message an error is that validation found behind the complete characters.
    fn position_of(&self, error: Utf8Error) -> u64 {
        self.queued + (self.complete + error.valid_up_to()) as u64
    }
}

/// Returns the length of the longest piece of data that is sent at a time where the length of the
/// whole is not known.
pub(crate) const fn longest_fragment(fragment_size: usize) -> usize {
    match fragment_size {
        0 => LONGEST,
        size if size > LONGEST => LONGEST,
        size if size < CHARACTER => CHARACTER,
        size => size,
    }
}
