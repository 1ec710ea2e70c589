//! Two directions, and how both connections end.

use super::direction::{Direction, Found};
use super::end::{RelayCause, RelayEnd};
use super::frames::{FrameRelay, Side};
use crate::buffer::ReadBuffer;
use crate::connection::ProtocolError;
use crate::frame::CloseCode;
use crate::mask::{MaskKey, MaskKeys};
use crate::negotiated::Negotiated;
use crate::timers::Deadline;
use crate::transport::{Fin, IoFailure, Wants, earliest};
use alloc::{format, string::ToString};
use core::{fmt, time::Duration};

/// A connection to a client and one to a server, whose frames are passed on. You do the IO.
///
/// Each side has a [`ReadBuffer`], which is yours: [`input`] of a side means the buffer into which you
/// read from it. A loop asks [`next`](Self::next) what to do with the two transports, does it as far as
/// possible without waiting, and reports the outcomes. What to write to a side,
/// [`output`](Self::output), comes straight from the input of the other side.
///
/// [`input`]: Self::did_read
///
/// # Backpressure
///
/// At most 64 KiB, and the rest of a read, wait for a side that does not read. Until they are written,
/// nothing is read from the other side, whose transport then fills up. The relay does not notice then
/// that the other side has left, so give this a limit with [`write_timeout`](Self::write_timeout): there
/// is none by default. There is none for silence either: pings and their timeouts are the peers' own.
///
/// # How it ends
///
/// | what happens | to the side that caused it | to the other side |
/// |---|---|---|
/// | a Close | the other side's answer | the Close |
/// | the server is lost without a Close | | a Close with 1014 |
/// | the client is lost without a Close | | what was read, then the end of the transport |
/// | the server violates the protocol | a Close with the code for it | a Close with 1014 |
/// | the client violates the protocol | a Close with the code for it | a Close with 1001 |
/// | [`close`](Self::close) | | a Close with that code to both |
/// | a side takes nothing for the [write timeout](Self::write_timeout) | | as if it was lost |
///
/// The relay sends its own Close after the frame that is being passed on. If the rest of that frame does
/// not arrive, the transport ends without a Close, which the peer sees as 1006. Once the end has begun,
/// the rest may take the close timeout, 5 seconds by default.
///
/// The server ends TCP first (RFC 6455 §7.1.1): the relay ends its writing side to the client after both
/// Closes, and waits for the server to end the other connection.
///
/// ```
/// use sansocket::handshake::Negotiated;
/// use sansocket::mask::MaskKey;
/// use sansocket::relay::{Relay, RelayNext, Side};
/// use sansocket::{CloseCode, buffer::ReadBuffer};
/// use std::time::Duration;
///
/// # fn keys() -> impl sansocket::mask::MaskKeys { || MaskKey::new([1, 2, 3, 4]) }
/// // What the server has agreed to, and a strong source of mask keys.
/// let mut relay = Relay::new(&Negotiated::new(), keys());
/// let mut from_client = ReadBuffer::new();
///
/// // What a socket would deliver: the masked "Hello" of RFC 6455 §5.7.
/// let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// from_client.extend_from_slice(hello);
/// relay.did_read(Side::Client, Ok(hello.len()), &mut from_client);
///
/// let now = Duration::ZERO; // Since any fixed moment.
/// if let RelayNext::Wants { server, .. } = relay.next(|| now) {
///     assert!(server.write);
///     assert_eq!(relay.output(Side::Server, &from_client), hello);
///     relay.did_write(Side::Server, Ok(hello.len()), &mut from_client);
/// }
/// assert!(from_client.is_drained());
/// ```
pub struct Relay<K> {
    to_server: Direction,
    to_client: Direction,
    keys: K,
    cause: Option<RelayCause>,
    deadline: Deadline,
    close_timeout: Duration,
    write_timeout: Option<Duration>,
}

/// What to do with the two transports next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a relay continues or ends")]
pub enum RelayNext {
    /// Do this as far as possible without waiting, report the outcomes, and ask again once something
    /// more is possible, or at the deadline, which is the same for both.
    Wants {
        /// With the transport to the client.
        client: Wants,
        /// With the transport to the server.
        server: Wants,
    },
    /// It is over. Drop both transports.
    Ended(RelayEnd),
}

/// How long the end may take, by default.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl<K: MaskKeys> Relay<K> {
    /// Creates a relay after both opening handshakes, which have agreed on the same: see
    /// [the module](super#what-to-agree-on).
    ///
    /// The keys mask the Closes of the relay itself. Frames of the client keep their masks.
    #[must_use]
    pub fn new(negotiated: &Negotiated, keys: K) -> Self {
        Self {
            to_server: Direction::new(FrameRelay::new(Side::Client, negotiated)),
            to_client: Direction::new(FrameRelay::new(Side::Server, negotiated)),
            keys,
            cause: None,
            deadline: Deadline::default(),
            close_timeout: CLOSE_TIMEOUT,
            write_timeout: None,
        }
    }

    /// Sets the largest frame of either side, in bytes: see [`FrameRelay::frame_limit`]. There is no
    /// limit by default, because the relay holds no frames.
    #[must_use]
    pub fn frame_limit(mut self, bytes: u64) -> Self {
        self.to_server.set_frames(|frames| frames.frame_limit(bytes));
        self.to_client.set_frames(|frames| frames.frame_limit(bytes));
        self
    }

    /// Sets the largest message of either side, in bytes as transmitted: see
    /// [`FrameRelay::message_limit`]. There is no limit by default.
    #[must_use]
    pub fn message_limit(mut self, bytes: u64) -> Self {
        self.to_server.set_frames(|frames| frames.message_limit(bytes));
        self.to_client.set_frames(|frames| frames.message_limit(bytes));
        self
    }

    /// Sets how long the end may take, from the first Close, loss or fault.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets how long a side may take none of the bytes that wait for it, before it counts as lost. By
    /// default there is no limit: a side that never reads then keeps both connections, even when the
    /// other side has left.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = Some(timeout);
        self
    }

    /// Returns what to do with the transports next.
    ///
    /// `clock` returns the time as a duration since any fixed moment. It is called only while the
    /// relay is ending, and while bytes wait that have a timeout.
    pub fn next(&mut self, clock: impl FnOnce() -> Duration) -> RelayNext {
        let is_waiting = |side| self.direction_to(side).wants_write();
        let has_timeout = self.write_timeout.is_some() && Side::BOTH.into_iter().any(is_waiting);
        if self.cause.is_some() || has_timeout {
            let now = clock();
            self.check_writes(now);
            if let Some(end) = self.end(now) {
                return RelayNext::Ended(end);
            }
        }
        RelayNext::Wants { client: self.wants(Side::Client), server: self.wants(Side::Server) }
    }

    /// Reports the outcome of a read from a side: the number of bytes added to its input, or 0 at the
    /// end of the transport.
    ///
    /// Bytes that are left from an opening handshake count as read: report them before the first
    /// [`next`](Self::next).
    pub fn did_read(
        &mut self,
        from: Side,
        outcome: Result<usize, IoFailure>,
        input: &mut ReadBuffer,
    ) {
        match outcome {
            Ok(1..) => self.advance(from, input),
            Err(IoFailure::NotReady) => {}
            Ok(0) | Err(_) => self.ended(from, input),
        }
    }

    /// Returns the next bytes to write to a side. `input` is that of the other side. The result is
    /// empty if there is nothing to write.
    #[must_use]
    pub fn output<'a>(&'a self, to: Side, input: &'a ReadBuffer) -> &'a [u8] {
        self.direction_to(to).output(input)
    }

    /// Reports the outcome of a write to a side: how many bytes of its [`output`](Self::output) were
    /// written. `input` is that of the other side. If the transport holds bytes back until it is
    /// flushed, flush it before you wait.
    ///
    /// Writing 0 bytes when there are bytes to write is a failure.
    pub fn did_write(
        &mut self,
        to: Side,
        outcome: Result<usize, IoFailure>,
        input: &mut ReadBuffer,
    ) {
        let direction = self.direction_to_mut(to);
        match outcome {
            Ok(count @ 1..) => direction.written(count, input),
            Err(IoFailure::NotReady) => {}
            // What the side has sent before is still read: it may be a Close.
            Ok(0) | Err(_) => {
                direction.target_failed(input);
                self.begin_end(RelayCause::Lost(to));
            }
        }
        if self.cause.is_some() {
            self.advance(to.other(), input);
        }
    }

    /// Reports the outcome of ending the writing side of the transport to a side.
    pub fn did_shut_down(&mut self, to: Side, outcome: Result<(), IoFailure>) {
        self.direction_to_mut(to).fin = Fin::after(outcome);
    }

    /// Closes both connections, as when the relay stops. Does nothing for a side to which a Close is
    /// already on its way.
    ///
    /// A code that must not be sent becomes [`CloseCode::INTERNAL_ERROR`]. A reason of more than 123
    /// bytes is cut.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        let code = if code.is_sendable() { code } else { CloseCode::INTERNAL_ERROR };
        Side::BOTH.into_iter().for_each(|side| self.close_to(side, code, reason));
        self.begin_end(RelayCause::Relay);
    }

    fn direction_to(&self, to: Side) -> &Direction {
        match to {
            Side::Client => &self.to_client,
            Side::Server => &self.to_server,
        }
    }

    fn direction_to_mut(&mut self, to: Side) -> &mut Direction {
        self.with_keys(to).0
    }

    /// Returns the direction to a side, with the source of the keys for it.
    fn with_keys(&mut self, to: Side) -> (&mut Direction, impl FnMut() -> Option<MaskKey> + '_) {
        let Self { to_server, to_client, keys, .. } = self;
        let direction = if to == Side::Client { to_client } else { to_server };
        // §5.1: only what goes to the server is masked.
        (direction, move || (to == Side::Server).then(|| keys.next_key()))
    }

    fn close_to(&mut self, to: Side, code: CloseCode, reason: &str) {
        let (direction, mut key) = self.with_keys(to);
        direction.close(code, reason, &mut key);
    }

    fn begin_end(&mut self, cause: RelayCause) {
        self.cause.get_or_insert(cause);
        self.deadline.set();
    }

    fn advance(&mut self, from: Side, input: &mut ReadBuffer) {
        let (direction, mut key) = self.with_keys(from.other());
        let found = direction.advance(input, &mut key);
        drop(key);
        match found {
            Found::Nothing => {}
            Found::Close => self.begin_end(RelayCause::Closed(from)),
            Found::Fault(error) => self.failed(from, error),
        }
    }

    /// Fails a side (RFC 6455 §7.1.7), and tells the other one.
    fn failed(&mut self, from: Side, error: ProtocolError) {
        self.close_to(from, error.close_code(), &error.to_string());
        match from {
            // The registry has this code for a gateway that gets an invalid response.
            Side::Server => self.close_to(
                Side::Client,
                CloseCode::BAD_GATEWAY,
                "the server behind the relay violated the protocol",
            ),
            // The server did nothing wrong, and its peer is leaving.
            Side::Client => {
                let reason = format!("the client failed: {error}");
                self.close_to(Side::Server, CloseCode::GOING_AWAY, &reason);
            }
        }
        self.begin_end(RelayCause::Fault(from, error));
    }

    /// Handles the end of the transport from a side.
    fn ended(&mut self, from: Side, input: &mut ReadBuffer) {
        let direction = self.direction_to_mut(from.other());
        let was_done = direction.source_is_done();
        direction.source_ended();
        if !was_done {
            // The client gets no Close if it has ended its side too.
            if from == Side::Server && !self.to_server.source_has_ended() {
                let reason = "the server behind the relay ended the connection";
                self.close_to(Side::Client, CloseCode::BAD_GATEWAY, reason);
            } else {
                // A Close would say more than the relay knows.
                self.direction_to_mut(from.other()).cut();
            }
            self.begin_end(RelayCause::Lost(from));
        }
        self.advance(from, input);
    }

    /// Begins the end if a side has taken nothing for too long.
    fn check_writes(&mut self, now: Duration) {
        let (None, Some(timeout)) = (self.cause, self.write_timeout) else { return };
        if self.to_client.has_stalled(now, timeout) {
            self.to_server.cut();
            self.begin_end(RelayCause::Lost(Side::Client));
        } else if self.to_server.has_stalled(now, timeout) {
            let reason = "the server behind the relay does not read";
            self.close_to(Side::Client, CloseCode::BAD_GATEWAY, reason);
            self.begin_end(RelayCause::Lost(Side::Server));
        }
    }

    fn end(&mut self, now: Duration) -> Option<RelayEnd> {
        let cause = self.cause?;
        let is_over = self.deadline.passed(now, self.close_timeout);
        if !is_over && !Side::BOTH.into_iter().all(|side| self.is_done(side)) {
            return None;
        }
        let code = |direction: &Direction| {
            let code = direction.received_close()?;
            Some(code.unwrap_or(CloseCode::NO_STATUS_RECEIVED))
        };
        let (client_code, server_code) = (code(&self.to_server), code(&self.to_client));
        Some(RelayEnd { cause, client_code, server_code })
    }

    fn next_deadline(&self) -> Option<Duration> {
        match self.cause {
            Some(_) => self.deadline.next(),
            None => earliest(self.to_client.stall_deadline(), self.to_server.stall_deadline()),
        }
    }

    fn wants(&self, side: Side) -> Wants {
        let (to, from) = (self.direction_to(side), self.direction_to(side.other()));
        let may_shut_down = match side {
            // RFC 6455 §7.1.1: the server ends TCP, after both Closes or when it can't wait.
            Side::Client => to.is_cut() || from.source_is_done(),
            Side::Server => to.is_cut() || from.source_has_failed(),
        };
        Wants {
            write: to.wants_write(),
            read: from.wants_read(),
            shut_down_write: may_shut_down
                && to.is_all_written()
                && to.fin.is_open()
                && !to.target_has_failed(),
            deadline: self.next_deadline(),
        }
    }

    /// Returns `true` if the transport to a side is not needed any more.
    fn is_done(&self, side: Side) -> bool {
        let (to, from) = (self.direction_to(side), self.direction_to(side.other()));
        let is_written = to.target_has_failed() || to.is_all_written();
        // Without a half-close, nobody learns of the end before the transport is dropped.
        let is_ended = from.source_has_ended() || to.fin == Fin::Unsupported;
        is_written && is_ended && !self.wants(side).shut_down_write
    }
}

impl Side {
    const BOTH: [Self; 2] = [Self::Client, Self::Server];
}

impl<K> fmt::Debug for Relay<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("to_server", &self.to_server)
            .field("to_client", &self.to_client)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
