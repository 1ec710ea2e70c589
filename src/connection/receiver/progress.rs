//! The outcome of an advance.

/// The outcome of [`Receiver::advance`](super::Receiver::advance).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the outcomes there can be")]
pub enum Progress {
    /// An event was found: look at it, then advance again.
    Event,
    /// No event was found yet, but there is more buffered input to process: advance again, without
    /// waiting for input. One call does at most 256 KiB of work, so that other connections get
    /// their turn.
    More,
    /// The buffered input holds no further complete event: read more.
    NeedsInput,
    /// The connection has ended, and nothing more will be received.
    Ended,
}

impl Progress {
    /// Returns `true` if you should advance again at once, after looking at the event if there is
    /// one.
    ///
    /// ```
    /// use sansocket::{Config, Event, buffer::{ReadBuffer, WriteBuffer}, connection::{Connection, Server}, handshake::Negotiated};
    ///
    /// let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    /// let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    /// input.extend_from_slice(&[0x82, 0x81, 0, 0, 0, 0, 7]);
    /// let mut seen = Vec::new();
    /// while connection.advance(&mut input, &mut output)?.goes_on() {
    ///     if let Some(Event::Binary(data)) = connection.event(&input) {
    ///         seen.extend_from_slice(data);
    ///     }
    /// }
    /// assert_eq!(seen, [7]);
    /// # Ok::<(), sansocket::connection::ReceiveError>(())
    /// ```
    #[must_use]
    pub const fn goes_on(self) -> bool {
        matches!(self, Self::Event | Self::More)
    }
}
