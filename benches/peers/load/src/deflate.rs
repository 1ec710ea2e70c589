//! permessage-deflate (RFC 7692).

use crate::{Result, arguments::Arguments, handshake::Agreed, incoming::Receiver};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

const LEVEL: i32 = 6;
const WINDOW_BITS: u8 = 15;
/// The end of each message, which a sender removes and a receiver appends again.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Compresses the messages of one connection.
pub(crate) struct Compressor {
    context: Deflate,
    keeps_context: bool,
}

impl Compressor {
    /// Creates a compressor with the largest window.
    pub(crate) fn new(keeps_context: bool) -> Self {
        Self::with_window(WINDOW_BITS, keeps_context)
    }

    fn with_window(window_bits: u8, keeps_context: bool) -> Self {
        Self { context: Deflate::new(LEVEL, false, window_bits), keeps_context }
    }

    /// Creates a compressor if the connection needs one. It does if its messages depend on each
    /// other, or if its window is too small for the messages compressed in advance.
    pub(crate) fn of(agreed: &Agreed, arguments: &Arguments) -> Option<Self> {
        let window_bits = agreed.client_max_window_bits.unwrap_or(WINDOW_BITS);
        let is_needed = !arguments.compresses_without_context() || window_bits < WINDOW_BITS;
        (agreed.deflate.is_some() && is_needed)
            .then(|| Self::with_window(window_bits, !agreed.client_no_context_takeover))
    }

    /// Replaces the contents of `output` with the compressed `payload`.
    pub(crate) fn compress(&mut self, mut payload: &[u8], output: &mut Vec<u8>) -> Result<()> {
        if !self.keeps_context {
            self.context.reset();
        }
        let mut length = 0;
        loop {
            output.resize(output.capacity().max(length + 4096), 0);
            let (read, written) = (self.context.total_in(), self.context.total_out());
            self.context
                .compress(payload, &mut output[length..], DeflateFlush::SyncFlush)
                .map_err(|error| format!("can't compress a message: {}", error.as_str()))?;
            payload = &payload[(self.context.total_in() - read) as usize..];
            length += (self.context.total_out() - written) as usize;
            // The flush is complete if `output` has room left.
            if payload.is_empty() && length < output.len() {
                break;
            }
        }
        output.truncate(length);
        if output.ends_with(&TAIL) {
            output.truncate(length - TAIL.len());
        }
        if output.is_empty() {
            output.push(0);
        }
        Ok(())
    }
}

/// Inflates the messages of one connection.
pub(crate) struct Decompressor {
    context: Inflate,
    keeps_context: bool,
}

impl Decompressor {
    pub(crate) fn of(agreed: &Agreed) -> Option<Self> {
        agreed.deflate.is_some().then(|| Self {
            context: Inflate::new(false, WINDOW_BITS),
            keeps_context: !agreed.server_no_context_takeover,
        })
    }

    /// Inflates a piece of a message and passes the result to `receiver`. `room` is scratch space.
    pub(crate) fn piece(
        &mut self,
        mut input: &[u8],
        room: &mut [u8],
        receiver: &mut impl Receiver,
    ) -> Result<()> {
        loop {
            let (read, written) = (self.context.total_in(), self.context.total_out());
            let status = self
                .context
                .decompress(input, room, InflateFlush::SyncFlush)
                .map_err(|error| format!("can't inflate a reply: {}", error.as_str()))?;
            input = &input[(self.context.total_in() - read) as usize..];
            let written = (self.context.total_out() - written) as usize;
            receiver.data(&room[..written])?;
            if status == Status::StreamEnd {
                // RFC 7692 §7.2.3.5: a sender may end the stream with each message.
                self.context.reset(false);
            } else if written < room.len() {
                break;
            }
        }
        if input.is_empty() { Ok(()) } else { Err("a reply has excess bytes".into()) }
    }

    pub(crate) fn end(&mut self, room: &mut [u8], receiver: &mut impl Receiver) -> Result<()> {
        self.piece(&TAIL, room, receiver)?;
        if !self.keeps_context {
            self.context.reset(false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Kind;

    struct Collected(Vec<u8>);

    impl Receiver for Collected {
        fn data(&mut self, bytes: &[u8]) -> Result<()> {
            self.0.extend(bytes);
            Ok(())
        }

        fn end(&mut self, _: Kind) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn messages_round_trip_with_and_without_context() {
        let messages: Vec<Vec<u8>> = [0, 1, 50, 9_000, 0, 9_000]
            .map(|size| (0..size).map(|at| (at / 7) as u8).collect())
            .into();
        for keeps_context in [false, true] {
            let agreed = Agreed {
                deflate: Some(String::new()),
                client_no_context_takeover: !keeps_context,
                server_no_context_takeover: !keeps_context,
                client_max_window_bits: None,
            };
            let mut compressor = Compressor::new(keeps_context);
            let mut decompressor = Decompressor::of(&agreed).expect("compression was negotiated");
            let mut compressed = Vec::new();
            for message in &messages {
                compressor.compress(message, &mut compressed).expect("compression never fails");
                let mut inflated = Collected(Vec::new());
                let mut room = [0; 100];
                for piece in compressed.chunks(3) {
                    decompressor.piece(piece, &mut room, &mut inflated).expect("the data is valid");
                }
                decompressor.end(&mut room, &mut inflated).expect("the data is valid");
                assert_eq!(&inflated.0, message);
            }
        }
    }
}
