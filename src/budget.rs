//! A budget of buffered bytes that the connections of a process share.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A bound on the bytes that all connections of a process buffer together.
///
/// The [limits](crate::Limits) bound what one connection holds. With many connections, their sum is
/// more than a machine has: 10,000 connections with the default limits may hold 160 GiB of messages in
/// progress. A budget bounds the sum. Connections take part if their
/// [configuration](crate::Config::budget) names it.
///
/// What counts is what a connection holds while it waits: input that is not received yet,
/// with decompressed data; output that is not written yet; and messages in the
/// [outbox](crate::Config::outbox). A [`PreparedMessage`](crate::PreparedMessage) that
/// [names the budget](crate::PreparedMessage::budget) counts once, on however many connections it
/// waits. Messages that you have received and keep do not count. Neither does what `serve` still delivers
/// for a connection that its handler has dropped.
///
/// While the budget is used up, those give way that hold more than their *fair share*: the budget
/// divided by the number of connection halves that hold 4 KiB or more. So much is always allowed, and
/// those who hold less take nothing from the shares of others. The more the budget is exceeded, the
/// smaller the shares are. A message that counts once is still compared with the share of each connection
/// on which it waits.
///
/// | what would make them hold more | what happens |
/// |---|---|
/// | a message that is pushed | the outbox counts as full |
/// | a message that is sent | sending waits, or is refused with [`QueueFull`](crate::connection::SendError::QueueFull) |
/// | bytes of the peer | the connection fails with 1013 (Try Again Later) and [`OverBudget`](crate::connection::ProtocolError::OverBudget) |
///
/// So a few connections that hold much can't take the budget from many that hold little. Those with
/// less than their share go on, and may exceed the budget while others give way: by its size at most, plus
/// one read, 16 KiB, and the last two messages to send for each connection.
///
/// A sender that waits goes on once its own peer has read, and not when others give back what they
/// hold.
///
/// The last two messages can be large: a connection that holds less than its share takes a message of any
/// length, and an outbox that counts as full takes one as long as it is empty. With large messages, also
/// limit the number of connections with `max_connections` of `serve`, or send them in pieces with
/// `message_writer`, which waits.
///
/// ```
/// use sansocket::{Budget, Config};
///
/// static BUDGET: Budget = Budget::new(512 << 20);
///
/// let config = Config::default().budget(&BUDGET);
/// println!("{} of {} bytes are buffered", BUDGET.used(), BUDGET.limit());
/// ```
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// How many [shares](Share) hold [`LEAST_SHARE`] or more.
    holders: AtomicUsize,
}

impl Budget {
    /// Creates a budget of this many bytes.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { limit: bytes, used: AtomicUsize::new(0), holders: AtomicUsize::new(0) }
    }

    /// Returns the number of bytes that connections may hold together.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the number of bytes that are held now. This may exceed the limit for a while.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Returns how many bytes each half of a connection may hold while the budget is used up: at least
    /// 4 KiB.
    #[must_use]
    pub fn fair_share(&self) -> usize {
        // Those who stop just below their share don't give way. If their shares stayed the same, each
        // newcomer could add its own, without a bound.
        let exceeded_by = self.used().saturating_sub(self.limit);
        let shared_out = self.limit.saturating_sub(exceeded_by);
        (shared_out / self.holders.load(Relaxed).max(1)).max(LEAST_SHARE)
    }

    fn is_used_up(&self) -> bool {
        self.used() > self.limit
    }
}

/// Only a budget itself is equal to it.
impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for Budget {}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limit", &self.limit).field("used", &self.used()).finish()
    }
}

/// What one half of a connection holds of a budget.
#[derive(Debug)]
pub(crate) struct Share {
    budget: &'static Budget,
    /// What counts for this half.
    held: usize,
    /// Whether it holds [`LEAST_SHARE`] or more, shared bytes included.
    is_holder: bool,
}

/// A change of fewer bytes than this is not worth the exchange between processors.
const STEP: usize = 1024;

/// What each half may always hold, so that small messages get through whatever the others do.
pub(crate) const LEAST_SHARE: usize = 4096;

impl Share {
    pub(crate) const fn new(budget: &'static Budget) -> Self {
        Self { budget, held: 0, is_holder: false }
    }

    /// Notes how many bytes are held now, and how many more that are counted once for all who share
    /// them.
    pub(crate) fn hold(&mut self, bytes: usize, shared: usize) {
        let is_holder = bytes.saturating_add(shared) >= LEAST_SHARE;
        if is_holder != self.is_holder {
            self.is_holder = is_holder;
            match is_holder {
                true => self.budget.holders.fetch_add(1, Relaxed),
                false => self.budget.holders.fetch_sub(1, Relaxed),
            };
        }
        if bytes.abs_diff(self.held) < STEP && (bytes == 0) == (self.held == 0) {
            return;
        }
        if bytes >= self.held {
            self.budget.used.fetch_add(bytes - self.held, Relaxed);
        } else {
            self.budget.used.fetch_sub(self.held - bytes, Relaxed);
        }
        self.held = bytes;
    }

    /// Returns the fair share if the budget is used up and `bytes`, shared or not, are more than that:
    /// then no more may be held.
    pub(crate) fn exceeded_by(&self, bytes: usize) -> Option<usize> {
        if !self.budget.is_used_up() {
            return None;
        }
        Some(self.budget.fair_share()).filter(|share| bytes > *share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0, 0);
    }
}

/// Bytes that count once, however many connections share them.
#[derive(Debug)]
pub(crate) struct CountedOnce {
    budget: &'static Budget,
    bytes: usize,
}

impl CountedOnce {
    pub(crate) fn new(budget: &'static Budget, bytes: usize) -> Self {
        budget.used.fetch_add(bytes, Relaxed);
        Self { budget, bytes }
    }
}

impl Drop for CountedOnce {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_above_their_fair_share_give_way() {
        static BUDGET: Budget = Budget::new(100_000);
        let mut shares: [Share; 4] = core::array::from_fn(|_| Share::new(&BUDGET));
        shares[0].hold(90_000, 0);
        assert_eq!(shares[0].exceeded_by(90_000), None, "the budget is not used up");
        shares[1].hold(10_000, 0);
        shares[2].hold(10_000, 0);
        assert_eq!((BUDGET.used(), BUDGET.fair_share()), (110_000, 30_000));
        assert_eq!(shares[0].exceeded_by(90_000), Some(30_000));
        assert_eq!(shares[1].exceeded_by(30_000), None);
        assert_eq!(shares[3].exceeded_by(20_000), None, "it holds nothing yet");
        shares[0].hold(0, 0);
        assert_eq!((BUDGET.used(), BUDGET.fair_share()), (20_000, 50_000));
        drop(shares);
        assert_eq!((BUDGET.used(), BUDGET.fair_share()), (0, 100_000));
    }

    #[test]
    fn shares_shrink_to_a_least_size_and_shared_bytes_make_a_holder() {
        static BUDGET: Budget = Budget::new(100_000);
        let mut shares: [Share; 2] = core::array::from_fn(|_| Share::new(&BUDGET));
        shares[0].hold(0, 5000);
        shares[1].hold(10, 0);
        assert_eq!((BUDGET.used(), BUDGET.fair_share()), (10, 100_000));
        for (held, share) in [(150_000, 25_000), (199_000, 4096), (usize::MAX, 4096)] {
            shares[1].hold(held, 0);
            assert_eq!(BUDGET.fair_share(), share, "{held}");
        }
        shares[0].hold(0, 0);
        shares[1].hold(0, 0);
        assert_eq!((BUDGET.used(), BUDGET.fair_share()), (0, 100_000));
    }

    #[test]
    fn those_who_hold_little_take_nothing_from_the_shares_of_others() {
        static BUDGET: Budget = Budget::new(100_000);
        let mut shares: [Share; 12] = core::array::from_fn(|_| Share::new(&BUDGET));
        for share in &mut shares[..10] {
            share.hold(4000, 0);
        }
        shares[10].hold(5000, 0);
        assert_eq!((BUDGET.used(), BUDGET.fair_share()), (45_000, 100_000));
        shares[11].hold(4096, 0);
        assert_eq!(BUDGET.fair_share(), 50_000);
        shares[11].hold(4095, 0);
        assert_eq!(BUDGET.fair_share(), 100_000);
        shares[10].hold(150_000, 0);
        assert_eq!(shares[10].exceeded_by(150_000), Some(BUDGET.fair_share()));
        assert_eq!(shares[0].exceeded_by(4096), None);
    }

    #[test]
    fn small_changes_are_noted_only_from_and_to_nothing() {
        static BUDGET: Budget = Budget::new(100_000);
        let mut share = Share::new(&BUDGET);
        for (held, used) in [(10, 10), (1000, 10), (1034, 1034), (20, 1034), (0, 0), (0, 0)] {
            share.hold(held, 0);
            assert_eq!(BUDGET.used(), used, "{held}");
        }
    }

    #[test]
    fn shared_bytes_count_as_long_as_they_are_there() {
        static BUDGET: Budget = Budget::new(10_000);
        let shared = CountedOnce::new(&BUDGET, 70);
        assert_eq!(BUDGET.used(), 70);
        assert_eq!(BUDGET.fair_share(), 10_000);
        drop(shared);
        assert_eq!(BUDGET.used(), 0);
    }
}
