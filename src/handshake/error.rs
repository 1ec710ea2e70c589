use super::refusal::Refusal;
use super::reject::Reject;
use super::version::HttpVersion;
#[cfg(feature = "deflate")]
use crate::deflate::DeflateError;
use crate::headers::ExtensionError;
use alloc::{boxed::Box, format, string::ToString};
use core::fmt;
use thiserror::Error;

/// Why there is no WebSocket connection: what the peer sent does not open one (RFC 6455 §4).
///
/// A server answers with [`reject`](Self::reject), then ends the connection. Nothing that follows
/// on it is looked at any more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Bytes that are not the head of an HTTP/1 message.
    #[error("malformed {0}")]
    Malformed(HeadPart),
    /// A request line that is longer than what is read of one.
    #[error("the request line is longer than {limit} bytes")]
    RequestLineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A head that is longer than [`Limits::handshake_bytes`](crate::Limits::handshake_bytes).
    #[error("the head is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// More header fields than [`Limits::handshake_headers`](crate::Limits::handshake_headers).
    #[error("there are more than {limit} header fields")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// A version of HTTP in which this handshake does not exist.
    #[error("{0} is not HTTP/1.1")]
    HttpVersion(HttpVersion),
    /// A method other than GET (RFC 6455 §4.1); of a long one the beginning.
    #[error("method {0}, GET is what opens a WebSocket")]
    Method(Box<str>),
    /// A request target that is neither a path nor an absolute http(s) URI, or has a fragment.
    #[error("the request target is neither a path nor an absolute http URI")]
    InvalidTarget,
    /// A `Content-Length` other than 0: the handshake has no body.
    #[error("the request has a body of {len} bytes")]
    Body {
        /// Its length in bytes.
        len: u64,
    },
    /// A `Content-Length` that is no number, or differing ones (RFC 9112 §6.3).
    #[error("invalid Content-Length")]
    InvalidContentLength,
    /// A `Transfer-Encoding`: the handshake has no body.
    #[error("the request has a body with a Transfer-Encoding")]
    TransferEncoding,
    /// A header that has to be there.
    #[error("no {0} header")]
    MissingHeader(&'static str),
    /// A header that may be there only once.
    #[error("{count} {name} headers")]
    RepeatedHeader {
        /// Its name.
        name: &'static str,
        /// How many there are.
        count: u32,
    },
    /// A `Host` that is not a host with or without a port (RFC 9110 §7.2).
    #[error("invalid Host")]
    InvalidHost,
    /// No `Upgrade` to `websocket`.
    #[error("Upgrade does not name websocket")]
    NoUpgrade,
    /// No `Connection` that lists `upgrade`, without which an `Upgrade` counts for nothing.
    #[error("Connection does not list upgrade")]
    NoConnectionUpgrade,
    /// A `Sec-WebSocket-Version` other than 13, or none.
    #[error("{}, 13 is spoken here", OtherVersion(*.0))]
    WebSocketVersion(Option<u8>),
    /// A `Sec-WebSocket-Key` that is not 16 bytes in base64.
    #[error("Sec-WebSocket-Key of {len} characters is not 16 bytes in base64")]
    InvalidKey {
        /// Its length in characters; 24 is the right one.
        len: usize,
    },
    /// A `Sec-WebSocket-Protocol` that is not a list of differing tokens.
    #[error("Sec-WebSocket-Protocol is not a list of differing tokens")]
    InvalidSubprotocols,
    /// A `Sec-WebSocket-Extensions` that is not of its form.
    #[error("invalid Sec-WebSocket-Extensions: {0}")]
    InvalidExtensions(#[from] ExtensionError),
    /// An `Origin` that the server's [`OriginPolicy`](crate::OriginPolicy) refuses; of a long one
    /// the beginning.
    #[error("origin \"{0}\" is not allowed by the OriginPolicy of this server")]
    OriginNotAllowed(Box<str>),
    /// The server refused: it answered with a status other than 101.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// More interim responses than a server has reason to send.
    #[error("more than {limit} interim responses")]
    TooManyInterimResponses {
        /// The limit.
        limit: u32,
    },
    /// A `Sec-WebSocket-Accept` that does not answer this request's key: the server does not speak
    /// WebSocket, or answers something else.
    #[error("Sec-WebSocket-Accept does not answer the key")]
    WrongAccept,
    /// The server chose a subprotocol that was not offered; of a long one the beginning.
    #[error("the server chose the subprotocol \"{0}\", which was not offered")]
    SubprotocolNotOffered(Box<str>),
    /// The server chose an extension that was not offered; of a long one the beginning.
    #[error("the server chose the extension \"{0}\", which was not offered")]
    ExtensionNotOffered(Box<str>),
    /// The server chose an extension twice; of a long name the beginning.
    #[error("the server chose the extension \"{0}\" twice")]
    RepeatedExtension(Box<str>),
    /// The server's parameters of permessage-deflate don't match the offer (RFC 7692 §7.1).
    #[cfg(feature = "deflate")]
    #[error(transparent)]
    Deflate(#[from] DeflateError),
    /// The transport ended before the peer's part of the handshake did.
    #[error("the transport ended after {received} bytes of the handshake")]
    TransportEnded {
        /// Bytes of it that came.
        received: usize,
    },
    /// The caller's fault: this handshake has already ended, well or not.
    #[error("the handshake is over")]
    Over,
}

/// Parts of an HTTP/1 head that can be malformed (RFC 9112 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadPart {
    /// `GET /chat HTTP/1.1`
    RequestLine,
    /// `HTTP/1.1 101 Switching Protocols`
    StatusLine,
    /// A header's name, with all up to its colon.
    HeaderName,
    /// A header's value.
    HeaderValue,
    /// A line end: a CR without LF.
    LineEnd,
}

impl HandshakeError {
    /// The status of the answer that a server gives (RFC 9110 §15).
    ///
    /// For what only a server can do wrong it is 502, as from a gateway that got no good answer from
    /// the server behind it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(HeadPart::StatusLine)
            | Self::Refused(_)
            | Self::TooManyInterimResponses { .. }
            | Self::TransportEnded { .. }
            | Self::WrongAccept
            | Self::SubprotocolNotOffered(_)
            | Self::ExtensionNotOffered(_)
            | Self::RepeatedExtension(_) => 502,
            #[cfg(feature = "deflate")]
            Self::Deflate(_) => 502,
            Self::Over => 500,
            Self::OriginNotAllowed(_) => 403,
            Self::Method(_) => 405,
            Self::Body { .. } => 413,
            Self::RequestLineTooLong { .. } => 414,
            Self::HeadTooLong { .. } | Self::TooManyHeaders { .. } => 431,
            // HTTP/1.0 has no Upgrade; a later minor version of 1 never is an error.
            Self::HttpVersion(version) if version.major == 1 => 426,
            Self::HttpVersion(_) => 505,
            Self::NoUpgrade | Self::NoConnectionUpgrade | Self::WebSocketVersion(_) => 426,
            _ => 400,
        }
    }

    /// The answer that a server gives: the [`status`](Self::status), the headers that belong to it
    /// and, as its text, the reason.
    #[must_use]
    pub fn reject(&self) -> Reject<'static> {
        let reject = match self {
            Self::Method(method) if **method == *"HEAD" => Reject::to_head(self.status()),
            _ => Reject::new(self.status()).body(format!("{self}\n")),
        };
        match self.status() {
            405 => reject.header("Allow", "GET"),
            // RFC 6455 §4.4: an answer to another version names the one that is spoken.
            426 => reject.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13"),
            _ => reject,
        }
    }
}

impl fmt::Display for HeadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestLine => "request line",
            Self::StatusLine => "status line",
            Self::HeaderName => "header name",
            Self::HeaderValue => "header value",
            Self::LineEnd => "line end",
        })
    }
}

struct OtherVersion(Option<u8>);

impl fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "Sec-WebSocket-Version is {version}"),
            None => f.write_str("no valid Sec-WebSocket-Version"),
        }
    }
}

/// The beginning of something that the peer sent, for an error.
pub(crate) fn excerpt(bytes: &[u8]) -> Box<str> {
    const LONGEST: usize = 64;
    let start = &bytes[..bytes.len().min(LONGEST)];
    start.escape_ascii().to_string().into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<HandshakeError>() <= 24);
    }

    /// The names of the variants of an enum, with a match that does not compile without all.
    #[cfg(feature = "std")]
    macro_rules! variants {
        ($all:ident: $enum:ident = $($name:ident)* $(; #[$cfg:meta] $optional:ident)?) => {
            const $all: &[&str] = &[$(stringify!($name)),*];
            const _: fn(&$enum) = |value| match value {
                $($enum::$name { .. } => {})*
                $(#[$cfg] $enum::$optional { .. } => {})?
            };
        };
    }

    #[cfg(feature = "std")]
    variants!(ERRORS: HandshakeError =
        Malformed RequestLineTooLong HeadTooLong TooManyHeaders HttpVersion Method InvalidTarget
        Body InvalidContentLength TransferEncoding MissingHeader RepeatedHeader InvalidHost
        NoUpgrade NoConnectionUpgrade WebSocketVersion InvalidKey InvalidSubprotocols
        InvalidExtensions OriginNotAllowed Refused TooManyInterimResponses WrongAccept
        SubprotocolNotOffered ExtensionNotOffered RepeatedExtension TransportEnded Over;
        #[cfg(feature = "deflate")] Deflate);
    #[cfg(feature = "std")]
    variants!(PARTS: HeadPart = RequestLine StatusLine HeaderName HeaderValue LineEnd);

    /// The page's tables are made of the vectors: what is in them has one.
    #[cfg(feature = "std")]
    #[test]
    fn each_error_has_a_vector_and_so_a_line_in_the_docs() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/handshake.md");
        let page = std::fs::read_to_string(page).unwrap();
        for name in ERRORS {
            // No bytes of the peer's can cause this one.
            let is_misuse = *name == "Over";
            let line = format!("| `{name}` |");
            assert!(is_misuse || page.contains(&line), "no vector causes {name}");
        }
        assert!(page.contains("`HandshakeError::Over`"));
        assert!(page.contains("`HandshakeError::Deflate`"), "only with its feature");
        for (name, part) in PARTS.iter().zip([
            HeadPart::RequestLine,
            HeadPart::StatusLine,
            HeadPart::HeaderName,
            HeadPart::HeaderValue,
            HeadPart::LineEnd,
        ]) {
            assert_eq!(format!("{part:?}"), *name);
            let line = format!("| `Malformed` | malformed {part} |");
            assert!(page.contains(&line), "no vector has a malformed {part}");
        }
    }

    #[test]
    fn what_a_server_does_wrong_is_a_bad_gateway() {
        for error in [
            HandshakeError::Malformed(HeadPart::StatusLine),
            HandshakeError::WrongAccept,
            HandshakeError::TransportEnded { received: 0 },
            HandshakeError::TooManyInterimResponses { limit: 8 },
            HandshakeError::SubprotocolNotOffered("x".into()),
            HandshakeError::ExtensionNotOffered("x".into()),
            HandshakeError::RepeatedExtension("x".into()),
        ] {
            assert_eq!(error.reject().status, 502);
        }
        assert_eq!(HandshakeError::Over.status(), 500);
    }
}
