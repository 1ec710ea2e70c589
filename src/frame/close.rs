//! Close codes, and the payload of Close frames (RFC 6455 §5.5.1, §7.4).

use core::fmt;
use thiserror::Error;

/// The maximum length of the reason in a Close frame, in bytes (RFC 6455 §5.5, §5.5.1).
pub const MAX_CLOSE_REASON: usize = super::MAX_CONTROL_PAYLOAD - 2;

/// A status code that says why an endpoint closes the connection (RFC 6455 §7.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the connection has fulfilled its purpose.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint is going away, as when a server shuts down or a user leaves a page.
    #[doc(alias = "Away")]
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer violated the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the endpoint can't accept this kind of data.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame carried no code. Never sent on the wire. To close without a code, pass
    /// this to `close`: it sends an empty Close.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: the connection ended without a Close frame. Never sent on the wire: `close` sends
    /// [`INTERNAL_ERROR`](Self::INTERNAL_ERROR) instead.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the data of a message does not match its type, such as text with invalid UTF-8.
    pub const INVALID_PAYLOAD_DATA: Self = Self(1007);
    /// 1008: a message violates a policy of the endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is too big to process.
    #[doc(alias = "Size")]
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client requires an extension that the server did not agree to.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the endpoint met an internal error and can't continue.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service is restarting (registered with IANA).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the client should try again later (registered with IANA).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway received an invalid response from upstream (registered with IANA).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// 1015: the TLS handshake failed. Never sent on the wire: `close` sends
    /// [`INTERNAL_ERROR`](Self::INTERNAL_ERROR) instead.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Creates a code from any number, even one that a Close frame can't carry.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns `true` if a Close with this code says that the endpoint that receives it did something
    /// wrong (RFC 6455 §7.4.1).
    #[cfg(feature = "alloc")]
    pub(crate) const fn blames_recipient(self) -> bool {
        matches!(self.0, 1002 | 1003 | 1007..=1010)
    }

    /// Returns `true` if a Close frame can carry this code (RFC 6455 §7.4): 1000–1003 and 1007–1014
    /// have a defined meaning, and 3000–4999 are for libraries and applications.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(number: u16) -> Self {
        Self::new(number)
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, number: &u16) -> bool {
        self.0 == *number
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.number()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake",
            number => return number.fmt(f),
        };
        write!(f, "{} ({meaning})", self.0)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

/// The payload of a Close frame, if it is not empty (RFC 6455 §5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format is fixed")]
pub struct CloseFrame<'a> {
    /// The status code.
    pub code: CloseCode,
    /// An explanation for people or logs, at most [`MAX_CLOSE_REASON`] bytes; often empty.
    pub reason: &'a str,
}

/// An error in the payload of a Close frame (RFC 6455 §5.5.1, §7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// The payload is one byte long, too short for a code.
    #[error("Close frame with a payload of 1 byte, too short for a code")]
    HalfCode,
    /// A Close frame can't carry this code.
    #[error("Close frame with the code {}, which must not be sent", .0.number())]
    UnsendableCode(CloseCode),
    /// The reason is not valid UTF-8. Holds the number of valid bytes at its start.
    #[error("the reason of the Close frame has invalid UTF-8 at byte {0}")]
    ReasonNotUtf8(u8),
}

impl<'a> CloseFrame<'a> {
    /// Parses the unmasked payload of a Close frame. Returns `None` if the payload is empty.
    ///
    /// ```
    /// use sansocket::{CloseCode, frame::CloseFrame};
    ///
    /// let close = CloseFrame::parse(b"\x03\xe8done")?.expect("there is a code");
    /// assert_eq!((close.code, close.reason), (CloseCode::NORMAL, "done"));
    /// assert_eq!(CloseFrame::parse(b"")?, None);
    /// # Ok::<(), sansocket::frame::CloseFrameError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the payload is one byte long, if a Close frame can't carry the code, or
    /// if the reason is not valid UTF-8.
    pub fn parse(payload: &'a [u8]) -> Result<Option<Self>, CloseFrameError> {
        let Some((code, reason)) = Self::split(payload)? else { return Ok(None) };
        match core::str::from_utf8(reason) {
            Ok(reason) => Ok(Some(Self { code, reason })),
            Err(error) => Err(CloseFrameError::not_utf8_from(error.valid_up_to())),
        }
    }

    /// Like [`parse`](Self::parse), but leaves the reason for the caller to validate.
    pub(crate) fn split(payload: &[u8]) -> Result<Option<(CloseCode, &[u8])>, CloseFrameError> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(None) } else { Err(CloseFrameError::HalfCode) };
        };
        let code = CloseCode(u16::from_be_bytes(*code));
        if !code.is_sendable() {
            return Err(CloseFrameError::UnsendableCode(code));
        }
        Ok(Some((code, reason)))
    }
}

impl CloseFrameError {
    /// The error for a reason of which only the first `at` bytes are valid UTF-8.
    pub(crate) fn not_utf8_from(at: usize) -> Self {
        Self::ReasonNotUtf8(u8::try_from(at).unwrap_or(u8::MAX))
    }
}

/// Truncates a reason to what fits into a Close (§5.5.1), without splitting a character.
#[cfg(feature = "alloc")]
pub(crate) fn cut_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_CLOSE_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_exactly_the_codes_that_a_close_frame_can_carry() {
        for number in 0..=u16::MAX {
            let valid = (1000..=1003).contains(&number)
                || (1007..=1014).contains(&number)
                || (3000..=4999).contains(&number);
            let code = CloseCode::new(number);
            let [high, low] = number.to_be_bytes();
            let parsed = CloseFrame::parse(&[high, low, b'!'])
                .map(|frame| frame.map(|frame| (frame.code, frame.reason.len())));
            if valid {
                assert_eq!(parsed, Ok(Some((code, 1))));
            } else {
                assert_eq!(parsed, Err(CloseFrameError::UnsendableCode(code)));
            }
        }
    }

    #[test]
    fn payloads_of_zero_one_and_two_bytes() {
        assert_eq!(CloseFrame::parse(b""), Ok(None));
        assert_eq!(CloseFrame::parse(&[3]), Err(CloseFrameError::HalfCode));
        let normal = CloseFrame { code: CloseCode::NORMAL, reason: "" };
        assert_eq!(CloseFrame::parse(&[3, 232]), Ok(Some(normal)));
    }

    #[test]
    fn validates_the_whole_reason() {
        let error = |at| Err(CloseFrameError::ReasonNotUtf8(at));
        assert_eq!(CloseFrame::parse(&[3, 232, b'a', 0xff]), error(1));
        assert_eq!(CloseFrame::parse(&[3, 232, 0xc3]), error(0));
    }
}
