//! Errors as text without what only the two endpoints should know: no header value and no query.

use crate::client::ProxyError;
use crate::error::Error;
use crate::handshake::HandshakeError;
use core::fmt;

/// An error, without what it quotes of the peer or of the configuration.
pub(super) struct Described<'a>(pub(super) &'a Error);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Handshake(error) => DescribedHandshake(error).fmt(f),
            Error::Proxy(ProxyError::InvalidResponse(error)) => {
                write!(f, "invalid response from the proxy: {}", DescribedHandshake(error))
            }
            // These quote what the application has set.
            Error::Request(_) => f.write_str("the request to connect with is invalid"),
            Error::Accept(_) => {
                f.write_str("the answer does not match the request or can't be sent")
            }
            Error::PlainResponse(_) => f.write_str("the refusal is not a valid response"),
            error => error.fmt(f),
        }
    }
}

struct DescribedHandshake<'a>(&'a HandshakeError);

impl fmt::Display for DescribedHandshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HandshakeError::OriginNotAllowed(_) => {
                f.write_str("this server does not allow the origin of the request")
            }
            // Its text has the location and the challenge.
            HandshakeError::Refused(refusal) => {
                write!(f, "the server answered with status {}", refusal.status())
            }
            HandshakeError::SubprotocolNotOffered(_) => {
                f.write_str("the server chose a subprotocol that was not offered")
            }
            HandshakeError::ExtensionNotOffered(_) => {
                f.write_str("the server chose an extension that was not offered")
            }
            HandshakeError::RepeatedExtension(_) => {
                f.write_str("the server chose an extension twice")
            }
            error => error.fmt(f),
        }
    }
}
