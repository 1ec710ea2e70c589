//! IO of the opening handshake.

use super::queue_writes::poll_write_queue;
use super::shell::{Shell, Timer, failure};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::{Error, OpeningFailure};
use crate::handshake::{self, HandshakeNext, Opens};
use crate::io::some_written;
use crate::transport::{IoFailure, Wants};
use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io;

/// A transport during the opening handshake.
struct Exchange<'a, S, M: Shell<S>> {
    transport: &'a mut S,
    input: &'a mut ReadBuffer,
    output: &'a mut WriteBuffer,
    timer: M::Timer,
    /// The first error of the transport.
    failed: Option<io::Error>,
}

/// Does the IO of a handshake until its next step is complete.
pub(crate) async fn drive<S, M: Shell<S>, H: Opens<Error: OpeningFailure>>(
    handshake: &mut H,
    transport: &mut S,
    input: &mut ReadBuffer,
    output: &mut WriteBuffer,
) -> Result<H::Step, Error> {
    let timer = M::Timer::default();
    let mut exchange = Exchange::<S, M> { transport, input, output, timer, failed: None };
    poll_fn(|cx| exchange.poll_drive(handshake, cx)).await
}

impl<S, M: Shell<S>> Exchange<'_, S, M> {
    fn poll_drive<H: Opens<Error: OpeningFailure>>(
        &mut self,
        handshake: &mut H,
        cx: &mut Context<'_>,
    ) -> Poll<Result<H::Step, Error>> {
        loop {
            let Self { input, output, timer, .. } = self;
            let wants = match handshake.next(input, output, || timer.now()) {
                HandshakeNext::Wants(wants) => wants,
                HandshakeNext::Ready(step) => return Poll::Ready(Ok(step)),
                HandshakeNext::Ended(error) => {
                    return Poll::Ready(Err(error.into_error(self.failed.take())));
                }
            };
            if self.act(wants, handshake.exchange(), cx) {
                continue;
            }
            let Some(deadline) = wants.deadline else { return Poll::Pending };
            if self.timer.poll_until(deadline, cx).is_ready() {
                // The next attempt may get further once other tasks have had their turn.
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }

    /// Tries each action in `wants` once. Returns `true` if at least one was ready.
    fn act(
        &mut self,
        wants: Wants,
        exchange: &mut handshake::Exchange,
        cx: &mut Context<'_>,
    ) -> bool {
        let has_written = wants.write
            && self
                .poll_write(cx)
                .map(|done| exchange.wrote_or_flushed(done, self.output))
                .is_ready();
        let has_read = wants.read && {
            let read = self.poll_read(exchange, cx);
            let done = if let Poll::Ready(done) = read { done } else { Err(IoFailure::NotReady) };
            exchange.did_read(done);
            read.is_ready()
        };
        let shuts_down = wants.shut_down_write
            && M::poll_shutdown(self.transport, cx)
                .map(|done| exchange.did_shut_down(done.map_err(|error| failure(&error))))
                .is_ready();
        has_written || has_read || shuts_down
    }

    fn poll_read(
        &mut self,
        exchange: &handshake::Exchange,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, IoFailure>> {
        let outcome = ready!(M::poll_read(self.transport, cx, exchange.room(self.input)));
        self.input.filled(*outcome.as_ref().unwrap_or(&0));
        Poll::Ready(outcome.map_err(|error| self.note(error)))
    }

    /// Writes once, or flushes the transport.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, IoFailure>> {
        let outcome = if self.output.is_empty() {
            ready!(M::poll_flush(self.transport, cx)).map(|()| 0)
        } else {
            some_written(ready!(poll_write_queue::<S, M>(self.transport, self.output, cx)))
        };
        Poll::Ready(outcome.map_err(|error| self.note(error)))
    }

    fn note(&mut self, error: io::Error) -> IoFailure {
        let failure = failure(&error);
        self.failed.get_or_insert(error);
        failure
    }
}

/// Waits for `step` until `moment`. Returns `None` if `moment` comes first.
pub(crate) async fn until<T>(
    timer: &mut impl Timer,
    moment: Option<Duration>,
    step: impl Future<Output = T>,
) -> Option<T> {
    let mut step = pin!(step);
    poll_fn(|cx| match (step.as_mut().poll(cx), moment) {
        (Poll::Ready(outcome), _) => Poll::Ready(Some(outcome)),
        (Poll::Pending, Some(moment)) => timer.poll_until(moment, cx).map(|()| None),
        (Poll::Pending, None) => Poll::Pending,
    })
    .await
}
