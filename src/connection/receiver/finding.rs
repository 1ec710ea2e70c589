//! Finding the next event: frames in; whole messages, chunks or control frames out (RFC 6455 §5.4,
//! §5.5).

use super::in_progress::{FrameInProgress, MessageInProgress, kind_begun_by};
use super::{Current, Heard, MOST_WORK, Owes, Progress, Receiver, WORK_OF_FRAME};
use crate::buffer::ReadBuffer;
use crate::connection::{ProtocolError, Role};
use crate::frame::{CloseFrame, CloseFrameError, FrameHeader, MAX_CONTROL_PAYLOAD, OpCode, Rsv};
use crate::limits::Limits;
use crate::mask::apply_mask;

impl<R: Role> Receiver<R> {
    /// Processes buffered input up to the next event. The caller has checked the state of the
    /// receiver and released the current event.
    pub(super) fn find_event(
        &mut self,
        input: &mut ReadBuffer,
        chunked: bool,
    ) -> Result<Progress, ProtocolError> {
        let mut left = MOST_WORK;
        loop {
            if let Some(frame) = self.frame {
                if input.unread_len() > 0 {
                    self.heard(Heard::Part);
                }
                if let Some(current) = self.receive_payload(frame, &mut left, input)? {
                    self.current = Some(current);
                    return Ok(Progress::Event);
                }
                if self.frame.is_some() && left > 0 {
                    return Ok(Progress::NeedsInput);
                }
            }
            if left == 0 {
                return Ok(Progress::More);
            }
            let Some((header, header_len)) = FrameHeader::parse(input.unread())? else {
                return Ok(Progress::NeedsInput);
            };
            self.check_header(&header)?;
            if header.opcode.is_control() {
                return self.receive_control(&header, header_len, input);
            }
            self.start_frame(&header, chunked)?;
            input.skip(header_len);
            left = left.saturating_sub(WORK_OF_FRAME);
        }
    }

    /// Checks a header against the rules that depend on this connection.
    #[inline]
    fn check_header(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // §5.1: a server fails the connection on an unmasked frame, a client on a masked one.
        match (R::MASKS, header.mask) {
            (false, None) => return Err(ProtocolError::Unmasked),
            (true, Some(_)) => return Err(ProtocolError::Masked),
            _ => {}
        }
        // §5.2: a reserved bit fails the connection if no extension gives it a meaning.
        // RFC 7692 §6: the compression bit is allowed only in the first frame of a message.
        let begins = kind_begun_by(header.opcode).is_some();
        let usable = if begins { self.usable_bits() } else { Rsv::NONE };
        let unusable = header.rsv.without(usable);
        if !unusable.is_none() {
            return Err(ProtocolError::ReservedBits(header.rsv));
        }
        Ok(())
    }

    /// Returns the reserved bits to which a negotiated extension gives a meaning.
    fn usable_bits(&self) -> Rsv {
        #[cfg(feature = "deflate")]
        if self.inflating.is_some() {
            return Rsv::RSV1;
        }
        Rsv::NONE
    }

    /// Starts a data frame whose header has arrived. All limits are checked here, before waiting
    /// for any of the payload.
    fn start_frame(&mut self, header: &FrameHeader, chunked: bool) -> Result<(), ProtocolError> {
        // §5.4: the fragments of one message are not interleaved with those of another.
        let mut message = match (kind_begun_by(header.opcode), self.message) {
            (None, Some(message)) => message,
            (None, None) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (Some(kind), None) => {
                self.count_message();
                MessageInProgress::new(kind, header.rsv, chunked)
            }
        };
        message.announce(header.payload_len);
        if !message.is_chunked() {
            self.check_limits(header, &message)?;
        }
        self.message = Some(message);
        self.frame = Some(FrameInProgress {
            fin: header.fin,
            key: header.mask,
            received: 0,
            payload_len: header.payload_len,
        });
        Ok(())
    }

    #[inline]
    fn check_limits(
        &self,
        header: &FrameHeader,
        message: &MessageInProgress,
    ) -> Result<(), ProtocolError> {
        let Limits { message: whole, fragments, .. } = self.config.limits;
        let frame = self.config.limits.largest_frame();
        // The size of a compressed message is known only after decompression.
        #[cfg(feature = "deflate")]
        let announces_all = !message.compressed;
        #[cfg(not(feature = "deflate"))]
        let announces_all = true;
        if announces_all && message.announced() > whole {
            return Err(ProtocolError::MessageTooLarge { len: message.announced(), limit: whole });
        }
        if header.payload_len > frame {
            return Err(ProtocolError::FrameTooLarge { len: header.payload_len, limit: frame });
        }
        if message.fragments > fragments {
            return Err(ProtocolError::TooManyFragments { limit: fragments });
        }
        Ok(())
    }

    /// Processes the received part of the current frame's payload, with at most `left` work:
    /// unmasks it, appends it to the message and validates it. Returns an event once the message is
    /// complete or, in chunks, once any of it is available.
    fn receive_payload(
        &mut self,
        mut frame: FrameInProgress,
        left: &mut usize,
        input: &mut ReadBuffer,
    ) -> Result<Option<Current>, ProtocolError> {
        #[cfg(feature = "deflate")]
        if self.message.is_some_and(|message| message.compressed) {
            return self.receive_compressed(frame, left, input);
        }
        let missing = frame.payload_len - frame.received;
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        let count = input.unread_len().min(missing).min(*left);
        *left -= count;
        if let Some(key) = frame.key {
            // Only the position within the key matters.
            apply_mask(input.unread_mut(count), key, (frame.received % 4) as usize);
        }
        input.keep(count);
        frame.received += count as u64;
        self.found(frame, true, input)
    }

    /// Works like [`receive_payload`](Self::receive_payload), for a compressed message.
    #[cfg(feature = "deflate")]
    fn receive_compressed(
        &mut self,
        mut frame: FrameInProgress,
        left: &mut usize,
        input: &mut ReadBuffer,
    ) -> Result<Option<Current>, ProtocolError> {
        loop {
            let (Some(inflating), Some(message)) = (&mut self.inflating, &self.message) else {
                return Ok(None);
            };
            let (limit, is_skipped) = (self.config.limits.message, message.is_skipped());
            let all_is_there = inflating.receive(&mut frame, message, limit, left, input)?;
            let current = self.found(frame, all_is_there, input)?;
            // What is skipped makes room for more.
            if all_is_there || !is_skipped || *left == 0 {
                return Ok(current);
            }
        }
    }

    /// Returns the event that the payload so far amounts to, if any. `all_is_there` is `false` if
    /// received bytes still have to be decompressed.
    fn found(
        &mut self,
        frame: FrameInProgress,
        all_is_there: bool,
        input: &mut ReadBuffer,
    ) -> Result<Option<Current>, ProtocolError> {
        let frame_ends = all_is_there && frame.received == frame.payload_len;
        input.set_wanted(frame.payload_len - frame.received);
        self.frame = if frame_ends { None } else { Some(frame) };

        let Some(message) = &mut self.message else { return Ok(None) };
        let message_ends = frame_ends && frame.fin;
        // If there are several faults, the first one counts, however the payload is split: bytes
        // that can't be UTF-8, then compressed data that ends too early, then an incomplete
        // character at the end.
        let len = message.validate(input)?;
        #[cfg(feature = "deflate")]
        if message_ends && message.compressed {
            if let Some(inflating) = &mut self.inflating {
                inflating.finish(message, input)?;
            }
        }
        if message_ends {
            message.check_end(len, input)?;
        }
        let kind = message.kind;
        let is_skipped = message.is_skipped();
        let current = if is_skipped {
            message.release(len);
            input.release_front(len);
            None
        } else if message.is_chunked() && (message_ends || len > 0) {
            let first = message.release(len);
            Some(Current::Chunk { kind, len, first, last: message_ends })
        } else {
            (!message.is_chunked() && message_ends).then_some(Current::Message(kind))
        };
        if frame_ends {
            self.count_frame(OpCode::Continuation, frame.fin);
        }
        if message_ends {
            self.message = None;
            if is_skipped {
                self.heard(Heard::Message);
            }
        }
        Ok(current)
    }

    /// Receives a control frame once it is complete (§5.5).
    fn receive_control(
        &mut self,
        header: &FrameHeader,
        header_len: usize,
        input: &mut ReadBuffer,
    ) -> Result<Progress, ProtocolError> {
        let len = MAX_CONTROL_PAYLOAD.min(header.payload_len as usize);
        if input.unread_len() < header_len + len {
            return Ok(Progress::NeedsInput);
        }
        self.count_message();
        input.skip(header_len);
        if let Some(key) = header.mask {
            apply_mask(input.unread_mut(len), key, 0);
        }
        self.current = Some(match header.opcode {
            OpCode::Close => self.receive_close(len, input)?,
            OpCode::Ping => Current::Ping { len },
            _ => Current::Pong { len },
        });
        self.count_frame(header.opcode, true);
        // §5.5.1, §5.5.2: a Close answers a Close, and a Pong answers a Ping. The sending half has to
        // know of a Pong.
        self.owes = Owes::Reply;
        Ok(Progress::Event)
    }

    /// Receives the payload of a Close (§5.5.1). The buffer keeps the reason as it keeps a message.
    /// The reason replaces the kept bytes of a message in progress, which will never be completed.
    fn receive_close(
        &mut self,
        len: usize,
        input: &mut ReadBuffer,
    ) -> Result<Current, ProtocolError> {
        let frame = CloseFrame::split(&input.unread()[..len])?;
        let (code, reason_len) =
            frame.map_or((None, 0), |(code, reason)| (Some(code), reason.len()));
        input.release();
        input.skip(len - reason_len);
        input.keep(reason_len);
        let valid = input.validate_kept().unwrap_or_else(|error| error.valid_up_to());
        if valid < reason_len {
            return Err(CloseFrameError::not_utf8_from(valid).into());
        }
        self.heard = Heard::End;
        Ok(Current::Close(code))
    }
}
