//! The opening handshake (RFC 6455 §4), both ends.
//!
//! It meets the connection at [`Negotiated`](crate::Negotiated) and the bytes that are left in the
//! [`ReadBuffer`](crate::ReadBuffer).
//!
//! ```text
//! ClientRequest ─▶ ClientHandshake ═══▶ ServerHandshake ─▶ Request ─▶ OriginPolicy
//!                         ▲                                   │
//!        Response ◀───────┤ ◀═════════════════════════════════┼─ Accept
//!        Refusal  ◀───────┘ ◀═════════════════════════════════┴─ Reject ◀─ HandshakeError
//! ```

mod accept;
mod accept_key;
pub(crate) mod authority;
mod body;
mod client;
mod client_request;
mod error;
mod exchange;
mod head;
mod offer;
mod refusal;
mod reject;
mod request;
mod response;
mod server;
mod start_line;
mod url;
mod version;

pub use accept::{Accept, AcceptError};
pub use accept_key::accept_key;
pub use client::ClientHandshake;
pub use client_request::{ClientRequest, RequestError};
pub(crate) use error::excerpt;
pub use error::{HandshakeError, HeadPart};
#[cfg(feature = "std")]
pub(crate) use exchange::Opens;
pub(crate) use exchange::{Exchange, HANDSHAKE_TIMEOUT};
pub use exchange::{HandshakeNext, OpeningError};
pub use refusal::Refusal;
pub use reject::{Reject, RejectError};
pub use request::Request;
pub use response::Response;
pub use server::ServerHandshake;
pub use url::{Url, UrlError};
pub use version::HttpVersion;
