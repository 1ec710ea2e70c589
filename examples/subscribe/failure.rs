//! Why a connection or a request has failed, whether trying again helps, and what the user can do.

use http::StatusCode;
use sansocket::{Error, handshake::HandshakeError, tls::TlsFault};
use serde::Deserialize;
use std::{
    error::Error as StdError,
    fmt::Display,
    io,
    time::{Duration, SystemTime},
};

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    /// What the user can do about it.
    pub(crate) advice: Option<&'static str>,
    /// Whether another attempt can help.
    pub(crate) is_transient: bool,
    /// How long the server asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that another attempt can help with.
    pub(crate) fn transient(text: impl Display) -> Self {
        Self { text: text.to_string(), advice: None, is_transient: true, retry_after: None }
    }

    /// A failure that stays.
    pub(crate) fn lasting(text: impl Display) -> Self {
        Self { is_transient: false, ..Self::transient(text) }
    }

    pub(crate) fn advice(mut self, advice: impl Into<Option<&'static str>>) -> Self {
        self.advice = advice.into();
        self
    }

    /// The server has not answered in time.
    pub(crate) fn no_answer(url: &str, limit: Duration) -> Self {
        let text = format!("{} has not answered within {limit:?}", without_query(url));
        Self::transient(text)
            .advice("give it longer with --connect-timeout, or try another --server")
    }

    /// The server has answered a request with this status.
    pub(crate) fn status(
        url: &str,
        status: StatusCode,
        location: Option<&str>,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        let mut text = format!("{} answers with status {status}", without_query(url));
        if let Some(location) = location {
            text += &format!(", location {location:?}");
        }
        let problem = problem(body);
        let is_explained = problem.is_some();
        if let Some(detail) = problem.as_deref().or(std::str::from_utf8(body).ok()).and_then(short)
        {
            text += &format!(": {detail}");
        }
        let is_transient = matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504);
        let advice = advice_for_status(status.as_u16(), is_explained);
        Self { text, advice, is_transient, retry_after }
    }

    /// A WebSocket was not opened.
    pub(crate) fn websocket(url: &str, error: &Error) -> Self {
        if let Error::Handshake(HandshakeError::Refused(refusal)) = error {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            if let Ok(status) = StatusCode::from_u16(refusal.status()) {
                let retry_after = refusal.retry_after(now);
                let failure =
                    Self::status(url, status, refusal.location(), retry_after, refusal.body());
                let advice = failure.advice.or(Some(NOT_STOMP));
                return Self { is_transient: error.is_transient(), advice, ..failure };
            }
        }
        let text = format!("{url}: {error}");
        let advice = match error {
            Error::Io(error) => advice_for_io(error),
            Error::Tls(error) => match error.fault() {
                TlsFault::UnknownIssuer => Some(AUTHORITY),
                TlsFault::InvalidData => Some(PLAIN),
                _ => None,
            },
            Error::ConnectTimeout(_) | Error::HandshakeTimeout => Some(TIMEOUT),
            Error::Handshake(_) => Some(NOT_STOMP),
            _ => None,
        };
        Self { is_transient: error.is_transient(), ..Self::transient(text) }.advice(advice)
    }

    /// A request was not answered, or its response was cut.
    pub(crate) fn http(url: &str, error: &(dyn StdError + 'static)) -> Self {
        let causes = || std::iter::successors(Some(error), |&error| error.source());
        // The last cause says what has happened, and those before it where.
        let cause = causes().last().map(ToString::to_string).unwrap_or_default();
        let text = format!("can't reach {}: {cause}", without_query(url));
        let tls = causes().find_map(of_tls);
        match tls {
            Some(rustls::Error::InvalidCertificate(_)) => Self::lasting(text).advice(AUTHORITY),
            Some(rustls::Error::InvalidMessage(_)) => Self::lasting(text).advice(PLAIN),
            Some(_) => Self::lasting(text),
            None => {
                let io = causes().find_map(|error| error.downcast_ref::<io::Error>());
                Self::transient(text).advice(io.and_then(advice_for_io))
            }
        }
    }
}

/// Returns the error of TLS in an error of IO, which can wrap another one.
fn of_tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => of_tls(error.get_ref()?),
        None => error.downcast_ref(),
    }
}

const AUTHORITY: &str = "name the file with the server's authority with --authority";
const NOT_STOMP: &str = "is it a server of STOMP over WebSocket? Check --server";
const PLAIN: &str = "a server without TLS has an http:// or ws:// URL";
const TIMEOUT: &str = "give it longer with --connect-timeout, or try another --server";

fn advice_for_io(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "is the server running? --server says where it is",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            "a server with TLS has an https:// or wss:// URL"
        }
        io::ErrorKind::TimedOut => TIMEOUT,
        _ => return None,
    })
}

/// Returns what to do about a status, unless the server has explained it.
const fn advice_for_status(status: u16, is_explained: bool) -> Option<&'static str> {
    Some(match status {
        301..=308 => "give the place to which the server redirects as --server",
        401 => "log in with --token or --user, or with one that is still valid",
        403 => "what you ask for is not for this user: log in with --token or --user",
        404 | 405 if !is_explained => {
            "is --server the base URL, without /ws, /events or /poll? \
            Or does this server lack the transport? Try another --transport"
        }
        _ => return None,
    })
}

/// Returns the detail of a problem (RFC 9457).
fn problem(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    serde_json::from_slice::<Problem>(body).ok().map(|problem| problem.detail)
}

/// Returns the first line of a text, unless that is markup.
fn short(text: &str) -> Option<String> {
    let line = text.lines().next().unwrap_or_default().trim();
    let is_markup = line.starts_with('<');
    (!line.is_empty() && !is_markup).then(|| line.chars().take(200).collect())
}

/// Returns a URL without its query, which tells the user nothing new.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_quoted_briefly() {
        let failure = |body: &[u8]| Failure::status("u", StatusCode::NOT_FOUND, None, None, body);
        let problem = br#"{"title":"Not Found","status":404,"detail":"nothing handles it"}"#;
        let Failure { text, advice, .. } = failure(problem);
        assert_eq!(text, "u answers with status 404 Not Found: nothing handles it");
        assert_eq!(advice, None);
        let Failure { text, advice, .. } = failure(b"  sign in\nmore");
        assert_eq!(text, "u answers with status 404 Not Found: sign in");
        assert!(advice.is_some());
        assert!(failure(&[b'x'; 1000]).text.ends_with(&format!(": {}", "x".repeat(200))));
        for nothing in [&b""[..], b"\n", b"<html>", b"\xff"] {
            assert_eq!(failure(nothing).text, "u answers with status 404 Not Found");
        }
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        let failure = |status| {
            let status = StatusCode::from_u16(status).unwrap();
            Failure::status("http://h/poll?topic=a", status, None, None, b"")
        };
        for status in [429, 500, 502, 503, 504] {
            assert!(failure(status).is_transient, "{status}");
        }
        for status in [204, 302, 400, 401, 403, 404, 410] {
            assert!(!failure(status).is_transient, "{status}");
        }
        assert_eq!(failure(410).text, "http://h/poll answers with status 410 Gone");
    }
}
