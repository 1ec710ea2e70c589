//! Code shared by the tests, benches and fuzz targets of `sansocket`. Not published.
//!
//! | for | see |
//! |---|---|
//! | building bytes by hand | [`frames`], [`opening`], [`noise`], [`cuts`] |
//! | parsing bytes by hand | [`sent`], [`any_bytes::reference`] |
//! | a connection and its buffers | [`endpoint`], [`traffic`] |
//! | two connected endpoints | [`pair`] |
//! | transports between them | [`transports`] |
//! | futures | [`polling`], [`clock`], [`receiving`] |
//! | memory | [`allocator`] |
//! | vectors, and checks of arbitrary bytes | [`vectors`], [`any_bytes`] |
//!
//! The features are those of `sansocket`, and each is turned on by its namesake there, so a test
//! that is built without a feature does not get that feature through this crate. Unit tests of
//! `sansocket` can't use this crate, because it links another copy of `sansocket` than the one
//! under test. Tests in `tests/` can.
#![allow(clippy::exhaustive_enums, reason = "all code that matches on them is in this repository")]

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
