//! Frames on the wire (RFC 6455 §5): headers, opcodes and the payload of Close frames.
//!
//! This module checks each frame on its own. The connection checks the rules that depend on its
//! state, such as which endpoint must mask its frames.

mod close;
mod header;
mod opcode;

#[cfg(feature = "alloc")]
pub(crate) use close::cut_reason;
pub use close::{CloseCode, CloseFrame, CloseFrameError, MAX_CLOSE_REASON};
#[cfg(feature = "alloc")]
pub(crate) use header::HEADER_ROOM;
pub use header::{FrameError, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_FRAME_HEADER, Rsv};
pub use opcode::OpCode;
