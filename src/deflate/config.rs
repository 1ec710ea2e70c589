/// How one end wants messages to be compressed (RFC 7692), if the other end agrees.
///
/// What is agreed on may be less: [`DeflateParameters`](super::DeflateParameters). A value that is out
/// of range counts as the nearest one in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// Log2 of the window that the server compresses with, at most; 8 to 15. A window is what both
    /// ends hold of earlier messages: 32 KiB at 15, which is the default.
    pub server_max_window_bits: u8,
    /// Log2 of the window that the client compresses with, at most; 8 to 15, 15 by default.
    pub client_max_window_bits: u8,
    /// Whether the server is to compress each message by itself. Off by default: messages that are
    /// like each other then compress far better, at the price of the window at both ends.
    pub server_no_context_takeover: bool,
    /// Whether the client is to compress each message by itself. Off by default.
    pub client_no_context_takeover: bool,
    /// How hard to try, from 0 (not at all) over 1 (fast) to 9 (small). 6 by default.
    pub level: u8,
    /// Bytes of payload below which a message is sent plain. 64 by default.
    pub threshold: usize,
    /// Bytes that the compressor of a connection may take, 512 KiB by default. It needs 372 KiB
    /// with a window of 15 bits; with less it looks back less far and buffers less, and under
    /// 134 KiB nothing is compressed. What is received takes at most 80 KiB in any case.
    pub memory: usize,
}

impl DeflateConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            server_max_window_bits: 15,
            client_max_window_bits: 15,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            level: 6,
            threshold: 64,
            memory: 512 << 10,
        }
    }

    /// Sets [`server_max_window_bits`](Self::server_max_window_bits); what is below 8 counts as 8,
    /// above 15 as 15.
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = clamp(bits);
        self
    }

    /// Sets [`client_max_window_bits`](Self::client_max_window_bits), as
    /// [`server_max_window_bits`](Self::server_max_window_bits) does.
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = clamp(bits);
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

    /// Sets the [`level`](Self::level); what is above 9 counts as 9.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = if level > 9 { 9 } else { level };
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

    /// The same with what is out of range put right, as the setters do: a field takes any value.
    pub(crate) const fn in_range(self) -> Self {
        self.server_max_window_bits(self.server_max_window_bits)
            .client_max_window_bits(self.client_max_window_bits)
            .level(self.level)
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
