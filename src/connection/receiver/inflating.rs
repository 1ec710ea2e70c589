//! Compressed messages as they arrive (RFC 7692 §7.2.2).

use super::in_progress::{FrameInProgress, MessageInProgress};
use crate::buffer::ReadBuffer;
use crate::connection::{ProtocolError, Role};
use crate::deflate::{Decompressor, DeflateParameters, Fault, Reservation};
use crate::mask::apply_mask;

/// The decompression state of a receiving half.
#[derive(Debug)]
pub(super) struct Inflating {
    decompressor: Decompressor,
    /// How many bytes at the front of the unread input are unmasked but not decompressed yet.
    unmasked: u32,
    /// Whether the output of the last call filled all the room it had.
    is_full: bool,
    /// Work that was done and not yet [taken](Self::take_work).
    work: u32,
    /// Held as long as the context may exist.
    _reservation: Reservation,
}

/// How many bytes to decompress at a time. The output is counted after each step.
const INPUT_AT_ONCE: usize = 16 * 1024;

/// The work that a restart of decompression counts as, in bytes.
const WORK_OF_RESTART: usize = 1024;

/// The most bytes to decompress at a time if a message is received in chunks.
const CHUNK: usize = 16 * 1024;

impl Inflating {
    pub(super) fn new<R: Role>(agreed: &DeflateParameters, reservation: Reservation) -> Self {
        let peer_resets = if R::MASKS {
            agreed.server_no_context_takeover
        } else {
            agreed.client_no_context_takeover
        };
        Self {
            decompressor: Decompressor::new(peer_resets),
            unmasked: 0,
            is_full: false,
            work: 0,
            _reservation: reservation,
        }
    }

    /// Decompresses the received part of a frame's payload, with at most `left` work; `limit` is
    /// the limit on the message. Returns `false` if some of the payload remains for the next call,
    /// because the work is used up or because a chunk is ready.
    pub(super) fn receive(
        &mut self,
        frame: &mut FrameInProgress,
        message: &MessageInProgress,
        limit: u64,
        left: &mut usize,
        input: &mut ReadBuffer,
    ) -> Result<bool, ProtocolError> {
        let missing = usize::try_from(frame.payload_len - frame.received).unwrap_or(usize::MAX);
        let fresh = (*left).max(self.unmasked as usize);
        let available = input.unread_len().min(missing).min(fresh);
        if let Some(key) = frame.key {
            let unmasked = self.unmasked as usize;
            let fresh = &mut input.unread_mut(available)[unmasked..];
            apply_mask(fresh, key, (frame.received % 4) as usize + unmasked);
        }
        self.unmasked = available as u32;
        if available == 0 && !self.is_full {
            // A header alone must not take memory.
            return Ok(true);
        }
        loop {
            let made = input.kept_len();
            let most = if message.is_chunked() {
                CHUNK.saturating_sub(made)
            } else {
                usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(made)
            };
            if most == 0 && message.is_chunked() || *left == 0 {
                return Ok(false);
            }
            let (decompressor, frames) = (&mut self.decompressor, message.fragments);
            let count = (self.unmasked as usize).min(INPUT_AT_ONCE).min(*left);
            let most_restarts = left.div_ceil(WORK_OF_RESTART);
            let mut restarts_left = most_restarts;
            let (read, has_room, outcome) = if most == 0 {
                // One more byte shows that the message exceeds the limit. That byte is not kept:
                // making room for it would move the message and hold its memory twice for a moment.
                let fresh = &input.unread()[..count];
                let (read, written, outcome) =
                    decompressor.decompress(frames, &mut restarts_left, fresh, &mut [0]);
                if written > 0 {
                    // Of two faults, the first one counts, however the payload is split.
                    message.validate(input)?;
                    let len = limit.saturating_add(1);
                    return Err(ProtocolError::MessageTooLarge { len, limit });
                }
                input.skip(read);
                (read, true, outcome)
            } else {
                input.inflate(count, most, *left, |input, output| {
                    decompressor.decompress(frames, &mut restarts_left, input, output)
                })
            };
            if let Err(fault) = outcome {
                // As above: invalid UTF-8 before this fault counts first.
                message.validate(input)?;
                return Err(error_of(fault, message, input));
            }
            self.unmasked -= read as u32;
            let restarts = most_restarts - restarts_left;
            let work = input.kept_len() - made + restarts * WORK_OF_RESTART;
            self.work = self.work.saturating_add(work as u32);
            *left = left.saturating_sub(read + work);
            frame.received += read as u64;
            self.is_full = !has_room;
            if has_room && self.unmasked == 0 {
                return Ok(true);
            }
        }
    }

    /// Returns the work since the last call: bytes produced, and restarts.
    pub(super) fn take_work(&mut self) -> u32 {
        core::mem::take(&mut self.work)
    }

    /// Ends a message whose payload was received completely.
    pub(super) fn finish(
        &mut self,
        message: &MessageInProgress,
        input: &ReadBuffer,
    ) -> Result<(), ProtocolError> {
        self.decompressor.finish().map_err(|fault| error_of(fault, message, input))
    }
}

#[cold]
fn error_of(fault: Fault, message: &MessageInProgress, input: &ReadBuffer) -> ProtocolError {
    match fault {
        Fault::Corrupt => {
            let at = message.released() + input.kept_len() as u64;
            ProtocolError::InvalidCompression { at }
        }
        Fault::TooManyLastBlocks { limit } => ProtocolError::TooManyLastBlocks { limit },
    }
}
