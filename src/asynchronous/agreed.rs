//! What the opening handshake agreed on, as a connection keeps it.

use crate::negotiated::Negotiated;
use alloc::{boxed::Box, vec::Vec};

/// It takes no memory if nothing was agreed on, as by most.
#[derive(Debug, Default)]
pub(super) struct Agreed(Option<Box<Negotiated>>);

impl Agreed {
    pub(super) fn negotiated(&self) -> &Negotiated {
        self.0.as_deref().unwrap_or(Self::nothing())
    }

    pub(super) fn is_something(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn nothing() -> &'static Negotiated {
        static NOTHING: Negotiated = Negotiated {
            subprotocol: None,
            extensions: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        };
        &NOTHING
    }
}

impl From<Negotiated> for Agreed {
    fn from(negotiated: Negotiated) -> Self {
        Self((negotiated != Negotiated::new()).then(|| Box::new(negotiated)))
    }
}
