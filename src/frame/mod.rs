//! Frames on the wire (RFC 6455 §5): headers, opcodes, and what a Close frame carries.
//!
//! Here stands what is right or wrong about one frame by itself. What depends on the connection,
//! such as who must mask, is checked there.

mod close;
mod header;
mod opcode;

pub use close::{CloseCode, CloseFrame, CloseFrameError, MAX_CLOSE_REASON};
#[cfg(feature = "alloc")]
pub(crate) use header::HEADER_ROOM;
pub use header::{FrameError, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_FRAME_HEADER, Rsv};
pub use opcode::OpCode;
