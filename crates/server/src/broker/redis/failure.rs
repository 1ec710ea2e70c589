//! Why there is no connection to Redis, for the log.

use redis::{RedisError, ServerError};
use std::time::Duration;

/// Why the connection is not there, or has ended. The node tries again in any case: the operator can put
/// right what is wrong while it runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no connection to Redis: {0}")]
    Connection(#[from] RedisError),
    #[error("no connection to Redis within {0:?}")]
    Timeout(Duration),
    #[error("the connection to Redis was lost")]
    Lost,
    #[error("Redis {0} is too old: it has to be 6.2 or newer")]
    TooOld(String),
    #[error(
        "Redis is a cluster, which has no use here, since all messages share one sequence, which one of its servers would have: name a single server, or Sentinels"
    )]
    Cluster,
    #[error(
        "Redis has to be durable by the options, but does not keep what it answers: it needs \"appendonly yes\" and \"appendfsync always\""
    )]
    NotDurable,
    #[error(
        "Redis does not tell its run_id, so that nobody knows whether it has restarted: it can only be used as a durable one"
    )]
    NoRun,
    #[error("Redis refuses {what}: {error}")]
    Refused { what: &'static str, error: ServerError },
    #[error("another sequence has begun in Redis")]
    EpochChanged,
    #[error(
        "what is stored in Redis is of version {stored}, and this program knows version {known}"
    )]
    Version { stored: String, known: u32 },
    #[error("{waiting} bytes of messages from Redis wait here, and at most {limit} may")]
    TooSlow { waiting: usize, limit: usize },
    #[error("Redis answers {what} with what is no answer to it")]
    Unexpected { what: &'static str },
}

impl Failure {
    /// Tells apart why a script has refused.
    pub(super) fn refused(what: &'static str, error: ServerError) -> Self {
        match error.code() {
            "EPOCH" => Self::EpochChanged,
            _ => Self::Refused { what, error },
        }
    }
}
