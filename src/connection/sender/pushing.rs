//! Messages that are pushed to a peer that may be slow, by way of the outbox.

use super::Sender;
use super::control::sent_code;
use crate::buffer::WriteBuffer;
use crate::connection::ending::SentClose;
use crate::connection::outbox::{Dropped, Outbox, Outcome, Pushed};
use crate::connection::payload::Form;
use crate::connection::prepared::SharedBytes;
use crate::connection::{AsPayload, Role, SendError};
use crate::frame::CloseCode;

/// While no more bytes than this are in the output, messages leave the outbox. More would keep
/// messages from being dropped, and fewer would cost writes.
const SHORT: usize = 16 << 10;

impl<R: Role> Sender<R> {
    /// Pushes a message to a peer that may be slow to read.
    ///
    /// While `output` holds little, at most 16 KiB, the message is queued there, as by
    /// [`send`](Self::send). Otherwise it waits in the [outbox](crate::Config::outbox), where a later
    /// message may replace it or cause it to be dropped.
    /// [`did_write`](Self::did_write) and [`next`](Self::next) move messages from the outbox to the
    /// output, so a loop that [drives](crate::connection::Connection) a connection need not know of it.
    ///
    /// Pushed messages keep their order. What you [`send`](Self::send) does not wait in the outbox, so
    /// it overtakes pushed messages that do. A message is compressed when it leaves the outbox, in
    /// one go. If it has to wait, a [`Message`](crate::Message) or a
    /// [`PreparedMessage`](crate::PreparedMessage) is shared, and any other payload is copied.
    ///
    /// In the middle of a message that you [send in fragments](Self::send_fragment), pushed messages
    /// wait for its last fragment.
    ///
    /// A [`close`](Self::close) moves what waits to `output` first, so all of it is sent within the
    /// [close timeout](crate::Config::close_timeout) if the peer reads. It is dropped if the connection
    /// fails, and in the middle of a message in fragments.
    ///
    /// ```
    /// use sansocket::buffer::WriteBuffer;
    /// use sansocket::connection::{Connection, OutboxConfig, Pushed, Server, WhenFull};
    /// use sansocket::{Config, handshake::Negotiated};
    ///
    /// let outbox = OutboxConfig::new(WhenFull::DropOldest).messages(2);
    /// let config = Config::default().outbox(outbox);
    /// let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
    /// let mut output = WriteBuffer::new();
    ///
    /// // The peer does not read. What is in the output can't be dropped any more.
    /// assert_eq!(connection.push(vec![7; 20_000], &mut output)?, Pushed::Queued);
    /// assert_eq!(connection.push("first", &mut output)?, Pushed::Queued);
    /// assert_eq!(connection.push("second", &mut output)?, Pushed::Queued);
    /// assert_eq!(connection.push("third", &mut output)?, Pushed::DroppedOldest(1));
    ///
    /// // The peer reads.
    /// let written = output.len();
    /// connection.did_write(Ok(written), &mut output);
    /// assert_eq!(output.front(), b"\x81\x06second\x81\x05third");
    /// assert_eq!(connection.dropped().oldest.messages, 1);
    /// # Ok::<(), sansocket::connection::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`]. If the outbox is full and has to
    /// [wait](crate::connection::WhenFull::Wait), [`SendError::QueueFull`] or
    /// [`SendError::TooManyQueued`]. If it has to
    /// [close](crate::connection::WhenFull::Close) with a code that must not be sent,
    /// [`SendError::UnsendableCode`].
    pub fn push(
        &mut self,
        payload: impl AsPayload,
        output: &mut WriteBuffer,
    ) -> Result<Pushed, SendError> {
        self.push_payload(payload.as_payload().0, None, output)
    }

    /// Works like [`push`](Self::push). With [`WhenFull::KeepLatest`](crate::connection::WhenFull), the
    /// message takes the place of the message with the same key, if that still waits in the outbox.
    /// The key is yours to choose; to use a string, hash it.
    ///
    /// ```
    /// # use sansocket::buffer::WriteBuffer;
    /// # use sansocket::{Config, handshake::Negotiated};
    /// use sansocket::connection::{Connection, OutboxConfig, Pushed, Server, WhenFull};
    ///
    /// let config = Config::default().outbox(OutboxConfig::new(WhenFull::KeepLatest));
    /// # let mut output = WriteBuffer::new();
    /// let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
    /// # let _ = connection.push(vec![7; 20_000], &mut output)?;
    /// // The peer does not read.
    /// assert_eq!(connection.push_keyed(1, "gold 100", &mut output)?, Pushed::Queued);
    /// assert_eq!(connection.push_keyed(2, "silver 5", &mut output)?, Pushed::Queued);
    /// assert_eq!(connection.push_keyed(1, "gold 101", &mut output)?, Pushed::Replaced);
    /// # let written = output.len();
    /// # connection.did_write(Ok(written), &mut output);
    /// assert_eq!(output.front(), b"\x81\x08gold 101\x81\x08silver 5");
    /// # Ok::<(), sansocket::connection::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`push`](Self::push).
    pub fn push_keyed(
        &mut self,
        key: u64,
        payload: impl AsPayload,
        output: &mut WriteBuffer,
    ) -> Result<Pushed, SendError> {
        self.push_payload(payload.as_payload().0, Some(key), output)
    }

    /// Returns `true` unless a message did not fit into the [outbox](crate::Config::outbox). After
    /// that it returns `true` again once no more waits than the
    /// [low-water mark](crate::connection::OutboxConfig::low_water). Also returns `true` if the
    /// connection is closing: there will never be room again, and pushing reports the reason.
    #[must_use]
    pub fn outbox_has_room(&self) -> bool {
        !self.is_open() || self.outbox().is_none_or(|outbox| outbox.has_room(&self.config.outbox))
    }

    /// Returns the number of bytes that wait to be written: those in `output`, and the payloads in the
    /// [outbox](crate::Config::outbox).
    #[must_use]
    pub fn buffered_amount(&self, output: &WriteBuffer) -> usize {
        output.len() + self.outbox().map_or(0, Outbox::bytes)
    }

    /// Returns the bytes of the payloads in the [outbox](crate::Config::outbox), without those of
    /// prepared messages that `shared` has counted before.
    ///
    /// ```
    /// use sansocket::buffer::WriteBuffer;
    /// use sansocket::connection::{Connection, Server, SharedBytes};
    /// use sansocket::{Config, PreparedMessage, handshake::Negotiated};
    ///
    /// # let negotiated = Negotiated::new();
    /// let message = PreparedMessage::new("six to");
    /// let mut connections = Vec::new();
    /// for _ in 0..3 {
    ///     let mut connection = Connection::new(Server::new(), &negotiated, Config::default());
    ///     let mut output = WriteBuffer::new();
    ///     // The peers do not read.
    ///     let _ = connection.push(vec![0; 20_000], &mut output)?;
    ///     let _ = connection.push(&message, &mut output)?;
    ///     connections.push((connection, output));
    /// }
    /// let mut shared = SharedBytes::default();
    /// let bytes = connections.iter().map(|(connection, _)| connection.waiting_bytes(&mut shared));
    /// assert_eq!(bytes.sum::<usize>(), 6);
    /// # Ok::<(), sansocket::connection::SendError>(())
    /// ```
    #[must_use]
    pub fn waiting_bytes(&self, shared: &mut SharedBytes) -> usize {
        self.outbox().map_or(0, |outbox| outbox.bytes_with(shared))
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.outbox().map_or_else(Dropped::default, |outbox| *outbox.dropped())
    }

    /// Queues what waits for the output to become short: a pong that was
    /// [held back](Self::queue_pending_pong), and messages in the [outbox](crate::Config::outbox).
    ///
    /// [`did_write`](Self::did_write) does this. Call it if you consume the output yourself. It also
    /// notes for the [budget](crate::Config::budget) what still waits.
    #[inline]
    pub fn refill(&mut self, output: &mut WriteBuffer) {
        if self.backlog().is_some() {
            self.queue_pending_pong(output);
            if self.has_to_refill(output) {
                self.queue_from_outbox(self.short(), output);
            }
        }
        self.count_held(output);
    }
}

impl<R: Role> Sender<R> {
    pub(crate) fn push_payload(
        &mut self,
        payload: Form<'_>,
        key: Option<u64>,
        output: &mut WriteBuffer,
    ) -> Result<Pushed, SendError> {
        self.check_open()?;
        self.refill(output);
        if self.pushes_at_once(output) {
            self.append_payload(payload, output);
            return Ok(Pushed::Queued);
        }
        let exceeded = self.exceeded_share(output);
        let config = match exceeded {
            None => self.config.outbox,
            // As full as if this were its size: it takes a message only in place of others.
            Some((_, share)) => {
                let room = share.saturating_sub(output.len()).try_into().unwrap_or(u32::MAX);
                self.config.outbox.high_water(self.config.outbox.high_water.min(room))
            }
        };
        let outbox = &mut self.rare.get_or_insert_default().backlog().outbox;
        let outcome = outbox.push(payload, key, &config);
        self.count_held(output);
        match outcome {
            Outcome::Pushed(pushed) => Ok(pushed),
            Outcome::Refused(error) => Err(match exceeded {
                None => error,
                Some((queued, limit)) => SendError::QueueFull { queued, limit },
            }),
            Outcome::Closes(code) => {
                let len = payload.parts().1.len();
                self.close_full(code, len, output)?;
                Ok(Pushed::Closed)
            }
        }
    }

    /// Returns `true` if a message that is pushed now does not wait in the outbox.
    #[inline]
    pub(crate) fn pushes_at_once(&self, output: &WriteBuffer) -> bool {
        self.waiting_messages() == 0 && self.may_leave_outbox(self.short(), output)
    }

    /// Returns the number of messages in the outbox.
    #[inline]
    pub(crate) fn waiting_messages(&self) -> usize {
        self.outbox().map_or(0, Outbox::len)
    }

    /// Returns `true` if [`refill`](Self::refill) would move messages out of the outbox.
    #[inline]
    pub(crate) fn has_to_refill(&self, output: &WriteBuffer) -> bool {
        self.waiting_messages() > 0 && self.may_leave_outbox(self.short(), output)
    }

    /// Queues everything that waits in the outbox, because no push comes after it.
    pub(crate) fn empty_outbox(&mut self, output: &mut WriteBuffer) {
        if self.waiting_messages() > 0 {
            self.queue_from_outbox(usize::MAX, output);
            self.discard_outbox();
        }
    }

    /// Drops everything that waits in the outbox, because it can't be sent any more.
    pub(super) fn discard_outbox(&mut self) {
        if let Some(outbox) = self.outbox_mut() {
            outbox.discard();
        }
    }

    #[cold]
    fn queue_from_outbox(&mut self, most: usize, output: &mut WriteBuffer) {
        while self.may_leave_outbox(most, output) {
            let config = self.config.outbox;
            let Some(message) = self.outbox_mut().and_then(|outbox| outbox.pop(&config)) else {
                break;
            };
            self.append_payload(message.payload(), output);
        }
    }

    /// Returns at how many bytes of output messages still leave the outbox.
    #[inline]
    fn short(&self) -> usize {
        SHORT.min(self.config.limits.queued_output)
    }

    /// Returns `true` if a message may be appended to an output that may hold `most` bytes.
    #[inline]
    fn may_leave_outbox(&self, most: usize, output: &WriteBuffer) -> bool {
        // §5.4: no message comes between the fragments of another.
        self.message.is_none() && output.len() <= most
    }

    /// Closes because the outbox is full.
    #[cold]
    fn close_full(
        &mut self,
        code: CloseCode,
        len: usize,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        let code = sent_code(code)?;
        if let Some(outbox) = self.outbox_mut() {
            outbox.dropped_newest(len);
            outbox.discard();
        }
        self.ending().outbox_full();
        self.append_close(code, "too slow", SentClose::First, output);
        Ok(())
    }

    #[inline]
    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.backlog()?.outbox)
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.backlog_mut()?.outbox)
    }
}
