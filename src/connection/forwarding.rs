//! The methods of a connection that forward to its sending half.

use super::{
    AsPayload, Closed, Connection, Counters, Dropped, FinishError, FragmentBuffer, InPlace, Next,
    PreparedMessage, Pushed, Receiver, Role, RoundTripTime, SendError, Sender, SharedBytes,
    TransportEnd,
};
use crate::buffer::WriteBuffer;
use crate::frame::CloseCode;
use crate::transport::IoFailure;
use core::time::Duration;

/// Methods that forward to the sending half.
impl<R: Role> Connection<R> {
    /// Queues a text message: see [`Sender::send_text`](super::Sender::send_text).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    #[inline]
    pub fn send_text(&mut self, text: &str, output: &mut WriteBuffer) -> Result<(), SendError> {
        self.sender.send_text(text, output)
    }

    /// Queues a binary message: see [`Sender::send_binary`](super::Sender::send_binary).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.sender.send_binary(data, output)
    }

    /// Queues a message, in whatever form you have it: see [`Sender::send`](super::Sender::send).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send(
        &mut self,
        payload: impl AsPayload,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send(payload, output)
    }

    /// Queues a message that is already encoded: see
    /// [`Sender::send_prepared`](super::Sender::send_prepared).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send_prepared(
        &mut self,
        message: &PreparedMessage,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_prepared(message, output)
    }

    /// Queues a piece of a message: see [`Sender::send_fragment`](super::Sender::send_fragment).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`], or [`SendError::MessageInProgress`] for a
    /// piece of the other kind.
    pub fn send_fragment(
        &mut self,
        piece: impl AsPayload,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(piece, fin, output)
    }

    /// Queues what was gathered of a message: see
    /// [`Sender::send_gathered`](super::Sender::send_gathered).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send_gathered(
        &mut self,
        gathered: &mut FragmentBuffer,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_gathered(gathered, output)
    }

    /// Queues the last fragment of a gathered message: see
    /// [`Sender::finish_gathered`](super::Sender::finish_gathered).
    ///
    /// # Errors
    ///
    /// [`FinishError::Gather`] or [`FinishError::Send`].
    pub fn finish_gathered(
        &mut self,
        gathered: &mut FragmentBuffer,
        output: &mut WriteBuffer,
    ) -> Result<(), FinishError> {
        self.sender.finish_gathered(gathered, output)
    }

    /// Queues a message and lets you write its payload from where it is: see
    /// [`Sender::send_in_place`](super::Sender::send_in_place).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send_in_place<'a>(
        &mut self,
        payload: &'a (impl AsPayload + ?Sized),
        output: &'a mut WriteBuffer,
    ) -> Result<InPlace<'a>, SendError> {
        self.sender.send_in_place(payload, output)
    }

    /// Queues a ping: see [`Sender::ping`](super::Sender::ping).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::ControlTooLong`].
    pub fn ping(
        &mut self,
        payload: impl AsRef<[u8]>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.ping(payload, output)
    }

    /// Queues an unsolicited pong: see [`Sender::pong`](super::Sender::pong).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::ControlTooLong`].
    pub fn pong(
        &mut self,
        payload: impl AsRef<[u8]>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.pong(payload, output)
    }

    /// Queues a Close: see [`Sender::close`](super::Sender::close).
    ///
    /// # Errors
    ///
    /// [`SendError::UnsendableCode`] for a code that must not be sent.
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.close(code, reason, output)
    }

    /// Pushes a message to a peer that may be slow to read: see
    /// [`Sender::push`](super::Sender::push).
    ///
    /// # Errors
    ///
    /// Those of [`Sender::push`](super::Sender::push).
    pub fn push(
        &mut self,
        payload: impl AsPayload,
        output: &mut WriteBuffer,
    ) -> Result<Pushed, SendError> {
        self.sender.push(payload, output)
    }

    /// Pushes a message that may replace an earlier one with the same key: see
    /// [`Sender::push_keyed`](super::Sender::push_keyed).
    ///
    /// # Errors
    ///
    /// Those of [`Sender::push`](super::Sender::push).
    pub fn push_keyed(
        &mut self,
        key: u64,
        payload: impl AsPayload,
        output: &mut WriteBuffer,
    ) -> Result<Pushed, SendError> {
        self.sender.push_keyed(key, payload, output)
    }

    /// Returns `true` if the outbox is not too full: see
    /// [`Sender::outbox_has_room`](super::Sender::outbox_has_room).
    #[must_use]
    pub fn outbox_has_room(&self) -> bool {
        self.sender.outbox_has_room()
    }

    /// Returns the number of bytes that wait to be written: see
    /// [`Sender::buffered_amount`](super::Sender::buffered_amount).
    #[must_use]
    pub fn buffered_amount(&self, output: &WriteBuffer) -> usize {
        self.sender.buffered_amount(output)
    }

    /// Returns the bytes that wait in the outbox, and counts shared ones once: see
    /// [`Sender::waiting_bytes`](super::Sender::waiting_bytes).
    #[must_use]
    pub fn waiting_bytes(&self, shared: &mut SharedBytes) -> usize {
        self.sender.waiting_bytes(shared)
    }

    /// Returns what the outbox has dropped: see [`Sender::dropped`](super::Sender::dropped).
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.sender.dropped()
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](super::Config::counters) is off. The received bytes are those that you have
    /// [reported](Self::did_read), and the sent ones those that you have
    /// [written](Self::did_write).
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        counters_of(&self.sender, &self.receiver)
    }

    /// Queues what waits for the output to become short: see
    /// [`Sender::refill`](super::Sender::refill).
    pub fn refill(&mut self, output: &mut WriteBuffer) {
        self.sender.refill(output);
    }

    /// Queues the pong that was held back, if there is now room for it: see
    /// [`Sender::queue_pending_pong`](super::Sender::queue_pending_pong).
    pub fn queue_pending_pong(&mut self, output: &mut WriteBuffer) {
        self.sender.queue_pending_pong(output);
    }

    /// Returns `true` if a message can be queued in addition to `output`: see
    /// [`Sender::has_room`](super::Sender::has_room).
    #[must_use]
    pub fn has_room(&self, output: &WriteBuffer) -> bool {
        self.sender.has_room(output)
    }

    /// Returns what to do with the transport next: see [`Sender::next`](super::Sender::next).
    #[inline]
    pub fn next(&mut self, output: &mut WriteBuffer, clock: impl FnMut() -> Duration) -> Next<'_> {
        self.sender.next(output, clock)
    }

    /// Reports the outcome of a read: see [`Sender::did_read`](super::Sender::did_read).
    #[inline]
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.sender.did_read(outcome);
    }

    /// Reports the outcome of a write: see [`Sender::did_write`](super::Sender::did_write).
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        self.sender.did_write(outcome, output);
    }

    /// Reports the outcome of shutting down the writing side: see
    /// [`Sender::did_shut_down`](super::Sender::did_shut_down).
    pub fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.sender.did_shut_down(outcome);
    }

    /// Returns how the connection ended, as soon as that is known: see
    /// [`Sender::closed`](super::Sender::closed).
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.sender.closed()
    }

    /// Returns how long the peer takes to answer pings: see
    /// [`Sender::round_trip_time`](super::Sender::round_trip_time).
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        self.sender.round_trip_time()
    }

    /// Announces that you are about to drop the transport: see
    /// [`Sender::leave`](super::Sender::leave).
    pub fn leave(&mut self) {
        self.sender.leave();
    }

    /// Reports how the transport ended and returns how the connection ended: see
    /// [`Sender::transport_ended`](super::Sender::transport_ended).
    pub fn transport_ended(&mut self, how: TransportEnd, output: &WriteBuffer) -> &Closed {
        self.sender.transport_ended(how, output)
    }
}

/// Returns the counters of both halves, or `None` if they don't count.
pub(crate) fn counters_of<R: Role>(sender: &Sender<R>, receiver: &Receiver<R>) -> Option<Counters> {
    let mut counters = sender.counters()?;
    counters.received.set_frames(receiver.counters()?);
    Some(counters)
}
