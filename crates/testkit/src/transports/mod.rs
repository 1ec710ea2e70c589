//! Transports that misbehave, and transports that record calls.
//!
//! | transport | for | what it does |
//! |---|---|---|
//! | [`reluctant`] | blocking | follows a script: how much writes take, how calls fail |
//! | [`stubborn`] | blocking | moves few bytes at a time, and blocks or is interrupted in between |
//! | [`breakable`] | blocking | TCP whose writes fail, or without timeouts or shutdown |
//! | [`interrupted`] | blocking, split | receives something during a write |
//! | [`tapped`] | blocking | TCP that keeps a copy of what is written |
//! | [`wire`] | tokio | moves few bytes at a time in memory, waits in between, counts calls |
//! | [`faulty`] | tokio | fails in one direction, panics, can't be ended, or floods |

#[cfg(feature = "std")]
pub mod breakable;
#[cfg(feature = "tokio")]
pub mod faulty;
#[cfg(feature = "std")]
pub mod interrupted;
#[cfg(feature = "std")]
pub mod reluctant;
#[cfg(feature = "std")]
pub mod stubborn;
#[cfg(feature = "std")]
pub mod tapped;
#[cfg(feature = "tokio")]
pub mod wire;
