//! Access to the sending side of a connection, for the tasks that receive and the tasks that send.

use super::outgoing::Outgoing;
use super::shell::Shell;
use super::wakers::{Half, Mutex, Wakers, lock};
use crate::connection::{AsPayload, Compressing, Form, Role};
use crate::error::Error;
use alloc::{boxed::Box, sync::Arc};
use core::{
    future::poll_fn,
    task::{Context, Poll},
};

/// Access to the sending side, and through it to the transport.
pub(super) trait Access<S, R: Role, M: Shell<S>> {
    /// Calls `act` with the sending side.
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T;

    /// Ensures that queued bytes are written soon, even if nobody flushes.
    #[inline]
    fn notify_queued(&mut self) {}

    /// Works like [`act`](Self::act), and also passes the context with which to poll the transport
    /// on behalf of the task of `cx`.
    #[inline]
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Outgoing<S, R, M>, &mut Context<'_>) -> T,
    ) -> T {
        self.act(|outgoing| poll(outgoing, cx))
    }

    /// Waits until `poll` is ready.
    #[inline]
    async fn wait<T>(
        &mut self,
        mut poll: impl FnMut(&mut Outgoing<S, R, M>, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        poll_fn(|cx| self.poll(cx, &mut poll)).await
    }

    /// Waits for room, then queues a message with `poll`. A large message that needs compression is
    /// compressed in turns.
    async fn feed(
        &mut self,
        payload: impl AsPayload,
        poll: impl for<'p> Fn(
            &mut Outgoing<S, R, M>,
            Form<'p>,
            Option<&mut Option<Box<Compressing<'p>>>>,
            &mut Context<'_>,
        ) -> Poll<Result<(), Error>>,
    ) -> Result<(), Error> {
        let payload = payload.as_payload().0;
        let mut compressing = None;
        self.wait(|outgoing, cx| poll(outgoing, payload, Some(&mut compressing), cx)).await?;
        match compressing {
            None => Ok(()),
            Some(message) => self.compress(message).await,
        }
    }

    /// Compresses a message in turns, then queues it. Between turns other tasks run and the other
    /// half can use the sending side.
    async fn compress(&mut self, mut message: Box<Compressing<'_>>) -> Result<(), Error> {
        loop {
            self.act(|outgoing| outgoing.sending.sender.lend_compressor(&mut message));
            let is_done = (0..STEPS_OF_TURN).any(|_| message.step());
            let is_open = self.act(|outgoing| {
                outgoing.sending.sender.take_back_compressor(&mut message);
                outgoing.sending.sender.is_open()
            });
            if is_done || !is_open {
                break;
            }
            yield_turn().await;
        }
        self.wait(|outgoing, cx| {
            outgoing.poll_queue(cx, |sender, output| sender.send_compressed(&mut message, output))
        })
        .await
    }
}

/// The number of 64 KiB steps that compression takes before other tasks have their turn.
const STEPS_OF_TURN: usize = 4;

/// Yields to other tasks once.
async fn yield_turn() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Direct access.
impl<S, R: Role, M: Shell<S>> Access<S, R, M> for Outgoing<S, R, M> {
    #[inline]
    fn act<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        act(self)
    }
}

impl<S, R: Role, M: Shell<S>> Access<S, R, M> for &mut Outgoing<S, R, M> {
    #[inline]
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        act(self)
    }
}

/// Access through a lock, which is held during a poll and never across polls.
impl<S, R: Role, M: Shell<S>> Access<S, R, M> for Arc<Mutex<Outgoing<S, R, M>>> {
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        act(&mut lock(self))
    }
}

/// Access for one of two tasks. Each task is also woken when the other one makes progress.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) half: Half,
    pub(super) access: A,
    pub(super) wakers: Arc<Wakers>,
}

impl<S, R: Role, M: Shell<S>, A: Access<S, R, M>> Access<S, R, M> for Shared<A> {
    /// Calls `act`, and wakes the other task if that task may wait for what `act` did.
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        let (outcome, has_progressed) = self.access.act(|outgoing| outgoing.watch(act));
        if has_progressed {
            self.wakers.wake(self.half.other());
        }
        outcome
    }

    /// Wakes the receiving task, which writes the queue before it waits again.
    fn notify_queued(&mut self) {
        if self.half == Half::Send {
            self.wakers.wake(Half::Receive);
        }
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Outgoing<S, R, M>, &mut Context<'_>) -> T,
    ) -> T {
        let waker = self.wakers.register(self.half, cx);
        self.act(|outgoing| poll(outgoing, &mut Context::from_waker(&waker)))
    }
}
