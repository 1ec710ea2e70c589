//! Stands in without the feature `tracing`.

use crate::connection::{Closed, Role};
use crate::error::Error;
use crate::handshake::{Request, Url};
use crate::negotiated::Negotiated;
use core::net::SocketAddr;

#[derive(Debug, Default)]
pub(crate) struct Trace;

impl Trace {
    #[expect(clippy::extra_unused_type_parameters, reason = "the feature uses it")]
    #[inline]
    pub(crate) fn of<R: Role>(_: &Negotiated) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn of_request(_: &Request, _: &Negotiated) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn of_url(_: &Url, _: &Negotiated) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn ended(self, _: &Closed) {}

    #[inline]
    pub(crate) fn taken_apart(self) {}

    /// Returns `true` if there is nothing to tell any more.
    #[inline]
    pub(crate) const fn is_none(&self) -> bool {
        true
    }
}

#[inline]
pub(crate) fn accept_failed(_: Option<SocketAddr>, _: &Error) {}

#[inline]
pub(crate) fn refused(_: &Request, _: &Error) {}

#[inline]
pub(crate) fn connect_failed(_: &Url, _: &Error) {}
