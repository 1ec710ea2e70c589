//! What few connections have: a task that waits to write, and something to tell of the connection.

use crate::trace::Trace;
use alloc::boxed::Box;
use core::task::Waker;

/// In one box, because 8 bytes more in a connection can cost 128 in its task.
#[derive(Debug)]
pub(in crate::asynchronous) struct Rare(Option<Box<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// The task that waits until the transport accepts more bytes.
    writer: Option<Waker>,
    trace: Trace,
}

impl Rare {
    pub(super) fn new(trace: Trace) -> Self {
        Self((!trace.is_none()).then(|| Box::new(Contents { writer: None, trace })))
    }

    /// Remembers the task that waits until the transport accepts more bytes.
    pub(super) fn set_writer(&mut self, task: &Waker) {
        match &mut self.0.get_or_insert_default().writer {
            Some(writer) => writer.clone_from(task),
            none => *none = Some(task.clone()),
        }
    }

    #[inline]
    pub(in crate::asynchronous) fn take_writer(&mut self) -> Option<Waker> {
        self.0.as_mut()?.writer.take()
    }

    /// Remembers a task that was [taken](Self::take_writer), unless another one waits by now.
    #[inline]
    pub(super) fn restore_writer(&mut self, writer: Option<Waker>) {
        if let (Some(rare), Some(_)) = (&mut self.0, &writer) {
            if rare.writer.is_none() {
                rare.writer = writer;
            }
        }
    }

    /// Returns `true` if the end of the connection is still to be told.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        self.0.as_ref().is_some_and(|rare| !rare.trace.is_none())
    }

    /// Takes what is to be told of the connection.
    pub(super) fn take_trace(&mut self) -> Trace {
        self.0.as_mut().map(|rare| core::mem::take(&mut rare.trace)).unwrap_or_default()
    }
}
