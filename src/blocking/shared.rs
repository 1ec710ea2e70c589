//! What the two halves of a split connection share: the sending side behind a lock, and a board
//! beside it on which one half puts down what the other is to know.
//!
//! The lock may be held for as long as a write takes, so the reading thread only tries it. What it
//! owes the peer it pins to the board, whose own lock nobody holds while waiting for anything, and
//! whoever has unlocked the sending side looks at the board afterwards. So a reply is passed on by
//! the reader, or by the writer that kept the reader out.

use super::Transport;
use super::outgoing::Outgoing;
use super::transport::earliest;
use crate::{Closed, Reply, Role, State, TransportEnd};
use alloc::{collections::VecDeque, sync::Arc};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Pongs that may hang on the board. Past that the newest replaces the last (RFC 6455 §5.5.3).
const MOST_PONGS: usize = 32;

#[derive(Debug)]
pub(super) struct Shared<S, R> {
    outgoing: Mutex<Outgoing<S, R>>,
    pub(super) board: Arc<Board>,
}

/// What came of an attempt to write without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Nothing is left that could be written.
    Done,
    /// The transport did not take all of it.
    Left,
    /// The other half is at it.
    Busy,
}

impl<S: Transport, R: Role> Shared<S, R> {
    /// `ending`: the peer's Close has come before, or the connection has failed.
    pub(super) fn new(mut outgoing: Outgoing<S, R>, ending: bool) -> Self {
        let board = Arc::new(Board::default());
        outgoing.attach(Arc::clone(&board));
        if ending {
            board.notes().ending_by = Some(outgoing.close_timeout_from_now());
        }
        board.publish(&mut outgoing);
        Self { outgoing: Mutex::new(outgoing), board }
    }

    /// Does something with the sending side, once the other half is not at it.
    pub(super) fn with<T>(&self, operation: impl FnOnce(&mut Outgoing<S, R>) -> T) -> T {
        let outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        self.use_and_release(outgoing, operation)
    }

    /// As [`with`](Self::with), but `None` if the other half is at it.
    pub(super) fn try_with<T>(
        &self,
        operation: impl FnOnce(&mut Outgoing<S, R>) -> T,
    ) -> Option<T> {
        Some(self.use_and_release(self.try_lock()?, operation))
    }

    /// Writes what waits, without waiting long for the transport and not at all for the other half.
    pub(super) fn attempt(&self) -> Attempt {
        let Some(outgoing) = self.try_lock() else { return Attempt::Busy };
        let left = self.catch_up_and_release(outgoing);
        self.look_again();
        if left { Attempt::Left } else { Attempt::Done }
    }

    fn use_and_release<T>(
        &self,
        mut outgoing: MutexGuard<'_, Outgoing<S, R>>,
        operation: impl FnOnce(&mut Outgoing<S, R>) -> T,
    ) -> T {
        let caught_up = outgoing.catch_up();
        let outcome = operation(&mut outgoing);
        if caught_up {
            outgoing.flush_briefly();
        }
        self.board.publish(&mut outgoing);
        drop(outgoing);
        self.look_again();
        outcome
    }

    /// Sees to what was pinned to the board while the other half could not get at the sending side.
    fn look_again(&self) {
        while self.board.wants_attention() {
            // Who has it now looks again as well.
            let Some(outgoing) = self.try_lock() else { return };
            self.catch_up_and_release(outgoing);
        }
    }

    /// True if something is left to write.
    fn catch_up_and_release(&self, mut outgoing: MutexGuard<'_, Outgoing<S, R>>) -> bool {
        outgoing.catch_up();
        outgoing.flush_briefly();
        self.board.publish(&mut outgoing);
        outgoing.has_unwritten()
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Outgoing<S, R>>> {
        match self.outgoing.try_lock() {
            Ok(outgoing) => Some(outgoing),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Notes>);

#[derive(Debug)]
struct Notes {
    /// What is owed to the peer and not passed on yet.
    replies: VecDeque<Reply>,
    /// By when the connection has to end, since the peer's Close has come or it has failed: the
    /// sending side may be too busy to hear of it.
    ending_by: Option<Duration>,
    /// How the transport ended; `closed` follows when the sending side has heard of it.
    ended: Option<TransportEnd>,
    closed: Option<Closed>,
    // The rest is as the sending side was left last.
    deadline: Option<Duration>,
    state: State,
    unwritten: bool,
    buffered: usize,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            replies: VecDeque::new(),
            ending_by: None,
            ended: None,
            closed: None,
            deadline: None,
            state: State::Open,
            unwritten: false,
            buffered: 0,
        }
    }
}

impl Board {
    /// Pins what is owed to the peer; true if there is no room for more pongs. A reply that ends the
    /// connection sets the time by which it has to have ended.
    pub(super) fn pin(&self, reply: Reply, ending_by: Duration) -> bool {
        let mut notes = self.notes();
        if notes.ending_by.is_some() {
            return false;
        }
        match reply {
            Reply::Pong(_) if notes.replies.len() >= MOST_PONGS => {
                notes.replies.pop_back();
            }
            Reply::Pong(_) => {}
            Reply::Close(_) | Reply::Failure(_) => notes.ending_by = Some(ending_by),
        }
        notes.replies.push_back(reply);
        notes.replies.len() >= MOST_PONGS
    }

    /// Takes off what is owed to the peer.
    pub(super) fn take_replies(&self) -> VecDeque<Reply> {
        core::mem::take(&mut self.notes().replies)
    }

    /// Notes how the transport ended, the first time.
    pub(super) fn end(&self, how: TransportEnd) {
        self.notes().ended.get_or_insert(how);
    }

    pub(super) fn ended(&self) -> Option<TransportEnd> {
        self.notes().ended
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        self.notes().closed.clone()
    }

    pub(super) fn state(&self) -> State {
        let notes = self.notes();
        if notes.ending_by.is_some() || notes.ended.is_some() { State::Closed } else { notes.state }
    }

    pub(super) fn buffered(&self) -> usize {
        self.notes().buffered
    }

    /// The moment at which waiting for the peer has to end.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let notes = self.notes();
        earliest(notes.deadline, notes.ending_by)
    }

    /// Whether the peer's Close has come, or the connection has failed.
    pub(super) fn is_ending(&self) -> bool {
        self.notes().ending_by.is_some()
    }

    /// Whether there is something to write.
    pub(super) fn wants_writing(&self) -> bool {
        let notes = self.notes();
        notes.unwritten || !notes.replies.is_empty()
    }

    /// Whether there is something that the sending side has not heard of.
    fn wants_attention(&self) -> bool {
        let notes = self.notes();
        !notes.replies.is_empty() || (notes.ended.is_some() && notes.closed.is_none())
    }

    /// Notes how the sending side is left.
    fn publish<S: Transport, R: Role>(&self, outgoing: &mut Outgoing<S, R>) {
        let deadline = outgoing.deadline();
        let mut notes = self.notes();
        notes.deadline = deadline;
        notes.state = outgoing.sender.state();
        notes.unwritten = outgoing.has_unwritten();
        notes.buffered = outgoing.output.len();
        if notes.closed.is_none() {
            notes.closed = outgoing.closed().cloned();
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::transport::Timed;
    use super::*;
    use crate::{
        CloseCode, Config, Connection, ControlPayload, Error, Negotiated, SendError, Server,
    };
    use alloc::vec::Vec;
    use std::io::{self, ErrorKind, Read, Write};

    const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xe8];
    const FRAME: usize = 20_000;

    /// A transport that takes so much at each write, after that all, and is then interrupted by the
    /// other half.
    #[derive(Default)]
    struct Interrupted {
        takes: VecDeque<usize>,
        sent: Vec<u8>,
        pins: Option<(Arc<Board>, Reply)>,
    }

    impl Read for Interrupted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }
    }

    impl Write for Interrupted {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            let count = from.len().min(self.takes.pop_front().unwrap_or(usize::MAX));
            self.sent.extend(&from[..count]);
            if let Some((board, reply)) = self.pins.take() {
                board.pin(reply, Duration::MAX);
            }
            if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Transport for Interrupted {
        fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shared() -> Shared<Interrupted, Server> {
        let config = Config::default().fragment_size(FRAME);
        let (_, sender) = Connection::new(Server::new(), &Negotiated::new(), config).split();
        Shared::new(Outgoing::new(Timed::new(Interrupted::default()), sender), false)
    }

    fn payload(bytes: &[u8]) -> ControlPayload {
        bytes.into()
    }

    fn close() -> Reply {
        Reply::Close(payload(&CLOSE[2..]))
    }

    fn sent(shared: &Shared<Interrupted, Server>) -> Vec<u8> {
        shared.with(|outgoing| outgoing.transport.transport.sent.clone())
    }

    #[test]
    fn a_reply_that_is_pinned_while_the_sending_side_is_in_use_is_not_left_behind() {
        let shared = shared();
        shared.with(|_| {
            shared.board.pin(Reply::Pong(payload(b"?")), Duration::MAX);
            assert_eq!(shared.attempt(), Attempt::Busy);
        });
        assert!(!shared.board.wants_writing());
        assert_eq!(sent(&shared), b"\x8a\x01?");
    }

    #[test]
    fn an_end_that_is_noted_while_the_sending_side_is_in_use_is_heard_of() {
        let shared = shared();
        shared.with(|_| shared.board.end(TransportEnd::Dropped));
        assert!(shared.board.closed().is_some());
    }

    #[test]
    fn a_reply_goes_before_what_is_sent_later() {
        let shared = shared();
        shared.board.pin(Reply::Pong(payload(b"?")), Duration::MAX);
        shared.with(|outgoing| outgoing.send("!".into())).unwrap();
        assert_eq!(sent(&shared), b"\x8a\x01?\x81\x01!");
        shared.board.pin(close(), Duration::MAX);
        assert_eq!(shared.board.state(), State::Closed);
        let refused = shared.with(|outgoing| outgoing.send("!".into())).unwrap_err();
        assert!(matches!(refused, Error::Send(SendError::Closed)), "{refused}");
        assert_eq!(sent(&shared)[6..], CLOSE);
    }

    #[test]
    fn nothing_follows_a_close_that_comes_amid_a_message() {
        // After the first frame the transport takes all, or is not ready for a while.
        for takes in [&[][..], &[4, FRAME, 0]] {
            let shared = shared();
            let outcome = shared.with(|outgoing| {
                let transport = &mut outgoing.transport.transport;
                transport.takes.extend(takes);
                transport.pins = Some((Arc::clone(&shared.board), close()));
                outgoing.send((&[7; 3 * FRAME]).into())
            });
            assert!(outcome.is_err());
            shared.attempt();
            assert_eq!(sent(&shared).len(), FRAME + 4 + 4, "{takes:?}");
            assert!(sent(&shared).ends_with(&CLOSE));
        }
    }

    #[test]
    fn a_close_that_is_left_is_written_later() {
        let shared = shared();
        shared.with(|outgoing| {
            outgoing.transport.transport.takes.extend([3, 0, 0]);
            outgoing.close_briefly(CloseCode::NORMAL);
        });
        assert!(shared.board.wants_writing() && shared.board.deadline().is_some());
        assert_eq!(shared.attempt(), Attempt::Left);
        assert_eq!(shared.attempt(), Attempt::Done);
        assert_eq!(sent(&shared), CLOSE);
    }

    #[test]
    fn pongs_have_room_for_so_many() {
        let board = Board::default();
        for number in 0..100 {
            board.pin(Reply::Pong(payload(&[number])), Duration::MAX);
        }
        assert!(!board.is_ending());
        board.pin(close(), Duration::MAX);
        assert!(board.is_ending());
        let replies = board.take_replies();
        assert_eq!(replies.len(), MOST_PONGS + 1);
        assert_eq!(replies[MOST_PONGS - 2], Reply::Pong(payload(&[MOST_PONGS as u8 - 2])));
        assert_eq!(replies[MOST_PONGS - 1], Reply::Pong(payload(&[99])));
        assert_eq!(replies[MOST_PONGS], close());
    }
}
