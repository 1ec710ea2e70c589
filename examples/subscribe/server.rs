//! Where the server is: its URL, and those of its endpoints.

use crate::arguments::Arguments;
use form_urlencoded::Serializer;
use http::Uri;
use sansocket_realtime::hub::Start;
use std::{fmt, str::FromStr};

/// The URL of a server, below which its endpoints are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    is_secure: bool,
    /// The authority and the path, without a slash at the end.
    place: String,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "a URL such as http://127.0.0.1:8080 or https://example.com";
        let uri: Uri = text.parse().map_err(|error| format!("{error}; {EXPECTED} is expected"))?;
        let is_secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(format!("{EXPECTED} is expected")),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        if authority.contains('@') {
            return Err("a user and a password are for --user".to_owned());
        }
        if uri.query().is_some() {
            return Err("the URL of a server has no query: topics are arguments".to_owned());
        }
        let place = format!("{authority}{}", uri.path().trim_end_matches('/'));
        Ok(Self { is_secure, place })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.place)
    }
}

impl Server {
    /// Returns whether the URL asks for TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns the URL of STOMP over WebSocket.
    pub(crate) fn stomp(&self) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}/ws", self.place)
    }

    /// Returns the URL of an event stream. In the form of JSON, events have their topics.
    pub(crate) fn events(&self, arguments: &Arguments) -> String {
        let mut query = query(&arguments.topics, &since(arguments.since));
        query.append_pair("form", "json");
        format!("{self}/events?{}", query.finish())
    }

    /// Returns the URL of a poll that waits for so many seconds.
    pub(crate) fn poll(&self, topics: &[String], since: &str, wait: u64) -> String {
        let mut query = query(topics, since);
        query.append_pair("wait", &wait.to_string());
        format!("{self}/poll?{}", query.finish())
    }

    pub(crate) fn publish(&self) -> String {
        format!("{self}/publish")
    }
}

/// Returns a start as the value of the parameter `since`.
pub(crate) fn since(start: Start) -> String {
    match start {
        Start::Last => "last".to_owned(),
        Start::Beginning => "beginning".to_owned(),
        Start::After(cursor) => cursor.to_string(),
        _ => "now".to_owned(),
    }
}

fn query(topics: &[String], since: &str) -> Serializer<'static, String> {
    let mut query = Serializer::new(String::new());
    for topic in topics {
        query.append_pair("topic", topic);
    }
    query.append_pair("since", since);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        text.parse().unwrap()
    }

    #[test]
    fn each_endpoint_has_a_url() {
        for text in ["http://h:1/", "ws://h:1", "http://h:1"] {
            assert_eq!(server(text).stomp(), "ws://h:1/ws");
            assert_eq!(server(text).publish(), "http://h:1/publish");
        }
        assert_eq!(server("wss://h").publish(), "https://h/publish");
        assert_eq!(server("https://h/a/b/").stomp(), "wss://h/a/b/ws");
        let topics = ["/topic/a b".to_owned(), "/topic/**".to_owned()];
        let url =
            "https://[::1]:1/poll?topic=%2Ftopic%2Fa+b&topic=%2Ftopic%2F**&since=5f3a-7&wait=25";
        assert_eq!(server("https://[::1]:1").poll(&topics, "5f3a-7", 25), url);
    }

    #[test]
    fn other_urls_are_refused() {
        for text in ["", "h", "/a", "localhost:8080", "ftp://h", "http://u:p@h", "http://h/?a=b"] {
            assert!(text.parse::<Server>().is_err(), "{text:?}");
        }
    }
}
