//! Requests: which path below the prefix of the service is what, and which methods it has.

use super::{
    config::Config,
    response::{Cors, Response},
    transport::Transport,
};

/// What a path below the prefix of the service names.
///
/// ```
/// use sansocket_realtime::sockjs::{Route, Transport};
///
/// let route = Route::parse("/000/kx2mf9q1/xhr?t=1763");
/// assert_eq!(
///     route,
///     Some(Route::Receive { server: "000", session: "kx2mf9q1", transport: Transport::Xhr })
/// );
/// assert_eq!(Route::parse("/000/a.b/xhr"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route<'p> {
    /// The prefix itself.
    Greeting,
    /// `/info`.
    Info,
    /// `/websocket`: a WebSocket without sessions and frames of SockJS.
    RawWebSocket,
    /// `/{server}/{session}/{transport}`, with a transport to the client.
    Receive {
        /// A name for load balancers. It is not part of the session's identity.
        server: &'p str,
        /// The id that the client chose for its session, as it stands in the path.
        session: &'p str,
        /// How frames travel to the client.
        transport: Transport,
    },
    /// `/{server}/{session}/xhr_send`: messages from the client.
    Send {
        /// As in [`Receive`](Self::Receive).
        server: &'p str,
        /// As in [`Receive`](Self::Receive).
        session: &'p str,
    },
}

impl<'p> Route<'p> {
    /// Parses what follows the prefix in the target of a request, such as `/000/kx2mf9q1/xhr`.
    ///
    /// One slash may trail. A query is ignored. Escapes are not decoded. Returns `None` for unknown
    /// paths, which include those of the transports `iframe`, `htmlfile` and `jsonp`.
    #[must_use]
    pub fn parse(path: &'p str) -> Option<Self> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return Some(Self::Greeting);
        }
        let mut parts = path.strip_prefix('/')?.split('/');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("info", None, ..) => Some(Self::Info),
            ("websocket", None, ..) => Some(Self::RawWebSocket),
            (server, Some(session), Some(last), None) if is_name(server) && is_name(session) => {
                let transport = match last {
                    "xhr_send" => return Some(Self::Send { server, session }),
                    "websocket" => Transport::WebSocket,
                    "xhr" => Transport::Xhr,
                    "xhr_streaming" => Transport::XhrStreaming,
                    "eventsource" => Transport::EventSource,
                    _ => return None,
                };
                Some(Self::Receive { server, session, transport })
            }
            _ => None,
        }
    }

    /// Returns the methods of this route, as in the field `Allow`.
    #[must_use]
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::Info => "OPTIONS, GET",
            Self::Send { .. }
            | Self::Receive { transport: Transport::Xhr | Transport::XhrStreaming, .. } => {
                "OPTIONS, POST"
            }
            Self::Greeting | Self::RawWebSocket | Self::Receive { .. } => "GET",
        }
    }
}

/// What the answer to a request depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// What follows the prefix of the service in the request's target.
    pub path: &'a str,
    /// Whether the page that sends the request may use the service; [`Cors::Refused`] by default, so
    /// that you have to decide it. This counts for WebSockets too.
    pub cors: Cors<'a>,
    /// The field `Access-Control-Request-Headers`; none by default.
    pub requested_fields: Option<&'a str>,
    /// The field `Cookie`; none by default.
    pub cookie: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Creates a request with what each has.
    #[must_use]
    pub const fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, cors: Cors::Refused, requested_fields: None, cookie: None }
    }

    /// Sets [`cors`](Self::cors).
    #[must_use]
    pub const fn cors(mut self, cors: Cors<'a>) -> Self {
        self.cors = cors;
        self
    }

    /// Sets [`requested_fields`](Self::requested_fields).
    #[must_use]
    pub const fn requested_fields(mut self, names: Option<&'a str>) -> Self {
        self.requested_fields = names;
        self
    }

    /// Sets the [`cookie`](Self::cookie).
    #[must_use]
    pub const fn cookie(mut self, cookie: Option<&'a str>) -> Self {
        self.cookie = cookie;
        self
    }

    /// Says what to do with this request.
    ///
    /// `entropy` should be unpredictable and different for each request: clients without a good source
    /// of randomness use that which `/info` tells them.
    ///
    /// ```
    /// use sansocket_realtime::sockjs::{Action, Config, Cors, Request};
    ///
    /// let request = Request::new("GET", "/info").cors(Cors::SameOrigin);
    /// let Action::Respond(response) = request.action(&Config::default(), 1042) else { panic!() };
    /// assert_eq!(response.status, 200);
    /// assert!(response.body.ends_with(br#""entropy":1042}"#));
    /// ```
    #[must_use]
    pub fn action(&self, config: &Config, entropy: u32) -> Action<'a> {
        let route =
            match Route::parse(self.path) {
                None => return Action::Respond(Response::not_found()),
                Some(
                    Route::RawWebSocket | Route::Receive { transport: Transport::WebSocket, .. },
                ) if !config.websocket => return Action::Respond(Response::not_found()),
                Some(route) => route,
            };
        let methods = route.methods();
        if !methods.split(", ").any(|method| method == self.method) {
            return Action::Respond(Response::method_not_allowed(methods));
        }
        if self.cors == Cors::Refused && route != Route::Greeting {
            return Action::Respond(Response::forbidden());
        }
        if self.method == "OPTIONS" {
            let response = Response::preflight(methods, self.requested_fields, &self.cors);
            return Action::Respond(response);
        }
        match route {
            Route::Greeting => Action::Respond(Response::greeting()),
            Route::Info => Action::Respond(Response::info(config, entropy, &self.cors)),
            Route::RawWebSocket => Action::RawWebSocket,
            Route::Receive { transport: Transport::WebSocket, .. } => Action::WebSocket,
            Route::Receive { session, transport, .. } => {
                let head = Response::head(Some(transport), self.cookie, &self.cors, config);
                Action::Receive { session, transport, head }
            }
            Route::Send { session, .. } => {
                let head = Response::head(None, self.cookie, &self.cors, config);
                Action::Send { session, head }
            }
        }
    }
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Send this response.
    Respond(Response),
    /// Answer the opening handshake, or send [`Response::not_a_websocket`] if it is none. Then pass on
    /// messages as they are: there are no frames of SockJS in this WebSocket.
    RawWebSocket,
    /// Answer the opening handshake, or send [`Response::not_a_websocket`] if it is none. Then give the
    /// WebSocket a [`Session`](super::Session) of its own. Its id is ignored, because such a session
    /// lasts as long as its WebSocket: two of them may have the same id.
    WebSocket,
    /// Call [`Sessions::attach`](super::Sessions::attach). On success, send `head` and then the chunks
    /// of the receiver as its body; otherwise pass it to
    /// [`AttachError::response`](super::AttachError::response).
    Receive {
        /// The session's id.
        session: &'a str,
        /// The transport of the receiver.
        transport: Transport,
        /// The head of the response.
        head: Response,
    },
    /// Read the body, pass it to [`Sessions::received`](super::Sessions::received), and make the response
    /// of `head`, with [`Response::accepted`] or
    /// [`ReceiveError::response`](super::ReceiveError::response).
    Send {
        /// The session's id.
        session: &'a str,
        /// The fields of the response.
        head: Response,
    },
}

/// Names of servers and sessions may be anything but empty, or with a dot.
fn is_name(part: &str) -> bool {
    !part.is_empty() && !part.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_websocket_are_told_apart() {
        let config = Config::default();
        let action = |path| Request::new("GET", path).cors(Cors::Any).action(&config, 0);
        for path in ["/websocket", "/websocket/", "/websocket?a/b"] {
            assert_eq!(action(path), Action::RawWebSocket);
        }
        for path in ["/0/0/websocket", "/0/websocket/websocket/", "/0/0/websocket?a/b"] {
            assert_eq!(action(path), Action::WebSocket);
        }
    }

    #[test]
    fn the_name_of_the_server_is_kept() {
        let route = Route::parse("/a%20/b/xhr_send?x");
        assert_eq!(route, Some(Route::Send { server: "a%20", session: "b" }));
    }
}
