//! What the tests, benches and fuzz targets of `sansocket` share. It is not published.
//!
//! | for | see |
//! |---|---|
//! | bytes made by hand | [`frames`], [`opening`], [`noise`], [`cuts`] |
//! | bytes read by hand | [`sent`], [`any_bytes::reference`] |
//! | a connection and its buffers | [`endpoint`], [`traffic`] |
//! | two ends | [`pair`] |
//! | what lies between them | [`transports`] |
//! | futures | [`polling`], [`clock`], [`receiving`] |
//! | memory | [`allocator`] |
//! | vectors, and whatever a fuzzer makes of them | [`vectors`], [`any_bytes`] |
//!
//! Its features are those of `sansocket`, and turned on by them: a test that is built without a
//! feature does not get it by this crate. Unit tests of `sansocket` can't use it, since it is built
//! with another copy of the crate than they are part of; tests in `tests/` can.
#![allow(clippy::exhaustive_enums, reason = "those who match on them are in this repository")]

pub mod allocator;
#[cfg(feature = "alloc")]
pub mod any_bytes;
#[cfg(feature = "tokio")]
pub mod clock;
pub mod cuts;
#[cfg(feature = "alloc")]
pub mod endpoint;
pub mod frames;
pub mod noise;
#[cfg(feature = "alloc")]
pub mod opening;
#[cfg(feature = "std")]
pub mod pair;
#[cfg(feature = "tokio")]
pub mod polling;
#[cfg(feature = "tokio")]
pub mod receiving;
pub mod sent;
#[cfg(feature = "alloc")]
pub mod traffic;
#[cfg(feature = "std")]
pub mod transports;
#[cfg(feature = "alloc")]
pub mod vectors;
