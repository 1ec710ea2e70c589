//! What the shells over async runtimes share: all of it but the streams and the timer, which a
//! [`Shell`] brings.
//!
//! Users of tokio find everything in `sansocket::tokio`, under the same names.

mod agreed;
pub(crate) mod exchange;
mod incoming;
pub(crate) mod opening;
mod outgoing;
mod replies;
mod shell;
mod split;
mod stream;
mod wakers;
mod websocket;

pub use opening::Opening;
pub use replies::Replies;
pub use shell::{Shell, Timer};
pub use split::{ReceiveHalf, SendHalf};
pub use websocket::WebSocket;
