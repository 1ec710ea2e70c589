//! The errors of the opening handshake, and the responses that report them.

use super::plain_response::PlainResponse;
use super::refusal::Refusal;
use super::version::HttpVersion;
#[cfg(feature = "deflate")]
use crate::deflate::DeflateError;
use crate::headers::ExtensionError;
use alloc::{boxed::Box, format, string::ToString};
use core::fmt;
use thiserror::Error;

/// An error of the opening handshake: what the peer sent does not open a WebSocket (RFC 6455 §4).
///
/// A server answers with [`response`](Self::response), then ends the connection. It ignores
/// everything that follows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The bytes are not the head of an HTTP/1 message.
    #[error("malformed {0}")]
    Malformed(HeadPart),
    /// The request line exceeds the limit.
    #[error("the request line is longer than {limit} bytes")]
    RequestLineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The head is longer than [`Limits::handshake_bytes`](crate::Limits::handshake_bytes).
    #[error("the head is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// There are more header fields than
    /// [`Limits::handshake_headers`](crate::Limits::handshake_headers).
    #[error("there are more than {limit} header fields")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// The HTTP version does not support this handshake.
    #[error("{0} is not HTTP/1.1")]
    HttpVersion(HttpVersion),
    /// The method is not GET (RFC 6455 §4.1). Holds only the start of a long method.
    #[error("the method is {0}, but only GET opens a WebSocket")]
    Method(Box<str>),
    /// The request target is neither a path nor an absolute http(s) URI, or has a fragment.
    #[error("the request target is neither a path nor an absolute http URI")]
    InvalidTarget,
    /// The `Content-Length` is not 0: a handshake request has no body.
    #[error("the request has a body of {len} bytes")]
    Body {
        /// The length of the body in bytes.
        len: u64,
    },
    /// The `Content-Length` is not a number, or there are conflicting ones (RFC 9112 §6.3).
    #[error("invalid Content-Length")]
    InvalidContentLength,
    /// There is a `Transfer-Encoding`: a handshake request has no body.
    #[error("the request has a body with a Transfer-Encoding")]
    TransferEncoding,
    /// A required header is missing.
    #[error("no {0} header")]
    MissingHeader(&'static str),
    /// A header that may occur only once is repeated.
    #[error("{count} {name} headers")]
    RepeatedHeader {
        /// The name of the header.
        name: &'static str,
        /// How often it occurs.
        count: u32,
    },
    /// The `Host` header is not a host with an optional port (RFC 9110 §7.2). Or it is an `:authority`
    /// that is not, or another host than the `:authority` (RFC 9113 §8.3.1).
    #[error("invalid Host")]
    InvalidHost,
    /// The `:protocol` of an extended CONNECT is not `websocket` (RFC 8441 §5). Holds only the start of
    /// a long one.
    #[error("the :protocol is \"{0}\" instead of websocket")]
    Protocol(Box<str>),
    /// A message of HTTP/2 or HTTP/3 has a header that describes a connection of HTTP/1.1 (RFC 9113
    /// §8.2.2).
    #[error("{0} exists only in HTTP/1.1")]
    ConnectionHeader(&'static str),
    /// The `Upgrade` header is missing or does not name `websocket`.
    #[error("Upgrade does not name websocket")]
    NoUpgrade,
    /// The `Connection` header does not list `upgrade`, without which `Upgrade` has no effect.
    #[error("Connection does not list upgrade")]
    NoConnectionUpgrade,
    /// The `Sec-WebSocket-Version` is missing or is not 13.
    #[error("{}, this server supports 13", OtherVersion(*.0))]
    WebSocketVersion(Option<u8>),
    /// The `Sec-WebSocket-Key` is not 16 bytes in base64.
    #[error("Sec-WebSocket-Key of {len} characters is not 16 bytes in base64")]
    InvalidKey {
        /// The length in characters; a valid key has 24.
        len: usize,
    },
    /// The `Sec-WebSocket-Protocol` header is not a list of distinct tokens.
    #[error("Sec-WebSocket-Protocol is not a list of distinct tokens")]
    InvalidSubprotocols,
    /// The `Sec-WebSocket-Extensions` header has invalid syntax.
    #[error("invalid Sec-WebSocket-Extensions: {0}")]
    InvalidExtensions(#[from] ExtensionError),
    /// The server's [`OriginPolicy`](crate::server::OriginPolicy) does not allow the `Origin`.
    /// Holds only the start of a long one.
    #[error("this server does not allow the origin \"{0}\"")]
    OriginNotAllowed(Box<str>),
    /// The server refused with a status other than 101, or other than 2xx for an extended CONNECT.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The server sent more interim responses than a client accepts.
    #[error("more than {limit} interim responses")]
    TooManyInterimResponses {
        /// The limit.
        limit: u32,
    },
    /// The `Sec-WebSocket-Accept` does not match the key of this request: the server does not speak
    /// WebSocket, or answers another request.
    #[error("Sec-WebSocket-Accept does not match the key of the request")]
    WrongAccept,
    /// The server chose a subprotocol that was not offered. Holds only the start of a long name.
    #[error("the server chose the subprotocol \"{0}\", which was not offered")]
    SubprotocolNotOffered(Box<str>),
    /// The server chose an extension that was not offered. Holds only the start of a long name.
    #[error("the server chose the extension \"{0}\", which was not offered")]
    ExtensionNotOffered(Box<str>),
    /// The server chose an extension twice. Holds only the start of a long name.
    #[error("the server chose the extension \"{0}\" twice")]
    RepeatedExtension(Box<str>),
    /// The server's permessage-deflate parameters do not match the offer (RFC 7692 §7.1).
    #[cfg(feature = "deflate")]
    #[error(transparent)]
    Deflate(#[from] DeflateError),
    /// The transport ended before the peer completed its part of the handshake.
    #[error("the transport ended after {received} bytes of the handshake")]
    TransportEnded {
        /// The number of bytes received.
        received: usize,
    },
    /// The handshake was used after it had ended, which is an error of the caller.
    #[error("the handshake is over")]
    Over,
}

/// A part of an HTTP/1 head that can be malformed (RFC 9112 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadPart {
    /// `GET /chat HTTP/1.1`
    RequestLine,
    /// `HTTP/1.1 101 Switching Protocols`
    StatusLine,
    /// The name of a header, with everything up to its colon.
    HeaderName,
    /// The value of a header.
    HeaderValue,
    /// A line end, such as a CR without LF.
    LineEnd,
}

impl HandshakeError {
    /// Returns the status of the server's response to this error (RFC 9110 §15).
    ///
    /// The status of an error that only a server can cause is 502, as sent by a gateway that
    /// received an invalid response from its upstream server.
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
            // HTTP/1.0 has no Upgrade. A later minor version of HTTP/1 is never an error.
            Self::HttpVersion(version) if version.major == 1 => 426,
            Self::HttpVersion(_) => 505,
            // RFC 9220 §3.
            Self::Protocol(_) => 501,
            Self::NoUpgrade | Self::NoConnectionUpgrade | Self::WebSocketVersion(_) => 426,
            _ => 400,
        }
    }

    /// Returns `true` if the same request may succeed later: the server refused it with a status that
    /// may pass (408, 425, 429, or 5xx except 501, 505 and 511), or the transport ended in the
    /// middle.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_transient(),
            Self::TransportEnded { .. } => true,
            _ => false,
        }
    }

    /// Returns the server's response to this error: the [`status`](Self::status), the headers that
    /// the status requires, and the error message as the body. For HTTP/2 and HTTP/3, see
    /// [`PlainResponse::for_stream`].
    #[must_use]
    pub fn response(&self) -> PlainResponse {
        let response = match self {
            Self::Method(method) if **method == *"HEAD" => PlainResponse::to_head(self.status()),
            _ => PlainResponse::new(self.status()).body(format!("{self}\n")),
        };
        match self.status() {
            405 => response.header("Allow", "GET"),
            // RFC 6455 §4.4: the response to an unsupported version names the supported one.
            426 => response.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13"),
            _ => response,
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

/// Returns the escaped start of bytes from the peer, for an error.
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

    /// Lists the names of an enum's variants. A `match` fails to compile if one is missing.
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
        Body InvalidContentLength TransferEncoding MissingHeader RepeatedHeader InvalidHost Protocol
        ConnectionHeader
        NoUpgrade NoConnectionUpgrade WebSocketVersion InvalidKey InvalidSubprotocols
        InvalidExtensions OriginNotAllowed Refused TooManyInterimResponses WrongAccept
        SubprotocolNotOffered ExtensionNotOffered RepeatedExtension TransportEnded Over;
        #[cfg(feature = "deflate")] Deflate);
    #[cfg(feature = "std")]
    variants!(PARTS: HeadPart = RequestLine StatusLine HeaderName HeaderValue LineEnd);

    /// The tables in the docs are generated from the vectors, so each row has a vector.
    #[cfg(feature = "std")]
    #[test]
    fn each_error_has_a_vector_and_so_a_line_in_the_docs() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/handshake.md");
        let page = std::fs::read_to_string(page).unwrap();
        for name in ERRORS {
            // No input from the peer can cause this one.
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
    fn an_error_of_the_server_is_a_bad_gateway() {
        for error in [
            HandshakeError::Malformed(HeadPart::StatusLine),
            HandshakeError::WrongAccept,
            HandshakeError::TransportEnded { received: 0 },
            HandshakeError::TooManyInterimResponses { limit: 8 },
            HandshakeError::SubprotocolNotOffered("x".into()),
            HandshakeError::ExtensionNotOffered("x".into()),
            HandshakeError::RepeatedExtension("x".into()),
        ] {
            assert_eq!(error.response().status(), 502);
        }
        assert_eq!(HandshakeError::Over.status(), 500);
    }
}
