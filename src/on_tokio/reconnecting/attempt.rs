//! The attempt to connect, and the connection that comes of it.

use super::{Attempt, Connected, ReconnectingWebSocket};
use crate::asynchronous::Timer as _;
use crate::client::ReconnectNext;
use crate::error::Error;
use crate::on_tokio::ClientWebSocket;
use crate::on_tokio::reconnect_error::DisconnectReason;
use alloc::boxed::Box;
use core::{
    fmt,
    task::{Context, Poll, ready},
};

/// What the client has of a connection.
pub(super) enum Link {
    /// Nothing.
    None,
    /// The attempt to connect.
    Connecting(Attempt),
    /// Your function, which sets up the connection.
    SettingUp(Attempt),
    /// A connection, whether it is open or on its way to its end.
    Open(ClientWebSocket),
    /// The error with which a connection refused a queued message. It was dropped for that, and this
    /// is not reported yet.
    Refused(Error),
}

impl ReconnectingWebSocket {
    /// Waits for the next attempt to connect, and for its outcome.
    pub(super) fn poll_attempt(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Connected, DisconnectReason>> {
        loop {
            if let Poll::Ready(outcome) = self.poll_link(cx) {
                return Poll::Ready(outcome);
            }
            match self.client.next(self.timer.now()) {
                ReconnectNext::Connect => self.link = Link::Connecting((self.connect)()),
                ReconnectNext::Wait(None) | ReconnectNext::Over => return Poll::Pending,
                // The time has passed: ask again.
                ReconnectNext::Wait(Some(moment)) => ready!(self.timer.poll_until(moment, cx)),
                ReconnectNext::Abandon(after) => {
                    self.link = Link::None;
                    return Poll::Ready(Err(DisconnectReason::AttemptTimeout { after }));
                }
            }
        }
    }

    /// Continues the attempt, if there is one.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<Result<Connected, DisconnectReason>> {
        loop {
            let (attempt, is_set_up) = match &mut self.link {
                Link::Connecting(attempt) => (attempt, self.on_connect.is_none()),
                Link::SettingUp(attempt) => (attempt, true),
                Link::None | Link::Open(_) | Link::Refused(_) => return Poll::Pending,
            };
            let outcome = ready!(attempt.as_mut().poll(cx));
            self.link = Link::None;
            let (websocket, response) = outcome?;
            match &mut self.on_connect {
                Some(set_up) if !is_set_up => {
                    let set_up = set_up(websocket);
                    let attempt = async move { Ok((set_up.await?, response)) };
                    self.link = Link::SettingUp(Box::pin(attempt));
                }
                _ => return Poll::Ready(Ok((websocket, response))),
            }
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Connecting(_) => f.write_str("Connecting"),
            Self::SettingUp(_) => f.write_str("SettingUp"),
            Self::Open(websocket) => f.debug_tuple("Open").field(websocket).finish(),
            Self::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}
