//! The queue of an outbox.

use super::{Dropped, OutboxConfig, Pushed, WhenFull};
use crate::connection::error::SendError;
use crate::connection::message::Message;
use crate::connection::payload::Form;
use crate::connection::prepared::{PreparedMessage, SharedBytes};
use crate::frame::CloseCode;
use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;

/// The messages that wait, and what was dropped so far.
#[derive(Default)]
pub(in crate::connection) struct Outbox {
    messages: VecDeque<Waiting>,
    /// The bytes of their payloads.
    bytes: usize,
    /// How many of these bytes a [`Budget`](crate::Budget) counts for all connections together.
    shared: usize,
    /// How many messages have ever left at the front. The first message has this number.
    removed: u64,
    /// The numbers of the messages that have keys, under their keys.
    keys: BTreeMap<u64, u64>,
    /// If a message did not fit: at how many bytes there is room again.
    room_at: Option<usize>,
    dropped: Dropped,
}

/// A message that waits.
pub(in crate::connection) struct Waiting {
    payload: Stored,
    key: Option<u64>,
}

enum Stored {
    Message(Message),
    Uncompressed(Message),
    Prepared(PreparedMessage),
}

/// What happens to a message, and to the connection.
#[derive(Debug)]
pub(in crate::connection) enum Outcome {
    Pushed(Pushed),
    Refused(SendError),
    /// The connection has to close.
    Closes(CloseCode),
}

impl Waiting {
    /// Keeps a payload until its turn comes.
    fn new(payload: Form<'_>, key: Option<u64>) -> Self {
        let payload = match payload {
            Form::Text(text) => Stored::Message(Message::text(text)),
            Form::Binary(data) => Stored::Message(Message::binary(data.to_vec())),
            Form::UncompressedText(text) => Stored::Uncompressed(Message::text(text)),
            Form::UncompressedBinary(data) => Stored::Uncompressed(Message::binary(data.to_vec())),
            Form::Message(message) => Stored::Message(message.clone()),
            Form::Prepared(message) => Stored::Prepared(message.clone()),
        };
        Self { payload, key }
    }

    pub(in crate::connection) fn payload(&self) -> Form<'_> {
        match &self.payload {
            Stored::Message(message) => Form::Message(message),
            Stored::Uncompressed(Message::Text(text)) => Form::UncompressedText(text),
            Stored::Uncompressed(Message::Binary(data)) => Form::UncompressedBinary(data),
            Stored::Prepared(message) => Form::Prepared(message),
        }
    }

    fn len(&self) -> usize {
        self.payload().parts().1.len()
    }

    /// Returns the length if a budget counts the payload for all connections together.
    fn shared_len(&self) -> usize {
        match &self.payload {
            Stored::Prepared(message) if message.is_counted() => self.len(),
            _ => 0,
        }
    }
}

impl Outbox {
    pub(in crate::connection) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns the number of messages.
    pub(in crate::connection) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns the bytes of their payloads.
    pub(in crate::connection) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the same, except that each shared payload counts only once.
    pub(in crate::connection) fn bytes_with(&self, shared: &mut SharedBytes) -> usize {
        let lens = self.messages.iter().map(|message| match &message.payload {
            Stored::Prepared(message) => shared.count(message),
            Stored::Message(message) | Stored::Uncompressed(message) => message.len(),
        });
        lens.sum()
    }

    /// Returns the bytes of those payloads that count for this connection in its budget.
    pub(in crate::connection) const fn own_bytes(&self) -> usize {
        self.bytes - self.shared
    }

    pub(in crate::connection) const fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// Returns `false` from when a message did not fit until the outbox is down to its low-water
    /// mark.
    pub(in crate::connection) fn has_room(&self, config: &OutboxConfig) -> bool {
        self.is_empty()
            || self.room_at.is_none_or(|most| {
                self.bytes <= most && self.messages.len() <= config.messages as usize / 2
            })
    }

    /// Adds a message, as far as the configuration allows it. Shared payloads are not copied. Only
    /// [`WhenFull::KeepLatest`] heeds the key.
    pub(in crate::connection) fn push(
        &mut self,
        payload: Form<'_>,
        key: Option<u64>,
        config: &OutboxConfig,
    ) -> Outcome {
        let len = payload.parts().1.len();
        if self.has_room(config) {
            self.room_at = None;
        }
        let key = match config.when_full {
            WhenFull::KeepLatest => key,
            WhenFull::DropOldest => None,
            _ if self.fits(len, config) => {
                self.append(Waiting::new(payload, None));
                return Outcome::Pushed(Pushed::Queued);
            }
            WhenFull::Wait => {
                self.note_full(len, config);
                return Outcome::Refused(self.refusal(config));
            }
            WhenFull::DropNewest => {
                self.note_full(len, config);
                self.dropped.newest.add(len);
                return Outcome::Pushed(Pushed::DroppedNewest);
            }
            WhenFull::Close(code) => return Outcome::Closes(code),
        };
        Outcome::Pushed(self.push_dropping(payload, key, config))
    }

    /// Removes the message whose turn it is.
    pub(in crate::connection) fn pop(&mut self, config: &OutboxConfig) -> Option<Waiting> {
        let message = self.remove_first()?;
        if self.has_room(config) {
            self.room_at = None;
        }
        if self.is_empty() {
            // The memory of a long queue.
            self.messages = VecDeque::new();
        }
        Some(message)
    }

    /// Notes that a message is dropped because the connection closes instead.
    pub(in crate::connection) fn dropped_newest(&mut self, len: usize) {
        self.dropped.newest.add(len);
    }

    /// Drops everything, because it will not be sent any more.
    pub(in crate::connection) fn discard(&mut self) {
        self.dropped.unsent.messages += self.messages.len() as u64;
        self.dropped.unsent.bytes += self.bytes as u64;
        *self = Self { dropped: self.dropped, ..Self::default() };
    }

    /// Adds a message in the place of the one with the same key, or at the end. Drops the oldest
    /// messages until it fits.
    fn push_dropping(
        &mut self,
        payload: Form<'_>,
        key: Option<u64>,
        config: &OutboxConfig,
    ) -> Pushed {
        let len = payload.parts().1.len();
        let mut outcome = Pushed::Queued;
        let mut dropped = 0;
        loop {
            match key.and_then(|key| self.index_of(key)) {
                Some(index) if self.fits_in_place(len, index, config) => {
                    let message = Waiting::new(payload, key);
                    self.count(&message);
                    let replaced = core::mem::replace(&mut self.messages[index], message);
                    self.uncount(&replaced);
                    self.dropped.replaced.add(replaced.len());
                    outcome = Pushed::Replaced;
                    break;
                }
                // The new message is too long for the first place: it goes to the end.
                Some(0) => {
                    let replaced = self.remove_first().map_or(0, |message| message.len());
                    self.dropped.replaced.add(replaced);
                    outcome = Pushed::Replaced;
                }
                None if self.fits(len, config) => {
                    self.append(Waiting::new(payload, key));
                    break;
                }
                _ => {
                    self.note_full(len, config);
                    if let Some(oldest) = self.remove_first() {
                        self.dropped.oldest.add(oldest.len());
                    }
                    dropped += 1;
                }
            }
        }
        if dropped == 0 { outcome } else { Pushed::DroppedOldest(dropped) }
    }

    fn append(&mut self, message: Waiting) {
        if let Some(key) = message.key {
            self.keys.insert(key, self.removed + self.messages.len() as u64);
        }
        self.count(&message);
        self.messages.push_back(message);
    }

    fn count(&mut self, message: &Waiting) {
        self.bytes += message.len();
        self.shared += message.shared_len();
    }

    fn uncount(&mut self, message: &Waiting) {
        self.bytes -= message.len();
        self.shared -= message.shared_len();
    }

    fn remove_first(&mut self) -> Option<Waiting> {
        let message = self.messages.pop_front()?;
        self.uncount(&message);
        if let Some(key) = message.key {
            self.keys.remove(&key);
        }
        self.removed += 1;
        Some(message)
    }

    fn index_of(&self, key: u64) -> Option<usize> {
        let number = self.keys.get(&key)?;
        usize::try_from(number - self.removed).ok()
    }

    /// Returns `true` if a message of this length fits. The first message always does.
    fn fits(&self, len: usize, config: &OutboxConfig) -> bool {
        self.is_empty()
            || self.messages.len() < config.messages as usize
                && len <= (config.high_water as usize).saturating_sub(self.bytes)
    }

    /// Returns `true` if a message of this length fits in the place of another.
    fn fits_in_place(&self, len: usize, index: usize, config: &OutboxConfig) -> bool {
        let others = self.bytes - self.messages[index].len();
        self.messages.len() == 1 || len <= (config.high_water as usize).saturating_sub(others)
    }

    fn note_full(&mut self, len: usize, config: &OutboxConfig) {
        // At the low-water mark, a large message may still not fit.
        let most =
            (config.low_water as usize).min((config.high_water as usize).saturating_sub(len));
        self.room_at = Some(self.room_at.map_or(most, |earlier| earlier.min(most)));
    }

    fn refusal(&self, config: &OutboxConfig) -> SendError {
        if self.messages.len() >= config.messages as usize {
            SendError::TooManyQueued {
                messages: self.messages.len(),
                limit: config.messages as usize,
            }
        } else {
            SendError::QueueFull { queued: self.bytes, limit: config.high_water as usize }
        }
    }
}

impl fmt::Debug for Outbox {
    /// Shows no messages: there may be many, and payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("messages", &self.messages.len())
            .field("bytes", &self.bytes)
            .field("dropped", &self.dropped)
            .finish()
    }
}
