//! What the two halves of a split connection share: the sending half of the connection, behind a lock
//! that nobody holds while waiting for anything; and the transport to write to, behind a lock that is
//! held for as long as a write takes.
//!
//! So the reading thread always comes to the connection, whatever the other is stuck in: it tells it
//! what it has read, and asks what is wanted. What is to be written it writes itself if the other half
//! is not at it. If it is, that half sees to it: either it has not looked for more to write yet, or it
//! finds when it is done that the reader has missed it.

use super::Transport;
use super::incoming::{Line, leave};
use super::outgoing::Outgoing;
use super::sending::{Access, Sending};
use super::timed::{BRIEF, PAUSE, Stopped, Timed};
use crate::connection::Role;
use crate::frame::CloseCode;
use crate::transport::Wants;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

type SharedSending<R> = Arc<Mutex<Sending<R>>>;

/// The sending side of a split connection.
pub(super) type Writer<S, R> = Outgoing<S, SharedSending<R>>;

#[derive(Debug)]
pub(super) struct Shared<S, R> {
    sending: SharedSending<R>,
    writer: Mutex<Writer<S, R>>,
    /// Whether the reader had something to write and did not get at the writer.
    missed: AtomicBool,
}

impl<S: Transport, R: Role> Shared<S, R> {
    /// Does something that may write, once the other half is not at it.
    pub(super) fn with_writer<T>(&self, act: impl FnOnce(&mut Writer<S, R>) -> T) -> T {
        let outcome = act(&mut self.writer.lock().unwrap_or_else(PoisonError::into_inner));
        while self.missed.swap(false, Ordering::SeqCst) {
            // Who has it now writes what there is.
            let Some(mut writer) = self.try_writer() else { break };
            // What is left is written later, by either half.
            let _ = writer.write_briefly();
        }
        outcome
    }

    /// The writer, if the other half is not at it; else that half looks again once it is done.
    fn writer_or_notice(&self) -> Option<MutexGuard<'_, Writer<S, R>>> {
        self.try_writer().or_else(|| {
            self.missed.store(true, Ordering::SeqCst);
            // It may have been done just before that.
            self.try_writer()
        })
    }

    fn try_writer(&self) -> Option<MutexGuard<'_, Writer<S, R>>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending<R>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a read lasts before the reader looks at what the other half did.
const IDLE: Duration = Duration::from_millis(200);

/// The line of the reading thread: it reads from a handle of its own.
#[derive(Debug)]
pub(super) struct Reading<S, R> {
    transport: Timed<S>,
    sending: SharedSending<R>,
    pub(super) shared: Arc<Shared<S, R>>,
    /// When to write again what could not be written.
    retry_at: Duration,
}

impl<S: Transport, R: Role> Reading<S, R> {
    /// `transport` is the second handle on that of `outgoing`.
    pub(super) fn new(transport: Timed<S>, outgoing: Outgoing<S, Sending<R>>) -> Self {
        let outgoing = outgoing.place(|sending| Arc::new(Mutex::new(sending)));
        let sending = Arc::clone(&outgoing.sending);
        let shared = Shared {
            sending: Arc::clone(&sending),
            writer: Mutex::new(outgoing),
            missed: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        Self { transport, sending, shared, retry_at: Duration::ZERO }
    }

    /// Ends the connection because nobody receives any more. The peer is told so if the other half is
    /// still there to have wanted more, and is not in a write.
    pub(super) fn abandon(&mut self) {
        if Arc::strong_count(&self.shared) > 1 {
            // If it is closed already, or a Close was sent, the peer knows.
            let _ =
                self.sending.queue(|sender, queue| sender.close(CloseCode::GOING_AWAY, "", queue));
        }
        self.retry_at = Duration::ZERO;
        leave(self);
    }

    /// Ends the writing side if that is wanted although the other half is in a write, which fails by it.
    fn release_writer(&mut self) {
        let Self { transport, sending, .. } = self;
        let wants = sending.with(|sending| sending.next(|| transport.now()));
        if wants.is_some_and(|wants| wants.shut_down_write) {
            let outcome = transport.shut_down(Some(BRIEF)).map_err(|stopped| stopped.failure());
            sending.with(|sending| sending.sender.did_shut_down(outcome));
        }
    }
}

impl<S: Transport, R: Role> Line for Reading<S, R> {
    type Transport = S;
    type Sending = SharedSending<R>;

    fn parts(&mut self) -> (&mut SharedSending<R>, &mut Timed<S>) {
        (&mut self.sending, &mut self.transport)
    }

    /// It never waits: two readers that answer each other's pings under full buffers would stop for
    /// ever.
    fn write(&mut self, wants: &Wants, _waits: bool) -> Result<(), Stopped> {
        if !wants.shut_down_write && wants.write && self.retry_at > self.transport.now() {
            return Err(Stopped::Over);
        }
        self.retry_at = Duration::ZERO;
        if !wants.write && !wants.shut_down_write {
            return Ok(());
        }
        let written = if let Some(mut writer) = self.shared.writer_or_notice() {
            writer.write_briefly()
        } else if self.sending.with(|sending| sending.sender.is_near_end()) {
            // When that half is done, matters now.
            self.release_writer();
            Err(Stopped::Over)
        } else {
            // That half writes the replies too.
            return Err(Stopped::Over);
        };
        if written.is_err() {
            self.retry_at = self.transport.now().saturating_add(PAUSE);
        }
        written
    }

    fn patience(&self) -> Option<Duration> {
        Some(if self.retry_at > self.transport.now() { PAUSE } else { IDLE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Connection, Reply, Server, State};
    use crate::error::Error;
    use crate::negotiated::Negotiated;
    use alloc::{collections::VecDeque, vec::Vec};
    use std::io::{self, ErrorKind, Read, Write};

    const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xe8];
    const FRAME: usize = 20_000;
    const WRITE: Wants = Wants { write: true, read: true, shut_down_write: false, deadline: None };

    /// A transport that takes so much at each write, after that all. Amid its first write the reader has
    /// a reply.
    #[derive(Debug, Default)]
    struct Interrupted {
        takes: VecDeque<usize>,
        sent: Arc<Mutex<Vec<u8>>>,
        reply: Option<(SharedSending<Server>, Reply)>,
    }

    impl Read for Interrupted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }
    }

    impl Write for Interrupted {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            let count = from.len().min(self.takes.pop_front().unwrap_or(usize::MAX));
            self.sent.lock().unwrap().extend(&from[..count]);
            if let Some((mut sending, reply)) = self.reply.take() {
                sending.with(|sending| sending.sender.reply(&reply, &mut sending.queue));
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

    /// A server's line of the reading thread, and what it and the other half send.
    fn reading() -> (Reading<Interrupted, Server>, Arc<Mutex<Vec<u8>>>) {
        let config = Config::default().fragment_size(FRAME);
        let (_, sender) = Connection::new(Server::new(), &Negotiated::new(), config).split();
        let transport = Interrupted::default();
        let sent = Arc::clone(&transport.sent);
        let outgoing = Outgoing::new(Timed::new(transport), Sending::new(sender));
        (Reading::new(Timed::new(Interrupted::default()), outgoing), sent)
    }

    fn reply(reading: &mut Reading<Interrupted, Server>, reply: &Reply) {
        reading.sending.with(|sending| sending.sender.reply(reply, &mut sending.queue));
    }

    fn pong() -> Reply {
        Reply::Pong(b"?"[..].into())
    }

    fn close() -> Reply {
        Reply::Close { code: Some(CloseCode::NORMAL), reason: Default::default() }
    }

    #[test]
    fn a_reply_that_comes_while_the_writer_is_in_use_is_not_left_behind() {
        let (mut reading, sent) = reading();
        let shared = Arc::clone(&reading.shared);
        shared.with_writer(|_| {
            reply(&mut reading, &pong());
            assert!(matches!(reading.write(&WRITE, true), Err(Stopped::Over)));
        });
        assert_eq!(*sent.lock().unwrap(), b"\x8a\x01?");
        assert_eq!(shared.sending().queue.len(), 0);
    }

    #[test]
    fn a_reply_goes_before_what_is_sent_later() {
        let (mut reading, sent) = reading();
        reply(&mut reading, &pong());
        reading.shared.with_writer(|outgoing| outgoing.send("!".into())).unwrap();
        assert_eq!(*sent.lock().unwrap(), b"\x8a\x01?\x81\x01!");
        reply(&mut reading, &close());
        assert_eq!(reading.shared.sending().sender.state(), State::Closed);
        let refused = reading.shared.with_writer(|outgoing| outgoing.send("!".into()));
        assert!(matches!(refused, Err(Error::Send(_))), "{refused:?}");
        assert!(reading.write(&WRITE, true).is_ok());
        assert_eq!(sent.lock().unwrap()[6..], CLOSE);
    }

    /// After the first frame the transport takes all, or is not ready for a while.
    const TAKES: [&[usize]; 2] = [&[], &[4, FRAME, 0]];

    #[test]
    fn a_pong_goes_between_two_frames_of_a_message() {
        for takes in TAKES {
            let (mut reading, sent) = reading();
            let sending = Arc::clone(&reading.sending);
            let outcome = reading.shared.with_writer(|outgoing| {
                outgoing.transport.transport.takes.extend(takes);
                outgoing.transport.transport.reply = Some((sending, pong()));
                outgoing.send((&[7; 3 * FRAME]).into())
            });
            assert_eq!(outcome.is_ok(), takes.is_empty(), "{outcome:?}");
            assert!(reading.write(&WRITE, true).is_ok());
            let sent = sent.lock().unwrap();
            assert_eq!(sent.len(), 3 * (FRAME + 4) + 3);
            assert_eq!(sent[FRAME + 4..FRAME + 7], *b"\x8a\x01?");
        }
    }

    #[test]
    fn nothing_follows_a_close_that_comes_amid_a_message() {
        for takes in TAKES {
            let (mut reading, sent) = reading();
            let sending = Arc::clone(&reading.sending);
            let outcome = reading.shared.with_writer(|outgoing| {
                outgoing.transport.transport.takes.extend(takes);
                outgoing.transport.transport.reply = Some((sending, close()));
                outgoing.send((&[7; 3 * FRAME]).into())
            });
            assert!(outcome.is_err());
            assert!(reading.write(&WRITE, true).is_ok());
            let sent = sent.lock().unwrap();
            assert_eq!(sent.len(), FRAME + 4 + 4, "{takes:?}");
            assert!(sent.ends_with(&CLOSE));
        }
    }

    #[test]
    fn what_the_transport_does_not_take_is_written_later() {
        let (mut reading, sent) = reading();
        reply(&mut reading, &close());
        reading.shared.with_writer(|outgoing| outgoing.transport.transport.takes.extend([3, 0]));
        assert!(reading.write(&WRITE, true).is_err());
        assert_eq!(reading.patience(), Some(PAUSE));
        // Not at once.
        assert!(reading.write(&WRITE, true).is_err());
        assert_eq!(sent.lock().unwrap().len(), 3);
        std::thread::sleep(PAUSE);
        assert!(reading.write(&WRITE, true).is_ok());
        assert_eq!(*sent.lock().unwrap(), CLOSE);
    }
}
