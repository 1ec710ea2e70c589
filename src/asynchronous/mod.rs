//! The part of the shells over async runtimes that does not depend on the runtime. A [`Shell`] adds
//! the streams and the timer.
//!
//! On tokio, everything you need is in `sansocket::on_tokio`, under the same names. On smol, and on
//! every executor whose streams have the traits of `futures-io`, it is in `sansocket::on_futures_io`.
//! For another runtime, implement [`Runtime`], [`Timer`] and [`Shell`], and [`Sockets`] to connect and
//! accept over TCP. This module is part of the features `tokio` and `futures-io`.

mod accept;
mod accept_tcp;
mod access;
mod borrowed;
mod byte_stream;
mod connect;
mod connect_tcp;
pub(crate) mod dial;
pub(crate) mod exchange;
mod group;
mod hooks;
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
mod stream_and_sink;
#[cfg(feature = "rustls")]
mod tls;
mod wakers;
mod websocket;

pub use byte_stream::{ByteReader, ByteStream, ByteWriter};
pub use group::{Group, MemberId, Membership, Sent};
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
#[cfg(feature = "tokio")]
pub(crate) use owning_server::{OwningServer, linger};
pub use reunite::ReuniteError;
pub use shell::{Runtime, Shell, Timer};
pub use split::{ReceiveHalf, SendHalf};
pub use stream::{Stream, sockets::Sockets};
pub use websocket::{Replies, WebSocket};
