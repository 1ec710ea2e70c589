//! TLS for all shells, with [rustls](https://docs.rs/rustls).
//!
//! A client needs nothing from here to connect to a `wss://` URL: by default it trusts the
//! certificates that the operating system trusts. Pass a [`ClientTls`] to
//! [`Connector::tls`](crate::client::Connector::tls) to trust others, such as an authority of your own
//! ([`ClientTls::with_roots`]), or to present a certificate ([`ClientTls::certificate`]). A server gets
//! its certificate as a [`ServerTls`] through [`Acceptor::tls`](crate::server::Acceptor::tls).
//!
//! All configurations use the cryptography of [ring](https://docs.rs/ring), whatever the rest of
//! your program has installed as rustls's default. Only TLS 1.2 and 1.3 are spoken, and ALPN (RFC
//! 7301) offers and accepts `http/1.1` alone, which is what RFC 6455 needs.
//!
//! The types of rustls are not part of this API. With the feature `rustls-0_23`, the configurations
//! of rustls 0.23 convert into those of this module.

mod config;
mod error;
mod session;

pub use config::{ClientTls, ServerTls};
pub use error::{TlsError, TlsFault};
pub(crate) use session::{Session, ended_in_handshake};
