//! Random numbers.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number, uniformly distributed over its whole range. It is for epochs, and for times at
/// which clients come back, and not for secrets.
pub(crate) fn random() -> u64 {
    // Each of these has keys of its own, which come from the system.
    RandomState::new().hash_one(())
}
