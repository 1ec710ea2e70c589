//! Why a proxy opened no tunnel.

use crate::handshake::{HandshakeError, Refusal};
use crate::headers::HeaderError;
use crate::transport::IoFailure;
use alloc::boxed::Box;
use core::fmt;
use thiserror::Error;

/// An error of a proxy, or of what you ask of it. It contains no credentials.
///
/// ```
/// use sansocket::client::ProxyError;
///
/// // The shells return it in `Error::Proxy`.
/// fn explain(error: &ProxyError) {
///     if let ProxyError::Refused(refusal) = error {
///         let text = String::from_utf8_lossy(refusal.body());
///         println!("the proxy refused with {}: {text}", refusal.status());
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// An HTTP proxy refused the tunnel. The [`Refusal`] has its status, its headers, and the first
    /// 4 KiB of its body.
    #[error("the proxy refused the tunnel with status {}", .0.status())]
    Refused(Box<Refusal>),
    /// The response is not valid HTTP: the proxy is at fault, or it is no HTTP proxy.
    #[error("invalid response from the proxy: {0}")]
    InvalidResponse(Box<HandshakeError>),
    /// A SOCKS proxy opened no tunnel, for this reason.
    #[error("the SOCKS proxy opened no tunnel: {0}")]
    Socks(SocksReply),
    /// A SOCKS proxy requires authentication of another kind than is offered: user name and
    /// password if you have set them, otherwise none.
    #[error("the SOCKS proxy accepts {}", if *.with_credentials {
        "neither a user name with password nor a client without"
    } else {
        "no client without authentication"
    })]
    NoAcceptableMethod {
        /// Whether a user name and a password were offered.
        with_credentials: bool,
    },
    /// A SOCKS proxy does not accept the user name and the password.
    #[error("the SOCKS proxy does not accept the user name and password")]
    CredentialsRefused,
    /// The reply is not valid SOCKS 5: the proxy is at fault, or it is no SOCKS proxy.
    #[error("the proxy does not speak SOCKS 5: it sent {found:#04x} as the {part}")]
    InvalidSocks {
        /// What is invalid.
        part: &'static str,
        /// The byte.
        found: u8,
    },
    /// The proxy sent bytes through the tunnel before the client did, which no server does.
    #[error("the proxy sent {count} bytes in front of the server's")]
    UnexpectedData {
        /// The number of bytes received so far.
        count: usize,
    },
    /// The host of the URL is too long for SOCKS.
    #[error("the host has {len} bytes, and SOCKS allows 255")]
    HostTooLong {
        /// The length in bytes.
        len: usize,
    },
    /// The protocol can't carry the user name and the password: see
    /// [`Proxy::credentials`](super::Proxy::credentials).
    #[error("the protocol of the proxy can't carry this user name and password")]
    InvalidCredentials,
    /// A header field that you added can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The proxy ended the connection before there was a tunnel.
    #[error("the proxy ended the connection after {received} bytes")]
    Ended {
        /// The number of bytes received from it.
        received: usize,
    },
    /// The tunnel was not open in time.
    #[error("the proxy opened no tunnel in time")]
    TimedOut,
    /// The connection to the proxy failed. The shells report this as `Error::Io`, with the kind of the
    /// system's error and a text that names the proxy; likewise if the proxy can't be reached at all.
    #[error("the connection to the proxy failed")]
    Transport(IoFailure),
    /// The state machine was used after it had ended, which is an error of the caller.
    #[error("the tunnel was opened or refused before")]
    Over,
}

/// The reason why a SOCKS proxy opens no tunnel (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksReply {
    /// A failure of the proxy (1).
    GeneralFailure,
    /// The rules of the proxy do not allow the connection (2).
    NotAllowed,
    /// The network of the server can't be reached (3).
    NetworkUnreachable,
    /// The server can't be reached (4). Some proxies report an unknown name so.
    HostUnreachable,
    /// The server refused the connection (5).
    ConnectionRefused,
    /// The time to live expired (6).
    TtlExpired,
    /// The proxy does not open tunnels (7).
    CommandNotSupported,
    /// The proxy supports no such address: a name, IPv4 or IPv6 (8).
    AddressTypeNotSupported,
    /// A code without a meaning.
    Other(u8),
}

/// The error for text that is not the URL of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// The scheme is none of those of [`Proxy::parse`](super::Proxy::parse).
    #[error("the scheme of the proxy is none of http, https, socks5 and socks5h")]
    UnknownScheme,
    /// The host is empty, or neither a name nor an address.
    #[error("the host of the proxy is neither a name nor an address")]
    InvalidHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the proxy is not a number from 1 to 65535")]
    InvalidPort,
    /// The user name or the password is badly percent-encoded.
    #[error("the user name or password of the proxy is badly percent-encoded")]
    InvalidUserinfo,
    /// There is a path, a query or a fragment, which has no meaning here.
    #[error("the URL of the proxy has a path, a query or a fragment")]
    Path,
}

/// The error for a variable of an environment that is not the URL of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name}: {error}")]
#[non_exhaustive]
pub struct ProxyVariableError {
    /// The name of the variable.
    pub name: &'static str,
    /// What is wrong with its value.
    #[source]
    pub error: ProxyUrlError,
}

impl ProxyError {
    /// Returns `true` if the same request may succeed later: the proxy or the network failed in a
    /// way that may pass.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Socks(reply) => !matches!(
                reply,
                SocksReply::NotAllowed
                    | SocksReply::CommandNotSupported
                    | SocksReply::AddressTypeNotSupported
            ),
            Self::Ended { .. } | Self::TimedOut | Self::Transport(_) => true,
            _ => false,
        }
    }
}

impl SocksReply {
    pub(super) const fn of_code(code: u8) -> Self {
        match code {
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeneralFailure => "general failure",
            Self::NotAllowed => "its rules do not allow the connection",
            Self::NetworkUnreachable => "the network is unreachable",
            Self::HostUnreachable => "the host is unreachable",
            Self::ConnectionRefused => "the server refused the connection",
            Self::TtlExpired => "the time to live expired",
            Self::CommandNotSupported => "it does not support the command",
            Self::AddressTypeNotSupported => "it does not support the type of address",
            Self::Other(code) => return write!(f, "unknown code {code}"),
        })
    }
}
