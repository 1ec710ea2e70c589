//! STOMP 1.0, 1.1 and 1.2: the codec, the [session](server) of a server, and the [client].
//!
//! | for | see |
//! |---|---|
//! | frames from bytes | [`Decoder`], [`Frame`], [`Limits`] |
//! | bytes from frames | [`Encoder`], [`message_kind`] |
//! | a frame to write | [`EncodedFrame`] |
//! | a MESSAGE for many subscribers, encoded once | [`MessageTail`] |
//! | the version of a session | [`Version`] |
//! | names of headers, and values with a grammar | [`header`] |
//! | a client in front of the hub | [`server::Session`] |
//! | a client of a server | [`client::Client`] |
//!
//! Over WebSocket, a client offers the [subprotocols](Version::subprotocol) of its versions. The payloads of
//! the messages, text or binary, are one stream of bytes for a [`Decoder`]: frames and messages need not
//! align. Send each frame in a message of its [kind](message_kind), since a text message must be UTF-8.
//!
//! Docs and comments cite the specifications by version and title: 1.2 §Value Encoding.
//!
//! ```
//! use sansocket_realtime::stomp::{Command, Decoder, Encoder, Limits, Version, header};
//!
//! // A server that answers a CONNECT:
//! let mut decoder = Decoder::server(Limits::before_login());
//! let mut input = &b"CONNECT\naccept-version:1.1,1.2\nhost:example.org\n\n\0"[..];
//! let mut output = Vec::new();
//! while let Some(frame) = decoder.decode(&mut input)? {
//!     assert_eq!(frame.command(), Command::Connect);
//!     let Some(version) = frame.highest_common_version(&Version::ALL) else {
//!         break; // Answer ERROR, and close.
//!     };
//!     let headers = [(header::VERSION, version.as_str())];
//!     Encoder::new(version).encode(Command::Connected, headers, b"", &mut output)?;
//!     decoder.set_version(version);
//!     decoder.set_limits(Limits::default());
//! }
//! assert_eq!(output, b"CONNECTED\nversion:1.2\n\n\0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod client;
mod command;
mod decoder;
mod encoder;
mod error;
mod escape;
mod fan_out;
mod frame;
pub mod header;
mod heartbeat;
mod limits;
mod output;
mod scan;
pub mod server;
mod version;

pub use command::Command;
pub use decoder::Decoder;
pub use encoder::{EncodeError, Encoder, message_kind};
pub use error::DecodeError;
pub use fan_out::MessageTail;
pub use frame::{Frame, Headers};
pub use limits::Limits;
pub use output::EncodedFrame;
pub use version::{UnknownVersion, Version};
