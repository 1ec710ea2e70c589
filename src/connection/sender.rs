//! The sending half of a connection: messages and control frames in, bytes out (RFC 6455 §5, §6.1).

#[cfg(feature = "std")]
mod compressing;
pub(crate) mod control;
mod counting;
#[cfg(feature = "deflate")]
mod deflating;
mod gathered;
mod in_place;
mod large_message;
pub(crate) mod messages;
mod next;
mod pushing;
mod rare;
mod timeouts;

#[cfg(feature = "std")]
pub(crate) use compressing::Compressing;
pub use gathered::FinishError;
pub use in_place::InPlace;
#[cfg(feature = "std")]
pub(crate) use in_place::gather;
pub(crate) use large_message::LargeMessage;
pub use next::Next;

#[cfg(feature = "deflate")]
use self::deflating::Deflating;
use self::rare::{Backlog, Rare};
use super::ending::Ending;
use super::shared_config::SharedConfig;
use super::{Config, MessageKind, Role, SendError};
use crate::budget::{LEAST_SHARE, Share};
use crate::buffer::{MOST_UNBROKEN, WriteBuffer};
use crate::frame::{FrameHeader, HEADER_ROOM, OpCode, Rsv};
use crate::mask::MaskKey;
use crate::negotiated::Negotiated;
use alloc::boxed::Box;

/// The sending half of a connection.
///
/// The sender makes all decisions about the transport, also about reading. Share it with its output,
/// for example in a lock, between the side that writes and the side that reads:
///
/// 1. Both sides may call [`next`](Self::next). Its permission to read is not for one read: it
///    stays until a later call returns a set without it. Don't hold the lock while you read or write.
/// 2. After each read, call [`advance`](super::Receiver::advance) as long as it goes on. After each
///    of these calls, even one that fails, take the [`reply`](super::Receiver::reply).
/// 3. Pass the replies to [`Sender::reply`](Self::reply) and the outcome of the read to
///    [`did_read`](Self::did_read), in either order, with no call of `next` in between. The other side
///    may call `next` while you read.
/// 4. Then wake the side that writes, so that it calls `next` again: there may be output, a writing
///    side to end, or a new deadline. Without this, the connection ends seconds late, or never.
/// 5. After each call of `next`, look at [`closed`](Self::closed): either side may find the end.
///
/// ```
/// use sansocket::buffer::{ReadBuffer, WriteBuffer};
/// use sansocket::connection::{Receiver, Sender, Server};
/// use sansocket::transport::IoFailure;
/// use std::sync::{Condvar, Mutex};
///
/// /// What both sides share.
/// struct Sending {
///     sender: Sender<Server>,
///     output: WriteBuffer,
/// }
///
/// /// The side that reads calls this after each read.
/// fn did_read(
///     outcome: Result<usize, IoFailure>,
///     receiver: &mut Receiver<Server>,
///     input: &mut ReadBuffer,
///     sending: &Mutex<Sending>,
///     writer: &Condvar,
/// ) {
///     let mut replies = Vec::new();
///     loop {
///         let progress = receiver.advance(input);
///         replies.extend(receiver.reply(input));
///         if !progress.is_ok_and(|progress| progress.goes_on()) {
///             break;
///         }
///         if let Some(event) = receiver.event(input) {
///             println!("{event:?}");
///         }
///     }
///     let mut sending = sending.lock().unwrap();
///     let Sending { sender, output } = &mut *sending;
///     for reply in &replies {
///         sender.reply(reply, output);
///     }
///     sender.did_read(outcome);
///     writer.notify_one();
/// }
/// # use sansocket::{Config, connection::Connection, handshake::Negotiated};
/// # let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
/// # let (sender, mut receiver) = connection.split();
/// # let sending = Mutex::new(Sending { sender, output: WriteBuffer::new() });
/// # let mut input = ReadBuffer::new();
/// # input.extend_from_slice(b"\x89\x80\0\0\0\0");
/// # did_read(Ok(6), &mut receiver, &mut input, &sending, &Condvar::new());
/// # assert_eq!(sending.into_inner().unwrap().output.front(), b"\x8a\0");
/// ```
#[derive(Debug)]
pub struct Sender<R> {
    role: R,
    config: SharedConfig,
    /// The kind of the message that is being sent in fragments, if any.
    message: Option<MessageKind>,
    #[cfg(feature = "deflate")]
    deflating: Option<Box<Deflating>>,
    /// Whether the message that is being sent in fragments is compressed.
    #[cfg(feature = "deflate")]
    compressed: bool,
    may_send: MaySend,
    /// If the queue with a new message has fewer bytes than this, it is not full, no control frame needs
    /// a place before that message, and the message is not counted.
    short_queue: u32,
    /// What is known about the end of the connection, once the end approaches in any way.
    ending: Option<Box<Ending>>,
    /// In one place, because 8 bytes more in a connection can cost 128 in its task.
    rare: Option<Box<Rare>>,
    /// Whether the transport may hold back bytes that it has accepted.
    pub(crate) unflushed: bool,
}

/// Which frames may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaySend {
    Everything,
    /// This endpoint has sent its Close but still answers pings (RFC 6455 §5.5.2).
    Pongs,
    Nothing,
}

impl<R: Role> Sender<R> {
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(super) fn new(
        role: R,
        config: &Config,
        shared: SharedConfig,
        negotiated: &Negotiated,
    ) -> Self {
        #[cfg(feature = "deflate")]
        let deflating = negotiated
            .deflate
            .and_then(|agreed| {
                let (config, reservation) = (config.deflate, negotiated.reservation.clone());
                Deflating::new::<R>(&agreed, &config.unwrap_or_default(), reservation)
            })
            .map(Box::new);
        let short_queue = short_queue(&shared, config);
        Self {
            #[cfg(feature = "deflate")]
            deflating,
            #[cfg(feature = "deflate")]
            compressed: false,
            role,
            // With counters, no message takes the path that does not count.
            short_queue: if config.counters { 0 } else { short_queue },
            config: shared,
            message: None,
            may_send: MaySend::Everything,
            ending: None,
            rare: Rare::new(config, short_queue).map(Box::new),
            unflushed: false,
        }
    }

    /// Returns `true` if a message of this length takes the fast path: at once, uncompressed, in
    /// one frame. This is `false` for every message that [`check_message`](Self::check_message)
    /// refuses; that check is slower, because it finds the reason.
    #[inline]
    fn sends_plainly(&self, len: usize, output: &WriteBuffer) -> bool {
        self.is_plain(len, self.short_queue, output)
    }

    #[inline(always)]
    fn is_plain(&self, len: usize, short_queue: u32, output: &WriteBuffer) -> bool {
        #[cfg(feature = "deflate")]
        if self.deflating.is_some() {
            return false;
        }
        self.is_open() && self.message.is_none() && output.len() + len < short_queue as usize
    }

    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        // §5.5.1: no frame of the application follows a Close. §6.1: a message requires an open
        // connection.
        if self.is_open() { Ok(()) } else { Err(self.closed_error()) }
    }

    #[cold]
    fn closed_error(&self) -> SendError {
        self.ending.as_ref().map_or_else(|| Ending::default().refusal(), |ending| ending.refusal())
    }

    /// Returns `true` if a message can be queued in addition to `output`: that is, if `output` does
    /// not exceed [`Limits::queued_output`](crate::limits::Limits::queued_output). Also returns
    /// `true` if the connection is closing: there will never be room again, and sending reports the
    /// reason.
    #[must_use]
    pub fn has_room(&self, output: &WriteBuffer) -> bool {
        !self.is_open() || self.check_queue(output).is_ok()
    }

    /// Checks that the application may queue more.
    #[inline]
    pub(crate) fn check_queue(&self, output: &WriteBuffer) -> Result<(), SendError> {
        let limit = self.config.limits.queued_output;
        if output.len() <= limit && self.share().is_none() {
            return Ok(());
        }
        self.check_long_queue(output, limit)
    }

    #[cold]
    fn check_long_queue(&self, output: &WriteBuffer, limit: usize) -> Result<(), SendError> {
        // Pongs have room of their own.
        let queued = output.len().saturating_sub(output.control_len());
        if queued > limit {
            return Err(SendError::QueueFull { queued, limit });
        }
        match self.exceeded_share(output) {
            // If everything is written, there is nothing to wait for. In the middle of a message, what
            // is in the outbox even waits for this one.
            Some((held, limit)) if queued > 0 => Err(SendError::QueueFull { queued: held, limit }),
            _ => Ok(()),
        }
    }

    /// Notes what this half holds of a budget, if there is one.
    #[inline]
    fn count_held(&mut self, output: &WriteBuffer) {
        if self.share().is_some() {
            let all = self.buffered_amount(output);
            let own =
                output.own_len() + self.backlog().map_or(0, |backlog| backlog.outbox.own_bytes());
            if let Some(share) = self.rare.as_mut().and_then(|rare| rare.share.as_mut()) {
                share.hold(own, all - own);
            }
        }
    }

    /// If this half holds more than its share of a budget that is used up, returns how much it holds,
    /// and its share.
    fn exceeded_share(&self, output: &WriteBuffer) -> Option<(usize, usize)> {
        // Shared bytes included: otherwise nobody would give way to many that are shared by few.
        let held = self.buffered_amount(output);
        Some((held, self.share()?.exceeded_by(held)?))
    }

    #[inline]
    fn share(&self) -> Option<&Share> {
        self.rare.as_ref()?.share.as_deref()
    }

    /// Returns what waits for the output to become short. Most connections have nothing that does.
    #[inline]
    fn backlog(&self) -> Option<&Backlog> {
        self.rare.as_ref()?.backlog.as_deref()
    }

    fn backlog_mut(&mut self) -> Option<&mut Backlog> {
        self.rare.as_mut()?.backlog.as_deref_mut()
    }

    // Always inlined, like `append_header`: the arguments then stay out of memory, and most of the
    // header is a compile-time constant.
    #[inline(always)]
    fn append_frame(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) {
        // Reserved before the header is made: a later call would move the header through memory.
        output.make_room(HEADER_ROOM);
        let mask = self.role.next_key();
        let header = FrameHeader { fin, rsv, opcode, mask, payload_len: payload.len() as u64 };
        let (header, len) = header.to_bits();
        match mask {
            Some(key) => output.extend_masked_behind(header, len, payload, key),
            None => output.extend_behind(header, len, payload),
        }
    }

    #[inline(always)]
    fn append_header(
        &mut self,
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        payload_len: u64,
        output: &mut WriteBuffer,
    ) -> Option<MaskKey> {
        output.make_room(HEADER_ROOM);
        let mask = self.role.next_key();
        let (header, len) = FrameHeader { fin, rsv, opcode, mask, payload_len }.to_bits();
        output.extend_behind(header, len, &[]);
        mask
    }
}

fn short_queue(shared: &SharedConfig, config: &Config) -> u32 {
    let mut most = shared.limits.queued_output.min(shared.largest_fragment());
    if config.budget.is_some() {
        // A longer queue may exceed the share.
        most = most.min(LEAST_SHARE);
    }
    // Including its header, such a queue needs no boundary yet.
    let most = u32::try_from(most).unwrap_or(u32::MAX).min(MOST_UNBROKEN - HEADER_ROOM as u32);
    most + 1
}
