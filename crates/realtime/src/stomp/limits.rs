//! What a peer may send in a frame.

/// Bounds on a frame that a [`Decoder`](super::Decoder) receives, and so on the memory that a peer
/// can make it hold (1.2 §Size Limits).
///
/// | limit | default | [before login](Self::before_login) |
/// |---|---|---|
/// | [`headers`](Self::headers) | 100 | 50 |
/// | [`header_line`](Self::header_line) | 8 KiB | 8 KiB |
/// | [`head`](Self::head) | 32 KiB | 16 KiB |
/// | [`body`](Self::body) | 1 MiB | 0 |
///
/// ```
/// use sansocket_realtime::stomp::Limits;
///
/// let limits = Limits::default().body(64 << 10).headers(20);
/// assert_eq!(limits.body, 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most header lines in a frame, repeated ones included.
    pub headers: usize,
    /// The longest header line in bytes, as it is transmitted and without its line end.
    pub header_line: usize,
    /// The most bytes of the command and all header lines together, without line ends.
    pub head: usize,
    /// The largest body in bytes.
    pub body: usize,
}

impl Limits {
    /// The limits of a server for clients that have not logged in. Such clients send only CONNECT,
    /// which has no body. There is room for a token of several KiB in a header.
    #[must_use]
    pub const fn before_login() -> Self {
        Self { headers: 50, header_line: 8 << 10, head: 16 << 10, body: 0 }
    }

    /// Sets the most [`headers`](Self::headers) of a frame.
    #[must_use]
    pub const fn headers(mut self, count: usize) -> Self {
        self.headers = count;
        self
    }

    /// Sets the longest [`header_line`](Self::header_line), in bytes.
    #[must_use]
    pub const fn header_line(mut self, bytes: usize) -> Self {
        self.header_line = bytes;
        self
    }

    /// Sets the largest [`head`](Self::head), in bytes.
    #[must_use]
    pub const fn head(mut self, bytes: usize) -> Self {
        self.head = bytes;
        self
    }

    /// Sets the largest [`body`](Self::body), in bytes.
    #[must_use]
    pub const fn body(mut self, bytes: usize) -> Self {
        self.body = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { headers: 100, header_line: 8 << 10, head: 32 << 10, body: 1 << 20 }
    }
}
