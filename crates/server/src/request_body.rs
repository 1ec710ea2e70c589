//! Bodies of requests.

use crate::options::Options;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

/// Why a body is not read. It is the fault of the client, or of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("the body is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the body is cut off, or its chunks are malformed")]
    CutOff,
    #[error("the body took too long")]
    TooSlow,
}

impl Unread {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::TooLong { .. } => 413,
            Self::CutOff => 400,
            Self::TooSlow => 408,
        }
    }
}

/// Reads a body to its end. One that is too long is not read further than that shows.
pub(crate) async fn read(options: &Options, body: Body, limit: usize) -> Result<Bytes, Unread> {
    match timeout(options.body_timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLong { limit }),
        Ok(Err(_)) => Err(Unread::CutOff),
        Err(_) => Err(Unread::TooSlow),
    }
}
