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
mod authority;
mod body;
mod client;
mod client_request;
mod error;
mod head;
mod offer;
mod origin;
mod refusal;
mod reject;
mod request;
mod response;
mod server;
mod url;
mod version;

pub use accept::{Accept, AcceptError};
pub use accept_key::accept_key;
pub use client::ClientHandshake;
pub use client_request::{ClientRequest, RequestError};
pub use error::{HandshakeError, HeadPart};
pub use origin::{OriginPatternError, OriginPolicy};
pub use refusal::Refusal;
pub use reject::{Reject, RejectError};
pub use request::Request;
pub use response::Response;
pub use server::ServerHandshake;
pub use url::{Url, UrlError};
pub use version::HttpVersion;
