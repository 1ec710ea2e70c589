//! Randomness for the shells: mask keys and handshake nonces.

use crate::mask::{MaskKey, MaskKeys};
use chacha20::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use core::{cell::Cell, fmt};
use std::thread_local;
use thiserror::Error;

/// Cryptographically strong mask keys (RFC 6455 §10.3). ChaCha12 generates them in blocks of 512;
/// each block uses a new seed of 256 random bits from the system. The connections of a thread share
/// its blocks.
///
/// After a fork, both processes use the same remaining keys of the current block.
#[derive(Clone)]
#[non_exhaustive]
pub struct SystemMaskKeys {}

const BLOCK: usize = 512;

/// A block of keys. The first `unused` of them have not been used yet.
struct Block {
    keys: Cell<[[u8; 4]; BLOCK]>,
    unused: Cell<usize>,
}

thread_local! {
    static BLOCK_OF_THREAD: Block =
        const { Block { keys: Cell::new([[0; 4]; BLOCK]), unused: Cell::new(0) } };
}

/// The system has no random source, or the source failed.
#[derive(Clone, Copy, Debug, Error)]
#[error("the system's random source failed: {0}")]
pub struct RandomError(getrandom::Error);

/// Returns a nonce for one opening handshake (RFC 6455 §4.1, item 7 of the request): 16 random
/// bytes from the system.
///
/// # Errors
///
/// Returns an error if the system supplies no random bytes.
pub fn nonce() -> Result<[u8; 16], RandomError> {
    random_bytes()
}

/// Returns a random number from the system, for example for
/// [`Backoff::next`](crate::client::Backoff::next).
///
/// # Errors
///
/// Returns an error if the system supplies no random bytes.
pub fn number() -> Result<u64, RandomError> {
    random_bytes().map(u64::from_ne_bytes)
}

impl SystemMaskKeys {
    /// Returns mask keys for one connection.
    ///
    /// # Errors
    ///
    /// Returns an error if the system supplies no random bytes.
    pub fn new() -> Result<Self, RandomError> {
        let filled = BLOCK_OF_THREAD.try_with(|block| match block.unused.get() {
            0 => block.take_key_of_new().map(drop),
            _ => Ok(()),
        });
        // A thread that is ending has no block: each key comes directly from the system.
        filled.unwrap_or_else(|_| random_bytes::<4>().map(drop))?;
        Ok(Self {})
    }
}

impl MaskKeys for SystemMaskKeys {
    /// # Panics
    ///
    /// Panics if the system's random source fails after it has worked before. No supported system
    /// does that, and a predictable key would be worse (RFC 6455 §10.3).
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
    // A thread that is ending has no block.
    let key = key.unwrap_or_else(|_| random_bytes());
    MaskKey::new(key.expect("the system's random source should keep working"))
}

impl Block {
    /// Generates a new block of keys and takes one of them.
    fn take_key_of_new(&self) -> Result<[u8; 4], RandomError> {
        let mut generator = ChaCha12Rng::from_seed(random_bytes()?);
        let mut keys = [[0; 4]; BLOCK];
        generator.fill_bytes(keys.as_flattened_mut());
        self.keys.set(keys);
        self.unused.set(BLOCK - 1);
        Ok(keys[BLOCK - 1])
    }

    /// Takes an unused key, if there is one.
    #[inline]
    fn take_key(&self) -> Option<[u8; 4]> {
        // If no key is left, this wraps to `usize::MAX`, where `get` finds no key.
        let last = self.unused.get().wrapping_sub(1);
        let keys: &Cell<[_]> = &self.keys;
        let key = keys.as_slice_of_cells().get(last)?.get();
        self.unused.set(last);
        Some(key)
    }
}

impl fmt::Debug for SystemMaskKeys {
    /// Does not show the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemMaskKeys").finish_non_exhaustive()
    }
}

fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_use_different_keys() {
        let keys = || {
            let mut keys = SystemMaskKeys::new().unwrap();
            (0..4).map(|_| keys.next_key()).collect::<alloc::vec::Vec<_>>()
        };
        let other_thread = std::thread::spawn(keys).join().unwrap();
        assert_ne!(other_thread, keys());
    }

    #[test]
    fn keys_differ_within_and_across_blocks_and_connections() {
        let (mut one, mut other) = (SystemMaskKeys::new().unwrap(), SystemMaskKeys::new().unwrap());
        let keys: std::collections::HashSet<_> =
            (0..1000).flat_map(|_| [one.next_key(), other.next_key()]).collect();
        // Among 2000 keys of 32 bits, one pair is equal by chance in 1 of 2000 runs; two pairs
        // practically never are.
        assert!(keys.len() >= 1998);
    }
}
