//! A real-time server on [axum](https://docs.rs/axum): STOMP over WebSocket, SockJS, Server-Sent Events and
//! polling, over [`sansocket_realtime`].

pub mod access;
mod admission;
mod answers;
pub mod broker;
mod clock;
mod delivery;
mod engine;
mod events;
mod guests;
mod health;
mod listen;
mod mailbox;
mod mqtt;
mod options;
mod origins;
mod page;
mod poll;
mod presence;
mod publish;
mod random;
mod request_body;
mod server;
mod sockjs;
mod stomp;
mod subscribed;
mod websocket;

pub use listen::{ListenOptions, serve};
pub use options::{Authenticate, Options};
pub use server::{Builder, Server};
