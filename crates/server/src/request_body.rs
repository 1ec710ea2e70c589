//! Bodies of requests.

use crate::options::Options;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use tokio::time::timeout;

/// Why a body is not read. It is the fault of the client, or of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("the body is longer than {limit} bytes, or was cut off")]
    TooLong { limit: usize },
    #[error("the body took too long")]
    TooSlow,
}

impl Unread {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::TooLong { .. } => 413,
            Self::TooSlow => 408,
        }
    }
}

/// Reads a body to its end. One that is too long is not read further than that shows.
pub(crate) async fn read(options: &Options, body: Body, limit: usize) -> Result<Bytes, Unread> {
    match timeout(options.body_timeout, to_bytes(body, limit)).await {
        Ok(read) => read.map_err(|_| Unread::TooLong { limit }),
        Err(_) => Err(Unread::TooSlow),
    }
}
