//! The parts of a connection that few connections use: what the opening handshake agreed on, and
//! the wakers of a `Stream` and `Sink`. They take memory only if they are used.

use super::wakers::Wakers;
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, sync::Arc};

#[derive(Debug, Default)]
pub(super) struct RareState(Option<Box<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// The result of the opening handshake.
    negotiated: Negotiated,
    /// The wakers of the two tasks that use a connection as a `Stream` and a `Sink`.
    wakers: Option<Arc<Wakers>>,
}

impl RareState {
    pub(super) fn new(negotiated: Negotiated) -> Self {
        let is_something = negotiated != Negotiated::new();
        Self(is_something.then(|| Box::new(Contents { negotiated, wakers: None })))
    }

    pub(super) fn negotiated(&self) -> &Negotiated {
        const NOTHING: &Negotiated = &Negotiated::new();
        self.0.as_ref().map_or(NOTHING, |rare| &rare.negotiated)
    }

    pub(super) fn wakers(&mut self) -> Arc<Wakers> {
        self.0.get_or_insert_default().wakers.get_or_insert_default().clone()
    }

    /// Works like [`wakers`](Self::wakers), but for a caller that keeps them.
    pub(super) fn take_wakers(&mut self) -> Arc<Wakers> {
        self.0.as_mut().and_then(|rare| rare.wakers.take()).unwrap_or_default()
    }
}
