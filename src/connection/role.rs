//! The two roles of an endpoint, and the mask keys of a client.

use crate::mask::{MaskKey, MaskKeys};
use core::fmt;

/// The role of this endpoint, which decides who masks (RFC 6455 §5.1).
///
/// There are two roles: [`Server`] and [`Client`].
pub trait Role: sealed::Sealed {
    /// Whether this endpoint masks the frames that it sends. Exactly one of the two endpoints does.
    const MASKS: bool;

    /// Returns the key for the next frame to send, if this endpoint masks.
    fn next_key(&mut self) -> Option<MaskKey>;
}

/// The endpoint that accepted the connection. It sends unmasked frames and receives masked ones.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Server;

impl Server {
    /// Creates the role of a server.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The endpoint that requested the connection. It sends masked frames and receives unmasked ones.
///
/// Its mask keys come from a [`MaskKeys`]. With the feature `std` that is
/// `random::SystemMaskKeys`; without it, you bring a strong source of random bytes. A type with a
/// name is handier than a closure, because it is part of the type of the connection:
///
/// ```
/// use sansocket::connection::{Client, Connection};
/// use sansocket::mask::{MaskKey, MaskKeys};
///
/// struct Keys<R>(R);
///
/// /// A cryptographically strong generator of random bytes.
/// trait Generator {
///     fn fill(&mut self, bytes: &mut [u8]);
/// }
///
/// impl<R: Generator> MaskKeys for Keys<R> {
///     fn next_key(&mut self) -> MaskKey {
///         let mut key = [0; 4];
///         self.0.fill(&mut key);
///         MaskKey::new(key)
///     }
/// }
///
/// type ClientConnection<R> = Connection<Client<Keys<R>>>;
/// ```
#[derive(Clone)]
pub struct Client<K> {
    keys: K,
}

impl<K: MaskKeys> Client<K> {
    /// Creates the role of a client, with the source of its mask keys.
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
