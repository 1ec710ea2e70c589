use core::fmt;
use thiserror::Error;

/// Bytes of reason that fit into a Close frame behind its code (RFC 6455 §5.5, §5.5.1).
pub const MAX_CLOSE_REASON: usize = super::MAX_CONTROL_PAYLOAD - 2;

/// Why a connection is closed (RFC 6455 §7.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away: a server stops, a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that the endpoint can't accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: never on the wire; says that a Close frame carried no code.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: never on the wire; says that no Close frame came.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data of a message that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD_DATA: Self = Self(1007);
    /// 1008: a message that breaks a rule of the endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to be processed.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client misses an extension that the server did not agree to.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the endpoint met a condition of its own that keeps it from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (registered with IANA).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (registered with IANA).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from behind it (registered with IANA).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code of a number, whether or not it may be sent.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether the code may stand in a Close frame (RFC 6455 §7.4): 1000–1003 and 1007–1014 have a
    /// meaning there, 3000–4999 belong to libraries and applications.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
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

/// The payload of a Close frame that has one (RFC 6455 §5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format is fixed")]
pub struct CloseFrame<'a> {
    /// Why the connection is closed.
    pub code: CloseCode,
    /// The same for people or logs, at most [`MAX_CLOSE_REASON`] bytes; often empty.
    pub reason: &'a str,
}

/// A Close frame whose payload is not of the form that RFC 6455 §5.5.1 and §7.4 give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// One byte is neither nothing nor a code.
    #[error("close frame with a payload of 1 byte")]
    HalfCode,
    /// A code that may not stand in a Close frame.
    #[error("close frame with the code {}", .0.number())]
    UnsendableCode(CloseCode),
    /// A reason that is not UTF-8.
    #[error("close frame whose reason is not UTF-8 from its byte {0} on")]
    ReasonNotUtf8(u8),
}

impl<'a> CloseFrame<'a> {
    /// Reads the unmasked payload of a Close frame; `None` if it is empty.
    ///
    /// # Errors
    ///
    /// If the payload is of one byte, its code may not be sent, or its reason is not UTF-8.
    pub fn parse(payload: &'a [u8]) -> Result<Option<Self>, CloseFrameError> {
        let Some((code, reason)) = Self::split(payload)? else { return Ok(None) };
        match core::str::from_utf8(reason) {
            Ok(reason) => Ok(Some(Self { code, reason })),
            Err(error) => Err(CloseFrameError::not_utf8_from(error.valid_up_to())),
        }
    }

    /// As [`parse`](Self::parse), but the reason is still to be validated.
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
    /// A reason whose first `at` bytes alone are text.
    pub(crate) fn not_utf8_from(at: usize) -> Self {
        Self::ReasonNotUtf8(u8::try_from(at).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_codes_with_a_meaning_on_the_wire_are_accepted() {
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
    fn payloads_of_no_one_and_two_bytes() {
        assert_eq!(CloseFrame::parse(b""), Ok(None));
        assert_eq!(CloseFrame::parse(&[3]), Err(CloseFrameError::HalfCode));
        let normal = CloseFrame { code: CloseCode::NORMAL, reason: "" };
        assert_eq!(CloseFrame::parse(&[3, 232]), Ok(Some(normal)));
    }

    #[test]
    fn the_reason_is_utf8_to_its_end() {
        let error = |at| Err(CloseFrameError::ReasonNotUtf8(at));
        assert_eq!(CloseFrame::parse(&[3, 232, b'a', 0xff]), error(1));
        assert_eq!(CloseFrame::parse(&[3, 232, 0xc3]), error(0));
    }
}
