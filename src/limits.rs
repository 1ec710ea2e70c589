//! All limits and their defaults.

/// Bounds on the memory that a peer can make a connection use (RFC 6455 §10.4).
///
/// | limit | default | when it is exceeded |
/// |---|---|---|
/// | [`frame`](Self::frame) | 5/4 of `message`, plus 64 bytes | fails with 1009 |
/// | [`message`](Self::message) | 16 MiB | fails with 1009 |
/// | [`fragments`](Self::fragments) | 131,072 | fails with 1008 |
/// | [`queued_output`](Self::queued_output) | 1 MiB | sending waits, or is refused |
/// | [`OutboxConfig`](crate::connection::OutboxConfig) | 1 MiB, 1024 messages | as its `when_full` says |
/// | [`handshake_line`](Self::handshake_line) | 8 KiB | handshake fails (server: 414) |
/// | [`handshake_bytes`](Self::handshake_bytes) | 16 KiB | handshake fails (server: 431) |
/// | [`handshake_headers`](Self::handshake_headers) | 100 | handshake fails (server: 431) |
///
/// Limits on incoming data are checked when a header is parsed, before waiting for the payload.
/// Whatever the limits are, memory is only allocated for bytes that have arrived. Only memory that
/// a thread's pool already holds is leased ahead of the data: up to 1 MiB for a message once 10 KiB
/// of it have arrived, to at most sixteen connections at a time, and up to 64 KiB to one
/// decompressing connection at a time.
///
/// ```
/// use sansocket::{Config, Limits};
///
/// let limits = Limits::default().message(64 << 10).queued_output(256 << 10);
/// let config = Config::default().limits(limits);
/// assert_eq!(config.limits.message, 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest payload of a frame as it is transmitted, in bytes; a compressed frame counts by
    /// its compressed size. `None` means five quarters of [`message`](Self::message) plus 64 bytes,
    /// because data that does not compress gets longer. Does not apply to a message received in
    /// chunks.
    #[doc(alias = "max_frame_size")]
    pub frame: Option<u64>,
    /// The largest message in bytes, summed over its fragments. A compressed message counts by its
    /// decompressed size. Does not apply to a message received in chunks.
    #[doc(alias = "max_message_size")]
    #[doc(alias = "SetReadLimit")]
    #[doc(alias = "maxPayload")]
    pub message: u64,
    /// The most frames in a message, empty ones included. Does not apply to a message received in
    /// chunks.
    pub fragments: u32,
    /// The limit of the queue, in bytes. While more is queued, sending waits or fails with
    /// [`QueueFull`](crate::connection::SendError::QueueFull). The last accepted message may exceed
    /// the limit; so may a few KiB of pongs and a Close. Make the limit larger than what you
    /// broadcast: after a message that is larger than the limit, the next one waits or fails until
    /// most of it is written. The system's send buffer comes on top: several MiB on Linux, if a peer
    /// does not read.
    #[doc(alias = "max_write_buffer_size")]
    pub queued_output: usize,
    /// The longest request line of a client in bytes, including its line ending. Senders rely on at
    /// least 8,000 (RFC 9112 §3). A value above [`handshake_bytes`](Self::handshake_bytes) counts
    /// as that value.
    pub handshake_line: usize,
    /// The longest opening handshake of the peer in bytes. If a server refuses a client, this
    /// limits the head of the response. The framing of the body may take as many bytes again, and
    /// 4 KiB of the body are kept.
    pub handshake_bytes: usize,
    /// The most header fields in the opening handshake of the peer. A folded field counts once per
    /// line.
    pub handshake_headers: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        frame: None,
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
        self.frame = Some(bytes);
        self
    }

    /// Sets the [`message`](Self::message) limit, in bytes.
    #[must_use]
    pub const fn message(mut self, bytes: u64) -> Self {
        self.message = bytes;
        self
    }

    /// Returns the largest payload of a frame, in bytes.
    pub(crate) const fn largest_frame(&self) -> u64 {
        match self.frame {
            Some(bytes) => bytes,
            None => compressed(self.message),
        }
    }

    /// Sets the limit on the [`fragments`](Self::fragments) of a message.
    #[must_use]
    pub const fn fragments(mut self, count: u32) -> Self {
        self.fragments = count;
        self
    }

    /// Sets the [`queued_output`](Self::queued_output) limit, in bytes.
    #[must_use]
    pub const fn queued_output(mut self, bytes: usize) -> Self {
        self.queued_output = bytes;
        self
    }

    /// Sets the [`handshake_line`](Self::handshake_line) limit, in bytes.
    #[must_use]
    pub const fn handshake_line(mut self, bytes: usize) -> Self {
        self.handshake_line = bytes;
        self
    }

    /// Sets the [`handshake_bytes`](Self::handshake_bytes) limit.
    #[must_use]
    pub const fn handshake_bytes(mut self, bytes: usize) -> Self {
        self.handshake_bytes = bytes;
        self
    }

    /// Sets the [`handshake_headers`](Self::handshake_headers) limit.
    #[must_use]
    pub const fn handshake_headers(mut self, count: usize) -> Self {
        self.handshake_headers = count;
        self
    }
}

/// Returns how long `bytes` may become when compressed, with a margin for common encoders: a fixed
/// code takes up to nine bits per byte, and each stored or flushed block adds a few bytes
/// (RFC 1951 §3.2.4, §3.2.6).
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
    fn the_frame_limit_follows_the_message_limit_unless_it_is_set() {
        let limits = Limits::default().message(2000);
        assert_eq!(limits.largest_frame(), 2564);
        assert_eq!(limits.frame(100).largest_frame(), 100);
        assert_eq!(Limits::default().frame(100).message(2000).largest_frame(), 100);
    }
}
