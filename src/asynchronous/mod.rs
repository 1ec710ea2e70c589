//! What the shells over async runtimes share: all of it but the streams and the timer, which a
//! [`Shell`] brings.
//!
//! Users of tokio find everything in `sansocket::tokio`, under the same names. For another runtime implement
//! [`Runtime`], [`Timer`] and [`Shell`]; the module is there with the feature `tokio`.

mod accept;
mod access;
mod aside;
mod connect;
pub(crate) mod exchange;
mod incoming;
mod methods;
mod outgoing;
mod shell;
mod split;
mod stream;
mod wakers;
mod websocket;

pub use shell::{Runtime, Shell, Timer};
pub use split::{ReceiveHalf, SendHalf};
pub use websocket::{Replies, WebSocket};
