//! Decoding of message bodies: where a body ends (RFC 9112 §6.3) and which of its bytes are data.

use crate::headers::{Fields, elements, trim};

/// The rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Sized(u64),
    /// Everything until the transport ends.
    UntilEnd,
    /// Chunks (RFC 9112 §7.1).
    Chunked(Chunk),
}

/// The position of the next byte in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the chunk size. Holds the number of digits read so far and their value.
    Size { digits: u8, size: u64 },
    /// After the chunk size, before the end of its line.
    Extension { size: u64 },
    /// In the chunk data. Holds the number of bytes left.
    Data { left: u64 },
    /// In the line end after the chunk data.
    DataEnd,
    /// After the last chunk. Trailers do not belong to the body.
    Last,
}

/// The error for invalid chunks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidChunk;

/// The error for a `Content-Length` that is not a number, or for conflicting ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidLength;

/// Reads the `Content-Length`, which may be repeated with the same value (RFC 9112 §6.3, item 5).
pub(super) fn content_length(fields: &Fields) -> Result<Option<u64>, InvalidLength> {
    let mut len = None;
    for value in fields.named("Content-Length") {
        // Every element must be valid, so do not skip empty ones.
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
    /// Returns the body of a response, or `None` if its end can't be determined.
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

    /// Consumes bytes at the start of `input`, which must not be empty. Returns their number and
    /// the data among them, at most `most` bytes.
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

/// Returns the bytes at the start of `input` that belong to the `left` remaining bytes.
fn take<'a>(input: &'a [u8], left: &mut u64) -> &'a [u8] {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= len as u64;
    &input[..len]
}

impl Chunk {
    /// Returns the position after a byte that is not data.
    fn after(self, byte: u8) -> Result<Self, InvalidChunk> {
        match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(InvalidChunk)?;
                // More than 16 digits would overflow.
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
