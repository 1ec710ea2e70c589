//! Spans and events of the crate `tracing`.

use super::described::Described;
use crate::connection::{Cause, Closed, Initiator, Role};
use crate::error::Error;
use crate::handshake::{HandshakeError, Request, Url};
use crate::headers::Extension;
use crate::negotiated::Negotiated;
use core::{fmt, net::SocketAddr, panic::AssertUnwindSafe};
use tracing::{Level, Span, event, event_enabled, field, level_filters::LevelFilter, span};

/// The target of all spans and events. Users filter by it, so it is not the name of a module.
const TARGET: &str = "sansocket";

/// The span of a connection whose end has not been told yet. It is never entered, because that would
/// have to happen in each poll.
// A subscriber has to cope with a panic between two of its calls anyway. Without this, the feature would
// make connections lose `UnwindSafe`.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<AssertUnwindSafe<Span>>);

/// Emits an event of a level that is known only at run time.
macro_rules! event_of {
    ($level:expr, [$($parent:tt)*], $($fields:tt)+) => {
        match $level {
            Level::ERROR | Level::WARN => {
                event!(target: TARGET, $($parent)* Level::WARN, $($fields)+);
            }
            Level::INFO => event!(target: TARGET, $($parent)* Level::INFO, $($fields)+),
            _ => event!(target: TARGET, $($parent)* Level::DEBUG, $($fields)+),
        }
    };
}

impl Trace {
    /// Begins the span of a connection of which only this is known.
    pub(crate) fn of<R: Role>(negotiated: &Negotiated) -> Self {
        Self::begin(R::MASKS, None, None, None, negotiated)
    }

    /// Begins the span of a connection that a server has accepted.
    pub(crate) fn of_request(request: &Request, negotiated: &Negotiated) -> Self {
        Self::begin(false, request.client_address(), None, Some(request.path()), negotiated)
    }

    /// Begins the span of a connection that a client has opened.
    pub(crate) fn of_url(url: &Url, negotiated: &Negotiated) -> Self {
        Self::begin(true, None, Some(url), Some(path(url)), negotiated)
    }

    fn begin(
        is_client: bool,
        client: Option<SocketAddr>,
        server: Option<&Url>,
        path: Option<&str>,
        negotiated: &Negotiated,
    ) -> Self {
        if LevelFilter::current() == LevelFilter::OFF {
            return Self(None);
        }
        let extensions = &*negotiated.extensions;
        let span = span!(
            target: TARGET,
            Level::INFO,
            "websocket",
            otel.kind = if is_client { "client" } else { "server" },
            client.address = client.map(|address| field::display(address.ip())),
            client.port = client.and_then(port),
            server.address = server.map(Url::host),
            server.port = server.map(Url::port),
            url.path = path,
            websocket.subprotocol = negotiated.subprotocol.as_deref(),
            websocket.extensions = (!extensions.is_empty()).then(|| field::display(List(extensions))),
        );
        // An event can be enabled although its span is not. No event is more severe than this.
        if span.is_disabled() && !event_enabled!(target: TARGET, Level::WARN) {
            return Self(None);
        }
        event!(target: TARGET, parent: &span, Level::DEBUG, "connection opened");
        Self(Some(AssertUnwindSafe(span)))
    }

    /// Tells how the connection ended. Do not hold a lock meanwhile: the code of a subscriber might use
    /// the same connection.
    pub(crate) fn ended(self, closed: &Closed) {
        let Some(AssertUnwindSafe(span)) = self.0 else { return };
        // Without the reason of the peer's Close: only the two applications know what it holds.
        event_of!(
            level(closed),
            [parent: &span,],
            code = closed.code.number(),
            sent_code = closed.sent_code.number(),
            initiator = match closed.initiator {
                Initiator::Local => "local",
                Initiator::Peer => "peer",
                Initiator::Transport => "transport",
            },
            clean = closed.clean,
            cause = %closed.cause,
            "{}",
            match closed.cause {
                Cause::Protocol(_) => "connection failed",
                Cause::Transport(_) => "connection lost",
                Cause::ClosingHandshake | Cause::IdleTimeout(_) | Cause::OutboxFull => {
                    "connection closed"
                }
            }
        );
    }

    /// Tells that the user goes on with the transport.
    pub(crate) fn taken_apart(self) {
        if let Some(AssertUnwindSafe(span)) = self.0 {
            event!(target: TARGET, parent: &span, Level::DEBUG, "connection taken apart");
        }
    }

    /// Returns `true` if there is nothing to tell any more.
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

fn level(closed: &Closed) -> Level {
    match closed.cause {
        Cause::Protocol(_) => Level::WARN,
        // The peer complains of what this endpoint has sent.
        _ if closed.code.blames_recipient() => Level::WARN,
        Cause::ClosingHandshake => Level::DEBUG,
        Cause::Transport(_) | Cause::IdleTimeout(_) | Cause::OutboxFull => Level::INFO,
    }
}

/// Tells that a client got no connection, before its request was known. `client` is its address, or
/// that of a proxy that has not told it yet.
pub(crate) fn accept_failed(client: Option<SocketAddr>, error: &Error) {
    not_accepted(client, None, error);
}

/// Returns the port of a client, unless a proxy told the address alone.
fn port(client: SocketAddr) -> Option<u16> {
    Some(client.port()).filter(|port| *port != 0)
}

/// Tells that a client got no connection for this request.
pub(crate) fn refused(request: &Request, error: &Error) {
    not_accepted(request.client_address(), Some(request.path()), error);
}

fn not_accepted(client: Option<SocketAddr>, path: Option<&str>, error: &Error) {
    if LevelFilter::current() == LevelFilter::OFF {
        return;
    }
    let (level, message, status) = outcome(error);
    event_of!(
        level,
        [],
        client.address = client.map(|address| field::display(address.ip())),
        client.port = client.and_then(port),
        url.path = path,
        http.response.status_code = status,
        error = %Described(error),
        "{}",
        message
    );
}

/// Returns the level and the message of the event for a client without a connection, and the status of
/// the answer if it got one.
fn outcome(error: &Error) -> (Level, &'static str, Option<u16>) {
    match error {
        Error::Answered(status) => (Level::DEBUG, "plain request answered", Some(*status)),
        Error::Refused(status) => (Level::INFO, "request refused", Some(*status)),
        // A browser may open a connection in advance, and health checks do no more.
        Error::Handshake(HandshakeError::TransportEnded { .. }) => {
            (Level::DEBUG, "opening handshake failed", None)
        }
        Error::Handshake(error) => {
            (Level::INFO, "request refused", Some(error.response().status()))
        }
        // The application gave an answer that can't be sent.
        Error::Accept(_) | Error::PlainResponse(_) => (Level::WARN, "invalid answer", Some(500)),
        _ => (Level::INFO, "opening handshake failed", None),
    }
}

/// Tells that a client could not connect.
pub(crate) fn connect_failed(url: &Url, error: &Error) {
    let status = match error {
        Error::Handshake(HandshakeError::Refused(refusal)) => Some(refusal.status()),
        _ => None,
    };
    event!(
        target: TARGET,
        Level::WARN,
        server.address = url.host(),
        server.port = url.port(),
        url.path = path(url),
        http.response.status_code = status,
        error = %Described(error),
        "connect failed"
    );
}

/// Returns the path of a URL. Its query may hold a secret.
fn path(url: &Url) -> &str {
    url.target().split_once('?').map_or(url.target(), |(path, _)| path)
}

/// Extensions as in a header field.
struct List<'a>(&'a [Extension]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extension) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            extension.fmt(f)?;
        }
        Ok(())
    }
}
