//! Topics, queues and replay over WebSocket, Server-Sent Events and polling: the real-time layer on
//! top of [`sansocket`].
//!
//! Everything in this crate is a state machine over bytes and time, without sockets, without a clock
//! and without threads. `now` is a [`Duration`](core::time::Duration) since any moment that stays the
//! same for all calls.

extern crate alloc;

#[macro_use]
mod setters;

pub mod bridge;
mod cursor;
mod destination;
pub mod guard;
pub mod hub;
#[allow(dead_code, reason = "SockJS and polling use it")]
mod json;
mod message;
pub mod sockjs;
pub mod sse;
pub mod stomp;

pub use cursor::{Cursor, Epoch, InvalidCursor};
pub use destination::{InvalidPattern, Pattern};
pub use message::{Encoded, Form, Message, Published};
