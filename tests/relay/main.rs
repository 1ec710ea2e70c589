//! The relay of the sans-IO core: what it passes on, and how it ends both connections.
#![cfg(feature = "alloc")]

mod ends;
mod frames;
mod world;
