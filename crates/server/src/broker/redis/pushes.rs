//! What Redis tells without being asked, on its way to the hub.

use super::failure::Failure;
use redis::{PushInfo, PushKind, Value};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::mpsc;

/// What a message that waits takes beside its bytes.
const OVERHEAD: usize = 200;

/// Takes what the connection reads. Once there is too much, it takes nothing more, so that nothing behind
/// what is missing is told.
pub(super) struct Sender {
    /// `None` once there was too much.
    queue: Mutex<Option<mpsc::UnboundedSender<Told>>>,
    waiting: Arc<Waiting>,
    limit: usize,
}

/// Where what was told waits, in its order.
#[derive(Debug)]
pub(super) struct Receiver {
    queue: mpsc::UnboundedReceiver<Told>,
    waiting: Arc<Waiting>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// How many bytes there were when there were too many.
    too_many: AtomicUsize,
}

/// A message on a channel.
#[derive(Debug)]
pub(super) struct Told {
    /// The pattern of Redis by which it came, if it came by one.
    pub(super) glob: Option<Vec<u8>>,
    pub(super) channel: Vec<u8>,
    pub(super) message: Vec<u8>,
}

/// Creates both ends, for so many bytes.
pub(super) fn queue(limit: usize) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(Waiting::default());
    let queue = Mutex::new(Some(sender));
    let sender = Sender { queue, waiting: waiting.clone(), limit };
    (sender, Receiver { queue: receiver, waiting, limit })
}

impl Sender {
    pub(super) fn send(&self, push: PushInfo) {
        // Nothing that holds the lock panics.
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = push.kind == PushKind::Disconnection;
        let told = Told::read(push);
        let size = told.as_ref().map_or(0, Told::size);
        let waiting = self.waiting.bytes.fetch_add(size, Ordering::Relaxed) + size;
        match (&*queue, told) {
            _ if is_lost => *queue = None,
            (Some(_), _) if waiting > self.limit => {
                self.waiting.too_many.store(waiting, Ordering::Relaxed);
                *queue = None;
            }
            // If nobody receives any more, nobody misses it.
            (Some(queue), Some(told)) => drop(queue.send(told)),
            _ => {}
        }
    }
}

impl Receiver {
    /// Waits for messages, and takes at most so many.
    ///
    /// # Errors
    ///
    /// Returns an error once there are none and will be none.
    pub(super) async fn receive(
        &mut self,
        messages: &mut Vec<Told>,
        at_most: usize,
    ) -> Result<(), Failure> {
        let count = self.queue.recv_many(messages, at_most).await;
        self.have_left(&messages[messages.len() - count..]);
        if count > 0 { Ok(()) } else { Err(self.why_it_has_ended()) }
    }

    /// Takes what has come until now.
    pub(super) fn take_all(&mut self) -> Vec<Told> {
        let count = self.queue.len();
        let taken = std::iter::from_fn(|| self.queue.try_recv().ok());
        let messages: Vec<_> = taken.take(count).collect();
        self.have_left(&messages);
        messages
    }

    fn have_left(&self, messages: &[Told]) {
        let size = messages.iter().map(Told::size).sum();
        self.waiting.bytes.fetch_sub(size, Ordering::Relaxed);
    }

    fn why_it_has_ended(&self) -> Failure {
        match self.waiting.too_many.load(Ordering::Relaxed) {
            0 => Failure::Lost,
            waiting => Failure::TooSlow { waiting, limit: self.limit },
        }
    }
}

impl Told {
    /// Reads a message. Confirmations of subscriptions and the like are none.
    fn read(push: PushInfo) -> Option<Self> {
        let mut values = push.data.into_iter().map(|value| match value {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        });
        let glob = match push.kind {
            PushKind::Message => None,
            PushKind::PMessage => Some(values.next()??),
            _ => return None,
        };
        Some(Self { glob, channel: values.next()??, message: values.next()?? })
    }

    fn size(&self) -> usize {
        self.glob.as_ref().map_or(0, Vec::len) + self.channel.len() + self.message.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: PushKind, values: &[&str]) -> PushInfo {
        let data = values.iter().map(|value| Value::BulkString(value.as_bytes().to_vec()));
        PushInfo { kind, data: data.collect() }
    }

    fn texts(messages: &[Told]) -> Vec<(Option<&[u8]>, &[u8], &[u8])> {
        messages.iter().map(|it| (it.glob.as_deref(), &*it.channel, &*it.message)).collect()
    }

    #[tokio::test]
    async fn messages_come_in_their_order_until_the_connection_is_lost() {
        let (sender, mut receiver) = queue(10_000);
        sender.send(message(PushKind::Subscribe, &["a", "1"]));
        sender.send(message(PushKind::Message, &["a", "1"]));
        sender.send(message(PushKind::PMessage, &["*", "b", "2"]));
        sender.send(message(PushKind::Message, &["a"]));
        let expected: [(Option<&[u8]>, &[u8], &[u8]); 2] =
            [(None, b"a", b"1"), (Some(b"*"), b"b", b"2")];
        assert_eq!(texts(&receiver.take_all()), expected);
        assert!(receiver.take_all().is_empty());
        sender.send(message(PushKind::Message, &["a", "3"]));
        sender.send(message(PushKind::Disconnection, &[]));
        let mut messages = Vec::new();
        receiver.receive(&mut messages, 10).await.unwrap();
        assert_eq!(texts(&messages), [(None, &b"a"[..], &b"3"[..])]);
        let ended = receiver.receive(&mut messages, 10).await;
        assert!(matches!(ended, Err(Failure::Lost)), "{ended:?}");
    }

    #[tokio::test]
    async fn nothing_is_told_behind_what_had_no_room() {
        let (sender, mut receiver) = queue(2 * (OVERHEAD + 2));
        let push = || message(PushKind::Message, &["a", "1"]);
        for _ in 0..10 {
            sender.send(push());
            assert_eq!(receiver.take_all().len(), 1);
        }
        for _ in 0..3 {
            sender.send(push());
        }
        let mut messages = Vec::new();
        receiver.receive(&mut messages, 10).await.unwrap();
        assert_eq!(messages.len(), 2);
        sender.send(push());
        let ended = receiver.receive(&mut messages, 10).await;
        assert!(matches!(ended, Err(Failure::TooSlow { .. })), "{ended:?}");
    }
}
