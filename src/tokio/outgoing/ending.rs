//! How a connection comes to its end: by which deadline, and who ends what (RFC 6455 §7.1).

use super::Outgoing;
use crate::{CloseCode, Closed, Error, Role, TransportEnd, transport::DRAIN_LIMIT};
use ::tokio::io::{AsyncRead, AsyncWrite};
use alloc::boxed::Box;
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

impl<S, R: Role> Outgoing<S, R> {
    /// Notes how the transport ended, the first time.
    pub(in crate::tokio) fn end(&mut self, how: TransportEnd) -> &Closed {
        let all_written = self.output.is_empty() && !self.unflushed && !self.broken.is_broken();
        let how = self.broken.how(how);
        self.closed.get_or_insert_with(|| Box::new(self.sender.ended(how, all_written)))
    }

    /// The moment at which waiting for the peer has to end.
    pub(super) fn deadline(&mut self) -> Option<Duration> {
        if self.sender.next_deadline() == Some(Duration::ZERO) {
            self.sender.pass_deadline(self.timer.now());
        }
        let closing = self.sender.next_deadline();
        let broken = self.broken.until();
        closing.map_or(broken, |closing| Some(broken.map_or(closing, |broken| broken.min(closing))))
    }

    /// Waits for the deadline.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.deadline() {
            Some(deadline) => self.timer.poll_until(deadline, cx),
            None => Poll::Pending,
        }
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
    pub(in crate::tokio) fn poll_finish(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut scrap = [0; 8192];
        while self.closed.is_none() {
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
            self.drained += ready!(self.poll_read(&mut scrap, cx))? as u32;
            if self.drained as usize > DRAIN_LIMIT {
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
        if self.closed.is_none() {
            // If a Close was sent already, that one says it.
            let _ = self.close(CloseCode::GOING_AWAY, "");
            self.write_without_wait(cx);
            self.end(TransportEnd::Dropped);
            self.shut_down(cx);
        }
    }
}
