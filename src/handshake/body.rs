//! Where the body of a message ends (RFC 9112 §6.3), and what in it is data.

use crate::headers::{Fields, elements, trim};

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Sized(u64),
    /// All that comes until the transport ends.
    UntilEnd,
    /// Chunks (RFC 9112 §7.1).
    Chunked(Chunk),
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the size, of which this much was read: the digits' number and value.
    Size { digits: u8, size: u64 },
    /// Behind the size, up to the end of its line.
    Extension { size: u64 },
    /// In the data, of which this much is to come.
    Data { left: u64 },
    /// In the line end behind the data.
    DataEnd,
    /// Behind the last chunk. What may follow is none of the body.
    Last,
}

/// Chunks that are not of their form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidChunk;

/// A `Content-Length` that is no number, or differing ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidLength;

/// One number, which may be repeated (RFC 9112 §6.3, item 5).
pub(super) fn content_length(fields: &Fields) -> Result<Option<u64>, InvalidLength> {
    let mut len = None;
    for value in fields.named("Content-Length") {
        // Every element has to be valid, so an empty one is not passed over here.
        for element in value.split(|&byte| byte == b',') {
            let digits = trim(element);
            let number = core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            let valid = digits.iter().all(u8::is_ascii_digit) && number.is_some();
            if !valid || (len.is_some() && len != number) {
                return Err(InvalidLength);
            }
            len = number;
        }
    }
    Ok(len)
}

impl Body {
    /// The body of a response; `None` if it can't be told where it ends.
    pub(super) fn of(status: u16, fields: &Fields) -> Option<Self> {
        if matches!(status, 204 | 304) {
            return Some(Self::Sized(0));
        }
        if let Some(last) = fields.named("Transfer-Encoding").flat_map(elements).last() {
            let chunked = last.eq_ignore_ascii_case(b"chunked");
            return Some(if chunked { Self::chunked() } else { Self::UntilEnd });
        }
        match content_length(fields) {
            Ok(Some(len)) => Some(Self::Sized(len)),
            Ok(None) => Some(Self::UntilEnd),
            Err(InvalidLength) => None,
        }
    }

    fn chunked() -> Self {
        Self::Chunked(Chunk::Size { digits: 0, size: 0 })
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Self::Sized(0) | Self::Chunked(Chunk::Last))
    }

    pub(super) fn ends_with_transport(&self) -> bool {
        matches!(self, Self::UntilEnd)
    }

    /// Uses up a front part of `input`, which is not empty; returns its length and the data in it,
    /// `most` bytes at most.
    pub(super) fn next<'a>(
        &mut self,
        input: &'a [u8],
        most: usize,
    ) -> Result<(usize, &'a [u8]), InvalidChunk> {
        let room = &input[..input.len().min(most)];
        let data = match self {
            Self::UntilEnd => room,
            Self::Sized(left) => take(room, left),
            Self::Chunked(Chunk::Data { left }) => {
                let data = take(room, left);
                if *left == 0 {
                    *self = Self::Chunked(Chunk::DataEnd);
                }
                data
            }
            Self::Chunked(chunk) => {
                if let [byte, ..] = input {
                    *chunk = chunk.after(*byte)?;
                }
                return Ok((input.len().min(1), &[]));
            }
        };
        Ok((data.len(), data))
    }
}

/// The front part of `input` that belongs to the `left` bytes.
fn take<'a>(input: &'a [u8], left: &mut u64) -> &'a [u8] {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= len as u64;
    &input[..len]
}

impl Chunk {
    /// The place behind a byte that is not data.
    fn after(self, byte: u8) -> Result<Self, InvalidChunk> {
        match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(InvalidChunk)?;
                // More than 16 digits would not fit.
                let digits = if digits < 16 { digits + 1 } else { return Err(InvalidChunk) };
                Ok(Self::Size { digits, size: size << 4 | u64::from(digit) })
            }
            (Self::Size { digits: 1.., size }, b';' | b' ' | b'\t' | b'\r') => {
                Ok(Self::Extension { size })
            }
            (Self::Size { digits: 1.., size } | Self::Extension { size }, b'\n') => {
                Ok(if size == 0 { Self::Last } else { Self::Data { left: size } })
            }
            (Self::Extension { .. }, _) | (Self::DataEnd, b'\r') => Ok(self),
            (Self::DataEnd, b'\n') => Ok(Self::Size { digits: 0, size: 0 }),
            _ => Err(InvalidChunk),
        }
    }
}
