//! Frames become bytes.

use super::{command::Command, escape::Escapes, header, version::Version};
use alloc::{format, vec::Vec};
use sansocket::connection::MessageKind;
use thiserror::Error;

/// Encodes frames by the rules of a version.
///
/// What it writes decodes to the same frame, so no name, value or body can end its place early and
/// pass for something else. A header that the version has no way to write is an error.
///
/// ```
/// use sansocket_realtime::stomp::{Command, Encoder, Version, header};
///
/// let mut bytes = Vec::new();
/// let headers = [(header::DESTINATION, "/topic/a"), ("time", "12:00")];
/// Encoder::new(Version::V1_2).encode(Command::Send, headers, b"Hi", &mut bytes)?;
/// assert_eq!(bytes, b"SEND\ncontent-length:2\ndestination:/topic/a\ntime:12\\c00\n\nHi\0");
/// # Ok::<(), sansocket_realtime::stomp::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    version: Version,
}

impl Encoder {
    /// What to send as a heart-beat: a line end (1.2 §Heart-beating). 1.1 demands that it is LF.
    pub const HEART_BEAT: &'static [u8] = b"\n";

    /// Creates the encoder of a version.
    ///
    /// CONNECT and CONNECTED are the same in all versions, and never have escapes.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self { version }
    }

    /// Returns the version.
    #[must_use]
    pub const fn version(self) -> Version {
        self.version
    }

    /// Appends a frame to `out`.
    ///
    /// SEND, MESSAGE and ERROR get a `content-length`, which the encoder computes. It leaves out any that
    /// is among the headers, so the headers of a decoded frame can be passed on as they are. In 1.0,
    /// headers are written as UTF-8 too.
    ///
    /// # Errors
    ///
    /// Returns an error if the version can't express the frame. Then `out` is as before.
    pub fn encode<Name: AsRef<str>, Value: AsRef<str>>(
        self,
        command: Command,
        headers: impl IntoIterator<Item = (Name, Value)>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let encoded = self.try_encode(command, headers, body, out);
        if encoded.is_err() {
            out.truncate(start);
        }
        encoded
    }

    fn try_encode<Name: AsRef<str>, Value: AsRef<str>>(
        self,
        command: Command,
        headers: impl IntoIterator<Item = (Name, Value)>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.put_command(command, out)?;
        if command.has_body() {
            put_content_length(body, out);
        } else if !body.is_empty() {
            return Err(EncodeError::UnexpectedBody { command, len: body.len() });
        }
        let escapes = Escapes::new(self.version, command.is_escaped());
        for (name, value) in headers {
            if name.as_ref() != header::CONTENT_LENGTH {
                self.put_header(escapes, name.as_ref(), value.as_ref(), out)?;
            }
        }
        put_body(body, out);
        Ok(())
    }

    /// Appends the first line.
    pub(super) fn put_command(
        self,
        command: Command,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let version = self.version;
        if !command.is_in(version) {
            return Err(EncodeError::UnknownCommand { command, version });
        }
        out.extend_from_slice(command.as_str().as_bytes());
        out.push(b'\n');
        Ok(())
    }

    /// Appends a header line. After an error, a part of it may have been appended.
    pub(super) fn put_header(
        self,
        escapes: Escapes,
        name: &str,
        value: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let version = self.version;
        if name.is_empty() {
            return Err(EncodeError::EmptyName);
        }
        let mut put = |text, is_name| {
            let escaped = escapes.escape(text, is_name, out);
            out.push(if is_name { b':' } else { b'\n' });
            escaped
        };
        put(name, true).map_err(|octet| EncodeError::Name { octet, version })?;
        put(value, false).map_err(|octet| EncodeError::Value { octet, version })
    }
}

/// Returns the kind of the WebSocket message that can carry frames with this body: text if it is UTF-8,
/// as all other parts of a frame are. A binary message can carry any frame.
#[must_use]
pub fn message_kind(body: &[u8]) -> MessageKind {
    if core::str::from_utf8(body).is_ok() { MessageKind::Text } else { MessageKind::Binary }
}

/// Why a version can't express a frame: a fault of the caller. Trying again does not help, but another
/// version may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The version does not have the command.
    #[error("STOMP {version} has no {command}")]
    UnknownCommand {
        /// The command.
        command: Command,
        /// The version.
        version: Version,
    },
    /// A header without a name.
    #[error("a header has no name")]
    EmptyName,
    /// The name of a header contains an octet that can't be written.
    #[error(
        "the name of a header contains the octet {octet}, which has no escape in this frame of STOMP {version}"
    )]
    Name {
        /// The octet.
        octet: u8,
        /// The version.
        version: Version,
    },
    /// The value of a header contains an octet that can't be written.
    #[error(
        "the value of a header contains the octet {octet}, which has no escape in this frame of STOMP {version}"
    )]
    Value {
        /// The octet.
        octet: u8,
        /// The version.
        version: Version,
    },
    /// A body in a frame that can't have one.
    #[error("{command} can't have a body, but it is given one of {len} bytes")]
    UnexpectedBody {
        /// The command.
        command: Command,
        /// The length of the body in bytes.
        len: usize,
    },
}

/// Appends the `content-length`. It comes in front of all headers that others choose: readers that ignore
/// case or padding could take one of those for the length, and the first one counts.
pub(super) fn put_content_length(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}:{}\n", header::CONTENT_LENGTH, body.len()).as_bytes());
}

/// Appends the end of the headers, the body and the NUL.
pub(super) fn put_body(body: &[u8], out: &mut Vec<u8>) {
    out.reserve(body.len() + 2);
    out.push(b'\n');
    out.extend_from_slice(body);
    out.push(0);
}
