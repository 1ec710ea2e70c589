//! What the tests, the fuzz targets and the benches of `sansocket` share. It is not published.
//!
//! Its features are those of `sansocket`, and turned on by them: a test that is built without a
//! feature does not get it by this crate. The crate's unit tests can't use it, since it is built
//! with another copy of the crate than they are part of; tests in `tests/` can.
#![allow(clippy::exhaustive_enums, reason = "those who match on them are in this repository")]

pub mod allocator;
#[cfg(feature = "alloc")]
pub mod any_bytes;
pub mod cuts;
#[cfg(feature = "alloc")]
pub mod ending;
#[cfg(feature = "alloc")]
pub mod endpoint;
pub mod frames;
pub mod noise;
pub mod sent;
#[cfg(feature = "alloc")]
pub mod vectors;
