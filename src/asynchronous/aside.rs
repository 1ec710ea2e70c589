//! What not every connection has, so that those without it hold no memory for it.

use super::wakers::Wakers;
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, sync::Arc};

#[derive(Debug, Default)]
pub(super) struct Aside(Option<Box<Rare>>);

#[derive(Debug, Default)]
struct Rare {
    /// What the opening handshake agreed on.
    negotiated: Negotiated,
    /// The two tasks that use a connection as a `Stream` and a `Sink`.
    wakers: Option<Arc<Wakers>>,
}

impl Aside {
    pub(super) fn new(negotiated: Negotiated) -> Self {
        let is_something = negotiated != Negotiated::new();
        Self(is_something.then(|| Box::new(Rare { negotiated, wakers: None })))
    }

    pub(super) fn negotiated(&self) -> &Negotiated {
        const NOTHING: &Negotiated = &Negotiated::new();
        self.0.as_ref().map_or(NOTHING, |rare| &rare.negotiated)
    }

    pub(super) fn wakers(&mut self) -> Arc<Wakers> {
        self.0.get_or_insert_default().wakers.get_or_insert_default().clone()
    }

    /// As [`wakers`](Self::wakers), for who keeps them.
    pub(super) fn take_wakers(&mut self) -> Arc<Wakers> {
        self.0.as_mut().and_then(|rare| rare.wakers.take()).unwrap_or_default()
    }
}
