//! Large borrowed payloads of a server, written from where they are: all frames of one in as few
//! writes as can be.

use super::{Outgoing, write::FEW_SLICES};
use crate::asynchronous::shell::Shell;
use crate::buffer::WriteBuffer;
use crate::connection::{Kind, Role};
use crate::error::Error;
use crate::frame::{FrameHeader, MAX_FRAME_HEADER, OpCode, Rsv};
use crate::io::{SLICES, WRITE_THROUGH_FROM};
use core::task::{Context, Poll, ready};
use std::io::{self, ErrorKind, IoSlice};

/// A message of which some is still to be written.
struct InPlace<'a> {
    payload: &'a [u8],
    /// How much of it a frame has; the last one may have less.
    frame_len: usize,
    frame_count: usize,
    /// Of the first frame, of those between, and of the last if it is another than the first.
    headers: [Header; 3],
    /// The first frame that is not all written, and how many of its bytes are.
    current: usize,
    written: usize,
}

struct Header {
    bytes: [u8; MAX_FRAME_HEADER],
    len: usize,
}

impl Header {
    fn new(opcode: OpCode, fin: bool, payload_len: usize) -> Self {
        let payload_len = payload_len as u64;
        let mut bytes = [0; MAX_FRAME_HEADER];
        let len =
            FrameHeader { fin, rsv: Rsv::NONE, opcode, mask: None, payload_len }.encode(&mut bytes);
        Self { bytes, len }
    }
}

impl<'a> InPlace<'a> {
    /// In frames of `fragment_size` (RFC 6455 §5.4); the payload is not empty.
    fn new(kind: Kind, payload: &'a [u8], fragment_size: usize) -> Self {
        let frame_len = payload.len().min(fragment_size);
        let frame_count = payload.len().div_ceil(frame_len);
        let last = payload.len() - (frame_count - 1) * frame_len;
        Self {
            payload,
            frame_len,
            frame_count,
            headers: [
                Header::new(kind.opcode(), frame_count == 1, frame_len),
                Header::new(OpCode::Continuation, false, frame_len),
                Header::new(OpCode::Continuation, true, last),
            ],
            current: 0,
            written: 0,
        }
    }

    fn is_written(&self) -> bool {
        self.current == self.frame_count
    }

    /// The two parts of a frame.
    fn frame(&self, number: usize) -> [&[u8]; 2] {
        let header = match number {
            0 => &self.headers[0],
            _ if number + 1 < self.frame_count => &self.headers[1],
            _ => &self.headers[2],
        };
        let rest = &self.payload[number * self.frame_len..];
        [&header.bytes[..header.len], &rest[..self.frame_len.min(rest.len())]]
    }

    /// What is to be written, in order; no piece is empty.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        (self.current..self.frame_count)
            .flat_map(|number| {
                let [header, payload] = self.frame(number);
                let written = if number == self.current { self.written } else { 0 };
                let of_header = written.min(header.len());
                [&header[of_header..], &payload[written - of_header..]]
            })
            .filter(|piece| !piece.is_empty())
    }

    /// Says that so many bytes more were written.
    fn advance(&mut self, count: usize) {
        self.written += count;
        while !self.is_written() {
            let [header, payload] = self.frame(self.current);
            let len = header.len() + payload.len();
            if self.written < len {
                return;
            }
            self.written -= len;
            self.current += 1;
        }
    }
}

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Whether a borrowed payload is written from where it is.
    pub(super) fn writes_in_place(&self, len: usize, compressible: bool) -> bool {
        // A masked payload has to be copied anyway (§5.3), and so has one that the transport can't
        // take in one write with its header.
        !R::MASKS
            && len >= WRITE_THROUGH_FROM
            && M::is_write_vectored(&self.transport)
            && !(compressible && self.sender.compresses(len))
    }

    /// Sends a large borrowed payload behind what is queued. Only what the transport does not take
    /// now is copied.
    pub(super) fn write_in_place(
        &mut self,
        kind: Kind,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        self.sender.check_message(&self.output)?;
        let mut message = InPlace::new(kind, payload, self.sender.fragment_size());
        while !message.is_written() {
            let pieces = self.output.most_pieces() + 2 * message.frame_count;
            let written = if pieces <= FEW_SLICES {
                self.poll_write_with::<FEW_SLICES>(&mut message, cx)
            } else {
                self.poll_write_with::<SLICES>(&mut message, cx)
            };
            match written {
                // A pong that was held back goes between two frames (§5.4), and only there. With no
                // buffer there is nothing owed.
                Poll::Ready(Ok(())) if message.written == 0 && !self.output.is_none() => {
                    self.sender.queue_owed(&mut self.output);
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(self.failed(error)),
                Poll::Pending => {
                    self.output.reserve(message.pieces().map(<[u8]>::len).sum());
                    message.pieces().for_each(|piece| self.output.extend_from_slice(piece));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One write of what is queued, and of the message if all of that goes along.
    fn poll_write_with<const PLACES: usize>(
        &mut self,
        message: &mut InPlace<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let output: &WriteBuffer = &self.output;
        let mut slices = [&[][..]; PLACES];
        let mut used = output.slices(&mut slices);
        let queued: usize = slices[..used].iter().map(|slice| slice.len()).sum();
        if queued == output.len() {
            for (place, piece) in slices[used..].iter_mut().zip(message.pieces()) {
                *place = piece;
                used += 1;
            }
        }
        let vectors = slices.map(IoSlice::new);
        let written = M::poll_write_vectored(&mut self.transport, cx, &vectors[..used]);
        let count = match ready!(written) {
            Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            outcome => outcome?,
        };
        self.unflushed = true;
        let of_queue = count.min(queued);
        if of_queue > 0 {
            self.output.consume(of_queue);
        }
        message.advance(count - of_queue);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn rest(message: &InPlace<'_>) -> Vec<u8> {
        message.pieces().collect::<Vec<_>>().concat()
    }

    #[test]
    fn it_is_in_frames_and_goes_on_after_any_byte() {
        let payload = *b"abcdefgh";
        for (fragment_size, wire) in [
            (usize::MAX, &b"\x82\x08abcdefgh"[..]),
            (8, b"\x82\x08abcdefgh"),
            (4, b"\x02\x04abcd\x80\x04efgh"),
            (3, b"\x02\x03abc\x00\x03def\x80\x02gh"),
        ] {
            for first in 0..=wire.len() {
                for second in 0..=wire.len() - first {
                    let mut message = InPlace::new(Kind::Binary, &payload, fragment_size);
                    assert_eq!(rest(&message), wire);
                    message.advance(first);
                    message.advance(second);
                    assert_eq!(rest(&message), wire[first + second..]);
                    assert_eq!(message.is_written(), first + second == wire.len());
                }
            }
        }
    }
}
