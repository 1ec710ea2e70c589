//! The connection after its opening handshake: frames in, messages out, and back (RFC 6455 §5–§7).

mod closed;
mod config;
mod ending;
mod error;
mod fragments;
mod message;
mod payload;
mod prepared;
mod receiver;
mod reply;
mod role;
pub(crate) mod sender;

pub use closed::{Cause, Closed, Initiator, State, TransportEnd};
pub use config::Config;
pub use error::{ProtocolError, ReceiveError, SendError};
pub use message::{Chunk, Event, Kind, Message};
pub use payload::Payload;
pub use prepared::PreparedMessage;
pub use receiver::{Progress, Receiver};
pub use reply::{ControlPayload, Reply};
pub use role::{Client, Role, Server};
#[cfg(feature = "std")]
pub(crate) use sender::{Compressing, LargeMessage};
pub use sender::{Next, Sender};

use self::config::SharedConfig;
use crate::buffer::{Memory, ReadBuffer, WriteBuffer};
use crate::frame::CloseCode;
use crate::mask::MaskKey;
use crate::negotiated::Negotiated;
use crate::transport::IoFailure;
use core::time::Duration;

/// One end of a WebSocket connection, without its transport.
///
/// # How to drive it
///
/// There are five kinds of method. In the order in which a loop calls them:
///
/// 1. *Advance* through what was read: [`advance`](Self::advance) as long as that [goes
///    on](Progress::goes_on). Then there is no whole event left. Begin with this: what came
///    behind the opening handshake may be all that comes.
/// 2. *Look* at each [`event`](Self::event). It borrows the [`ReadBuffer`] and not the connection.
/// 3. *Send* at any time, also while an event is looked at: [`send_text`](Self::send_text),
///    [`ping`](Self::ping), [`close`](Self::close)… only queue bytes in the [`WriteBuffer`].
/// 4. *Ask* what the transport is to do: [`next`](Self::next). It is a set of things to do, each of
///    which you do as far as it needs no wait, or the end. Wait for what is left of the set, until its
///    deadline at most, and ask again. Ask too after something was queued outside of the loop: there is
///    something to write then, and after a Close a deadline begins to run.
/// 5. *Tell* what became of it: [`did_write`](Self::did_write), [`did_shut_down`](Self::did_shut_down)
///    and [`did_read`](Self::did_read), failures included, also [`IoFailure::NotReady`].
///
/// A loop that does so is a correct WebSocket end on any transport: pongs, the answer to a Close and
/// the Close of a failure are queued by `advance`, and who ends the transport, how what still comes is
/// drained and how long anything may take is all in what `next` says. Nothing of it is asked once a
/// message.
///
/// Advance through what was read before you ask again, also at the end of the transport: what the peer
/// sent before it ended says how the connection did. What was not advanced through when `next` comes to
/// the end is dropped. An error of `advance` is the peer's fault. It needs nothing from you but to go
/// on: `next` comes to the end once the peer had its chance to read why.
///
/// # Backpressure
///
/// A peer that sends and does not read must not make your queue grow. Advance only while there
/// [is room](Self::has_room) for what you answer. While there is none, you may leave `read` of a set undone:
/// the transport then makes the peer wait. A message that is refused with [`SendError::QueueFull`] is not
/// lost either: the event that it answers stays until you advance, so write, look at it again, and send.
///
/// # Example
///
/// A server's end over a blocking socket. A loop over sockets that don't block is the same, with
/// [`IoFailure::NotReady`] where nothing could be done.
///
#[cfg_attr(feature = "std", doc = "```")]
#[cfg_attr(not(feature = "std"), doc = "```ignore")]
/// use sansocket::{Config, Connection, Event, IoFailure, Negotiated, Next, Progress, Server};
/// use sansocket::{ReadBuffer, WriteBuffer};
/// use std::io::{Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::time::{Duration, Instant};
///
/// fn echo(mut stream: TcpStream) {
///     let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
///     let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
///     let started = Instant::now();
///     loop {
///         let wants = match connection.next(&output, || started.elapsed()) {
///             Next::Wants(wants) => wants,
///             Next::Ended(closed) => return println!("{closed}"),
///         };
///         // A timeout of nothing is no timeout to a socket.
///         let left = wants.deadline.map(|moment| moment.saturating_sub(started.elapsed()));
///         let left = left.map(|left| left.max(Duration::from_millis(1)));
///         if wants.write {
///             let set = stream.set_write_timeout(left);
///             let written = set.and_then(|()| stream.write(output.front()));
///             connection.did_write(written.map_err(|error| (&error).into()), &mut output);
///         } else if wants.shut_down_write {
///             let ended = stream.shutdown(Shutdown::Write);
///             connection.did_shut_down(ended.map_err(|error| (&error).into()));
///         } else if wants.read {
///             let read = stream.set_read_timeout(left).and_then(|()| stream.read(input.spare(1)));
///             input.filled(*read.as_ref().unwrap_or(&0));
///             connection.did_read(read.map_err(|error| IoFailure::from(&error)));
///         } else if let Some(moment) = wants.deadline {
///             std::thread::sleep(moment.saturating_sub(started.elapsed()));
///         }
///         // What has no room for its answer stays where it is, and more is read after that is written.
///         while connection.has_room(&output)
///             && connection.advance(&mut input, &mut output).is_ok_and(Progress::goes_on)
///         {
///             // With room it is refused only because the connection closes.
///             let _ = match connection.event(&input) {
///                 Some(Event::Text(text)) => connection.send_text(text, &mut output),
///                 Some(Event::Binary(data)) => connection.send_binary(data, &mut output),
///                 _ => Ok(()),
///             };
///         }
///     }
/// }
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// # let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
/// # let server = std::thread::spawn(move || echo(listener.accept().unwrap().0));
/// # peer.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i', 0x88, 0x80, 0, 0, 0, 0]).unwrap();
/// # let mut received = Vec::new();
/// # peer.read_to_end(&mut received).unwrap();
/// # assert_eq!(received, b"\x81\x02hi\x88\0");
/// # drop(peer);
/// # server.join().unwrap();
/// ```
#[derive(Debug)]
pub struct Connection<R> {
    receiver: Receiver<R>,
    sender: Sender<R>,
}

impl<R: Role> Connection<R> {
    /// A connection whose opening handshake is done, by this crate or another.
    ///
    /// Bytes that came behind the peer's handshake belong into its read buffer: advance through them
    /// before you wait for more. Of `config` the limits and sizes count; whether messages are compressed,
    /// `negotiated` says.
    ///
    /// Of the extensions permessage-deflate alone is implemented here, with the feature `deflate`.
    /// Who has agreed on another by hand with [`Accept::extension`](crate::Accept::extension) or
    /// [`ClientRequest::extension`](crate::ClientRequest::extension) reads and writes the frames
    /// himself, with [`FrameHeader`](crate::FrameHeader): a connection takes the bits that it
    /// reserves for a fault of the peer (RFC 6455 §5.2). The shells offer and accept no other.
    #[must_use]
    pub fn new(role: R, negotiated: &Negotiated, config: Config) -> Self {
        let shared = SharedConfig::from(config);
        Self {
            receiver: Receiver::new(shared.clone(), negotiated),
            sender: Sender::new(role, &config, shared, negotiated),
        }
    }

    /// Uses what is buffered up to the next event: a whole message or a control frame. Replies that
    /// this calls for are queued in `output`.
    ///
    /// What the last event lent is released by it. After the end it drops what is buffered.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Protocol`] for what the peer did wrong, from then on at every call; the
    /// Close that says so has been queued. The other errors are misuse and change nothing.
    #[inline]
    pub fn advance(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<Progress, ReceiveError> {
        self.step(input, output, Receiver::advance)
    }

    /// The event that the last [`advance`](Self::advance) found; `None` if it found none.
    #[inline]
    #[must_use]
    pub fn event<'b>(&self, input: &'b ReadBuffer) -> Option<Event<'b>> {
        self.receiver.event(input)
    }

    /// Makes the current event owned, if it is a whole message; it is not lent any more then.
    ///
    /// A large message that fills at least half of the buffer's memory is handed over with that
    /// memory, any other is copied: see [`Receiver::take_message`].
    pub fn take_message(&mut self, input: &mut ReadBuffer) -> Option<Message> {
        self.receiver.take_message(input)
    }

    /// As [`take_message`](Self::take_message), with memory that comes from and goes to `memory`: see
    /// [`Receiver::take_message_with`].
    pub fn take_message_with(
        &mut self,
        input: &mut ReadBuffer,
        memory: &impl Memory,
    ) -> Option<Message> {
        self.receiver.take_message_with(input, memory)
    }

    /// As [`advance`](Self::advance), but up to the next piece of a message, as it arrives: look at
    /// it with [`chunk`](Self::chunk).
    ///
    /// The limits of frame, message and fragments don't bound memory here and do not apply.
    ///
    /// # Errors
    ///
    /// As for [`advance`](Self::advance).
    pub fn advance_chunk(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<Progress, ReceiveError> {
        self.step(input, output, Receiver::advance_chunk)
    }

    /// The chunk that the last [`advance_chunk`](Self::advance_chunk) found; `None` if it found
    /// none.
    #[must_use]
    pub fn chunk<'b>(&self, input: &'b ReadBuffer) -> Option<Chunk<'b>> {
        self.receiver.chunk(input)
    }

    /// Lets go of the read buffer, if nothing is left in it, so that the next one can be another: see
    /// [`Receiver::let_go`].
    pub fn let_go(&mut self, input: &ReadBuffer) -> bool {
        self.receiver.let_go(input)
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.sender.state()
    }

    /// Parts the connection into halves that can live in different tasks or threads.
    ///
    /// What the receiving half then owes the peer, its [`Receiver::reply`] says.
    #[must_use]
    pub fn split(self) -> (Receiver<R>, Sender<R>) {
        (self.receiver, self.sender)
    }

    /// Makes a connection of its two halves again.
    #[must_use]
    pub fn join(receiver: Receiver<R>, sender: Sender<R>) -> Self {
        Self { receiver, sender }
    }

    #[inline]
    fn step(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        advance: impl FnOnce(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>,
    ) -> Result<Progress, ReceiveError> {
        if self.sender.closed().is_some() && self.receiver.failure().is_none() {
            self.receiver.discard(input);
            return Ok(Progress::Ended);
        }
        let progress = advance(&mut self.receiver, input);
        self.receiver.reply_to(&mut self.sender, input, output);
        progress
    }
}

/// Of two halves that are both at hand.
impl<R: Role> Receiver<R> {
    /// Lets the sending half send the [`reply`](Self::reply) that is owed, if one is.
    #[inline]
    pub(crate) fn reply_to(
        &mut self,
        sender: &mut Sender<R>,
        input: &ReadBuffer,
        output: &mut WriteBuffer,
    ) {
        // Mostly there is none.
        if self.owes_reply() {
            self.reply_owed_to(sender, input, output);
        }
    }

    // Out of line: a reply takes room on the stack, which a message has no use for.
    #[cold]
    #[inline(never)]
    fn reply_owed_to(
        &mut self,
        sender: &mut Sender<R>,
        input: &ReadBuffer,
        output: &mut WriteBuffer,
    ) {
        if let Some(reply) = self.reply(input) {
            sender.reply(&reply, output);
        }
    }
}

/// What a connection passes on to its sending half.
impl<R: Role> Connection<R> {
    /// Queues a text message: see [`Sender::send_text`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send_text(&mut self, text: &str, output: &mut WriteBuffer) -> Result<(), SendError> {
        self.sender.send_text(text, output)
    }

    /// Queues a binary message: see [`Sender::send_binary`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.sender.send_binary(data, output)
    }

    /// Queues a message, in whichever form it is at hand: see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send<'a>(
        &mut self,
        payload: impl Into<Payload<'a>>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send(payload, output)
    }

    /// Queues a message that was encoded before: see [`Sender::send_prepared`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_prepared(
        &mut self,
        message: &PreparedMessage,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_prepared(message, output)
    }

    /// Queues a piece of a message: see [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'a>(
        &mut self,
        piece: impl Into<Payload<'a>>,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(piece, fin, output)
    }

    /// Queues the header alone of a frame: see [`Sender::start_frame`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start_frame(
        &mut self,
        kind: Kind,
        len: u64,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<Option<MaskKey>, SendError> {
        self.sender.start_frame(kind, len, fin, output)
    }

    /// Queues a ping: see [`Sender::ping`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping(&mut self, payload: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.sender.ping(payload, output)
    }

    /// Queues an unsolicited pong: see [`Sender::pong`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn pong(&mut self, payload: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.sender.pong(payload, output)
    }

    /// Queues a Close: see [`Sender::close`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.sender.close(code, reason, output)
    }

    /// Queues the pong that was held back, if there is room for it now: see [`Sender::queue_owed`].
    pub fn queue_owed(&mut self, output: &mut WriteBuffer) {
        self.sender.queue_owed(output);
    }

    /// Whether a message can be queued beside what waits: see [`Sender::has_room`].
    #[must_use]
    pub fn has_room(&self, output: &WriteBuffer) -> bool {
        self.sender.has_room(output)
    }

    /// What the transport is to do next: see [`Sender::next`].
    #[inline]
    pub fn next(&mut self, output: &WriteBuffer, clock: impl FnOnce() -> Duration) -> Next<'_> {
        self.sender.next(output, clock)
    }

    /// Says what came of reading: see [`Sender::did_read`].
    #[inline]
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.sender.did_read(outcome);
    }

    /// Says what came of writing: see [`Sender::did_write`].
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        self.sender.did_write(outcome, output);
    }

    /// Says what came of ending the writing side: see [`Sender::did_shut_down`].
    pub fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.sender.did_shut_down(outcome);
    }

    /// How the connection ended, as soon as that is known: see [`Sender::closed`].
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.sender.closed()
    }

    /// Says that this end is about to drop the transport: see [`Sender::leave`].
    pub fn leave(&mut self) {
        self.sender.leave();
    }

    /// Says how the transport ended, and learns how the connection did: see
    /// [`Sender::transport_ended`].
    pub fn transport_ended(&mut self, how: TransportEnd, output: &WriteBuffer) -> &Closed {
        self.sender.transport_ended(how, output)
    }
}
