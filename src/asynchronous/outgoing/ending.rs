//! How a connection comes to its end: by which deadline, and who ends what (RFC 6455 §7.1).

use super::Outgoing;
use crate::tokio::timer::Timer;
use crate::{
    CloseCode, Closed, Error, Role, TransportEnd,
    io::{Broken, DRAIN_LIMIT, LATE_LIMIT},
};
use ::tokio::io::{AsyncRead, AsyncWrite};
use alloc::boxed::Box;
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io::{self, ErrorKind};

/// What is known of a connection that comes to its end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) timer: Timer,
    pub(super) broken: Broken,
    pub(super) closed: Option<Closed>,
    /// Bytes that were read and dropped after the last frame.
    drained: u32,
    /// Bytes that were read after the deadline.
    late: u32,
    /// Whether reading after the deadline found nothing once. A runtime that is to be fair to other
    /// tasks may say so too.
    late_pending: bool,
}

impl Ending {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_broken() || self.closed.is_some()
    }

    /// Fails if the transport has ended, or can't be written any more.
    #[cold]
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.closed {
            Some(closed) => Err(Error::Closed(Box::new(closed.clone()))),
            None if self.broken.is_broken() => Err(io::Error::from(ErrorKind::BrokenPipe).into()),
            None => Ok(()),
        }
    }
}

impl<S, R: Role> Outgoing<S, R> {
    /// Notes how the transport ended, the first time.
    pub(in crate::tokio) fn end(&mut self, how: TransportEnd) -> &Closed {
        let ending = self.ending.get_or_insert_default();
        let all_written = self.output.is_empty() && !self.unflushed && !ending.broken.is_broken();
        let how = ending.broken.how(how);
        ending.closed.get_or_insert_with(|| self.sender.ended(how, all_written))
    }

    /// The moment at which waiting for the peer has to end.
    pub(super) fn deadline(&mut self) -> Option<Duration> {
        if self.sender.next_deadline() == Some(Duration::ZERO) {
            let now = self.ending.get_or_insert_default().timer.now();
            self.sender.pass_deadline(now);
        }
        let closing = self.sender.next_deadline();
        let broken = self.ending.as_ref().and_then(|ending| ending.broken.until());
        closing.map_or(broken, |closing| Some(broken.map_or(closing, |broken| broken.min(closing))))
    }

    /// Waits for the deadline.
    #[inline]
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Mostly there is none.
        if self.ending.is_none() && self.sender.next_deadline().is_none() {
            return Poll::Pending;
        }
        self.poll_set_deadline(cx)
    }

    #[cold]
    fn poll_set_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.deadline() {
            Some(deadline) => self.ending.get_or_insert_default().timer.poll_until(deadline, cx),
            None => Poll::Pending,
        }
    }

    /// Notes that a read after the deadline found so many bytes.
    pub(super) fn found_late(&mut self, count: usize) {
        let ending = self.ending.get_or_insert_default();
        ending.late_pending = false;
        ending.late = ending.late.saturating_add(count as u32);
        if ending.late as usize > LATE_LIMIT {
            self.end(TransportEnd::Timeout);
        }
    }

    /// Notes that a read after the deadline found nothing: the transport ends if that is so twice.
    /// Whether it has.
    pub(super) fn found_nothing_late(&mut self, cx: &Context<'_>) -> bool {
        let ending = self.ending.get_or_insert_default();
        let ends = ending.late_pending;
        ending.late_pending = true;
        if ends {
            self.end(TransportEnd::Timeout);
        } else {
            cx.waker().wake_by_ref();
        }
        ends
    }

    /// Ends the transport once the deadline has passed.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<&Closed> {
        ready!(self.poll_overdue(cx));
        Poll::Ready(self.end(TransportEnd::Timeout))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Outgoing<S, R> {
    /// Ends the transport after the last frame: the server's side first, so that the client's port
    /// is free again at once (RFC 6455 §7.1.1), and with what the peer still sends read and dropped,
    /// since unread bytes would turn the end into a reset that can overtake our Close. A peer that
    /// has ended its side is still written what is queued.
    #[cold]
    pub(in crate::tokio) fn poll_finish(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut scrap = [0; 8192];
        while self.closed().is_none() {
            let written = self.write_without_wait(cx);
            if written {
                self.give_back_output();
            }
            if written && !R::MASKS && !self.shut_down {
                match Pin::new(&mut self.transport).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => self.shut_down = true,
                    Poll::Ready(Err(_)) => {
                        self.end(TransportEnd::Reset);
                        break;
                    }
                    Poll::Pending => {}
                }
            }
            if self.poll_deadline(cx).is_ready() {
                break;
            }
            if self.peer_ended {
                if !written {
                    return Poll::Pending;
                }
                self.end(TransportEnd::Eof);
                break;
            }
            let count = ready!(self.poll_read(&mut scrap, cx))?;
            let ending = self.ending.get_or_insert_default();
            ending.drained += count as u32;
            if ending.drained as usize > DRAIN_LIMIT {
                self.end(TransportEnd::Dropped);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends this side of a transport of which nothing is expected any more: the client's, after the
    /// server's, or either, if the peer's ended without a Close. Its user may keep it for long.
    pub(in crate::tokio) fn shut_down(&mut self, cx: &mut Context<'_>) {
        if !self.shut_down {
            self.shut_down = true;
            // It can only fail if it has ended anyway; one that would have to wait ends when it is
            // dropped.
            let _ = Pin::new(&mut self.transport).poll_shutdown(cx);
        }
    }

    /// Ends the connection because nobody receives any more; the peer is told so as far as that
    /// needs no wait.
    pub(in crate::tokio) fn abandon(&mut self, cx: &mut Context<'_>) {
        if self.closed().is_none() {
            // If a Close was sent already, that one says it.
            let _ = self.close(CloseCode::GOING_AWAY, "");
            self.write_without_wait(cx);
            self.end(TransportEnd::Dropped);
            self.shut_down(cx);
        }
    }
}
