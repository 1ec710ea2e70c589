//! WebSocket over blocking streams: `std::net`, Unix sockets, or anything that reads and writes.
//!
//! A thin shell: it asks a [`Connection`](crate::Connection) what is to be done with a [`Transport`]
//! next, does it, and tells what came of it. What is right or wrong is decided there, also of the end.
//!
//! ```no_run
//! // A client: send a message, print what comes back, close.
//! use sansocket::{CloseCode, blocking};
//!
//! let mut websocket = blocking::connect("ws://127.0.0.1:9001/")?;
//! websocket.send("hello")?;
//! if let Some(message) = websocket.next() {
//!     println!("{:?}", message?);
//! }
//! websocket.close(CloseCode::NORMAL, "")?;
//! println!("{}", websocket.wait_closed());
//! # Ok::<(), sansocket::Error>(())
//! ```

mod accept;
mod access;
mod connect;
mod exchange;
mod incoming;
mod methods;
mod outgoing;
mod shared;
mod split;
mod timed;
mod transport;
mod websocket;

pub use accept::{Acceptor, Opening, accept};
pub use connect::{Connector, connect};
pub use split::{ReceiveHalf, SendHalf};
pub use transport::{Plain, Transport};
pub use websocket::{Replies, WebSocket};

/// The shell over blocking streams: it takes all that is a [`Transport`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Blocking {}
