//! Cursors: where a subscriber stands in the sequence of messages.
//!
//! All topics of a hub, or of a broker that joins hubs, share one sequence. So one cursor resumes any
//! number of topics, and it is the same value on every transport: the `id` of an event in SSE, the
//! `message-id` in STOMP, and the `cursor` of a poll.

use core::{fmt, str::FromStr};

/// Tells one sequence of messages from another: positions of different epochs can't be compared.
///
/// A hub begins a new epoch when it starts, because it has forgotten the messages of the last. Choose
/// it at random, so that a cursor of another epoch is recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// The place of a message in its sequence: an [`Epoch`], and a position that grows with each message.
///
/// As text, a cursor is the epoch in hexadecimal digits and the position in decimal digits: `5f3a-1042`.
/// It has at most 37 bytes, all of them lowercase letters, digits and `-`. So browsers send it as a
/// `Last-Event-ID` to other origins without asking first. Each cursor has exactly one text.
///
/// ```
/// use sansocket_realtime::{Cursor, Epoch};
///
/// let cursor: Cursor = "5f3a-1042".parse()?;
/// assert_eq!(cursor, Cursor::new(Epoch(0x5f3a), 1042));
/// assert_eq!(cursor.to_string(), "5f3a-1042");
/// # Ok::<(), sansocket_realtime::InvalidCursor>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The sequence that the position belongs to.
    pub epoch: Epoch,
    /// Grows with each message of the epoch. The first message has at least position 1, so 0 is the
    /// place before all of them.
    pub position: u64,
}

impl Cursor {
    /// Creates a cursor.
    #[must_use]
    pub const fn new(epoch: Epoch, position: u64) -> Self {
        Self { epoch, position }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.position)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (epoch, position) = text.split_once('-').ok_or(InvalidCursor)?;
        let epoch = canonical_digits(epoch, 16).ok_or(InvalidCursor)?;
        let position = canonical_digits(position, 10).ok_or(InvalidCursor)?;
        Ok(Self { epoch: Epoch(epoch), position })
    }
}

/// A text is not a [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: it has to be an epoch in hexadecimal digits, `-`, and a position")]
pub struct InvalidCursor;

/// Reads a number in its only accepted form: lowercase digits without a sign or leading zeros.
fn canonical_digits(digits: &str, radix: u32) -> Option<u64> {
    let is_canonical = !digits.bytes().any(|byte| byte == b'+' || byte.is_ascii_uppercase())
        && (digits == "0" || !digits.starts_with('0'));
    if is_canonical { u64::from_str_radix(digits, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "01-1",
            "1-01",
            "1-00",
            "A-1",
            "a-+1",
            "+a-1",
            "g-1",
            "1-a",
            " 1-1",
            "1-1 ",
            "1-18446744073709551616",
            "10000000000000000-1",
            "1\u{2212}1",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_is_the_inverse_of_parsing(epoch: u64, position: u64) {
            let cursor = Cursor::new(Epoch(epoch), position);
            let text = cursor.to_string();
            prop_assert_eq!(text.parse(), Ok(cursor));
            prop_assert!(text.len() <= 37);
            prop_assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-')));
        }

        #[test]
        fn a_cursor_has_one_text(text in "[0-9a-fA-F+]{0,4}-[0-9+]{0,4}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
