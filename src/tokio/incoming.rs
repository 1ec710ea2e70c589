//! The receiving side of a connection: the read buffer and what finds events in it.

use super::outgoing::Outgoing;
use crate::asynchronous::pool::Leased;
use crate::{Chunk, Error, Event, Message, Progress, ReadBuffer, ReceiveError, Receiver, Role};
use ::tokio::io::{AsyncRead, AsyncWrite};
use alloc::boxed::Box;
use core::task::{Context, Poll, ready};

#[derive(Debug)]
pub(super) struct Incoming<R> {
    receiver: Receiver<R>,
    input: Leased<ReadBuffer>,
    /// Whether the current event was found and not yet given to the user.
    held: bool,
    /// Whether the end was told to the user.
    reported: bool,
}

/// A way of receiving: whole messages or chunks. One that is known where it is called costs no call.
pub(super) trait Advance<R>:
    Fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>
{
}

impl<R, F> Advance<R> for F where
    F: Fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>
{
}

/// How the receiving side comes to the sending side and the transport.
pub(super) trait Access<S, R> {
    /// Calls `act` with the sending side, and with what it is to poll the transport with.
    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Outgoing<S, R>, &mut Context<'_>) -> T,
    ) -> T;
}

/// It is at hand.
impl<S, R> Access<S, R> for Outgoing<S, R> {
    #[inline]
    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Self, &mut Context<'_>) -> T,
    ) -> T {
        act(self, cx)
    }
}

impl<R: Role> Incoming<R> {
    pub(super) fn new(receiver: Receiver<R>, input: ReadBuffer) -> Self {
        Self { receiver, input: input.into(), held: false, reported: false }
    }

    /// Waits for an event; `None` once the connection has ended and that has been reported.
    pub(super) fn poll_event<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        outgoing: &mut impl Access<S, R>,
        advance: impl Advance<R>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(), Error>>> {
        if self.reported {
            return Poll::Ready(None);
        }
        if core::mem::take(&mut self.held) {
            return Poll::Ready(Some(Ok(())));
        }
        loop {
            // Where it waited for a message there is nothing to look at.
            let progress = if self.input.is_none() && self.receiver.rests() {
                Ok(Progress::NeedsInput)
            } else {
                advance(&mut self.receiver, &mut self.input)
            };
            if self.receiver.owes_reply() {
                outgoing.with(cx, |outgoing, _| self.reply(outgoing));
            }
            let error = match progress {
                Ok(Progress::Event) => return Poll::Ready(Some(Ok(()))),
                Ok(Progress::NeedsInput) => {
                    // If nothing is in it, `poll_fill` may give it back.
                    self.receiver.let_go(&self.input);
                    let filled = outgoing.with(cx, |outgoing, cx| match outgoing.closed() {
                        Some(_) => Poll::Ready(Ok(true)),
                        None => outgoing.poll_fill(&mut self.input, cx).map_ok(|()| false),
                    });
                    match ready!(filled) {
                        Ok(false) => continue,
                        Ok(true) => None,
                        Err(error) => Some(error),
                    }
                }
                Ok(Progress::Ended) => {
                    ready!(outgoing.with(cx, |outgoing, cx| outgoing.poll_finish(cx))).err()
                }
                Err(ReceiveError::Protocol(error)) => {
                    // What fails after it takes nothing away.
                    let _ = ready!(outgoing.with(cx, |outgoing, cx| outgoing.poll_finish(cx)));
                    Some(error.into())
                }
                Err(misuse) => return Poll::Ready(Some(Err(misuse.into()))),
            };
            return Poll::Ready(outgoing.with(cx, |outgoing, cx| self.report(error, outgoing, cx)));
        }
    }

    /// Waits for a whole message.
    pub(super) fn poll_message<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        outgoing: &mut impl Access<S, R>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        loop {
            match ready!(self.poll_event(outgoing, Receiver::advance, cx)) {
                Some(Ok(())) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
            if let Some(message) = self.input.take_message(&mut self.receiver) {
                return Poll::Ready(Some(Ok(message)));
            }
        }
    }

    /// Waits for the end, and drops what is received: in pieces, so that no message is too large
    /// for it; one that is half received whole is dropped so.
    pub(super) fn poll_ended<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        outgoing: &mut impl Access<S, R>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut in_chunks = true;
        loop {
            let outcome = ready!(self.poll_event(
                outgoing,
                |receiver: &mut Receiver<R>, input: &mut ReadBuffer| {
                    if in_chunks { receiver.advance_chunk(input) } else { receiver.advance(input) }
                },
                cx,
            ));
            in_chunks = match outcome {
                Some(Err(Error::Receive(_))) => false,
                Some(_) => true,
                None => return Poll::Ready(()),
            };
        }
    }

    /// As [`poll_event`](Self::poll_event), for what is buffered already: false if there is none, or
    /// if there is something else to be told than an event.
    pub(super) fn find_buffered<S>(&mut self, outgoing: &mut Outgoing<S, R>) -> bool {
        if core::mem::take(&mut self.held) {
            return true;
        }
        if self.input.is_none() {
            return false;
        }
        let progress = Receiver::advance(&mut self.receiver, &mut self.input);
        self.reply(outgoing);
        if progress == Ok(Progress::NeedsInput) && self.receiver.let_go(&self.input) {
            self.input.give_back();
        }
        matches!(progress, Ok(Progress::Event))
    }

    // Always, as in the receiver.
    #[inline(always)]
    pub(super) fn event(&self) -> Option<Event<'_>> {
        self.receiver.event(&self.input)
    }

    /// The chunk that was found, or the whole message that was held.
    pub(super) fn chunk(&self) -> Option<Chunk<'_>> {
        let whole = || Some(Chunk { event: self.event()?, first: true, last: true });
        self.receiver.chunk(&self.input).or_else(whole)
    }

    /// Keeps what was found for the next time.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    fn reply<S>(&mut self, outgoing: &mut Outgoing<S, R>) {
        // Without one no buffer for it is wanted.
        if self.receiver.owes_reply() {
            self.receiver.reply_to(&mut outgoing.sender, &self.input, &mut outgoing.output);
        }
    }

    /// Reports the end, once: as `error`, as what else was not clean about it, or as nothing.
    fn report<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        error: Option<Error>,
        outgoing: &mut Outgoing<S, R>,
        cx: &mut Context<'_>,
    ) -> Option<Result<(), Error>> {
        self.reported = true;
        if !self.input.give_back() {
            self.input = Leased::none();
        }
        outgoing.give_back_output();
        outgoing.shut_down(cx);
        match (error, outgoing.closed()) {
            // What fails after the closing handshake takes nothing away.
            (_, Some(closed)) if closed.clean => None,
            (Some(error), _) => Some(Err(error)),
            (None, Some(closed)) => Some(Err(Error::Closed(Box::new(closed.clone())))),
            (None, None) => None,
        }
    }
}
