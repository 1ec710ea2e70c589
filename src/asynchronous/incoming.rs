//! The receiving side of a connection: the read buffer, and the receiver that finds events in it.

use super::access::Access;
use super::outgoing::{Driven, Outgoing};
use super::shell::Shell;
use crate::buffer::ReadBuffer;
use crate::connection::{
    Chunk, Counters, Event, Message, Progress, ReceiveError, Receiver, Role, Sender, TrafficLimit,
    counters_of,
};
use crate::error::{Error, Misuse};
use crate::pool::{Leased, ThreadMemory};
use alloc::{sync::Arc, vec::Vec};
use core::task::{Context, Poll, ready};
use std::io;

#[derive(Debug)]
pub(super) struct Incoming<R> {
    receiver: Receiver<R>,
    input: Leased<ReadBuffer>,
    /// The work that this task may still do before it yields to others: see [`TURN`]. It is also 0
    /// if an event is held or the end has been reported, so that one check is enough for most
    /// events.
    turn: u32,
    /// Whether the current event was found but not yet returned to the user.
    held: bool,
    /// Whether the end was reported to the user.
    reported: bool,
    misuse: Misuse,
}

/// The work of one turn in bytes: the bytes read, the bytes that decompression produces, and a
/// fixed count for each event. A loop that always finds another message yields after each turn,
/// whatever the transport is, so that it does not occupy a thread of the executor.
const TURN: u32 = 256 * 1024;
const EVENT: u32 = 64;

/// Proof that an event is available. It ensures that a missing event is not mistaken for the end.
#[derive(Debug)]
pub(super) struct Found(());

/// A way to receive: whole messages or chunks. It is a generic parameter so that calls can be
/// inlined.
pub(super) trait Advance<R>:
    Fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>
{
}

impl<R, F> Advance<R> for F where
    F: Fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>
{
}

impl<R: Role> Incoming<R> {
    pub(super) fn new(receiver: Receiver<R>, input: ReadBuffer) -> Self {
        Self {
            receiver,
            input: input.into(),
            turn: TURN,
            held: false,
            reported: false,
            misuse: Misuse::default(),
        }
    }

    /// Returns the bytes that were read but not used.
    pub(super) fn into_unread(self) -> Vec<u8> {
        self.input.unread().to_vec()
    }

    /// Returns the counters of both sides.
    pub(super) fn counters(&self, sender: &Sender<R>) -> Option<Counters> {
        counters_of(sender, &self.receiver)
    }

    /// Counts from now on what is received, for the server that runs the connection.
    #[cfg_attr(
        not(feature = "tokio"),
        allow(dead_code, reason = "only the shell over tokio serves")
    )]
    pub(super) fn count_traffic(&mut self, limit: Arc<dyn TrafficLimit>) {
        self.receiver.count_traffic(limit, &self.input);
    }

    /// Returns `true` if the end was reported to the user.
    pub(super) const fn has_ended(&self) -> bool {
        self.reported
    }

    /// Waits for an event. Returns `None` once the connection has ended and the end was reported.
    #[inline]
    pub(super) fn poll_event<S, M: Shell<S>>(
        &mut self,
        outgoing: &mut impl Access<S, R, M>,
        advance: impl Advance<R>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Found, Error>>> {
        if self.turn == 0 {
            return self.poll_event_anew(cx);
        }
        // Usually an earlier read has already brought the next event.
        match self.advance(&advance) {
            Ok(Progress::Event) => Poll::Ready(Some(Ok(self.found(outgoing)))),
            progress => self.poll_event_behind(progress, outgoing, advance, cx),
        }
    }

    /// Handles the rare cases of [`poll_event`](Self::poll_event): the end was reported, an event
    /// is held, or the turn is over.
    #[cold]
    fn poll_event_anew(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Found, Error>>> {
        if self.reported {
            return Poll::Ready(None);
        }
        if self.take_held() {
            return Poll::Ready(Some(Ok(Found(()))));
        }
        self.yield_turn(cx)
    }

    /// Continues [`poll_event`](Self::poll_event) if the first advance found no event.
    #[inline(never)]
    fn poll_event_behind<S, M: Shell<S>>(
        &mut self,
        mut progress: Result<Progress, ReceiveError>,
        outgoing: &mut impl Access<S, R, M>,
        advance: impl Advance<R>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Found, Error>>> {
        if self.reported {
            return Poll::Ready(None);
        }
        loop {
            match progress {
                Ok(Progress::Event) => return Poll::Ready(Some(Ok(self.found(outgoing)))),
                Ok(Progress::More) => return self.yield_turn(cx),
                Ok(Progress::NeedsInput | Progress::Ended) | Err(ReceiveError::Protocol(_)) => {}
                Err(misuse) => return Poll::Ready(Some(Err(misuse.into()))),
            }
            match outgoing.poll(cx, |outgoing, cx| self.poll_drive(outgoing, false, cx)) {
                Poll::Ready(Driven::Read(_)) => {}
                Poll::Ready(Driven::Ended(failed)) => {
                    return Poll::Ready(self.report(failed, outgoing));
                }
                Poll::Pending => return Poll::Pending,
            }
            if self.turn == 0 {
                return self.yield_turn(cx);
            }
            progress = self.advance(&advance);
        }
    }

    /// Counts an event, and queues the reply that the connection owes for it.
    #[inline]
    fn found<S, M: Shell<S>>(&mut self, outgoing: &mut impl Access<S, R, M>) -> Found {
        self.turn = self.turn.saturating_sub(self.work());
        if self.receiver.owes_reply() {
            outgoing.act(|outgoing| self.reply(outgoing));
        }
        Found(())
    }

    /// Waits for a whole message. Misuse is reported once; the next call returns `None`.
    pub(super) fn poll_message<S, M: Shell<S>>(
        &mut self,
        outgoing: &mut impl Access<S, R, M>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        loop {
            // Repeats `poll_event`, because otherwise its result would be moved through memory for
            // each message.
            let event = if self.turn == 0 {
                ready!(self.poll_event_anew(cx))
            } else {
                match self.advance(&Receiver::advance) {
                    Ok(Progress::Event) => {
                        self.found(outgoing);
                        self.misuse.received();
                        match self.take_message() {
                            Some(message) => return Poll::Ready(Some(Ok(message))),
                            None => continue,
                        }
                    }
                    progress => {
                        ready!(self.poll_event_behind(progress, outgoing, Receiver::advance, cx))
                    }
                }
            };
            match self.misuse.once(event) {
                Some(Ok(Found(()))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
            if let Some(message) = self.take_message() {
                return Poll::Ready(Some(Ok(message)));
            }
        }
    }

    fn take_message(&mut self) -> Option<Message> {
        self.receiver.take_message_with(&mut self.input, &ThreadMemory)
    }

    /// Waits until the transport has nothing more to do, and drops everything that is received.
    pub(super) fn poll_ended<S, M: Shell<S>>(
        &mut self,
        outgoing: &mut impl Access<S, R, M>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.take_held();
        if self.reported {
            self.turn = TURN;
        }
        loop {
            if self.turn == 0 {
                return self.yield_turn(cx);
            }
            if self.advance(&Receiver::advance_unseen).is_ok_and(Progress::goes_on) {
                self.turn = self.turn.saturating_sub(self.work());
                outgoing.act(|outgoing| self.reply(outgoing));
                continue;
            }
            let driven = outgoing.poll(cx, |outgoing, cx| self.poll_drive(outgoing, true, cx));
            if let Driven::Ended(_) = ready!(driven) {
                self.report(None, outgoing);
                return Poll::Ready(());
            }
        }
    }

    /// Finds an event in the bytes that are already buffered. Returns `None` if there is none, even
    /// if there is something else to report.
    pub(super) fn find_buffered<S, M: Shell<S>>(
        &mut self,
        outgoing: &mut Outgoing<S, R, M>,
    ) -> Option<Found> {
        if self.take_held() {
            return Some(Found(()));
        }
        if self.input.is_none() {
            return None;
        }
        let progress = self.advance(&Receiver::advance);
        self.reply(outgoing);
        if progress != Ok(Progress::Event) {
            self.give_back_input();
            return None;
        }
        self.turn = self.turn.saturating_sub(self.work());
        Some(Found(()))
    }

    /// Returns the work of an event, in addition to reading its bytes.
    #[inline]
    fn work(&mut self) -> u32 {
        EVENT.saturating_add(self.receiver.take_inflating_work())
    }

    // Always inlined, as in the receiver.
    #[inline(always)]
    pub(super) fn event(&self, _: Found) -> Event<'_> {
        self.receiver.event(&self.input).expect("an event stays available until the next advance")
    }

    /// Returns the chunk that was found, or the whole message that was held.
    pub(super) fn chunk(&self, found: Found) -> Chunk<'_> {
        let whole = || Chunk { event: self.event(found), first: true, last: true };
        self.receiver.chunk(&self.input).unwrap_or_else(whole)
    }

    /// Returns the chunk or the whole message that was found last, if there is one.
    pub(super) fn current_chunk(&self) -> Option<Chunk<'_>> {
        let whole = || {
            let event = self.receiver.event(&self.input)?;
            Some(Chunk { event, first: true, last: true })
        };
        self.receiver.chunk(&self.input).or_else(whole)
    }

    /// Returns `true` if a message has begun whose end was not found.
    pub(super) fn is_inside_message(&self) -> bool {
        !self.receiver.is_between_messages()
    }

    /// Skips the rest of the message of which a chunk was found.
    pub(super) fn skip_message(&mut self) {
        self.receiver.skip_message();
    }

    /// Keeps the found event for the next call.
    pub(super) fn hold(&mut self) {
        self.held = true;
        self.turn = 0;
    }

    fn take_held(&mut self) -> bool {
        let held = core::mem::take(&mut self.held);
        if held {
            self.turn = TURN;
        }
        held
    }

    /// Advances the receiver. Without a buffer there can be no event. Inside a message the receiver
    /// is still called, because it reports a wrong way to receive the rest.
    #[inline]
    fn advance(&mut self, advance: &impl Advance<R>) -> Result<Progress, ReceiveError> {
        if self.input.is_none() && self.receiver.is_between_messages() {
            return Ok(Progress::NeedsInput);
        }
        advance(&mut self.receiver, &mut self.input)
    }

    fn poll_drive<S, M: Shell<S>>(
        &mut self,
        outgoing: &mut Outgoing<S, R, M>,
        lingers: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Driven> {
        self.receiver.report_traffic();
        if let Some(counters) = self.receiver.counters() {
            outgoing.sending.sender.note_received(counters);
        }
        self.reply(outgoing);
        let driven = outgoing.poll_drive(&mut self.input, lingers, cx);
        match &driven {
            Poll::Ready(Driven::Read(count)) => {
                self.receiver.did_read(*count);
                // Decompressing what was read before counts, even if it made no event.
                let work = u32::try_from(*count).unwrap_or(u32::MAX);
                let work = work.saturating_add(self.receiver.take_inflating_work());
                self.turn = self.turn.saturating_sub(work);
            }
            Poll::Ready(Driven::Ended(_)) => {}
            Poll::Pending => {
                self.turn = TURN;
                self.give_back_input();
            }
        }
        driven
    }

    /// Releases the read buffer if it is empty.
    #[inline]
    fn give_back_input(&mut self) {
        if self.receiver.unbind(&self.input) {
            self.input.give_back();
        }
    }

    /// Yields to other tasks, and has this task polled again.
    #[cold]
    fn yield_turn<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.turn = TURN;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    #[inline]
    fn reply<S, M: Shell<S>>(&mut self, outgoing: &mut Outgoing<S, R, M>) {
        // This check avoids leasing a write buffer when there is nothing to reply.
        if self.receiver.owes_reply() {
            self.receiver.reply_to(
                &mut outgoing.sending.sender,
                &self.input,
                &mut outgoing.sending.queue,
            );
            outgoing.take_time();
        }
    }

    /// Reports the end, and releases the buffers.
    fn report<S, M: Shell<S>>(
        &mut self,
        failed: Option<io::Error>,
        outgoing: &mut impl Access<S, R, M>,
    ) -> Option<Result<Found, Error>> {
        self.reported = true;
        self.turn = 0;
        if !self.input.give_back() {
            self.input = Leased::none();
        }
        let (error, end) = outgoing.act(|outgoing| {
            outgoing.give_back_output();
            let closed = outgoing.sending.sender.closed();
            (closed.and_then(|closed| Error::of_end(closed, failed)), outgoing.take_traced_end())
        });
        if let Some((trace, closed)) = end {
            trace.ended(&closed);
        }
        error.map(Err)
    }
}
