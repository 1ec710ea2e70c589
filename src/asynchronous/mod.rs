//! What the shells over async runtimes share.

pub(crate) mod pool;
