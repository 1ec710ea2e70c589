//! The settings of compression.

/// The settings with which an endpoint offers or accepts message compression (RFC 7692).
///
/// The endpoints may agree on less: see [`DeflateParameters`](super::DeflateParameters). A value
/// out of range counts as the nearest value in range.
///
/// ```
/// use sansocket::{Config, DeflateConfig};
///
/// // Fast, and with little memory for each connection of a server.
/// let deflate = DeflateConfig::new().level(1).server_no_context_takeover(true);
/// let config = Config::default().deflate(deflate);
/// ```
#[doc(alias = "perMessageDeflate")]
#[doc(alias = "EnableCompression")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// The largest window that the server may compress with, as a base-2 logarithm from 8 to 15.
    /// Both endpoints keep a window of earlier messages: 32 KiB at 15, the default.
    pub server_max_window_bits: u8,
    /// The largest window that the client may compress with, as a base-2 logarithm from 8 to 15. 15
    /// by default.
    pub client_max_window_bits: u8,
    /// Whether a client offers `client_max_window_bits`. On by default: the server may ask for a
    /// smaller window only if the client offers it (RFC 7692 §7.1.2.2). Turn it off for servers
    /// that reject this parameter. Either way, the client obeys its own
    /// [`client_max_window_bits`](Self::client_max_window_bits).
    pub offers_client_max_window_bits: bool,
    /// Whether the server compresses each message independently. Off by default: similar messages
    /// compress far better with a shared window, which takes memory at both endpoints.
    pub server_no_context_takeover: bool,
    /// Whether the client compresses each message independently. Off by default.
    pub client_no_context_takeover: bool,
    /// The compression level, from 0 (no compression) and 1 (fastest) to 9 (smallest). 6 by
    /// default.
    pub level: u8,
    /// The payload size in bytes below which a message is sent uncompressed. 64 by default.
    pub threshold: usize,
    /// The memory in bytes that the compressor of a connection may use, 512 KiB by default. It
    /// needs 372 KiB for a window of 15 bits. With less, it uses a smaller window and smaller
    /// buffers; with less than 135 KiB it does not compress. Decompression takes at most 80 KiB
    /// regardless of this setting.
    pub memory: usize,
}

impl DeflateConfig {
    /// Creates the default configuration.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            server_max_window_bits: 15,
            client_max_window_bits: 15,
            offers_client_max_window_bits: true,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            level: 6,
            threshold: 64,
            memory: 512 << 10,
        }
    }

    /// Sets [`server_max_window_bits`](Self::server_max_window_bits).
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = bits;
        self
    }

    /// Sets [`client_max_window_bits`](Self::client_max_window_bits).
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = bits;
        self
    }

    /// Sets [`offers_client_max_window_bits`](Self::offers_client_max_window_bits).
    #[must_use]
    pub const fn offers_client_max_window_bits(mut self, offers: bool) -> Self {
        self.offers_client_max_window_bits = offers;
        self
    }

    /// Sets [`server_no_context_takeover`](Self::server_no_context_takeover).
    #[must_use]
    pub const fn server_no_context_takeover(mut self, no: bool) -> Self {
        self.server_no_context_takeover = no;
        self
    }

    /// Sets [`client_no_context_takeover`](Self::client_no_context_takeover).
    #[must_use]
    pub const fn client_no_context_takeover(mut self, no: bool) -> Self {
        self.client_no_context_takeover = no;
        self
    }

    /// Sets the [`level`](Self::level).
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Sets the [`threshold`](Self::threshold), in bytes.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Sets the [`memory`](Self::memory), in bytes.
    #[must_use]
    pub const fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Returns the configuration with each value clamped to its range.
    pub(crate) const fn in_range(self) -> Self {
        self.server_max_window_bits(clamp(self.server_max_window_bits))
            .client_max_window_bits(clamp(self.client_max_window_bits))
            .level(if self.level > 9 { 9 } else { self.level })
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

const fn clamp(bits: u8) -> u8 {
    if bits < 8 {
        8
    } else if bits > 15 {
        15
    } else {
        bits
    }
}
