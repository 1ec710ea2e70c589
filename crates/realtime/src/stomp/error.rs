//! Why a frame can't be received.

use super::{command::Command, version::Version};
use alloc::{borrow::ToOwned, string::String};
use thiserror::Error;

/// A fault of the peer: what it sent is not STOMP, or exceeds a limit.
///
/// A server answers with an ERROR frame and closes the connection, a client closes it. Trying again
/// with the same bytes does not help. Lines are counted within the frame, and line 1 is the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first line is not a command. Found with the first byte that fits no command.
    #[error("byte {at} of the first line fits no command of STOMP")]
    UnknownCommand {
        /// The index of that byte in the line.
        at: usize,
    },
    /// The peer's role does not send this command, or the version does not have it.
    #[error("the peer may not send {command} in STOMP {version}")]
    UnexpectedCommand {
        /// The command.
        command: Command,
        /// The version of the session.
        version: Version,
    },
    /// A header line without a colon.
    #[error("line {line}: a header without a colon")]
    MissingColon {
        /// The number of the line.
        line: usize,
    },
    /// A header whose name is empty.
    #[error("line {line}: a header without a name")]
    EmptyName {
        /// The number of the line.
        line: usize,
    },
    /// A header line that is not UTF-8.
    #[error("line {line}: a header is not UTF-8")]
    InvalidUtf8 {
        /// The number of the line.
        line: usize,
    },
    /// A backslash that does not begin an escape of the version.
    #[error("line {line}: a header has an escape that STOMP {version} does not define")]
    InvalidEscape {
        /// The number of the line.
        line: usize,
        /// The version of the session.
        version: Version,
    },
    /// A NUL before the blank line that ends the headers.
    #[error("line {line}: a NUL in front of the body")]
    UnexpectedNul {
        /// The number of the line.
        line: usize,
    },
    /// A CR that is not part of a line end: in the middle of a line, or anywhere in the headers of
    /// versions before 1.2.
    #[error("line {line}: a CR that does not end a line")]
    UnexpectedCarriageReturn {
        /// The number of the line, or 0 between frames.
        line: usize,
    },
    /// A `content-length` that is not made of digits alone, or does not fit 64 bits.
    #[error("line {line}: the content-length is not a number of octets")]
    InvalidContentLength {
        /// The number of the line.
        line: usize,
    },
    /// A second `content-length` differs from the first.
    #[error("line {line}: a content-length other than the earlier {first}")]
    ConflictingContentLength {
        /// The number of the line.
        line: usize,
        /// The first `content-length`, in bytes.
        first: u64,
    },
    /// A body in a frame that can't have one.
    #[error("{command} can't have a body")]
    UnexpectedBody {
        /// The command of the frame.
        command: Command,
    },
    /// No NUL follows a body of the length that `content-length` says.
    #[error("no NUL follows the body of {content_length} bytes")]
    MissingNul {
        /// The `content-length` of the frame, in bytes.
        content_length: usize,
    },
    /// More header lines than [`Limits::headers`](super::Limits::headers).
    #[error("the frame has more than {limit} headers")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// A header line longer than [`Limits::header_line`](super::Limits::header_line).
    #[error("a header is longer than {limit} bytes")]
    HeaderTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// More bytes of command and headers than [`Limits::head`](super::Limits::head).
    #[error("the headers of the frame are longer than {limit} bytes")]
    HeadTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A body larger than [`Limits::body`](super::Limits::body).
    #[error("the body of the frame is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

impl DecodeError {
    /// Returns `true` if the frame exceeds a [limit](super::Limits), and may be valid otherwise.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooManyHeaders { .. }
                | Self::HeaderTooLong { .. }
                | Self::HeadTooLong { .. }
                | Self::BodyTooLarge { .. }
        )
    }
}

/// Cuts a text of the peer for an error about it: to 100 bytes.
pub(super) fn shortened(text: &str) -> String {
    cut(text, 100).to_owned()
}

/// Returns the start of a text, at most so many bytes of it and whole characters.
pub(super) fn cut(text: &str, len: usize) -> &str {
    let mut end = text.len().min(len);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_characters_whole() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
        assert_eq!(shortened(&"é".repeat(200)), "é".repeat(50));
    }
}
