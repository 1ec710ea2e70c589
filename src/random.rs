//! The system's random source, for the shells: mask keys and handshake nonces.

use crate::{MaskKey, MaskKeys};
use core::{cell::RefCell, fmt};
use std::thread_local;
use thiserror::Error;

/// Mask keys from the system's cryptographic random source (RFC 6455 §10.3), taken in blocks so
/// that a frame costs no system call. The connections of a thread share a block.
///
/// What the system takes to make a key is much of what a small message costs. Who sends very many
/// can give a [`Client`](crate::Client) the keys of a cryptographic generator of his own, seeded
/// from the system: any `FnMut() -> MaskKey` is a source.
#[derive(Clone)]
#[non_exhaustive]
pub struct SystemMaskKeys {}

const BLOCK: usize = 2048;

/// Random bytes, of which the last so many are not used yet.
struct Block {
    bytes: [u8; BLOCK],
    unused: usize,
}

thread_local! {
    static BLOCK_OF_THREAD: RefCell<Block> =
        const { RefCell::new(Block { bytes: [0; BLOCK], unused: 0 }) };
}

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
        let filled = BLOCK_OF_THREAD.try_with(|block| block.borrow_mut().fill_if_used_up());
        // While a thread ends it has no block, and each key comes by itself.
        filled.unwrap_or_else(|_| random_bytes::<4>().map(drop))?;
        Ok(Self {})
    }
}

impl MaskKeys for SystemMaskKeys {
    /// # Panics
    ///
    /// If the system's random source fails after it has worked before, which no system that is
    /// supported does: a predictable key would be worse (RFC 6455 §10.3).
    fn next_key(&mut self) -> MaskKey {
        let key = BLOCK_OF_THREAD.try_with(|block| block.borrow_mut().next_key());
        // While a thread ends it has no block.
        let key = key.unwrap_or_else(|_| random_bytes().map(MaskKey::new));
        key.expect("the system's random source, which worked before, goes on to work")
    }
}

impl Block {
    fn fill_if_used_up(&mut self) -> Result<(), RandomError> {
        if self.unused == 0 {
            getrandom::fill(&mut self.bytes).map_err(RandomError)?;
            self.unused = BLOCK;
        }
        Ok(())
    }

    #[inline]
    fn next_key(&mut self) -> Result<MaskKey, RandomError> {
        self.fill_if_used_up()?;
        let mut key = [0; 4];
        key.copy_from_slice(&self.bytes[BLOCK - self.unused..][..4]);
        self.unused -= 4;
        Ok(MaskKey::new(key))
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
    fn each_thread_has_keys_of_its_own() {
        let keys = || {
            let mut keys = SystemMaskKeys::new().unwrap();
            (0..4).map(|_| keys.next_key()).collect::<alloc::vec::Vec<_>>()
        };
        let there = std::thread::spawn(keys).join().unwrap();
        assert_ne!(there, keys());
    }

    #[test]
    fn keys_differ_within_a_block_between_blocks_and_between_connections() {
        let (mut one, mut other) = (SystemMaskKeys::new().unwrap(), SystemMaskKeys::new().unwrap());
        let keys: std::collections::HashSet<_> =
            (0..1000).flat_map(|_| [one.next_key(), other.next_key()]).collect();
        // Of 2000 keys of 32 bits some pair is equal by chance in 1 of 2000 runs; more are not.
        assert!(keys.len() >= 1998);
    }
}
