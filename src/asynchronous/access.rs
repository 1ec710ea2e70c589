//! The ways to the sending side of a connection, for those who receive and those who send.

use super::outgoing::Outgoing;
use super::shell::Shell;
use super::wakers::{Half, Mutex, Wakers, lock};
use crate::connection::{Compressing, Payload, Role, State};
use crate::error::Error;
use alloc::{boxed::Box, sync::Arc};
use core::{
    future::poll_fn,
    task::{Context, Poll},
};

/// A way to the sending side, and to the transport that it has.
pub(super) trait Access<S, R: Role, M: Shell<S>> {
    /// Calls `act` with it.
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T;

    /// As [`act`](Self::act), also with what the transport is to be polled with for the task of `cx`.
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

    /// Queues a message by `poll`, once there is room. One that is to be compressed first is compressed in turns.
    async fn feed<'p>(
        &mut self,
        payload: &Payload<'p>,
        poll: impl Fn(
            &mut Outgoing<S, R, M>,
            Payload<'p>,
            Option<&mut Option<Box<Compressing<'p>>>>,
            &mut Context<'_>,
        ) -> Poll<Result<(), Error>>,
    ) -> Result<(), Error> {
        let mut compressing = None;
        self.wait(|outgoing, cx| poll(outgoing, *payload, Some(&mut compressing), cx)).await?;
        match compressing {
            None => Ok(()),
            // In a box, since few messages need it and a task has room for all that it may wait for.
            Some(message) => Box::pin(self.compress(message)).await,
        }
    }

    /// Compresses a message in turns, then queues it. Between turns other tasks run, and at any time the other half can
    /// use the sending side.
    async fn compress(&mut self, mut message: Box<Compressing<'_>>) -> Result<(), Error> {
        loop {
            self.act(|outgoing| outgoing.sending.sender.lend_compressor(&mut message));
            let is_done = (0..STEPS_OF_TURN).any(|_| message.step());
            let is_open = self.act(|outgoing| {
                outgoing.sending.sender.take_back_compressor(&mut message);
                outgoing.sending.sender.state() == State::Open
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

/// Steps of compression, each of 64 KiB, before other tasks have their turn.
const STEPS_OF_TURN: usize = 4;

/// Lets other tasks go on.
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

/// It is at hand.
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

/// It is behind a lock, which is held for a poll and never across one.
impl<S, R: Role, M: Shell<S>> Access<S, R, M> for Arc<Mutex<Outgoing<S, R, M>>> {
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        act(&mut lock(self))
    }
}

/// A way for one of two tasks, each of which is woken also when the other has done something.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) half: Half,
    pub(super) access: A,
    pub(super) wakers: Arc<Wakers>,
}

impl<S, R: Role, M: Shell<S>, A: Access<S, R, M>> Access<S, R, M> for Shared<A> {
    /// Wakes the other task if `act` did what that may wait for.
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        let (outcome, has_progressed) = self.access.act(|outgoing| outgoing.watch(act));
        if has_progressed {
            self.wakers.wake(self.half.other());
        }
        outcome
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
