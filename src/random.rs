//! What is random, for the shells: mask keys and handshake nonces.

use crate::mask::{MaskKey, MaskKeys};
use chacha20::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use core::{cell::Cell, fmt};
use std::thread_local;
use thiserror::Error;

/// Mask keys of cryptographic strength (RFC 6455 §10.3): ChaCha12 makes them 512 at a time, from 256
/// random bits that it is given by the system each time anew. The connections of a thread share them.
///
/// A process that is forked amid such a block uses the rest of it in both of its copies.
#[derive(Clone)]
#[non_exhaustive]
pub struct SystemMaskKeys {}

const BLOCK: usize = 512;

/// Keys, of which the first so many are not used yet.
struct Block {
    keys: Cell<[[u8; 4]; BLOCK]>,
    unused: Cell<usize>,
}

thread_local! {
    static BLOCK_OF_THREAD: Block =
        const { Block { keys: Cell::new([[0; 4]; BLOCK]), unused: Cell::new(0) } };
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
        let filled = BLOCK_OF_THREAD.try_with(|block| match block.unused.get() {
            0 => block.take_key_of_new().map(drop),
            _ => Ok(()),
        });
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
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        match BLOCK_OF_THREAD.try_with(Block::take_key) {
            Ok(Some(key)) => MaskKey::new(key),
            _ => key_of_new_block(),
        }
    }
}

#[cold]
fn key_of_new_block() -> MaskKey {
    let key = BLOCK_OF_THREAD.try_with(Block::take_key_of_new);
    // While a thread ends it has no block.
    let key = key.unwrap_or_else(|_| random_bytes());
    MaskKey::new(key.expect("the system's random source, which worked before, goes on to work"))
}

impl Block {
    /// Makes all keys anew, and takes one.
    fn take_key_of_new(&self) -> Result<[u8; 4], RandomError> {
        let mut generator = ChaCha12Rng::from_seed(random_bytes()?);
        let mut keys = [[0; 4]; BLOCK];
        generator.fill_bytes(keys.as_flattened_mut());
        self.keys.set(keys);
        self.unused.set(BLOCK - 1);
        Ok(keys[BLOCK - 1])
    }

    /// A key that was not used before, if there is one.
    #[inline]
    fn take_key(&self) -> Option<[u8; 4]> {
        // If none is left it becomes the largest number, and there is no key at that place.
        let last = self.unused.get().wrapping_sub(1);
        let keys: &Cell<[_]> = &self.keys;
        let key = keys.as_slice_of_cells().get(last)?.get();
        self.unused.set(last);
        Some(key)
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
