//! The endpoints over real sockets: what clients get, and what those get that do something wrong.

mod authentication;
mod calls;
mod events;
mod http;
mod http2;
mod limits;
mod listen;
mod memory_broker;
mod metrics;
mod mqtt;
mod nodes;
mod origins;
mod poll;
mod publish;
mod refusals;
mod server;
mod shutdown;
mod slow;
mod sockjs;
mod stomp;
