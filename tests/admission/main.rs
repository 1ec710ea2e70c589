//! Limits for each address, and the addresses behind proxies, in `serve` of both shells. On Linux,
//! each address of 127.0.0.0/8 is one of this machine.
#![cfg(all(feature = "tokio", target_os = "linux"))]

mod limits;
mod proxies;
mod server;
