//! The requests of one attempt to connect: the first one, and those after a redirection or a
//! challenge.

use super::challenge::Challenge;
use super::connector::Connector;
use crate::handshake::{ClientRequest, HandshakeError, Refusal, Url, UrlError};
use alloc::{borrow::ToOwned, string::String};
use thiserror::Error;

/// An error for a redirection that a client does not follow. The server is at fault, or an attacker who
/// answers in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// There were more redirections than [`Connector::redirects`] allows.
    #[error("the limit of redirections is exceeded: {limit}")]
    TooMany {
        /// The limit.
        limit: u32,
    },
    /// It leads from `wss` to `ws`.
    #[error("the server redirects from wss to ws")]
    Downgrade,
    /// It does not lead to a WebSocket.
    #[error("the server redirects to an invalid location: {0}")]
    InvalidLocation(UrlError),
}

/// One attempt to connect.
pub(crate) struct Attempt {
    url: Url,
    /// Whether every request so far went to the same origin.
    at_first_origin: bool,
    /// The value of `Authorization`, if not that of the connector.
    authorization: Option<String>,
    /// Whether the hook was asked for an answer to a challenge.
    was_challenged: bool,
    /// Whether the last request went over a connection on which the server had answered another.
    is_reused: bool,
    redirects: u32,
}

/// What comes after a request that opened no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextRequest {
    SameConnection,
    NewConnection,
    None,
}

impl Attempt {
    pub(crate) fn new(url: Url) -> Self {
        Self {
            authorization: url.authorization().map(ToOwned::to_owned),
            url,
            at_first_origin: true,
            was_challenged: false,
            is_reused: false,
            redirects: 0,
        }
    }

    /// Returns `true` if the next request goes to the origin that the user has chosen.
    #[cfg(feature = "rustls")]
    pub(crate) fn is_at_first_origin(&self) -> bool {
        self.at_first_origin
    }

    /// Returns the URL of the next request.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the next request.
    pub(crate) fn request<M>(&self, connector: &Connector<M>) -> ClientRequest {
        let request = connector.offer(&self.url);
        let headers = connector.headers.iter().filter(|(name, _)| {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            // Any other field may be a secret that is meant for the first origin.
            let is_for_all = is("Origin") || is("User-Agent");
            let is_replaced = self.was_challenged && self.authorization.is_some();
            (self.at_first_origin || is_for_all) && !(is_replaced && is("Authorization"))
        });
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        request.authorization(self.authorization.clone())
    }

    /// Returns what comes after a request that has failed, with `None` if the transport has. `unread`
    /// is the number of bytes that arrived behind the response.
    pub(crate) fn after<M>(
        &mut self,
        error: Option<&HandshakeError>,
        unread: usize,
        connector: &Connector<M>,
    ) -> Result<NextRequest, RedirectError> {
        let was_reused = core::mem::take(&mut self.is_reused);
        match error {
            Some(HandshakeError::Refused(refusal)) => {
                self.after_refusal(refusal, unread, connector)
            }
            // A server may end a connection that it has announced to keep (RFC 9112 §9.3.1).
            Some(HandshakeError::TransportEnded { received: 0 }) | None if was_reused => {
                Ok(NextRequest::NewConnection)
            }
            _ => Ok(NextRequest::None),
        }
    }

    fn after_refusal<M>(
        &mut self,
        refusal: &Refusal,
        unread: usize,
        connector: &Connector<M>,
    ) -> Result<NextRequest, RedirectError> {
        if self.authenticates(refusal, connector) {
            self.is_reused = refusal.keeps_connection() && unread == 0;
            return Ok(match self.is_reused {
                true => NextRequest::SameConnection,
                false => NextRequest::NewConnection,
            });
        }
        let is_redirection = matches!(refusal.status(), 301 | 302 | 303 | 307 | 308);
        match refusal.location() {
            Some(location) if is_redirection && connector.redirects > 0 => {
                self.redirect(location, connector.redirects)?;
                Ok(NextRequest::NewConnection)
            }
            _ => Ok(NextRequest::None),
        }
    }

    fn authenticates<M>(&mut self, refusal: &Refusal, connector: &Connector<M>) -> bool {
        let Some(authenticate) = &connector.authenticate else { return false };
        // The answer to a challenge of another origin would be sent there.
        if refusal.status() != 401 || self.was_challenged || !self.at_first_origin {
            return false;
        }
        self.was_challenged = true;
        let answer = authenticate(Challenge { url: &self.url, refusal });
        let is_answered = answer.is_some();
        self.authorization = answer.or(self.authorization.take());
        is_answered
    }

    fn redirect(&mut self, location: &str, limit: u32) -> Result<(), RedirectError> {
        if self.redirects >= limit {
            return Err(RedirectError::TooMany { limit });
        }
        let url = self.url.join(location).map_err(RedirectError::InvalidLocation)?;
        if self.url.is_secure() && !url.is_secure() {
            return Err(RedirectError::Downgrade);
        }
        if !url.is_same_origin(&self.url) {
            self.at_first_origin = false;
            self.authorization = None;
        }
        self.redirects += 1;
        self.url = url;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{ReadBuffer, WriteBuffer};
    use crate::handshake::ClientHandshake;
    use crate::limits::Limits;
    use alloc::{format, vec::Vec};

    /// Returns a refusal that a server sends.
    fn refusal(response: &str) -> Refusal {
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let request = ClientRequest::from_parts("h", "/");
        let limits = Limits::default();
        let mut handshake =
            ClientHandshake::start(&request, [0; 16], &mut output, &limits).unwrap();
        input.extend_from_slice(response.as_bytes());
        match handshake.receive(&mut input) {
            Err(HandshakeError::Refused(refusal)) => *refusal,
            other => panic!("{other:?}"),
        }
    }

    fn to(location: &str) -> Refusal {
        refusal(&format!("HTTP/1.1 307 x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
    }

    fn challenge() -> Refusal {
        refusal("HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 2\r\n\r\nno")
    }

    fn attempt(url: &str) -> Attempt {
        Attempt::new(Url::parse(url).unwrap())
    }

    const END: Result<NextRequest, RedirectError> = Ok(NextRequest::None);
    const NEW: Result<NextRequest, RedirectError> = Ok(NextRequest::NewConnection);
    const SAME: Result<NextRequest, RedirectError> = Ok(NextRequest::SameConnection);

    fn after(
        attempt: &mut Attempt,
        refusal: &Refusal,
        connector: &Connector,
    ) -> Result<NextRequest, RedirectError> {
        let refused = HandshakeError::Refused(refusal.clone().into());
        attempt.after(Some(&refused), 0, connector)
    }

    /// Returns the next request, line by line.
    fn lines(attempt: &Attempt, connector: &Connector) -> Vec<String> {
        let mut output = WriteBuffer::new();
        let request = attempt.request(connector);
        ClientHandshake::start(&request, [0; 16], &mut output, &Limits::default()).unwrap();
        let text = core::str::from_utf8(output.front()).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }

    fn has(lines: &[String], start: &str) -> bool {
        lines.iter().any(|line| line.starts_with(start))
    }

    fn secretive() -> Connector {
        Connector::new()
            .redirects(3)
            .header("Cookie", "id=1")
            .header("X-Api-Key", "key")
            .header("origin", "https://o")
            .header("User-Agent", "us")
            .subprotocol("chat")
    }

    #[test]
    fn redirections_are_off_by_default() {
        let connector: Connector = Connector::new();
        assert_eq!(after(&mut attempt("ws://a/"), &to("/b"), &connector), END);
    }

    #[test]
    fn only_redirections_with_a_location_are_followed() {
        let connector: Connector = Connector::new().redirects(9);
        for status in [200, 300, 304, 305, 306, 309, 400, 401, 404, 503] {
            let refused = refusal(&format!(
                "HTTP/1.1 {status} x\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
            ));
            assert_eq!(after(&mut attempt("ws://a/"), &refused, &connector), END, "{status}");
        }
        let nowhere = refusal("HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(after(&mut attempt("ws://a/"), &nowhere, &connector), END);
        for status in [301, 302, 303, 307, 308] {
            let refused = refusal(&format!(
                "HTTP/1.1 {status} x\r\nLocation: b\r\nContent-Length: 0\r\n\r\n"
            ));
            let mut attempt = attempt("ws://a/x/y");
            assert_eq!(after(&mut attempt, &refused, &connector), NEW);
            assert_eq!(attempt.url().as_ref(), "ws://a/x/b");
        }
    }

    #[test]
    fn the_limit_counts_redirections() {
        let connector: Connector = Connector::new().redirects(2);
        let mut attempt = attempt("ws://a/");
        assert_eq!(after(&mut attempt, &to("/1"), &connector), NEW);
        assert_eq!(after(&mut attempt, &to("/1"), &connector), NEW);
        let error = RedirectError::TooMany { limit: 2 };
        assert_eq!(after(&mut attempt, &to("/2"), &connector), Err(error));
    }

    #[test]
    fn a_secure_connection_stays_secure() {
        let connector = secretive();
        for location in ["ws://a/", "http://a:443/", "ws://b/"] {
            let error = Err(RedirectError::Downgrade);
            assert_eq!(
                after(&mut attempt("wss://a/"), &to(location), &connector),
                error,
                "{location}"
            );
        }
        let mut attempt = attempt("ws://a/");
        assert_eq!(after(&mut attempt, &to("https://a/"), &connector), NEW);
        assert_eq!(attempt.url().as_ref(), "wss://a/");
        assert!(!has(&lines(&attempt, &connector), "Cookie"), "another scheme is another origin");
        let invalid = after(&mut attempt, &to("ftp://a/"), &connector);
        assert_eq!(invalid, Err(RedirectError::InvalidLocation(UrlError::OtherScheme)));
    }

    #[test]
    fn another_origin_gets_no_secrets() {
        let connector = secretive();
        let mut attempt = attempt("ws://u:p@a/");
        for location in ["/b", "ws://A:80/c"] {
            assert_eq!(after(&mut attempt, &to(location), &connector), NEW);
            let lines = lines(&attempt, &connector);
            for name in ["Cookie", "X-Api-Key", "origin", "User-Agent", "Authorization: Basic"] {
                assert!(has(&lines, name), "{location} {name}");
            }
        }
        assert_eq!(after(&mut attempt, &to("ws://x:y@b/"), &connector), NEW);
        let other = lines(&attempt, &connector);
        for name in ["Cookie", "X-Api-Key", "Authorization"] {
            assert!(!has(&other, name), "{name}");
        }
        for line in ["origin: https://o", "User-Agent: us", "Sec-WebSocket-Protocol: chat"] {
            assert!(has(&other, line), "{line}");
        }
        // The other origin could lead back to a page of its choice.
        let mut back = attempt;
        back.redirects = 0;
        assert_eq!(after(&mut back, &to("ws://a/"), &connector), NEW);
        assert!(!has(&lines(&back, &connector), "Cookie"));
    }

    #[test]
    fn a_challenge_is_answered_once() {
        let connector: Connector =
            Connector::new().header("authorization", "old").authenticate(|challenge| {
                challenge.refusal.challenge().map(|name| format!("{name} new"))
            });
        let mut first = attempt("ws://u:p@a/");
        assert!(has(&lines(&first, &connector), "authorization: old"));
        assert_eq!(after(&mut first, &challenge(), &connector), SAME);
        let second = lines(&first, &connector);
        assert!(has(&second, "Authorization: Bearer new") && !has(&second, "authorization"));
        assert_eq!(after(&mut first, &challenge(), &connector), END);
        // A server that does not keep the connection gets the answer over another one.
        for response in [
            "HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nConnection: a, Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
        ] {
            let (mut attempt, challenge) = (attempt("ws://a/"), refusal(response));
            assert_eq!(after(&mut attempt, &challenge, &connector), NEW);
            assert!(has(&lines(&attempt, &connector), "Authorization: Bearer new"));
        }
    }

    #[test]
    fn a_challenge_can_stay_without_an_answer() {
        let connector: Connector = Connector::new().authenticate(|_| None);
        let mut attempt = attempt("ws://u:p@a/");
        assert_eq!(after(&mut attempt, &challenge(), &connector), END);
        assert!(has(&lines(&attempt, &connector), "Authorization: Basic"));
    }

    #[test]
    fn only_the_first_origin_gets_an_answer() {
        let connector: Connector =
            Connector::new().redirects(1).authenticate(|_| Some("secret".into()));
        let mut other = attempt("ws://a/");
        assert_eq!(after(&mut other, &to("ws://b/"), &connector), NEW);
        assert_eq!(after(&mut other, &challenge(), &connector), END);
        // Nor does it go along to another one.
        let mut first = attempt("ws://a/");
        assert_eq!(after(&mut first, &challenge(), &connector), SAME);
        assert_eq!(after(&mut first, &to("ws://b/"), &connector), NEW);
        assert!(!has(&lines(&first, &connector), "Authorization"));
    }
}
