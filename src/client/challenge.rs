//! What a client is asked to authenticate for.

use crate::handshake::{Refusal, Url};

/// A challenge of the server (401), and the request that it answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Challenge<'a> {
    /// The URL that was requested.
    pub url: &'a Url,
    /// The refusal. Its [`challenges`](Refusal::challenges) say what the server wants.
    pub refusal: &'a Refusal,
}
