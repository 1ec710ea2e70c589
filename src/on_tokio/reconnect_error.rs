//! Why a client that reconnects has no connection, and why it did not send a message.

use crate::client::EnqueueError;
use crate::connection::{Closed, Message, SendError};
use crate::error::Error;
use alloc::boxed::Box;
use core::{fmt, time::Duration};

type AnyError = Box<dyn core::error::Error + Send + Sync>;

/// Why a client that reconnects lost its connection, or did not get one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// An attempt to connect failed, or your function that sets the connection up.
    #[error("the attempt to connect failed: {error}")]
    Attempt {
        /// The error. If it is one of this crate, [`error`](DisconnectReason::error) returns it.
        #[source]
        error: AnyError,
        /// Whether another attempt can help.
        is_transient: bool,
    },
    /// An attempt, with your function that sets the connection up, was not finished
    /// [in time](crate::client::ReconnectConfig::attempt_timeout). Another attempt can help.
    #[error("the attempt to connect was abandoned after {after:?}")]
    AttemptTimeout {
        /// How long it took until then.
        after: Duration,
    },
    /// The connection ended. After a clean close by the peer this is [`Error::Closed`], too.
    #[error("the connection ended: {0}")]
    Ended(#[source] Error),
}

impl DisconnectReason {
    /// Returns `true` if another attempt can help: see [`Error::is_transient`] and
    /// [`Closed::is_transient`]. So a client comes back after 1000, 1001, 1006, 1011 to 1014, and
    /// codes of the application, but not after a Close that blames what it sent, such as 1008. It
    /// comes back after the statuses 408, 425, 429 and most of 5xx, but not after another one, such
    /// as 401.
    ///
    /// An error of your own counts as transient, unless you made it with
    /// [`AttemptError::permanent`].
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Attempt { is_transient, .. } => *is_transient,
            Self::AttemptTimeout { .. } => true,
            Self::Ended(error) => error.is_transient(),
        }
    }

    /// Returns the error, if it is one of this crate.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Attempt { error, .. } => error.downcast_ref(),
            Self::AttemptTimeout { .. } => None,
            Self::Ended(error) => Some(error),
        }
    }

    /// Returns how the connection ended, with the close codes. `None` if there was no connection, and
    /// if the peer broke the protocol, which [`error`](Self::error) tells.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        match self.error() {
            Some(Error::Closed(closed)) => Some(closed),
            _ => None,
        }
    }
}

/// An error of your functions that connect, or set a connection up: see
/// [`ReconnectingWebSocket`](super::ReconnectingWebSocket). `?` makes it of every type that implements
/// [`Error`](core::error::Error). `Box<dyn Error + Send + Sync>` and `anyhow::Error` do not: for them,
/// write `.map_err(AttemptError::transient)?`, or [`permanent`](Self::permanent).
///
/// An [`Error`] of this crate leads to another attempt if it [is
/// transient](Error::is_transient). Every other error does so, too, unless you make it with
/// [`permanent`](Self::permanent).
///
/// ```
/// use sansocket::on_tokio::{AttemptError, ClientWebSocket};
///
/// async fn log_in(mut websocket: ClientWebSocket) -> Result<ClientWebSocket, AttemptError> {
///     websocket.send("let me in").await?;
///     // If the connection has ended, return it: its end decides.
///     let Some(answer) = websocket.next().await.transpose()? else { return Ok(websocket) };
///     match answer.as_text() {
///         Some("no") => Err(AttemptError::permanent("the password is wrong")),
///         _ => Ok(websocket),
///     }
/// }
/// ```
pub struct AttemptError {
    error: AnyError,
    is_transient: bool,
}

impl AttemptError {
    /// Creates an error that another attempt would meet again: the client gives up.
    #[must_use]
    pub fn permanent(error: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self { error: error.into(), is_transient: false }
    }

    /// Creates an error that may pass: the client tries again.
    ///
    /// ```
    /// use sansocket::on_tokio::AttemptError;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// fn read_token() -> Result<String, BoxError> {
    ///     Ok(String::from_utf8(vec![b'5', b'c'])?)
    /// }
    ///
    /// fn token() -> Result<String, AttemptError> {
    ///     read_token().map_err(AttemptError::transient)
    /// }
    /// # assert!(token().is_ok());
    /// ```
    #[must_use]
    pub fn transient(error: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self { error: error.into(), is_transient: true }
    }
}

// For this implementation, the type can't be an `Error` itself.
impl<E: core::error::Error + Send + Sync + 'static> From<E> for AttemptError {
    fn from(error: E) -> Self {
        let error = AnyError::from(error);
        let is_transient = error.downcast_ref().is_none_or(Error::is_transient);
        Self { error, is_transient }
    }
}

impl From<AttemptError> for DisconnectReason {
    fn from(AttemptError { error, is_transient }: AttemptError) -> Self {
        Self::Attempt { error, is_transient }
    }
}

impl fmt::Debug for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

/// Why a client that reconnects did not send a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconnectSendError {
    /// There is no connection, or other messages wait before this one, and this one was not queued.
    #[error(transparent)]
    NotQueued(#[from] EnqueueError),
    /// The connection refused the message, and stays as it is: see [`SendError`].
    #[error("{error}")]
    Refused {
        /// The message.
        message: Message,
        /// The reason.
        #[source]
        error: SendError,
    },
    /// The connection failed. The messages that it had taken since the last flush may have arrived or
    /// not; they are not sent again. Messages that are still
    /// [queued](super::ReconnectingWebSocket::queued_messages) are not among them.
    #[error("the connection failed, and what it had taken may be lost: {0}")]
    Lost(#[source] Error),
}

impl ReconnectSendError {
    /// Returns the message, if nothing of it was sent.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::NotQueued(error) => Some(error.into_message()),
            Self::Refused { message, .. } => Some(message),
            Self::Lost(_) => None,
        }
    }
}
