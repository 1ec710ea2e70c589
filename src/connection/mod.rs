//! A connection after its opening handshake: frames in, messages out, and back (RFC 6455 §5–§7).
//!
//! Start with [`Connection`]. A *Close* is a Close frame.

mod closed;
mod config;
mod counters;
mod data_rate;
mod ending;
mod error;
mod forwarding;
pub(crate) mod fragment_buffer;
mod fragments;
mod heartbeat;
mod idle;
mod initiator;
mod message;
mod outbox;
pub(crate) mod payload;
mod period;
mod prepared;
mod queue;
mod reads;
mod receiver;
mod reply;
mod role;
mod round_trip;
pub(crate) mod sender;
mod shared_config;

pub use closed::{Cause, Closed, State, TransportEnd};
pub use config::{Config, Keepalive, MinDataRate};
pub use counters::{Counters, DirectionCounters};
pub use error::{ProtocolError, ReceiveError, SendError};
#[cfg(feature = "std")]
pub(crate) use forwarding::counters_of;
pub use fragment_buffer::{FragmentBuffer, GatherError};
pub use initiator::Initiator;
pub use message::{Chunk, Event, Message, MessageKind};
pub use outbox::{Amount, Dropped, OutboxConfig, Pushed, WhenFull};
#[cfg(feature = "std")]
pub(crate) use payload::Form;
pub use payload::{AsPayload, Payload};
pub use prepared::{PreparedMessage, SharedBytes};
pub use receiver::{Progress, Receiver};
#[cfg(feature = "std")]
pub(crate) use receiver::{Traffic, TrafficLimit};
pub use reply::{ControlPayload, Received, Reply};
pub use role::{Client, Role, Server};
pub use round_trip::RoundTripTime;
#[cfg(feature = "std")]
pub(crate) use sender::{Compressing, LargeMessage, gather};
pub use sender::{FinishError, InPlace, Next, Sender};

use self::shared_config::SharedConfig;
use crate::buffer::{Memory, ReadBuffer, WriteBuffer};
use crate::negotiated::Negotiated;
use core::borrow::BorrowMut;

/// One endpoint of a WebSocket connection, without its transport.
///
/// # Driving a connection
///
/// The methods fall into five groups. A loop calls them in this order:
///
/// 1. *Advance*: call [`advance`](Self::advance) as long as its result
///    [goes on](Progress::goes_on). After that, the buffer holds no further complete event. Start
///    the loop with this step: the bytes that arrived right after the opening handshake may be all
///    that the peer ever sends.
/// 2. *Look* at each [`event`](Self::event). An event borrows the [`ReadBuffer`], not the
///    connection.
/// 3. *Send* at any time, even while you hold an event: [`send_text`](Self::send_text),
///    [`ping`](Self::ping), [`close`](Self::close) and the like only queue bytes in the
///    [`WriteBuffer`].
/// 4. *Ask* what to do with the transport: [`next`](Self::next) returns a set of operations, or the
///    end of the connection. Carry out each operation as far as possible without waiting; one read
///    and one write per call of `next` are enough. Then wait until one of the remaining operations
///    can proceed, at most until the deadline of the set, and ask again. Also ask again after you
///    queue something outside the loop: there is now something to write, and a Close starts a
///    deadline.
/// 5. *Report* what happened: [`did_write`](Self::did_write),
///    [`did_shut_down`](Self::did_shut_down) and [`did_read`](Self::did_read). Report failures as
///    well, including [`NotReady`](crate::transport::IoFailure::NotReady). If you can carry out only
///    a part of the set, for example in a callback for a readable socket, report that part.
///
/// `next` also finds out how the connection ended. The transport can be needed for seconds after
/// that, so look at [`closed`](Self::closed) after each call of `next`, before you wait, if your
/// application should know early.
///
/// A loop that does this is a correct WebSocket endpoint on any transport. `advance` queues pongs,
/// the answer to a Close, and the Close that reports a failure. `next` covers the rest: which
/// endpoint ends the transport, how remaining input is drained, and how long each step may take.
/// You call `next` once per read or write, not once per message.
///
/// Advance through everything that you have read before you ask again, even if the transport has
/// ended: what the peer sent before the end determines how the connection ended. Once `next`
/// reports the end, any input that you have not advanced through is dropped. After
/// [`ReceiveError::Protocol`], which is the peer's fault, just continue the loop: `next` reports the
/// end once the peer has had a chance to read the reason. The other errors of `advance` are mistakes
/// in your code, and change nothing. Input that you hold back because there is no room for its
/// answers is not lost: within the close timeout, `next` does not report the end while something
/// waits to be written.
///
/// You do not need [`refill`](Self::refill) in such a loop: `did_write` and `next` call it.
///
/// # Backpressure
///
/// A peer that sends but does not read must not make your queue grow. Advance only while there [is
/// room](Self::has_room) for your answers. While there is none, you may skip the `read` of a set;
/// the transport then makes the peer wait. A message that is refused with [`SendError::QueueFull`]
/// is not lost either, because the event that it answers stays available until you advance. Write,
/// look at the event again, and send.
///
/// Skip reads only for input that you have to answer. An endpoint that also sends on its own accord
/// must keep reading: two such endpoints that both stop would wait for each other. A proxy that
/// holds a message back because its other connection is full must not read either. Otherwise it
/// reports the peer's end too early, and loses the message.
///
/// To push messages that nobody has asked for, use [`push`](Self::push): its
/// [outbox](Config::outbox) can drop or replace messages while the peer is slow.
///
/// # Time
///
/// | wait | at most |
/// |---|---|
/// | for the peer's Close, and for its end of the transport | [`Config::close_timeout`] |
/// | of a client for the server's end, before it reports a clean end | 1 s |
/// | of a server that failed the connection, on a transport without a half-close | 1 s |
/// | for input that arrived before a deadline, after it | 0.5 s |
/// | for a silent peer, if it is on | [`Config::keepalive`] |
/// | for a message, if it is on | [`Config::idle_timeout`] |
/// | for the rest of a message, if it is on | [`Config::min_data_rate`] |
///
/// With keepalive the connection sends the pings itself. If you send pings of your own instead, and
/// nothing answers, call [`transport_ended`](Self::transport_ended) with
/// [`TransportEnd::Timeout`]: a Close would wait for the peer again. Wait until the earlier of your
/// own timer and the deadline of the set. While you skip reads you see no pongs, so count a
/// successful write as a sign of the peer, too.
///
/// # Example
///
/// A server over a blocking socket. For a loop over a nonblocking socket, see the example of
/// [`Accepting`](crate::server::Accepting): a connection is driven in the same way.
///
#[cfg_attr(feature = "std", doc = "```")]
#[cfg_attr(not(feature = "std"), doc = "```ignore")]
/// use sansocket::buffer::{ReadBuffer, WriteBuffer};
/// use sansocket::connection::{Connection, Next, Progress, Server};
/// use sansocket::{Config, Event, handshake::Negotiated, transport::IoFailure};
/// use std::io::{self, ErrorKind, Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::time::{Duration, Instant};
///
/// fn echo(mut stream: TcpStream) {
///     let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
///     let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
///     let started = Instant::now();
///     loop {
///         // While there is no room for an answer, the event stays in the buffer.
///         while connection.has_room(&output)
///             && connection.advance(&mut input, &mut output).is_ok_and(Progress::goes_on)
///         {
///             // There is room, so sending fails only if the connection is closing.
///             let _ = match connection.event(&input) {
///                 Some(Event::Text(text)) => connection.send_text(text, &mut output),
///                 Some(Event::Binary(data)) => connection.send_binary(data, &mut output),
///                 _ => Ok(()),
///             };
///         }
///         let wants = match connection.next(&mut output, || started.elapsed()) {
///             Next::Wants(wants) => wants,
///             Next::Ended(closed) => return println!("{closed}"),
///         };
///         // A socket rejects a timeout of zero.
///         let left = wants.deadline.map(|moment| moment.saturating_sub(started.elapsed()));
///         let left = left.map(|left| left.max(Duration::from_millis(1)));
///         if wants.write {
///             let set = stream.set_write_timeout(left);
///             let written = set.and_then(|()| stream.write(output.front()));
///             connection.did_write(written.map_err(failure), &mut output);
///         } else if wants.shut_down_write {
///             let ended = stream.shutdown(Shutdown::Write);
///             connection.did_shut_down(ended.map_err(failure));
///         } else if wants.read {
///             let read = stream.set_read_timeout(left).and_then(|()| stream.read(input.spare(1)));
///             input.filled(*read.as_ref().unwrap_or(&0));
///             connection.did_read(read.map_err(failure));
///         } else if let Some(moment) = wants.deadline {
///             std::thread::sleep(moment.saturating_sub(started.elapsed()));
///         }
///     }
/// }
///
/// fn failure(error: io::Error) -> IoFailure {
///     match error.kind() {
///         // On Windows, this is how a socket reports the timeout for the deadline.
///         ErrorKind::TimedOut => IoFailure::NotReady,
///         _ => error.into(),
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
    /// Creates a connection whose opening handshake is complete, whether this crate or another
    /// library performed it.
    ///
    /// Bytes that arrived right after the peer's handshake belong in the read buffer of the
    /// connection: advance through them before you wait for more. `config` supplies the limits and
    /// sizes; `negotiated` determines whether messages are compressed.
    ///
    /// With the feature `deflate`, a connection implements permessage-deflate, and no other
    /// extension. If you have negotiated another one by hand, with
    /// [`Accept::extension`](crate::handshake::Accept::extension) or
    /// [`ClientRequest::extension`](crate::handshake::ClientRequest::extension), read and write the
    /// frames yourself with [`FrameHeader`](crate::frame::FrameHeader): a connection treats the
    /// reserved bits of that extension as a fault of the peer (RFC 6455 §5.2). The shells offer and
    /// accept no other extension.
    #[must_use]
    pub fn new(role: R, negotiated: &Negotiated, config: Config) -> Self {
        let shared = SharedConfig::from(&config);
        Self {
            receiver: Receiver::new(shared.clone(), &config, negotiated),
            sender: Sender::new(role, &config, shared, negotiated),
        }
    }

    /// Processes buffered input up to the next event: a whole message or a control frame. Queues
    /// the replies that the input requires in `output`.
    ///
    /// A call releases the bytes that the last event borrowed. After the end of the connection, it
    /// drops all buffered input.
    ///
    /// # Errors
    ///
    /// - [`ReceiveError::Protocol`]: the peer is at fault. Every later call returns the same error.
    ///   The Close that reports the error is already queued.
    /// - [`ReceiveError::ForeignBuffer`]: `input` is not the bound buffer; see
    ///   [`unbind`](Self::unbind). Nothing changes.
    /// - [`ReceiveError::MixedModes`]: the message in progress is received the other way. Nothing
    ///   changes.
    #[inline]
    pub fn advance(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<Progress, ReceiveError> {
        self.step(input, output, Receiver::advance)
    }

    /// Returns the event that the last [`advance`](Self::advance) found, or `None` if it found
    /// none.
    #[inline]
    #[must_use]
    pub fn event<'b>(&self, input: &'b ReadBuffer) -> Option<Event<'b>> {
        self.receiver.event(input)
    }

    /// Takes the current event as an owned message, if it is a whole message.
    /// [`event`](Self::event) then no longer returns it.
    ///
    /// A large message that fills at least half of the buffer's memory takes that memory along; any
    /// other message is copied. See [`Receiver::take_message`].
    pub fn take_message(&mut self, input: &mut ReadBuffer) -> Option<Message> {
        self.receiver.take_message(input)
    }

    /// Like [`take_message`](Self::take_message), with memory that is leased from and released to
    /// `memory`: see [`Receiver::take_message_with`].
    pub fn take_message_with(
        &mut self,
        input: &mut ReadBuffer,
        memory: &impl Memory,
    ) -> Option<Message> {
        self.receiver.take_message_with(input, memory)
    }

    /// Like [`advance`](Self::advance), but stops at the next piece of a message, as pieces arrive.
    /// Read the piece with [`chunk`](Self::chunk).
    ///
    /// The limits on frames, messages and fragments do not apply here, because they do not bound
    /// memory.
    ///
    /// # Errors
    ///
    /// - [`ReceiveError::Protocol`]: the peer is at fault. Every later call returns the same error.
    ///   The Close that reports the error is already queued.
    /// - [`ReceiveError::ForeignBuffer`]: `input` is not the bound buffer; see
    ///   [`unbind`](Self::unbind). Nothing changes.
    /// - [`ReceiveError::MixedModes`]: the message in progress is received the other way. Nothing
    ///   changes.
    pub fn advance_chunk(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<Progress, ReceiveError> {
        self.step(input, output, Receiver::advance_chunk)
    }

    /// Returns the chunk that the last [`advance_chunk`](Self::advance_chunk) found, or `None` if
    /// it found none.
    #[must_use]
    pub fn chunk<'b>(&self, input: &'b ReadBuffer) -> Option<Chunk<'b>> {
        self.receiver.chunk(input)
    }

    /// Skips the rest of the message of which a chunk was found: see [`Receiver::skip_message`].
    pub fn skip_message(&mut self) {
        self.receiver.skip_message();
    }

    /// Unbinds the read buffer if it is empty, so that you can use another buffer next: see
    /// [`Receiver::unbind`].
    pub fn unbind(&mut self, input: &ReadBuffer) -> bool {
        self.receiver.unbind(input)
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.sender.state()
    }

    /// Splits the connection into halves that can live in different tasks or threads. [`Sender`]
    /// describes how to drive them.
    #[must_use]
    pub fn split(self) -> (Sender<R>, Receiver<R>) {
        (self.sender, self.receiver)
    }

    /// Joins the two halves into a connection again.
    #[must_use]
    pub fn join(sender: Sender<R>, receiver: Receiver<R>) -> Self {
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

/// Methods for callers that hold both halves.
impl<R: Role> Receiver<R> {
    /// Makes the sending half queue the [`reply`](Self::reply), if one is owed.
    #[inline]
    pub(crate) fn reply_to(
        &mut self,
        sender: &mut Sender<R>,
        input: &ReadBuffer,
        output: &mut impl BorrowMut<WriteBuffer>,
    ) {
        // Most input requires no reply.
        if self.owes_reply() {
            self.reply_owed_to(sender, input, output);
        }
    }

    // Out of line: a reply takes stack space that messages do not need.
    #[cold]
    #[inline(never)]
    fn reply_owed_to(
        &mut self,
        sender: &mut Sender<R>,
        input: &ReadBuffer,
        output: &mut impl BorrowMut<WriteBuffer>,
    ) {
        if let Some(reply) = self.reply(input) {
            sender.reply_in(&reply, output);
        }
    }
}
