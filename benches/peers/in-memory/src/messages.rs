//! The source of a client's messages.

use crate::{payloads::Kind, wire::FarEnd};
use bytes::Bytes;
use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

/// A client flushes after about as many bytes as one write takes.
const BETWEEN_FLUSHES: usize = 64 * 1024;

/// What a client is to send, in order:
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
    all: Arc<[Bytes]>,
    position: usize,
    unflushed: usize,
    far_end: Arc<FarEnd>,
}

impl Messages {
    pub(crate) fn new(kind: Kind, all: Arc<[Bytes]>, far_end: Arc<FarEnd>) -> Self {
        let position = all.len();
        Self { kind, all, position, unflushed: 0, far_end }
    }

    /// The next message; `None` when it is time to flush.
    pub fn next(&mut self) -> Option<&Bytes> {
        if self.unflushed >= BETWEEN_FLUSHES {
            return None;
        }
        let message = self.all.get(self.position)?;
        self.position += 1;
        self.unflushed += message.len();
        Some(message)
    }

    /// Whether they are text. They are UTF-8 then.
    pub fn is_text(&self) -> bool {
        self.kind == Kind::Text
    }

    /// Whether there are more to be sent now, after a flush.
    pub fn has_more(&mut self) -> bool {
        self.unflushed = 0;
        let passes = self.far_end.passes.load(Relaxed);
        if self.position == self.all.len() && passes > 0 {
            self.far_end.passes.store(passes - 1, Relaxed);
            self.position = 0;
        }
        self.position < self.all.len()
    }

    /// Waits until there are more to be sent.
    pub async fn more(&mut self) {
        poll_fn(|_| if self.has_more() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
