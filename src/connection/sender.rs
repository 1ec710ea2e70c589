//! The sending half: messages and control frames in, bytes out (RFC 6455 §5, §6.1).

#[cfg(feature = "std")]
mod compressing;
mod control;
#[cfg(feature = "deflate")]
mod deflating;
#[cfg(feature = "std")]
mod large_message;
pub(crate) mod messages;
mod next;

pub use next::Next;
#[cfg(feature = "std")]
pub(crate) use {compressing::Compressing, large_message::LargeMessage};

#[cfg(feature = "deflate")]
use self::deflating::Deflating;
use super::closed::State;
use super::config::SharedConfig;
use super::ending::Ending;
use super::reply::ControlPayload;
use super::{Config, Kind, Role, SendError};
use crate::buffer::{MOST_UNBROKEN, WriteBuffer};
use crate::frame::{FrameHeader, HEADER_ROOM, OpCode, Rsv};
use crate::mask::MaskKey;
use crate::negotiated::Negotiated;
use alloc::boxed::Box;

/// The sending half of a connection.
#[derive(Debug)]
pub struct Sender<R> {
    role: R,
    config: SharedConfig,
    /// The kind of the message that is being sent in fragments.
    message: Option<Kind>,
    #[cfg(feature = "deflate")]
    deflating: Option<Box<Deflating>>,
    /// Whether a message is being sent in fragments that is compressed.
    #[cfg(feature = "deflate")]
    compressed: bool,
    state: State,
    /// Bytes of a short queue: with a message that is added, neither is the queue full nor need a control
    /// frame go before that message.
    short_queue: u32,
    /// What there is to know once the connection comes to an end, one way or another.
    ending: Option<Box<Ending>>,
    /// A pong for which there is no room.
    held_back: Option<Box<ControlPayload>>,
    /// Whether the transport may hold back what it was given.
    pub(crate) unflushed: bool,
}

impl<R: Role> Sender<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
    pub(super) fn new(
        role: R,
        config: &Config,
        shared: SharedConfig,
        negotiated: &Negotiated,
    ) -> Self {
        #[cfg(feature = "deflate")]
        let deflating = negotiated
            .deflate
            .and_then(|agreed| Deflating::new::<R>(&agreed, &config.deflate.unwrap_or_default()))
            .map(Box::new);
        Self {
            #[cfg(feature = "deflate")]
            deflating,
            #[cfg(feature = "deflate")]
            compressed: false,
            role,
            config: shared,
            message: None,
            state: State::Open,
            short_queue: short_queue(config),
            ending: None,
            held_back: None,
            unflushed: false,
        }
    }

    /// Whether a message of this length goes as most do: at once, plain, in one frame. What
    /// [`check_message`](Self::check_message) would refuse does not; to ask that takes longer, since
    /// it says why.
    #[inline]
    fn sends_plainly(&self, len: usize, output: &WriteBuffer) -> bool {
        #[cfg(feature = "deflate")]
        if self.deflating.is_some() {
            return false;
        }
        self.state == State::Open
            && self.message.is_none()
            && output.len() + len <= self.short_queue as usize
    }

    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        // §5.5.1: no frame of the application's follows a Close; §6.1: none leaves a connection
        // that is not open.
        if self.state == State::Open { Ok(()) } else { Err(SendError::Closed) }
    }

    /// Whether a message can be queued beside what waits in `output`: that is not more than
    /// [`Limits::queued_output`](crate::limits::Limits::queued_output), or there will never be room again
    /// because the connection closes, and then sending says so.
    #[must_use]
    pub fn has_room(&self, output: &WriteBuffer) -> bool {
        self.state != State::Open || self.check_queue(output).is_ok()
    }

    /// Whether there is room for more of the application's.
    #[inline]
    pub(crate) fn check_queue(&self, output: &WriteBuffer) -> Result<(), SendError> {
        let limit = self.config.limits.queued_output;
        if output.len() <= limit { Ok(()) } else { self.check_long_queue(output, limit) }
    }

    #[cold]
    fn check_long_queue(&self, output: &WriteBuffer, limit: usize) -> Result<(), SendError> {
        // Pongs have their own room beside it.
        let queued = output.len().saturating_sub(output.control_len());
        if queued > limit { Err(SendError::QueueFull { queued, limit }) } else { Ok(()) }
    }

    // Always, as `append_header`: in one piece with its caller it needs no arguments in memory, and
    // most of a header is known when it is compiled.
    #[inline(always)]
    fn append_frame(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        // Before the header is made: a call behind it would move it through memory.
        output.make_room(HEADER_ROOM);
        let mask = self.role.next_key();
        let header = FrameHeader { fin, rsv, opcode, mask, payload_len: payload.len() as u64 };
        let (header, len) = header.to_bytes();
        match mask {
            Some(key) => output.extend_masked_behind(&header, len, payload, key),
            None => output.extend_behind(&header, len, payload),
        }
    }

    #[inline(always)]
    fn append_header(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload_len: u64,
        output: &mut WriteBuffer,
    ) -> Option<MaskKey> {
        output.make_room(HEADER_ROOM);
        let mask = self.role.next_key();
        let (header, len) = FrameHeader { fin, rsv, opcode, mask, payload_len }.to_bytes();
        output.extend_behind(&header, len, &[]);
        mask
    }
}

fn short_queue(config: &Config) -> u32 {
    let most = config.limits.queued_output.min(config.largest_fragment());
    // With its header it is no more than what waits without a boundary.
    u32::try_from(most).unwrap_or(u32::MAX).min(MOST_UNBROKEN - HEADER_ROOM as u32)
}
