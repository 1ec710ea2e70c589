//! Access to the sending side that a reader or a writer borrows, of a whole connection or of a half.

use super::access::Access;
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::split::Sharing;
use crate::connection::Role;
use core::task::Context;

#[derive(Debug)]
pub(super) enum Borrowed<'a, S, R: Role, M: Shell<S>> {
    Whole(&'a mut Outgoing<S, R, M>),
    Half(&'a mut Sharing<S, R, M>),
}

impl<S, R: Role, M: Shell<S>> Access<S, R, M> for Borrowed<'_, S, R, M> {
    fn act<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        match self {
            Self::Whole(outgoing) => act(outgoing),
            Self::Half(shared) => shared.act(act),
        }
    }

    fn notify_queued(&mut self) {
        match self {
            Self::Whole(_) => {}
            Self::Half(shared) => shared.notify_queued(),
        }
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Outgoing<S, R, M>, &mut Context<'_>) -> T,
    ) -> T {
        match self {
            Self::Whole(outgoing) => poll(outgoing, cx),
            Self::Half(shared) => shared.poll(cx, poll),
        }
    }
}
