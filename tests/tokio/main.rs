//! The tokio shell.
#![cfg(feature = "tokio")]

mod split;
