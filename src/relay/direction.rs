//! One direction of a relay: from the peer that sends to the peer that is written to.

use super::frames::{FrameRelay, Passage};
use crate::buffer::ReadBuffer;
use crate::connection::ProtocolError;
use crate::frame::{
    CloseCode, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_FRAME_HEADER, OpCode, Rsv, cut_reason,
};
use crate::mask::{MaskKey, apply_mask};
use crate::timers::Deadline;
use crate::transport::Fin;
use alloc::{string::String, vec::Vec};
use core::time::Duration;

/// How many bytes may wait to be written before the relay stops to read.
const MOST_WAITING: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Direction {
    frames: FrameRelay,
    /// How many bytes at the front of the input are checked and not yet written.
    checked: usize,
    source: Source,
    target: Target,
    pub(super) fin: Fin,
    /// The rest of a Close of the relay itself, which follows the bytes that are passed on.
    own: Vec<u8>,
    /// When the target must have taken some of what waits, if that has a timeout.
    stall: Deadline,
}

/// What comes from the peer that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Open,
    /// Its Close was passed on, or came when nothing was passed on any more.
    Closed(Option<CloseCode>),
    /// It violated the protocol.
    Failed,
    /// The transport ended, after a Close with the code or without one.
    Ended(Option<Option<CloseCode>>),
}

/// What goes to the peer that is written to.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Open,
    /// The relay closes after the frame that is being passed on.
    Closing(CloseCode, String),
    /// A Close is the last frame.
    Closed,
    /// There will be no Close.
    Cut,
    /// The transport failed.
    Failed,
}

/// What became of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// The source has closed.
    Close,
    Fault(ProtocolError),
}

impl Direction {
    pub(super) fn new(frames: FrameRelay) -> Self {
        Self {
            frames,
            checked: 0,
            source: Source::Open,
            target: Target::Open,
            fin: Fin::Unsent,
            own: Vec::new(),
            stall: Deadline::Unset,
        }
    }

    pub(super) fn set_frames(&mut self, change: impl FnOnce(FrameRelay) -> FrameRelay) {
        self.frames = change(self.frames.clone());
    }

    /// Checks what has arrived. Nothing is passed on after a Close of the source or of the relay, but
    /// the source's Close is still found.
    pub(super) fn advance(
        &mut self,
        input: &mut ReadBuffer,
        key: &mut dyn FnMut() -> Option<MaskKey>,
    ) -> Found {
        let mut found = Found::Nothing;
        while self.source == Source::Open {
            self.close_at_boundary(key);
            let mut at = self.checked;
            if !self.passes() && at > 0 {
                // What follows is looked at once those bytes are written.
                break;
            }
            match self.frames.advance(&input.unread()[at..]) {
                Ok(Some(passage)) => {
                    at += passage.len();
                    if let Passage::Close { code, .. } = passage {
                        self.source = Source::Closed(code);
                        found = Found::Close;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.source = Source::Failed;
                    found = Found::Fault(error);
                    break;
                }
            }
            if self.passes() {
                self.checked = at;
                if found == Found::Close {
                    self.target = Target::Closed;
                }
            } else {
                input.skip(at);
            }
        }
        self.close_at_boundary(key);
        if self.checked == 0 && self.source != Source::Open {
            input.skip(input.unread_len());
        }
        found
    }

    /// Returns `true` as long as bytes are passed on.
    fn passes(&self) -> bool {
        matches!(self.target, Target::Open | Target::Closing(..))
    }

    /// Ends the target with a Close, after the frame that is being passed on.
    pub(super) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        key: &mut dyn FnMut() -> Option<MaskKey>,
    ) {
        if self.target == Target::Open {
            self.target = Target::Closing(code, reason.into());
            self.close_at_boundary(key);
        }
    }

    fn close_at_boundary(&mut self, key: &mut dyn FnMut() -> Option<MaskKey>) {
        // §5.4: a control frame goes between frames, also between those of one message.
        if let (Target::Closing(code, reason), true) = (&self.target, self.frames.is_at_boundary())
        {
            self.own = close_frame(*code, reason, key());
            self.target = Target::Closed;
        }
    }

    /// Ends the target without a Close, unless one is on its way.
    pub(super) fn cut(&mut self) {
        if self.passes() {
            self.target = Target::Cut;
        }
    }

    /// Records that the source's transport has ended.
    pub(super) fn source_ended(&mut self) {
        self.source = Source::Ended(match self.source {
            Source::Closed(code) | Source::Ended(Some(code)) => Some(code),
            Source::Open | Source::Failed | Source::Ended(None) => None,
        });
        // The rest of the frame does not come any more.
        if !self.frames.is_at_boundary() {
            self.cut();
        }
    }

    /// Records that the target's transport has failed: nothing more is written.
    pub(super) fn target_failed(&mut self, input: &mut ReadBuffer) {
        self.target = Target::Failed;
        input.skip(self.checked);
        self.checked = 0;
        self.own = Vec::new();
        self.stall = Deadline::Unset;
    }

    /// Returns the bytes to write next.
    pub(super) fn output<'a>(&'a self, input: &'a ReadBuffer) -> &'a [u8] {
        match self.checked {
            0 => &self.own,
            checked => &input.unread()[..checked],
        }
    }

    /// Drops bytes that were written.
    pub(super) fn written(&mut self, count: usize, input: &mut ReadBuffer) {
        let passed = count.min(self.checked);
        input.skip(passed);
        self.checked -= passed;
        self.own.drain(..(count - passed).min(self.own.len()));
        self.stall = Deadline::Unset;
    }

    /// Returns `true` if something waits, and nothing was written for so long.
    pub(super) fn has_stalled(&mut self, now: Duration, timeout: Duration) -> bool {
        if self.wants_write() {
            self.stall.set();
        }
        self.stall.passed(now, timeout)
    }

    /// Returns when to ask whether it [has stalled](Self::has_stalled).
    pub(super) fn stall_deadline(&self) -> Option<Duration> {
        self.stall.next()
    }

    pub(super) fn wants_read(&self) -> bool {
        match self.source {
            Source::Ended(_) => false,
            _ if self.passes() => self.checked < MOST_WAITING,
            // What comes now is dropped.
            _ => self.checked == 0,
        }
    }

    pub(super) fn wants_write(&self) -> bool {
        self.checked > 0 || !self.own.is_empty()
    }

    /// Returns the code of the source's Close, if there was one.
    pub(super) fn received_close(&self) -> Option<Option<CloseCode>> {
        match self.source {
            Source::Closed(code) | Source::Ended(Some(code)) => Some(code),
            _ => None,
        }
    }

    pub(super) fn source_has_failed(&self) -> bool {
        self.source == Source::Failed
    }

    pub(super) fn source_has_ended(&self) -> bool {
        matches!(self.source, Source::Ended(_))
    }

    /// Returns `true` if the source sends nothing more that counts.
    pub(super) fn source_is_done(&self) -> bool {
        self.source != Source::Open
    }

    pub(super) fn is_cut(&self) -> bool {
        self.target == Target::Cut
    }

    pub(super) fn target_has_failed(&self) -> bool {
        self.target == Target::Failed
    }

    /// Returns `true` if all that will ever be written is written.
    pub(super) fn is_all_written(&self) -> bool {
        !self.passes() && !self.wants_write()
    }
}

/// Encodes a Close of the relay itself.
fn close_frame(code: CloseCode, reason: &str, mask: Option<MaskKey>) -> Vec<u8> {
    let mut payload = Vec::with_capacity(MAX_CONTROL_PAYLOAD);
    payload.extend_from_slice(&code.number().to_be_bytes());
    payload.extend_from_slice(cut_reason(reason).as_bytes());
    let payload_len = payload.len() as u64;
    let header =
        FrameHeader { fin: true, rsv: Rsv::NONE, opcode: OpCode::Close, mask, payload_len };
    if let Some(key) = mask {
        apply_mask(&mut payload, key, 0);
    }
    let mut head = [0; MAX_FRAME_HEADER];
    let len = header.encode(&mut head);
    let mut frame = Vec::with_capacity(len + payload.len());
    frame.extend_from_slice(&head[..len]);
    frame.extend_from_slice(&payload);
    frame
}
