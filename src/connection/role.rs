use crate::mask::{MaskKey, MaskKeys};
use core::fmt;

/// Which end of the connection this is; it decides who masks (RFC 6455 §5.1).
///
/// There are two, [`Server`] and [`Client`].
pub trait Role: sealed::Sealed {
    /// Whether this end masks what it sends. The peer then must not, and the other way round.
    const MASKS: bool;

    /// The key for the next frame to be sent, if this end masks.
    fn next_key(&mut self) -> Option<MaskKey>;
}

/// The end that accepted the connection: sends plain frames, receives masked ones.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Server;

impl Server {
    /// The server's role.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The end that asked for the connection: sends masked frames, receives plain ones.
#[derive(Clone)]
pub struct Client<K> {
    keys: K,
}

impl<K: MaskKeys> Client<K> {
    /// The client's role, with the source of its mask keys.
    #[must_use]
    pub const fn new(keys: K) -> Self {
        Self { keys }
    }
}

impl Role for Server {
    const MASKS: bool = false;

    #[inline]
    fn next_key(&mut self) -> Option<MaskKey> {
        None
    }
}

impl<K: MaskKeys> Role for Client<K> {
    const MASKS: bool = true;

    #[inline]
    fn next_key(&mut self) -> Option<MaskKey> {
        Some(self.keys.next_key())
    }
}

impl<K> fmt::Debug for Client<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

mod sealed {
    #[allow(unnameable_types, reason = "this is what seals the trait")]
    pub trait Sealed {}
    impl Sealed for super::Server {}
    impl<K> Sealed for super::Client<K> {}
}
