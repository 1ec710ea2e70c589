//! What the shells over async runtimes share: all of it but the streams and the timer, which a
//! [`Shell`] brings.
//!
//! Users of tokio find everything in `sansocket::tokio`, under the same names.

mod accept;
mod agreed;
mod connect;
pub(crate) mod exchange;
mod incoming;
mod opening;
mod outgoing;
mod pool;
mod replies;
mod shell;
mod split;
mod stream;
mod wakers;
mod websocket;

pub use replies::Replies;
pub use shell::{Runtime, Shell, Timer};
pub use split::{ReceiveHalf, SendHalf};
pub use websocket::WebSocket;
