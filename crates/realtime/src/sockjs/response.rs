//! Answers to HTTP requests, as plain data for any HTTP library.

use super::{config::Config, transport::Transport};
use alloc::{borrow::Cow, format, vec, vec::Vec};
use bytes::Bytes;

/// A year in seconds: how long a browser may keep the answer to a preflight request.
const YEAR: &str = "31536000";

/// An answer to an HTTP request.
///
/// Send it with your HTTP library, which adds how the body is framed. Names of fields are lowercase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields, in the order to send them.
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
    /// The body. In the head of a receiver's response it is empty: its chunks follow.
    pub body: Bytes,
}

impl Response {
    /// Returns the value of the first field of that name, which has to be lowercase.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_ref())
    }

    /// The answer to a request for a WebSocket that is no valid one, or that the server refuses.
    #[must_use]
    pub fn not_a_websocket() -> Self {
        Self::text(400, "Not a valid websocket request\n")
    }

    /// The answer to what is unknown.
    #[must_use]
    pub fn not_found() -> Self {
        Self::text(404, "Not found\n")
    }

    /// Makes of the head that [`Action::Send`](super::Action::Send) has the answer that the messages
    /// were received.
    #[must_use]
    pub fn accepted(mut self) -> Self {
        self.status = 204;
        self
    }

    /// Makes of a head an answer of your own, in plain text, such as 429 for a client that opens too many
    /// sessions. The fields for CORS and the cookie stay, so that the page may read it.
    ///
    /// ```
    /// use sansocket_realtime::sockjs::{Action, Config, Cors, Request};
    ///
    /// let request = Request::new("POST", "/000/k3y/xhr").cors(Cors::Any);
    /// let Action::Receive { head, .. } = request.action(&Config::default(), 0) else { panic!() };
    /// let response = head.answered(429, "Too many sessions\n");
    /// assert_eq!((response.status, &response.body[..]), (429, b"Too many sessions\n".as_slice()));
    /// assert_eq!(response.field("access-control-allow-origin"), Some("*"));
    /// assert_eq!(response.field("content-type"), Some("text/plain; charset=UTF-8"));
    /// ```
    #[must_use]
    pub fn answered(mut self, status: u16, body: &'static str) -> Self {
        self.status = status;
        self.body = Bytes::from_static(body.as_bytes());
        for (name, value) in &mut self.fields {
            if *name == "content-type" {
                *value = Cow::Borrowed("text/plain; charset=UTF-8");
            }
        }
        self
    }

    /// The answer to a page that may not use the service.
    pub(super) fn forbidden() -> Self {
        let mut response = Self::text(403, "Origin not allowed\n");
        response.add("vary", "Origin");
        response
    }

    /// The page below the prefix itself, by which people see that the service is there.
    pub(super) fn greeting() -> Self {
        Self::text(200, "Welcome to SockJS!\n")
    }

    /// A known path with a method it does not have. The rule is that it has neither a body nor a type.
    pub(super) fn method_not_allowed(allowed: &'static str) -> Self {
        Self { status: 405, fields: vec![("allow", Cow::Borrowed(allowed))], body: Bytes::new() }
    }

    /// The answer to OPTIONS, which browsers may keep for a year.
    pub(super) fn preflight(
        methods: &'static str,
        requested_fields: Option<&str>,
        cors: &Cors<'_>,
    ) -> Self {
        let mut response = Self { status: 204, fields: Vec::new(), body: Bytes::new() };
        response.add("cache-control", "public, max-age=31536000");
        // The rule demands the field, but `max-age` takes precedence over it (RFC 9111 §5.3). So a
        // constant does: the last second that a clock of 32 bits has.
        response.add("expires", "Tue, 19 Jan 2038 03:14:07 GMT");
        response.add("access-control-max-age", YEAR);
        response.add("access-control-allow-methods", methods);
        response.add_cors(cors);
        // What the browser wants to send is allowed as it stands, if there is anything.
        if let Some(names) = requested_fields.filter(|names| is_list(names)) {
            response.fields.push(("access-control-allow-headers", Cow::Owned(names.into())));
        }
        response
    }

    /// The answer to `/info`. Its `origins` are a constant of the protocol, which clients ignore.
    pub(super) fn info(config: &Config, entropy: u32, cors: &Cors<'_>) -> Self {
        let Config { websocket, cookie_needed, .. } = config;
        let json = format!(
            r#"{{"websocket":{websocket},"origins":["*:*"],"cookie_needed":{cookie_needed},"entropy":{entropy}}}"#
        );
        let mut response = Self { status: 200, fields: Vec::new(), body: json.into() };
        response.add("content-type", "application/json; charset=UTF-8");
        response.add_not_cached();
        response.add_cors(cors);
        response
    }

    /// The head of a receiver's response, or of the answer to `xhr_send`.
    pub(super) fn head(
        transport: Option<Transport>,
        cookie: Option<&str>,
        cors: &Cors<'_>,
        config: &Config,
    ) -> Self {
        let mut response = Self { status: 200, fields: Vec::new(), body: Bytes::new() };
        response.add(
            "content-type",
            match transport {
                Some(Transport::EventSource) => "text/event-stream",
                Some(_) => "application/javascript; charset=UTF-8",
                // Also with status 204: otherwise Firefox complains that the answer is no XML.
                None => "text/plain; charset=UTF-8",
            },
        );
        response.add_not_cached();
        if matches!(transport, Some(Transport::XhrStreaming | Transport::EventSource)) {
            // nginx would hold the frames back.
            response.add("x-accel-buffering", "no");
        }
        response.add_cors(cors);
        if config.cookie_needed {
            let value = cookie.and_then(session_cookie).unwrap_or("dummy");
            let value = format!("JSESSIONID={value}; path=/");
            response.fields.push(("set-cookie", Cow::Owned(value)));
        }
        response
    }

    /// Gives a head its body.
    pub(super) fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    fn text(status: u16, body: &'static str) -> Self {
        let mut response =
            Self { status, fields: Vec::new(), body: Bytes::from_static(body.as_bytes()) };
        response.add("content-type", "text/plain; charset=UTF-8");
        response
    }

    fn add(&mut self, name: &'static str, value: &'static str) {
        self.fields.push((name, Cow::Borrowed(value)));
    }

    /// Some browsers cache even the answer to a POST, unless they are told all of this.
    fn add_not_cached(&mut self) {
        self.add("cache-control", "no-store, no-cache, no-transform, must-revalidate, max-age=0");
    }

    fn add_cors(&mut self, cors: &Cors<'_>) {
        match *cors {
            Cors::Any => self.add("access-control-allow-origin", "*"),
            Cors::Origin(origin) if is_origin(origin) => {
                self.fields.push(("access-control-allow-origin", Cow::Owned(origin.into())));
                // The cookie of a load balancer comes only with credentials.
                self.add("access-control-allow-credentials", "true");
                self.add("vary", "Origin");
            }
            Cors::Origin(_) | Cors::SameOrigin | Cors::Refused => self.add("vary", "Origin"),
        }
    }
}

/// Which page sends a request, and may read the answer (WHATWG Fetch §3.3).
///
/// Decide it by the field `Origin` of the request. Browsers send the requests of SockJS from any page,
/// with your users' cookies and without asking first. So it is not enough to hide the answer from a page
/// that you do not trust: its request must do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Cors<'a> {
    /// A page that may not use the service. The answer is 403, and nothing happens.
    #[default]
    Refused,
    /// A page of the same origin, which needs no field in the answer.
    SameOrigin,
    /// Any page may use the service, without the user's credentials. This suits a request without the
    /// field `Origin`. If the request has one, it may come with cookies nevertheless: then who the
    /// client is must not depend on them.
    Any,
    /// A page of this origin, with credentials. It is the request's `Origin` once you have allowed it.
    /// Never pass an origin that you do not trust: with credentials its pages act for your users. Pages of
    /// any site can have the origin `null`.
    Origin(&'a str),
}

/// An origin is sent back as it came, so nothing may be in it that ends a field.
fn is_origin(origin: &str) -> bool {
    !origin.is_empty() && origin.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Names of fields with commas between them (RFC 9110 §5.6.1, §5.6.2).
fn is_list(names: &str) -> bool {
    let is_listed = |byte: u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
    !names.trim().is_empty() && names.bytes().all(is_listed)
}

/// Finds the value of `JSESSIONID` in a field `Cookie` (RFC 6265 §4.2.1).
fn session_cookie(cookies: &str) -> Option<&str> {
    let value = cookies.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == "JSESSIONID").then(|| value.trim())
    })?;
    // What RFC 6265 §4.1.1 allows in a value.
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b'\\');
    (!value.is_empty() && value.bytes().all(is_allowed)).then_some(value)
}
