//! The example relay as a process, between servers and clients of both kinds: endpoints of this crate,
//! and bare bytes.

mod by_message;
mod closing;
mod opening;
mod passing;
mod peers;
mod process;
mod tls;
