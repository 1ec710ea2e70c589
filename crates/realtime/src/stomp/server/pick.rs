//! The headers that a frame has, and those that it should have.

use super::error::SessionError;
use crate::stomp::Frame;
use alloc::borrow::Cow;

/// Returns the values of these headers, in one pass. The first of repeated headers counts
/// (1.2 §Repeated Header Entries).
pub(super) fn pick<'a, const N: usize>(
    frame: &Frame<'a>,
    names: [&str; N],
) -> [Option<Cow<'a, str>>; N] {
    let mut values = [const { None }; N];
    for (name, value) in frame.headers() {
        let index = names.iter().position(|candidate| *candidate == name);
        if let Some(slot) = index.and_then(|index| values.get_mut(index)) {
            slot.get_or_insert(value);
        }
    }
    values
}

/// Returns the value of a header that the frame has to have.
pub(super) fn require<'a>(
    frame: &Frame<'_>,
    header: &'static str,
    value: Option<Cow<'a, str>>,
) -> Result<Cow<'a, str>, SessionError> {
    value.ok_or_else(|| missing(frame, header))
}

/// A header is missing.
pub(super) fn missing(frame: &Frame<'_>, header: &'static str) -> SessionError {
    SessionError::MissingHeader { command: frame.command(), header }
}

/// The value of a header can't be used. `problem` is the rest of a sentence.
pub(super) fn invalid(
    frame: &Frame<'_>,
    header: &'static str,
    problem: &'static str,
) -> SessionError {
    SessionError::InvalidHeader { command: frame.command(), header, problem }
}
