//! The messages of a client that wait for its next connection.

use crate::connection::Message;
use alloc::collections::VecDeque;
use core::fmt;
use thiserror::Error;

/// Why a message of a client that reconnects was not queued. It has the message.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// There is no queue, as [`ReconnectConfig::queue`](super::ReconnectConfig::queue) says. Send
    /// the message again once there is a connection.
    #[error("there is no connection, and messages are not queued")]
    NoQueue(Message),
    /// The queue has no room for the message. Send it again later, or drop it.
    #[error(
        "the queue has no room: {messages} of {most_messages} messages and {bytes} of {most_bytes} \
        bytes are queued"
    )]
    Full {
        /// The message.
        message: Message,
        /// The number of queued messages.
        messages: usize,
        /// The limit of their number.
        most_messages: usize,
        /// The bytes of payload that are queued.
        bytes: usize,
        /// The limit of these bytes.
        most_bytes: usize,
    },
    /// The client has given up, or you closed it. There will be no other connection.
    #[error("there is no connection, and the client makes no other")]
    Over(Message),
}

impl EnqueueError {
    /// Returns the message.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::NoQueue(message) | Self::Full { message, .. } | Self::Over(message) => message,
        }
    }
}

/// A queue of messages, bounded in their number and their bytes.
pub(super) struct MessageQueue {
    messages: VecDeque<Message>,
    /// The bytes of their payloads.
    bytes: usize,
    most_messages: usize,
    most_bytes: usize,
}

impl MessageQueue {
    pub(super) const fn new(most_messages: usize, most_bytes: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, most_messages, most_bytes }
    }

    pub(super) fn push(&mut self, message: Message) -> Result<(), EnqueueError> {
        let has_room = self.messages.len() < self.most_messages
            && message.len() <= self.most_bytes.saturating_sub(self.bytes);
        if self.most_messages == 0 {
            return Err(EnqueueError::NoQueue(message));
        }
        if !has_room {
            return Err(EnqueueError::Full {
                message,
                messages: self.messages.len(),
                most_messages: self.most_messages,
                bytes: self.bytes,
                most_bytes: self.most_bytes,
            });
        }
        self.bytes += message.len();
        self.messages.push_back(message);
        Ok(())
    }

    pub(super) fn front(&self) -> Option<&Message> {
        self.messages.front()
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        if self.messages.is_empty() {
            // The memory that a long outage took.
            self.messages = VecDeque::new();
        }
        Some(message)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Debug for MessageQueue {
    /// Shows no messages: there may be many, and payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageQueue")
            .field("messages", &self.messages.len())
            .field("most_messages", &self.most_messages)
            .field("bytes", &self.bytes)
            .field("most_bytes", &self.most_bytes)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_are_bounded() {
        let mut queue = MessageQueue::new(3, 10);
        let full = |message, messages, bytes| EnqueueError::Full {
            message: Message::from(message),
            messages,
            most_messages: 3,
            bytes,
            most_bytes: 10,
        };
        let eleven = "eleven byte";
        assert_eq!(queue.push(Message::from(eleven)), Err(full(eleven, 0, 0)));
        assert_eq!(queue.push(Message::from("12345678")), Ok(()));
        assert_eq!(queue.push(Message::from("123")), Err(full("123", 1, 8)));
        assert_eq!(queue.push(Message::from("12")), Ok(()));
        // Empty messages take no bytes, but they count.
        assert_eq!(queue.push(Message::from("")), Ok(()));
        assert_eq!(queue.push(Message::from("")), Err(full("", 3, 10)));
        assert_eq!(queue.pop(), Some(Message::from("12345678")));
        assert_eq!((queue.len(), queue.bytes()), (2, 2));
        assert_eq!(queue.front(), Some(&Message::from("12")));
        assert_eq!(queue.push(Message::from("12345678")), Ok(()));
        assert!(core::iter::from_fn(|| queue.pop()).eq(["12", "", "12345678"].map(Message::from)));
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn debug_shows_counts_and_no_payloads() {
        let mut queue = MessageQueue::new(3, 10);
        queue.push(Message::from("secret")).unwrap();
        assert_eq!(
            alloc::format!("{queue:?}"),
            "MessageQueue { messages: 1, most_messages: 3, bytes: 6, most_bytes: 10 }"
        );
    }

    #[test]
    fn without_a_queue_a_message_comes_back() {
        let message = Message::from("hello");
        let refused = MessageQueue::new(0, usize::MAX).push(message.clone()).unwrap_err();
        assert_eq!(refused, EnqueueError::NoQueue(message.clone()));
        assert_eq!(refused.into_message(), message);
        let refused = MessageQueue::new(usize::MAX, 0).push(message.clone()).unwrap_err();
        assert!(matches!(refused, EnqueueError::Full { .. }));
        assert_eq!(refused.into_message(), message);
        assert!(MessageQueue::new(usize::MAX, 0).push(Message::from("")).is_ok());
    }
}
