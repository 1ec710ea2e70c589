//! Messages that wait for a client.

use super::{config::Config, frame::PreparedMessage};
use alloc::{collections::VecDeque, vec::Vec};

#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<PreparedMessage>,
    /// The bytes of all of them.
    bytes: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a message, unless it exceeds a limit.
    pub(super) fn push(
        &mut self,
        message: &PreparedMessage,
        config: &Config,
    ) -> Result<(), SendError> {
        let messages = self.messages.len().saturating_add(1);
        let bytes = self.bytes.saturating_add(message.len());
        let (message_limit, byte_limit) = (config.queued_messages, config.queued_bytes);
        if messages > message_limit || bytes > byte_limit {
            return Err(SendError::QueueFull { messages, bytes, message_limit, byte_limit });
        }
        self.messages.push_back(message.clone());
        self.bytes = bytes;
        Ok(())
    }

    /// Takes messages from the front up to `limit` bytes, and at least one.
    pub(super) fn take(&mut self, limit: usize) -> Vec<PreparedMessage> {
        let mut bytes = 0_usize;
        let fitting = self.messages.iter().take_while(|message| {
            bytes = bytes.saturating_add(message.len());
            bytes <= limit
        });
        let count = fitting.count().max(1).min(self.messages.len());
        let taken: Vec<PreparedMessage> = self.messages.drain(..count).collect();
        for message in &taken {
            self.bytes = self.bytes.saturating_sub(message.len());
        }
        if self.messages.is_empty() {
            // An idle session holds no memory for messages.
            self.messages = VecDeque::new();
        }
        taken
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Why a message can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closed, or has expired.
    #[error("the session is closed")]
    Closed,
    /// The client takes messages too slowly. The session is closed by now.
    #[error(
        "the client is too slow: {messages} messages of {bytes} bytes would wait for it, and {message_limit} of {byte_limit} may"
    )]
    QueueFull {
        /// The messages that would wait, this one included.
        messages: usize,
        /// Their bytes.
        bytes: usize,
        /// The limit of [`Config::queued_messages`].
        message_limit: usize,
        /// The limit of [`Config::queued_bytes`].
        byte_limit: usize,
    },
}
