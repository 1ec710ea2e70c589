//! Where the body of a message ends (RFC 9112 §6.3), and what in it is data.

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

impl Body {
    pub(super) fn chunked() -> Self {
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
