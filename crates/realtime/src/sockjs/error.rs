//! Why a request is not accepted, and what its client is told.

use super::{payload::PayloadError, receiver::Refused, response::Response};

/// Why a receiver is not attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The session has another receiver, or is closed. The client learns it from the response.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The session has another owner, or its id is too long. It is the client's fault.
    #[error("there is no such session")]
    NotFound,
    /// There are [`Config::sessions`](super::Config::sessions). The client can try again later.
    #[error("there are {limit} sessions already, as many as are allowed")]
    Full {
        /// The limit.
        limit: usize,
    },
}

impl AttachError {
    /// Returns the response, with the fields of the head that
    /// [`Action::Receive`](super::Action::Receive) has.
    #[must_use]
    pub fn response(self, head: Response) -> Response {
        match self {
            Self::Refused(refused) => head.with_body(refused.into_text().into_bytes()),
            Self::NotFound => head.answered(404, "Not found\n"),
            Self::Full { .. } => head.answered(503, "Too many sessions\n"),
        }
    }
}

/// Why the messages of a client are not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// There is no such session, or it has another owner. It is the client's fault, or it came too late.
    #[error("there is no such session")]
    NotFound,
    /// The body holds no messages. It is the client's fault.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl ReceiveError {
    /// Returns the response, with the fields of the head that [`Action::Send`](super::Action::Send) has.
    #[must_use]
    pub fn response(self, head: Response) -> Response {
        match self {
            Self::NotFound => head.answered(404, "Not found\n"),
            Self::Payload(PayloadError::Empty) => head.answered(500, "Payload expected.\n"),
            Self::Payload(PayloadError::BrokenJson { .. }) => {
                head.answered(500, "Broken JSON encoding.\n")
            }
            Self::Payload(PayloadError::TooLong { .. } | PayloadError::TooManyMessages { .. }) => {
                head.answered(413, "Payload too large.\n")
            }
        }
    }
}
