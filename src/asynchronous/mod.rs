//! The part of the shells over async runtimes that does not depend on the runtime. A [`Shell`] adds
//! the streams and the timer.
//!
//! If you use tokio, everything you need is in `sansocket::on_tokio`, under the same names. For
//! another runtime, implement [`Runtime`], [`Timer`] and [`Shell`]. This module is part of the
//! feature `tokio`, so it also builds tokio if you use another runtime.

mod accept;
mod access;
mod borrowed;
mod byte_stream;
mod connect;
pub(crate) mod exchange;
mod group;
mod incoming;
mod message_reader;
mod message_writer;
mod methods;
mod outgoing;
mod owning_server;
mod queue_writes;
mod rare_state;
mod reunite;
mod shell;
mod split;
mod stream;
#[cfg(feature = "rustls")]
mod tls;
mod wakers;
mod websocket;

pub use byte_stream::{ByteReader, ByteStream, ByteWriter};
pub use group::{Group, MemberId, Membership, Sent};
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub(crate) use owning_server::{OwningServer, linger};
pub use reunite::ReuniteError;
pub use shell::{Runtime, Shell, Timer};
pub use split::{ReceiveHalf, SendHalf};
#[cfg(feature = "rustls")]
pub(crate) use tls::TlsStream;
pub use websocket::{Replies, WebSocket};
