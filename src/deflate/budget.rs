//! A limit for the memory of the compression contexts of many connections.

use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A budget of memory for the compression contexts of a server, which its connections share.
///
/// With context takeover, a connection keeps up to 452 KiB between its messages: 372 KiB to compress and
/// 80 KiB to decompress. So 10,000 connections can take 4.5 GB. With a budget, each connection reserves
/// what its contexts may take when its handshake agrees on compression. When the budget has no room for
/// that, the server asks for messages without context takeover in both directions, which any client has
/// to accept (RFC 7692 §7.1.1). Such a connection compresses less, and keeps no context between its
/// messages.
///
/// Clones share one budget. Give it to an [`Acceptor`](crate::server::Acceptor::context_budget), or to
/// several, or to an [`Accept`](crate::handshake::Accept::context_budget).
///
/// A reservation is released with the last of what belongs to its connection: the connection or both of
/// its halves, and copies of its [`Negotiated`](crate::handshake::Negotiated). This includes a handshake
/// that fails after all.
///
/// ```
/// use sansocket::{Config, DeflateConfig, deflate::ContextBudget, server::Acceptor};
///
/// // Contexts for about 600 connections.
/// let budget = ContextBudget::new(256 << 20);
/// let acceptor: Acceptor = Acceptor::new()
///     .config(Config::default().deflate(DeflateConfig::new()))
///     .context_budget(&budget);
/// assert_eq!((budget.reserved(), budget.limit()), (0, 256 << 20));
/// ```
///
/// # What it does not count
///
/// Connections without takeover need a context, too, while a message is in progress. Each thread keeps
/// one of each kind for them. A client that never sends the end of a message keeps such a context for as
/// long as [`Config::min_data_rate`](crate::connection::Config::min_data_rate) allows, and one that never
/// reads a large message for as long as you wait for it. If you can't accept that, compress nothing for
/// connections past the budget: compare [`reserved`](Self::reserved) with the limit, and answer with
/// `Accept::new().deflate(None)`.
#[derive(Clone)]
pub struct ContextBudget {
    shared: Arc<Shared>,
}

struct Shared {
    limit: usize,
    reserved: AtomicUsize,
}

/// What a connection has reserved, until this and all its clones are dropped.
#[derive(Clone, Default)]
pub(crate) struct Reservation(Option<Arc<Reserved>>);

struct Reserved {
    shared: Arc<Shared>,
    bytes: usize,
}

impl ContextBudget {
    /// Creates a budget of so many bytes. With 0, no connection has context takeover.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { shared: Arc::new(Shared { limit: bytes, reserved: AtomicUsize::new(0) }) }
    }

    /// Returns the size of the budget in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Returns how many bytes are reserved at the moment. This never exceeds the limit.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.shared.reserved.load(Ordering::Relaxed)
    }

    /// Reserves bytes, unless the budget has too little left.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        if bytes == 0 {
            return Some(Reservation::NONE);
        }
        // The count guards no other memory, so no order is needed.
        let Shared { limit, reserved } = &*self.shared;
        let add = |before: usize| before.checked_add(bytes).filter(|after| after <= limit);
        reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Reservation(Some(Arc::new(Reserved { shared: self.shared.clone(), bytes }))))
    }
}

impl Reservation {
    pub(crate) const NONE: Self = Self(None);
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.shared.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Two handles are equal if they share one budget.
impl PartialEq for ContextBudget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for ContextBudget {}

/// What was agreed on does not depend on who counts the memory.
impl PartialEq for Reservation {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reservation {}

impl fmt::Debug for ContextBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBudget")
            .field("limit", &self.limit())
            .field("reserved", &self.reserved())
            .finish()
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reservation").field(&self.0.as_ref().map(|reserved| reserved.bytes)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_fit_and_come_back() {
        let budget = ContextBudget::new(100);
        let first = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        let second = budget.clone().reserve(40).unwrap();
        assert_eq!(budget.reserved(), 100);
        let clone = first.clone();
        drop(first);
        assert_eq!(budget.reserved(), 100);
        drop((second, clone));
        assert_eq!(budget.reserved(), 0);
        assert!(budget.reserve(usize::MAX).is_none());
    }

    #[cfg(feature = "std")]
    #[test]
    fn threads_together_never_exceed_the_limit() {
        let budget = ContextBudget::new(10);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let reserved = budget.reserve(4);
                        assert!(budget.reserved() <= 10);
                        drop(reserved);
                    }
                });
            }
        });
        assert_eq!(budget.reserved(), 0);
    }
}
