use super::access::Access;
use super::aside::Aside;
use super::incoming::Incoming;
use super::methods::sending_methods;
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::split::{ReceiveHalf, SendHalf, halves};
use crate::buffer::ReadBuffer;
use crate::connection::{
    Chunk, Closed, Config, Connection, Event, Message, Payload, Receiver, Role, State,
};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::boxed::Box;
use core::{
    future::poll_fn,
    task::{Poll, ready},
};

/// A WebSocket connection over an async stream.
///
/// Pings are answered and the closing handshake is finished while one of the receiving methods
/// waits; before it waits, what is queued is written. So receive, even if nothing is expected.
///
/// # The end
///
/// The loop over messages ends with `None` after a clean close; after anything else with one `Err`
/// and then `None`. [`closed`](Self::closed) tells how it was either way. You are told as soon as it
/// is known. The transport may be needed for longer, so that the peer comes to read this end's Close:
/// [`wait_closed`](Self::wait_closed) sees to that.
///
/// Dropping a connection sends no Close: the peer sees its transport end. What is queued is written
/// and the writing side of the transport is ended as far as that is possible without a wait. To end
/// in order, call [`close`](Self::close) and then [`wait_closed`](Self::wait_closed).
///
/// # Cancel safety
///
/// Each method says whether it is cancel safe: whether its future can be dropped before it is
/// ready, by `select!` or a timeout, and the connection goes on with nothing lost, doubled or out of
/// order.
#[derive(Debug)]
pub struct WebSocket<S, R: Role, M: Shell<S>> {
    /// Boxed, because a future holds a value that it was given once more where it uses it.
    pub(super) sides: Box<Sides<S, R, M>>,
}

#[derive(Debug)]
pub(super) struct Sides<S, R: Role, M: Shell<S>> {
    pub(super) incoming: Incoming<R>,
    pub(super) outgoing: Outgoing<S, R, M>,
    pub(super) aside: Aside,
}

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// A connection whose opening handshake is done, by this crate or another.
    ///
    /// `input` holds what came behind the peer's handshake, if anything.
    pub fn new(
        transport: S,
        role: R,
        negotiated: Negotiated,
        input: ReadBuffer,
        config: Config,
    ) -> Self {
        let (receiver, sender) = Connection::new(role, &negotiated, config).split();
        Self {
            sides: Box::new(Sides {
                incoming: Incoming::new(receiver, input),
                outgoing: Outgoing::new(transport, sender),
                aside: Aside::new(negotiated),
            }),
        }
    }

    /// Waits for the next message, and gives it away. Control frames are seen to and not shown;
    /// [`receive`](Self::receive) shows them.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.sides.incoming.poll_message(&mut self.sides.outgoing, cx)).await
    }

    /// Waits for the next event, and lends it together with the way to answer it.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] or [`Error::Closed`] once, when the connection has ended other than by a
    /// closing handshake; `None` from then on. [`Error::Io`] for how else the transport failed,
    /// which is the end too.
    ///
    /// ```no_run
    /// use sansocket::{Event, tokio::accept};
    ///
    /// # async fn echo(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// let mut websocket = accept(stream).await?;
    /// while let Some(received) = websocket.receive().await {
    ///     match received? {
    ///         (Event::Text(text), mut replies) => replies.feed(text).await?,
    ///         (Event::Binary(data), mut replies) => replies.feed(data).await?,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn receive(&mut self) -> Option<Result<(Event<'_>, Replies<'_, S, R, M>), Error>> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let found = poll_fn(|cx| incoming.poll_event(outgoing, Receiver::advance, cx)).await?;
        Some(found.map(|found| (incoming.event(found), Replies(outgoing))))
    }

    /// The next event, if all of it has been read already; without a wait, and without reading.
    ///
    /// After [`receive`](Self::receive) it gives what came along, so that one write answers all of
    /// it. `None` says nothing about the end of the connection: that [`receive`](Self::receive)
    /// tells.
    ///
    /// ```no_run
    /// # use sansocket::{Error, Event, Role, tokio::WebSocket};
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// # async fn echo<S, R>(mut websocket: WebSocket<S, R>) -> Result<(), Error>
    /// # where S: AsyncRead + AsyncWrite + Unpin, R: Role {
    /// while let Some(received) = websocket.receive().await {
    ///     let mut next = Some(received?);
    ///     while let Some((event, mut replies)) = next {
    ///         if let Event::Text(text) = event {
    ///             replies.feed(text).await?;
    ///         }
    ///         next = websocket.receive_buffered();
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn receive_buffered(&mut self) -> Option<(Event<'_>, Replies<'_, S, R, M>)> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let found = incoming.find_buffered(outgoing)?;
        Some((incoming.event(found), Replies(outgoing)))
    }

    /// Calls `visit` for each event until the connection ends: the fastest way, since between two
    /// events that came together nothing is left and entered.
    ///
    /// The visitor answers with [`Replies::try_feed`]; before each message there is room for one
    /// at least: while too much is queued that the peer does not take, its next message waits. What
    /// the visitor queues is written when all that was read has been visited. An error that it
    /// returns ends the loop and not the connection.
    ///
    /// Cancel safe: what was visited is not visited again.
    ///
    /// # Errors
    ///
    /// Those of the visitor, and as for [`receive`](Self::receive). After the end has been reported
    /// it is `Ok`.
    ///
    /// ```no_run
    /// use sansocket::{Error, Event, tokio::accept};
    ///
    /// # async fn echo(stream: tokio::net::TcpStream) -> Result<(), Error> {
    /// let mut websocket = accept(stream).await?;
    /// websocket
    ///     .receive_with(|event, replies| match event {
    ///         Event::Text(text) => replies.try_feed(text),
    ///         Event::Binary(data) => replies.try_feed(data),
    ///         _ => Ok(()),
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn receive_with<E: From<Error>>(
        &mut self,
        mut visit: impl FnMut(Event<'_>, &mut Replies<'_, S, R, M>) -> Result<(), E>,
    ) -> Result<(), E> {
        poll_fn(|cx| {
            loop {
                let found = match ready!(self.sides.incoming.poll_event(
                    &mut self.sides.outgoing,
                    Receiver::advance,
                    cx
                )) {
                    Some(Ok(found)) => found,
                    Some(Err(error)) => return Poll::Ready(Err(error.into())),
                    None => return Poll::Ready(Ok(())),
                };
                // If there can't be room any more, what was received is visited all the same.
                let event = self.sides.incoming.event(found);
                let is_message = matches!(event, Event::Text(_) | Event::Binary(_));
                if is_message && self.sides.outgoing.poll_room(cx).is_pending() {
                    self.sides.incoming.hold();
                    return Poll::Pending;
                }
                visit(event, &mut Replies(&mut self.sides.outgoing))?;
            }
        })
        .await
    }

    /// As [`receive`](Self::receive), but for a piece of a message as soon as it has arrived. The
    /// limits of frame and message do not apply.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive); [`Error::Receive`] if part of the message was waited for
    /// by another method.
    pub async fn receive_chunk(
        &mut self,
    ) -> Option<Result<(Chunk<'_>, Replies<'_, S, R, M>), Error>> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let found =
            poll_fn(|cx| incoming.poll_event(outgoing, Receiver::advance_chunk, cx)).await?;
        Some(found.map(|found| (incoming.chunk(found), Replies(outgoing))))
    }

    /// Receives and drops messages until nothing more is wanted of the transport, at the latest when
    /// the close timeout is over, and says how the connection ended. If no Close was sent, one with
    /// [`CloseCode::NORMAL`] is.
    ///
    /// After the end was told it waits for the peer to end the transport too. Without that, bytes that
    /// the peer sends meanwhile can turn the end into a reset, and a reset can overtake this end's
    /// last frames.
    ///
    /// Cancel safe: it can be called again.
    pub async fn wait_closed(&mut self) -> &Closed {
        if self.state() == State::Open {
            // If it can't be queued, the end of the transport below says why.
            let _ = self.sides.outgoing.close(CloseCode::NORMAL, "");
        }
        poll_fn(|cx| self.sides.incoming.poll_ended(&mut self.sides.outgoing, cx)).await;
        self.sides.outgoing.sending.end()
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.sides.outgoing.sending.sender.closed()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.sides.outgoing.sending.sender.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        self.sides.aside.negotiated()
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.sides.outgoing.sending.queue.len()
    }

    /// Parts the connection into halves for two tasks, which can run on two threads.
    ///
    /// Pongs, the answer to a Close and the Close of a failure go out while only the receiving half
    /// is used. Dropping the [`SendHalf`] closes nothing. Dropping the [`ReceiveHalf`] ends the
    /// connection, since nobody answers the peer any more, also where it is dropped at once, as in
    /// `let (_, sender) = websocket.split()`.
    ///
    /// ```no_run
    /// # async fn chat(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// let (mut receiver, mut sender) = sansocket::tokio::accept(stream).await?.split();
    /// tokio::spawn(async move {
    ///     while let Some(Ok(message)) = receiver.next().await {
    ///         println!("{message:?}");
    ///     }
    /// });
    /// sender.send("as long as it likes").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self) -> (ReceiveHalf<S, R, M>, SendHalf<S, R, M>) {
        let Sides { incoming, outgoing, aside } = *self.sides;
        halves(incoming, outgoing, aside)
    }

    /// The transport, to look at it or to set its options. Don't read from it or write to it.
    #[must_use]
    pub const fn transport(&self) -> &S {
        &self.sides.outgoing.transport
    }
}

sending_methods!(WebSocket<S, R, M>, sides.outgoing);

/// The way to answer while a received event is looked at: see [`WebSocket::receive`].
#[derive(Debug)]
pub struct Replies<'a, S, R: Role, M: Shell<S>>(&'a mut Outgoing<S, R, M>);

sending_methods!(Replies<'_, S, R, M>, 0);

impl<S, R: Role, M: Shell<S>> Replies<'_, S, R, M> {
    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.0.sending.queue.len()
    }
}
