//! The opening handshake (RFC 6455 §4) for clients and servers.
//!
//! The handshake passes two things on to the connection: [`Negotiated`], and the bytes left in the
//! [`ReadBuffer`](crate::buffer::ReadBuffer). Double arrows cross the network.
//!
//! ```text
//! ClientRequest ─▶ ClientHandshake ═══▶ ServerHandshake ─▶ Request ─▶ OriginPolicy
//!                         ▲                                   │
//!        Response ◀───────┤ ◀═════════════════════════════════┼─ Accept
//!        Refusal  ◀───────┘ ◀═════════════════════════════════┴─ PlainResponse ◀─ HandshakeError,
//!                                                                          PlainRequest
//! ```

mod accept;
mod accept_key;
pub(crate) mod authority;
mod body;
mod client;
mod client_request;
mod error;
mod exchange;
mod expected_response;
mod extended_connect;
mod head;
#[cfg(feature = "std")]
mod lingering_close;
mod location;
mod offer;
mod plain_request;
mod plain_response;
mod refusal;
mod request;
mod request_parts;
mod response;
mod response_reader;
mod retry_after;
mod server;
mod start_line;
mod target;
mod url;
mod version;

pub use crate::headers::{Extension, ExtensionError, HeaderError};
pub use crate::negotiated::Negotiated;
pub use accept::{Accept, AcceptError, Acceptance};
pub use accept_key::{AcceptKey, accept_key};
pub use client::ClientHandshake;
pub use client_request::{ClientRequest, RequestError};
pub(crate) use error::excerpt;
pub use error::{HandshakeError, HeadPart};
#[cfg(feature = "std")]
pub(crate) use exchange::Opens;
pub(crate) use exchange::{Exchange, HANDSHAKE_TIMEOUT};
pub use exchange::{HandshakeNext, OpeningError};
pub use expected_response::ExpectedResponse;
pub use extended_connect::ExtendedConnect;
#[cfg(feature = "std")]
pub(crate) use lingering_close::LingeringClose;
pub use plain_request::PlainRequest;
pub use plain_response::{PlainResponse, PlainResponseError};
pub use refusal::Refusal;
pub use request::Request;
pub use request_parts::RequestParts;
pub use response::Response;
pub(crate) use response_reader::ResponseReader;
pub(crate) use server::Asked;
pub use server::ServerHandshake;
pub use url::{Url, UrlError};
pub(crate) use url::{basic_credentials, url_userinfo};
pub use version::HttpVersion;
