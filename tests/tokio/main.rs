//! The tokio shell: cancel safety, transports that do the least at every call, and who is woken.
#![cfg(feature = "tokio")]

mod cancel_both;
mod cancel_receive;
mod cancel_send;
mod halves;
mod transports;
mod visiting;
mod waiting;
mod wire;
mod writes;
