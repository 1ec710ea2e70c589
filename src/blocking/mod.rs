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
mod connect;
mod exchange;
mod incoming;
mod opening;
mod outgoing;
mod sending;
mod shared;
mod shell;
mod split;
mod timed;
mod transport;
mod websocket;

pub use accept::{Acceptor, accept};
pub use connect::{Connector, connect};
pub use opening::Opening;
pub use shell::Blocking;
pub use split::{ReceiveHalf, SendHalf};
pub use transport::{Plain, Transport};
pub use websocket::{Replies, WebSocket};
