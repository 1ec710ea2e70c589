//! Transports that misbehave, and transports that tell what was done to them.
//!
//! | transport | for | what it does |
//! |---|---|---|
//! | [`reluctant`] | blocking | follows a script: what writes take, how calls fail |
//! | [`stubborn`] | blocking | moves little, and blocks or interrupts between |
//! | [`breakable`] | blocking | TCP whose writes fail, or that can't be bounded or ended |
//! | [`interrupted`] | blocking, split | receives something during a write |
//! | [`tapped`] | blocking | TCP that keeps a copy of what is written |
//! | [`wire`] | tokio | moves little in memory, waits between, counts calls |
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
