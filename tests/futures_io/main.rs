//! The shell over `futures-io`: what it does itself, on real sockets and in memory. The tests of the
//! shell over tokio cover what both share.
#![cfg(all(feature = "futures-io", feature = "tokio"))]

mod cancel;
mod compat;
mod deadlines;
mod endings;
mod executors;
mod sockets;
mod streams;
mod tasks;
mod turns;
mod virtual_clock;
mod waiting;
mod writes;
