//! Doing what an opening handshake wants of its transport.

use super::shell::{Shell, Timer};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::Error;
use crate::handshake::{self, HandshakeNext, Opens};
use crate::transport::{IoFailure, Wants};
use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io::{self, ErrorKind};

/// A transport during the opening handshake.
pub(super) struct Exchange<S, M: Shell<S>> {
    pub(super) transport: S,
    pub(super) input: ReadBuffer,
    pub(super) output: WriteBuffer,
    timer: M::Timer,
    /// Whether something was written that the transport itself may still hold.
    unflushed: bool,
    /// How the transport failed, the first time.
    failed: Option<io::Error>,
}

impl<S, M: Shell<S>> Exchange<S, M> {
    pub(super) fn new(transport: S, input: ReadBuffer, output: WriteBuffer) -> Self {
        let timer = M::Timer::default();
        Self { transport, input, output, timer, unflushed: false, failed: None }
    }

    /// Does what a handshake wants until it has come to something.
    pub(super) async fn drive<H: Opens>(&mut self, handshake: &mut H) -> Result<H::Step, Error> {
        poll_fn(|cx| self.poll_drive(handshake, cx)).await
    }

    fn poll_drive<H: Opens>(
        &mut self,
        handshake: &mut H,
        cx: &mut Context<'_>,
    ) -> Poll<Result<H::Step, Error>> {
        loop {
            let Self { input, output, timer, unflushed, .. } = self;
            let all_written = output.is_empty() && !*unflushed;
            let wants = match handshake.next_with(input, output, all_written, || timer.now()) {
                HandshakeNext::Wants(wants) => wants,
                HandshakeNext::Ready(step) => return Poll::Ready(Ok(step)),
                HandshakeNext::Ended(error) => {
                    return Poll::Ready(Err(Error::of_opening(error, self.failed.take())));
                }
            };
            if self.act(wants, handshake.exchange(), cx) {
                continue;
            }
            match wants.deadline {
                Some(deadline) => ready!(self.timer.poll_until(deadline, cx)),
                None => return Poll::Pending,
            }
        }
    }

    /// Does what is possible now, each thing once; whether it was any.
    fn act(
        &mut self,
        wants: Wants,
        exchange: &mut handshake::Exchange,
        cx: &mut Context<'_>,
    ) -> bool {
        let mut has_acted = false;
        if wants.write {
            if let Poll::Ready(outcome) = self.poll_write(cx) {
                exchange.did_write(outcome, &mut self.output);
                has_acted = true;
            }
        }
        if wants.read {
            if let Poll::Ready(outcome) = self.poll_read(cx) {
                exchange.did_read(outcome);
                has_acted = true;
            }
        }
        if wants.shut_down_write {
            if let Poll::Ready(outcome) = M::poll_shutdown(&mut self.transport, cx) {
                exchange.did_shut_down(outcome.map_err(|error| failure(&error)));
                has_acted = true;
            }
        }
        has_acted
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, IoFailure>> {
        let outcome = ready!(M::poll_read(&mut self.transport, cx, self.input.spare(1)));
        self.input.filled(*outcome.as_ref().unwrap_or(&0));
        Poll::Ready(outcome.map_err(|error| self.note(error)))
    }

    /// Writes once, or has the transport write what it holds.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, IoFailure>> {
        let outcome = if self.output.is_empty() {
            let outcome = ready!(M::poll_flush(&mut self.transport, cx));
            self.unflushed = outcome.is_err();
            outcome.map(|()| 0)
        } else {
            self.unflushed = true;
            match ready!(M::poll_write(&mut self.transport, cx, self.output.front())) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                outcome => outcome,
            }
        };
        Poll::Ready(outcome.map_err(|error| self.note(error)))
    }

    fn note(&mut self, error: io::Error) -> IoFailure {
        let failure = failure(&error);
        self.failed.get_or_insert(error);
        failure
    }
}

/// What is known of a stream that fails so.
fn failure(error: &io::Error) -> IoFailure {
    match IoFailure::from(error) {
        // A stream that is not ready has to say so by `Pending`.
        IoFailure::NotReady => IoFailure::Other,
        failure => failure,
    }
}

/// Waits for `step` until a moment; `None` if that comes first.
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
