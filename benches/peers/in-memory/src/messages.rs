//! The source of a client's messages.

use crate::{payloads::Kind, wire::FarEnd};
use bytes::Bytes;
use std::{
    future::poll_fn,
    ops::Deref,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

/// A client flushes after about this many bytes, while they are still in the L1 cache.
const BETWEEN_FLUSHES: usize = 16 * 1024;

/// The messages for a client to send, in order:
///
/// ```text
/// loop {
///     while let Some(message) = messages.next() { feed(message) }
///     flush
///     messages.more().await
/// }
/// ```
pub struct Messages {
    kind: Kind,
    all: Vec<Message>,
    position: usize,
    unflushed: usize,
    far_end: Arc<FarEnd>,
}

/// One message, in every form that a library may take.
pub struct Message {
    bytes: Bytes,
    text: String,
}

impl Messages {
    pub(crate) fn new(kind: Kind, all: &[Bytes], far_end: Arc<FarEnd>) -> Self {
        let all: Vec<_> = all.iter().map(|bytes| Message::new(kind, bytes)).collect();
        let position = all.len();
        Self { kind, all, position, unflushed: 0, far_end }
    }

    /// Returns the next message, or `None` when it is time to flush.
    #[expect(clippy::should_implement_trait, reason = "an iterator can't borrow itself")]
    pub fn next(&mut self) -> Option<&Message> {
        if self.unflushed >= BETWEEN_FLUSHES {
            return None;
        }
        let message = self.all.get(self.position)?;
        self.position += 1;
        self.unflushed += message.len();
        Some(message)
    }

    /// Returns `true` if the messages must be sent as text.
    pub fn is_text(&self) -> bool {
        self.kind == Kind::Text
    }

    /// Returns `true` if there are more messages to send now. Call it after a flush.
    pub fn has_more(&mut self) -> bool {
        self.unflushed = 0;
        let passes = self.far_end.passes.load(Relaxed);
        if self.position == self.all.len() && passes > 0 {
            self.far_end.passes.store(passes - 1, Relaxed);
            self.position = 0;
        }
        self.position < self.all.len()
    }

    /// Waits until there are more messages to send.
    pub async fn more(&mut self) {
        poll_fn(|_| if self.has_more() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Message {
    fn new(kind: Kind, bytes: &Bytes) -> Self {
        let text = match kind {
            Kind::Text => String::from_utf8(bytes.to_vec()).expect("the source was a string"),
            Kind::Binary => String::new(),
        };
        Self { bytes: bytes.clone(), text }
    }

    /// Returns the text, which is empty for a binary message.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Deref for Message {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}
