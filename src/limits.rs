//! Every limit, with its default.

/// Bounds on what a peer can make a connection hold (RFC 6455 §10.4).
///
/// | limit | default | when it is reached |
/// |---|---|---|
/// | [`frame`](Self::frame) | 20 MiB and 64 bytes | fails with 1009 |
/// | [`message`](Self::message) | 16 MiB | fails with 1009 |
/// | [`fragments`](Self::fragments) | 131,072 | fails with 1008 |
/// | [`queued_output`](Self::queued_output) | 1 MiB | sending waits, or is refused |
/// | [`handshake_line`](Self::handshake_line) | 8 KiB | the handshake fails (414 by a server) |
/// | [`handshake_bytes`](Self::handshake_bytes) | 16 KiB | the handshake fails (431 by a server) |
/// | [`handshake_headers`](Self::handshake_headers) | 100 | the handshake fails (431 by a server) |
///
/// Limits on what arrives are checked when a header is parsed, before its payload is waited for.
/// Whatever they are, memory is taken only for bytes that did arrive. Of memory that a thread's pool has
/// already, up to 1 MiB may be lent for a message of which 10 KiB have arrived, to sixteen connections at a
/// time; and up to 64 KiB to one connection at a time that decompresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of payload of one frame, as it is sent: compressed, if it is. Does not apply to a message received in
    /// chunks.
    pub frame: u64,
    /// Bytes of one message, the sum of its fragments; of a compressed one those that it is decompressed to.
    /// Does not apply to a message received in chunks.
    pub message: u64,
    /// Frames of one message, empty ones included. Does not apply to a message received in chunks.
    pub fragments: u32,
    /// Bytes that wait to be written, above which no more data is queued. One message may exceed
    /// it; so may a few KiB of pongs and a Close.
    pub queued_output: usize,
    /// Bytes of a client's request line, its end included; senders count on 8,000 (RFC 9112 §3).
    /// More than [`handshake_bytes`](Self::handshake_bytes) counts as that.
    pub handshake_line: usize,
    /// Bytes of the peer's part of the opening handshake. Of a refusal that a client gets, this is
    /// the head; what frames its body, of which 4 KiB are kept, may have as many again.
    pub handshake_bytes: usize,
    /// Header fields of the peer's part of the opening handshake. One that is folded counts as its
    /// lines.
    pub handshake_headers: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        frame: compressed(16 << 20),
        message: 16 << 20,
        fragments: 1 << 17,
        queued_output: 1 << 20,
        handshake_line: 8 << 10,
        handshake_bytes: 16 << 10,
        handshake_headers: 100,
    };

    /// Sets the [`frame`](Self::frame) limit, in bytes.
    #[must_use]
    pub const fn frame(mut self, bytes: u64) -> Self {
        self.frame = bytes;
        self
    }

    /// Sets the [`message`](Self::message) limit, in bytes. Unless you set the limit of a [`frame`](Self::frame)
    /// yourself, it becomes a quarter and 64 bytes more, since data that does not compress gets longer.
    #[must_use]
    pub const fn message(mut self, bytes: u64) -> Self {
        if self.frame == compressed(self.message) {
            self.frame = compressed(bytes);
        }
        self.message = bytes;
        self
    }

    /// Sets the limit of [`fragments`](Self::fragments) a message.
    #[must_use]
    pub const fn fragments(mut self, count: u32) -> Self {
        self.fragments = count;
        self
    }

    /// Sets the limit of [`queued_output`](Self::queued_output), in bytes.
    #[must_use]
    pub const fn queued_output(mut self, bytes: usize) -> Self {
        self.queued_output = bytes;
        self
    }

    /// Sets the limit of [`handshake_line`](Self::handshake_line), in bytes.
    #[must_use]
    pub const fn handshake_line(mut self, bytes: usize) -> Self {
        self.handshake_line = bytes;
        self
    }

    /// Sets the limit of [`handshake_bytes`](Self::handshake_bytes).
    #[must_use]
    pub const fn handshake_bytes(mut self, bytes: usize) -> Self {
        self.handshake_bytes = bytes;
        self
    }

    /// Sets the limit of [`handshake_headers`](Self::handshake_headers).
    #[must_use]
    pub const fn handshake_headers(mut self, count: usize) -> Self {
        self.handshake_headers = count;
        self
    }
}

/// How long so many bytes may get when they are compressed, with room to spare for common encoders: a fixed code
/// takes up to nine bits a byte, and each stored or flushed block adds a few bytes (RFC 1951 §3.2.4, §3.2.6).
const fn compressed(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 4 + 64)
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_frame_follows_that_of_a_message_unless_it_is_set() {
        let limits = Limits::default().message(1000).message(2000);
        assert_eq!((limits.message, limits.frame), (2000, 2564));
        for limits in
            [Limits::default().frame(100).message(1000), Limits::default().message(1000).frame(100)]
        {
            assert_eq!((limits.message, limits.frame), (1000, 100));
        }
    }
}
