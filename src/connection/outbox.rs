//! The outbox: a bounded queue of whole messages for a peer that may be slow to read.

mod waiting;

pub(super) use waiting::{Outbox, Outcome};

use crate::frame::CloseCode;

/// What an outbox holds, and what happens when it is full.
///
/// The outbox is a queue of whole messages in front of the
/// [`WriteBuffer`](crate::buffer::WriteBuffer). It is for messages that a program *pushes* to a peer
/// that may be slow to read: prices, positions, chat. A message that you
/// [push](super::Sender::push) goes straight to the write buffer while that is short. Otherwise it
/// waits in the outbox, where it can still be dropped or replaced as a whole.
///
/// | [`when_full`](Self::when_full) | for |
/// |---|---|
/// | [`Wait`](WhenFull::Wait), the default | messages that must all arrive, if their source can be slowed down |
/// | [`DropNewest`](WhenFull::DropNewest) | messages of which the first ones matter |
/// | [`DropOldest`](WhenFull::DropOldest) | live data without keys: logs, samples |
/// | [`KeepLatest`](WhenFull::KeepLatest) | states, of which only the last one matters: prices, positions |
/// | [`Close`](WhenFull::Close) | messages that must all arrive, if their source can't be slowed down; the peer comes back and catches up |
///
/// A message counts with the length of its payload, before compression and without its frame
/// headers. A message that is larger than the high-water mark waits in the outbox only if nothing
/// else does.
///
/// ```
/// use sansocket::Config;
/// use sansocket::connection::{OutboxConfig, WhenFull};
///
/// let outbox = OutboxConfig::new(WhenFull::KeepLatest).high_water(256 << 10).messages(100);
/// let config = Config::default().outbox(outbox);
/// assert_eq!(config.outbox.low_water, 256 << 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxConfig {
    /// The most bytes of payload that wait. The default is 1 MiB.
    pub high_water: u32,
    /// After a message did not fit, the outbox [has room](super::Sender::outbox_has_room) again once
    /// no more bytes wait than this, and half of the [`messages`](Self::messages). The default is 256
    /// KiB. It does not limit what can be pushed: any message that fits is accepted.
    pub low_water: u32,
    /// The most messages that wait. The default is 1024, and 0 counts as 1.
    pub messages: u32,
    /// What happens to a message that does not fit. The default is [`WhenFull::Wait`].
    pub when_full: WhenFull,
}

/// What happens to a message that does not fit into an outbox.
///
/// Only whole messages are dropped, of which no byte has reached the write buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The message is refused with [`SendError::QueueFull`](super::SendError::QueueFull) or
    /// [`SendError::TooManyQueued`](super::SendError::TooManyQueued). Wait for room, and push it
    /// again.
    #[default]
    Wait,
    /// The message is dropped.
    DropNewest,
    /// The oldest messages that wait are dropped until the new one fits.
    DropOldest,
    /// Works like [`DropOldest`](Self::DropOldest). In addition, a message with a key takes the place
    /// of the message with the same key that still waits, whether the outbox is full or not.
    KeepLatest,
    /// The connection closes with this code, and everything that waits is dropped.
    /// [`CloseCode::TRY_AGAIN_LATER`] suits most uses.
    Close(CloseCode),
}

/// What became of a message that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the message may have been dropped"]
#[non_exhaustive]
pub enum Pushed {
    /// It is written in its turn.
    Queued,
    /// It has taken the place of the message with the same key.
    Replaced,
    /// It is written in its turn, and so many older messages were dropped for it.
    DroppedOldest(usize),
    /// It was dropped.
    DroppedNewest,
    /// It was dropped, and the connection closes: see [`WhenFull::Close`].
    Closed,
}

impl Pushed {
    /// Returns `true` unless the message itself was dropped.
    #[must_use]
    pub const fn is_queued(self) -> bool {
        matches!(self, Self::Queued | Self::Replaced | Self::DroppedOldest(_))
    }
}

/// What the outbox of a connection has dropped so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Messages that did not fit: see [`WhenFull::DropNewest`] and [`WhenFull::Close`].
    pub newest: Amount,
    /// Messages that made room for others.
    pub oldest: Amount,
    /// Messages whose place another message with the same key has taken.
    pub replaced: Amount,
    /// Messages that waited when the connection failed or closed, and were not written before its
    /// Close.
    pub unsent: Amount,
}

/// A number of messages, and of the bytes in their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Amount {
    /// The number of messages.
    pub messages: u64,
    /// The bytes of their payloads.
    pub bytes: u64,
}

impl OutboxConfig {
    pub(super) const DEFAULT: Self = Self {
        high_water: 1 << 20,
        low_water: 256 << 10,
        messages: 1024,
        when_full: WhenFull::Wait,
    };

    /// Creates a configuration with this [`when_full`](Self::when_full) and the default sizes.
    #[must_use]
    pub const fn new(when_full: WhenFull) -> Self {
        Self { when_full, ..Self::DEFAULT }
    }

    /// Sets the [`high_water`](Self::high_water) mark, in bytes.
    #[must_use]
    pub const fn high_water(mut self, bytes: u32) -> Self {
        self.high_water = bytes;
        self
    }

    /// Sets the [`low_water`](Self::low_water) mark, in bytes.
    #[must_use]
    pub const fn low_water(mut self, bytes: u32) -> Self {
        self.low_water = bytes;
        self
    }

    /// Sets the limit of [`messages`](Self::messages).
    #[must_use]
    pub const fn messages(mut self, count: u32) -> Self {
        self.messages = count;
        self
    }
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Dropped {
    /// Returns the sum of all kinds.
    #[must_use]
    pub fn total(&self) -> Amount {
        let mut total = Amount::default();
        for amount in [self.newest, self.oldest, self.replaced, self.unsent] {
            total.messages += amount.messages;
            total.bytes += amount.bytes;
        }
        total
    }
}

impl Amount {
    fn add(&mut self, len: usize) {
        self.messages += 1;
        self.bytes += len as u64;
    }
}
