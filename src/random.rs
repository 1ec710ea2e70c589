//! The system's random source, for the shells: mask keys and handshake nonces.

use crate::{MaskKey, MaskKeys};
use core::fmt;
use thiserror::Error;

/// Mask keys from the system's cryptographic random source (RFC 6455 §10.3), taken in blocks so
/// that a frame costs no system call.
pub struct SystemMaskKeys {
    block: [u8; BLOCK],
    used: usize,
}

const BLOCK: usize = 256;

/// The system has no random source, or it failed.
#[derive(Clone, Copy, Debug, Error)]
#[error("the system's random source failed: {0}")]
pub struct RandomError(getrandom::Error);

impl SystemMaskKeys {
    /// Keys for one connection.
    ///
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub fn new() -> Result<Self, RandomError> {
        Ok(Self { block: random_bytes()?, used: 0 })
    }
}

impl MaskKeys for SystemMaskKeys {
    /// # Panics
    ///
    /// If the system's random source fails after it has worked before, which no system that is
    /// supported does: a predictable key would be worse (RFC 6455 §10.3).
    fn next_key(&mut self) -> MaskKey {
        if self.used == BLOCK {
            getrandom::fill(&mut self.block)
                .expect("the system's random source, which worked before, goes on to work");
            self.used = 0;
        }
        let mut key = [0; 4];
        key.copy_from_slice(&self.block[self.used..self.used + 4]);
        self.used += 4;
        MaskKey::new(key)
    }
}

impl fmt::Debug for SystemMaskKeys {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemMaskKeys").finish_non_exhaustive()
    }
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_within_a_block_between_blocks_and_between_connections() {
        let (mut one, mut other) = (SystemMaskKeys::new().unwrap(), SystemMaskKeys::new().unwrap());
        let keys: std::collections::HashSet<_> =
            (0..1000).flat_map(|_| [one.next_key(), other.next_key()]).collect();
        // Of 2000 keys of 32 bits some pair is equal by chance in 1 of 2000 runs; more are not.
        assert!(keys.len() >= 1998);
    }
}
