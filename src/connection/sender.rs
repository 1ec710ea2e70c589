//! The sending half: messages and control frames in, bytes out (RFC 6455 §5, §6.1).

mod control;
mod messages;

pub use control::Due;

use super::closing::Closing;
#[cfg(feature = "deflate")]
use super::compressed::Deflating;
use super::pongs::Pongs;
use super::{Config, Kind, Role, SendError, State};
use crate::{
    FrameHeader, MAX_FRAME_HEADER, MaskKey, Negotiated, OpCode, Rsv, WriteBuffer, apply_mask,
    timers::Deadline,
};
use core::time::Duration;

/// The sending half of a connection.
#[derive(Debug)]
pub struct Sender<R> {
    role: R,
    queued_output: usize,
    fragment_size: usize,
    close_timeout: Duration,
    /// The kind of the message that is being sent in fragments.
    message: Option<Kind>,
    #[cfg(feature = "deflate")]
    deflating: Option<Deflating>,
    /// Whether a message is being sent in fragments that is compressed.
    #[cfg(feature = "deflate")]
    compressed: bool,
    closing: Closing,
    close_deadline: Deadline,
    pongs: Pongs,
}

impl<R: Role> Sender<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
    pub(super) fn new(role: R, config: &Config, negotiated: &Negotiated) -> Self {
        #[cfg(feature = "deflate")]
        let deflating = negotiated
            .deflate
            .and_then(|agreed| Deflating::new::<R>(&agreed, &config.deflate.unwrap_or_default()));
        Self {
            #[cfg(feature = "deflate")]
            deflating,
            #[cfg(feature = "deflate")]
            compressed: false,
            role,
            queued_output: config.limits.queued_output,
            fragment_size: match config.fragment_size {
                0 => usize::MAX,
                size => size,
            },
            close_timeout: config.close_timeout,
            message: None,
            closing: Closing::default(),
            close_deadline: Deadline::Unset,
            pongs: Pongs::default(),
        }
    }

    fn check_open(&self) -> Result<(), SendError> {
        // §5.5.1: no frame of the application's follows a Close; §6.1: none leaves a connection
        // that is not open.
        if self.state() == State::Open { Ok(()) } else { Err(SendError::Closed) }
    }

    /// Whether there is room for more of the application's.
    pub(crate) fn check_queue(&self, output: &WriteBuffer) -> Result<(), SendError> {
        // Pongs have their own room beside it; mostly they need not be counted to see that.
        if output.len() <= self.queued_output {
            return Ok(());
        }
        let queued = output.len().saturating_sub(self.pongs.unwritten(output));
        let limit = self.queued_output;
        if queued > limit { Err(SendError::QueueFull { queued, limit }) } else { Ok(()) }
    }

    fn append_frame(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        let key = self.append_header(opcode, rsv, fin, payload.len() as u64, output);
        let payload = output.append(payload);
        if let Some(key) = key {
            apply_mask(payload, key, 0);
        }
    }

    fn append_header(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload_len: u64,
        output: &mut WriteBuffer,
    ) -> Option<MaskKey> {
        let mask = self.role.next_key();
        let header = FrameHeader { fin, rsv, opcode, mask, payload_len };
        let mut bytes = [0; MAX_FRAME_HEADER];
        let len = header.encode(&mut bytes);
        output.append_front_of(&bytes, len);
        mask
    }
}
