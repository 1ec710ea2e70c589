use super::Transport;
use super::access::Sending;
use super::incoming::{Incoming, leave};
use super::methods::sending_methods;
use super::outgoing::Outgoing;
use super::shared::Reading;
use super::split::{ReceiveHalf, SendHalf};
use super::timed::Timed;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::{
    Chunk, Closed, Config, Connection, Event, Message, Payload, Receiver, Role, State,
};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, sync::Arc};
use core::ops::{Deref, DerefMut};

/// A WebSocket connection over a blocking [`Transport`].
///
/// Receive with [`next`](Self::next), as an iterator, or with [`receive`](Self::receive), which
/// lends the message instead of copying it. Pings are answered and the closing handshake is
/// finished while one of them waits; before it waits, what is queued is written.
///
/// The loop over messages ends with `None` after a clean close; after anything else with one `Err`
/// and then `None`. [`closed`](Self::closed) tells how it was either way. An end is told as soon as it
/// is known, although a server's peer may still have to read it: [`wait_closed`](Self::wait_closed)
/// gives it the time.
///
/// A method that a timeout of your own on the [transport](Self::transport) ends fails with an error that
/// [would block](crate::Error::is_would_block). Receive again; what was to be sent is queued, so
/// [`flush`](Self::flush).
///
/// A method that sends waits until the peer takes what is queued, and reads nothing meanwhile: two
/// ends that both do so for long stop each other. A [`split`](Self::split) connection reads too.
///
/// Dropped before its end, it sends no Close. What is queued is written and the transport ended as far
/// as that takes a few milliseconds.
#[derive(Debug)]
pub struct WebSocket<S: Transport, R: Role> {
    incoming: Incoming<R>,
    outgoing: Leaving<S, R>,
    negotiated: Box<Negotiated>,
}

/// The sending side, which leaves its transport in order when it is dropped.
#[derive(Debug)]
struct Leaving<S: Transport, R: Role>(Option<Outgoing<S, Sending<R>>>);

const TAKEN: &str = "it is taken by value alone";

impl<S: Transport, R: Role> Leaving<S, R> {
    fn take(mut self) -> Outgoing<S, Sending<R>> {
        self.0.take().expect(TAKEN)
    }
}

impl<S: Transport, R: Role> Deref for Leaving<S, R> {
    type Target = Outgoing<S, Sending<R>>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect(TAKEN)
    }
}

impl<S: Transport, R: Role> DerefMut for Leaving<S, R> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_mut().expect(TAKEN)
    }
}

impl<S: Transport, R: Role> Drop for Leaving<S, R> {
    fn drop(&mut self) {
        if let Some(outgoing) = &mut self.0 {
            leave(outgoing);
        }
    }
}

impl<S: Transport, R: Role> WebSocket<S, R> {
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
        let outgoing =
            Outgoing::new(Timed::new(transport), Sending::new(sender, WriteBuffer::new()));
        Self {
            incoming: Incoming::new(receiver, input),
            outgoing: Leaving(Some(outgoing)),
            negotiated: Box::new(negotiated),
        }
    }

    /// Waits for the next event, and lends it together with the way to answer it.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] or [`Error::Closed`] once, when the connection has ended other than by a
    /// closing handshake; `None` from then on. [`Error::Io`] for what else the transport fails
    /// with, see there.
    ///
    /// ```no_run
    /// use sansocket::{Event, blocking};
    ///
    /// # fn echo(stream: std::net::TcpStream) -> Result<(), sansocket::Error> {
    /// let mut websocket = blocking::accept(stream)?;
    /// while let Some(received) = websocket.receive() {
    ///     match received? {
    ///         (Event::Text(text), mut replies) => replies.feed(text)?,
    ///         (Event::Binary(data), mut replies) => replies.feed(data)?,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn receive(&mut self) -> Option<Result<(Event<'_>, Replies<'_, S, R>), Error>> {
        let (advance, look) = (Receiver::advance, Receiver::event);
        let received = self.incoming.receive(&mut *self.outgoing, advance, look)?;
        Some(received.map(|event| (event, Replies(&mut *self.outgoing))))
    }

    /// As [`receive`](Self::receive), but for a piece of a message as soon as it has arrived. The
    /// limits of frame and message do not apply.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive); [`Error::Receive`] if part of the message was waited for
    /// by another method.
    pub fn receive_chunk(&mut self) -> Option<Result<(Chunk<'_>, Replies<'_, S, R>), Error>> {
        let (advance, look) = (Receiver::advance_chunk, Receiver::chunk);
        let received = self.incoming.receive(&mut *self.outgoing, advance, look)?;
        Some(received.map(|chunk| (chunk, Replies(&mut *self.outgoing))))
    }

    sending_methods!();

    fn with_outgoing<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, Sending<R>>) -> T) -> T {
        act(&mut self.outgoing)
    }

    /// Receives and drops messages until the connection has ended, at the latest when the close
    /// timeout is over, and says how. If no Close was sent, one with [`CloseCode::NORMAL`] is.
    pub fn wait_closed(&mut self) -> &Closed {
        if self.state() == State::Open {
            // If it can't be sent, the end of the transport below says why.
            let _ = self.close(CloseCode::NORMAL, "");
        }
        self.incoming.wait_ended(&mut *self.outgoing);
        self.outgoing.sending.end()
    }

    /// Splits the connection for a thread that reads and a thread that writes. Neither waits for the
    /// other: messages are received and pings answered also while the writing thread is stuck with
    /// a peer that does not read.
    ///
    /// An end that one half comes to is seen by the other: what is sent fails with
    /// [`Error::Closed`] from then on, and a write that is stuck is released. Timeouts of your own
    /// on the transport are taken away.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport has no second handle: see [`Transport::try_clone`]. The
    /// connection is dropped then.
    ///
    /// ```no_run
    /// use sansocket::{CloseCode, blocking};
    /// use std::thread;
    ///
    /// let websocket = blocking::connect("ws://127.0.0.1:9001/")?;
    /// let (mut receive_half, mut send_half) = websocket.split()?;
    /// let reader = thread::spawn(move || -> Result<(), sansocket::Error> {
    ///     for message in receive_half.by_ref() {
    ///         println!("{:?}", message?);
    ///     }
    ///     println!("{:?}", receive_half.closed());
    ///     Ok(())
    /// });
    /// send_half.send("hello")?;
    /// // The reader goes on until the server has closed too.
    /// send_half.close(CloseCode::NORMAL, "")?;
    /// let _ = reader.join();
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    pub fn split(mut self) -> Result<(ReceiveHalf<S, R>, SendHalf<S, R>), Error> {
        let reader = self.outgoing.transport.try_clone()?;
        let reading = Reading::new(reader, self.outgoing.take());
        let shared = Arc::clone(&reading.shared);
        let Self { incoming, negotiated, .. } = self;
        Ok((ReceiveHalf { incoming, reading, negotiated }, SendHalf { shared }))
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.outgoing.sending.sender.closed()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.outgoing.sending.sender.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.outgoing.sending.queue.len()
    }

    /// The transport, to look at it or to set its options. Don't read from it or write to it.
    #[must_use]
    pub fn transport(&self) -> &S {
        &self.outgoing.transport.transport
    }
}

/// Messages, owned.
impl<S: Transport, R: Role> Iterator for WebSocket<S, R> {
    type Item = Result<Message, Error>;

    /// Waits for the next message. Control frames are seen to and not shown;
    /// [`receive`](WebSocket::receive) shows them.
    fn next(&mut self) -> Option<Self::Item> {
        self.incoming.next(&mut *self.outgoing)
    }
}

/// The way to answer while a received event is looked at: see [`WebSocket::receive`].
#[derive(Debug)]
pub struct Replies<'a, S, R>(&'a mut Outgoing<S, Sending<R>>);

impl<S: Transport, R: Role> Replies<'_, S, R> {
    sending_methods!();

    fn with_outgoing<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, Sending<R>>) -> T) -> T {
        act(self.0)
    }
}
