//! Control frames: those of the application, those that the receiving half owes the peer, and the
//! Closes that end the connection (RFC 6455 §5.5, §7).

use super::{MaySend, Sender};
use crate::buffer::WriteBuffer;
use crate::connection::closed::State;
use crate::connection::ending::SentClose;
use crate::connection::reply::ControlPayload;
use crate::connection::{ProtocolError, Reply, Role, SendError};
use crate::frame::{
    CloseCode, FrameHeader, HEADER_ROOM, MAX_CONTROL_PAYLOAD, OpCode, Rsv, cut_reason,
};
use alloc::{boxed::Box, string::ToString};
use core::{borrow::BorrowMut, time::Duration};

/// How many bytes of pong frames may be queued, in addition to what the application sends.
///
/// A peer that pings without reading can't use more memory than this. RFC 6455 §5.5.3 allows an
/// endpoint to answer only the latest of several pings, which happens beyond this limit.
const PONG_ROOM: usize = 4096;

/// Returns the code that a Close carries on the wire for this one: see [`Sender::close`]. `None` is an
/// empty Close.
pub(crate) fn sent_code(code: CloseCode) -> Result<Option<CloseCode>, SendError> {
    match code {
        CloseCode::NO_STATUS_RECEIVED => Ok(None),
        CloseCode::ABNORMAL | CloseCode::TLS_HANDSHAKE => Ok(Some(CloseCode::INTERNAL_ERROR)),
        code if code.is_sendable() => Ok(Some(code)),
        code => Err(SendError::UnsendableCode(code)),
    }
}

impl<R: Role> Sender<R> {
    /// Queues a ping with at most 125 bytes of payload. The peer's answer is an
    /// [`Event::Pong`](crate::Event::Pong) with the same payload.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::ControlTooLong`].
    pub fn ping(
        &mut self,
        payload: impl AsRef<[u8]>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_control(OpCode::Ping, payload.as_ref(), output)
    }

    /// Queues an unsolicited pong, which serves as a heartbeat (RFC 6455 §5.5.3). You don't need it
    /// to answer pings.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::ControlTooLong`].
    pub fn pong(
        &mut self,
        payload: impl AsRef<[u8]>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.send_control(OpCode::Pong, payload.as_ref(), output)
    }

    /// Queues a Close. You can send nothing after it, and the peer is expected to answer within the
    /// [close timeout](crate::Config::close_timeout) (RFC 6455 §7.1.2).
    ///
    /// If the connection is already closing or closed, this does nothing. Everything that you have
    /// [pushed](Self::push) goes before the Close. In the middle of a fragmented message, the rest of
    /// that message is never sent, and neither is what waits for it.
    ///
    /// A reason of more than 123 bytes does not fit into a Close (RFC 6455 §5.5.1) and is truncated
    /// between characters. Three codes describe how a connection ended and never appear in a frame
    /// (RFC 6455 §7.4.1). You can pass them nevertheless, for example to forward the code of a
    /// [`Closed`](crate::Closed) to another connection:
    /// [`NO_STATUS_RECEIVED`](CloseCode::NO_STATUS_RECEIVED) sends an empty Close, without the
    /// reason; [`ABNORMAL`](CloseCode::ABNORMAL) and [`TLS_HANDSHAKE`](CloseCode::TLS_HANDSHAKE)
    /// send [`INTERNAL_ERROR`](CloseCode::INTERNAL_ERROR).
    ///
    /// # Errors
    ///
    /// [`SendError::UnsendableCode`] for any other code that must not be sent.
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        let code = sent_code(code)?;
        if self.is_open() {
            self.append_close(code, reason, SentClose::First, output);
        }
        Ok(())
    }

    /// Queues a reply that the receiving half owes the peer, or takes note of what that half has found
    /// out.
    ///
    /// A pong waits for at most one queued frame. If the queue holds short messages, the pong waits
    /// for no more bytes of them than [`fragment_size`](crate::Config::fragment_size), clamped to
    /// the range from 4 KiB to 64 KiB. Pongs stay in order. While 4 KiB of pongs are queued, the
    /// next pong is held back, and a newer one replaces it.
    ///
    /// The Close that reports a failure goes to the same place in the queue, and everything queued
    /// after it is dropped.
    pub fn reply(&mut self, reply: &Reply, output: &mut WriteBuffer) {
        self.reply_in(reply, output);
    }

    /// Queues the pong that was held back, if there is now room for it.
    /// [`refill`](Self::refill) does this, and does the same for pushed messages.
    #[inline]
    pub fn queue_pending_pong(&mut self, output: &mut WriteBuffer) {
        if self.holds_back() {
            self.queue_held_back(output);
        }
    }

    /// Returns the state of the connection, as far as this half knows it.
    #[must_use]
    pub fn state(&self) -> State {
        match self.may_send {
            _ if self.closed().is_some() => State::Closed,
            MaySend::Everything => State::Open,
            MaySend::Pongs | MaySend::Nothing => State::Closing,
        }
    }

    /// Returns `true` if messages can be sent.
    #[inline]
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.may_send, MaySend::Everything)
    }

    #[cfg(feature = "std")]
    #[allow(dead_code, reason = "used by the shells for async runtimes")]
    pub(crate) const fn may_send(&self) -> MaySend {
        self.may_send
    }
}

impl<R: Role> Sender<R> {
    /// Works like [`reply`](Self::reply), and borrows the output only to send something: borrowing may
    /// lease a buffer.
    pub(in crate::connection) fn reply_in(
        &mut self,
        reply: &Reply,
        output: &mut impl BorrowMut<WriteBuffer>,
    ) {
        match reply {
            Reply::Pong(payload) => self.answer_ping(payload, output.borrow_mut()),
            Reply::Close { code, reason } => self.answer_close(*code, reason, output.borrow_mut()),
            Reply::Failure(error) => self.fail(*error, output.borrow_mut()),
            Reply::PongReceived(payload) => self.received_pong(payload),
            Reply::Received(received) => self.received(*received),
        }
    }

    /// Answers a ping, unless the peer has closed (§5.5.2). This endpoint's own Close does not
    /// prevent it.
    fn answer_ping(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        if self.may_send == MaySend::Nothing {
            return;
        }
        self.queue_pending_pong(output);
        if self.holds_back() || !self.queue_pong(payload, output) {
            self.hold_back(Box::new(payload.into()));
        }
    }

    /// Returns `true` if a pong is held back, which is rare.
    #[inline]
    fn holds_back(&self) -> bool {
        self.backlog().is_some_and(|backlog| backlog.held_back.is_some())
    }

    fn hold_back(&mut self, payload: Box<ControlPayload>) {
        self.rare.get_or_insert_default().backlog().held_back = Some(payload);
    }

    fn take_held_back(&mut self) -> Option<Box<ControlPayload>> {
        self.backlog_mut()?.held_back.take()
    }

    #[cold]
    fn queue_held_back(&mut self, output: &mut WriteBuffer) {
        if let Some(payload) = self.take_held_back() {
            if !self.queue_pong(&payload, output) {
                self.hold_back(payload);
            }
        }
    }

    /// Queues a pong, which waits for at most one frame. Returns `false` if there is no room.
    fn queue_pong(&mut self, payload: &[u8], output: &mut WriteBuffer) -> bool {
        let has_room = control_frame_len::<R>(payload.len()) + output.control_len() <= PONG_ROOM;
        if has_room {
            self.insert_control(OpCode::Pong, payload, output);
        }
        has_room
    }

    /// Queues a ping, which waits for at most one frame.
    pub(super) fn insert_ping(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        self.insert_control(OpCode::Ping, payload, output);
    }

    fn insert_control(&mut self, opcode: OpCode, payload: &[u8], output: &mut WriteBuffer) {
        let mask = self.role.next_key();
        let payload_len = payload.len() as u64;
        let header = FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask, payload_len };
        let (header, len) = header.to_bytes();
        output.insert_control(&header[..len], payload, mask);
        self.count_frame(opcode, true);
    }

    /// Answers a Close with the same code, unless this endpoint has sent a Close already (§5.5.1).
    fn answer_close(&mut self, code: Option<CloseCode>, reason: &str, output: &mut WriteBuffer) {
        self.take_held_back();
        // §7.1.5: without a code in the Close, the code of the connection is 1005.
        let received = code.unwrap_or(CloseCode::NO_STATUS_RECEIVED);
        self.ending().received(received, reason);
        if !self.ending().has_sent() {
            self.append_close(code, "", SentClose::Answer, output);
        }
        self.may_send = MaySend::Nothing;
    }

    /// Fails the connection with a Close, unless this endpoint has sent a Close already (§7.1.7).
    pub(super) fn fail(&mut self, error: ProtocolError, output: &mut WriteBuffer) {
        self.take_held_back();
        self.discard_outbox();
        self.ending().failed(error);
        if !self.ending().has_sent() {
            // The queued messages are useless now, so the Close overtakes them.
            output.discard_behind_boundary();
            // The reason helps to debug the peer.
            let reason = error.to_string();
            self.append_close(Some(error.close_code()), &reason, SentClose::Failure, output);
        }
        self.may_send = MaySend::Nothing;
    }

    fn send_control(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_open()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong { len: payload.len() });
        }
        self.check_queue(output)?;
        output.begin_frame(payload.len(), self.fragment_size());
        output.make_room(HEADER_ROOM + payload.len());
        self.append_frame(opcode, Rsv::NONE, true, payload, output);
        self.count_frame(opcode, true);
        Ok(())
    }

    /// Closes because of the idle timeout.
    pub(super) fn close_idle(&mut self, timeout: Duration, output: &mut WriteBuffer) {
        self.ending().idle_timeout_passed(timeout);
        // Other servers send this code too. 1008 would blame the peer, and 1000 says that the purpose
        // of the connection is fulfilled (§7.4.1).
        let code = Some(CloseCode::GOING_AWAY);
        self.append_close(code, "idle timeout", SentClose::First, output);
    }

    pub(super) fn append_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        sent: SentClose,
        output: &mut WriteBuffer,
    ) {
        // §5.5.1: no data follows a Close.
        self.empty_outbox(output);
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let mut len = 0;
        if let Some(code) = code {
            let reason = cut_reason(reason);
            len = 2 + reason.len();
            payload[..2].copy_from_slice(&code.number().to_be_bytes());
            payload[2..len].copy_from_slice(reason.as_bytes());
        }
        self.append_frame(OpCode::Close, Rsv::NONE, true, &payload[..len], output);
        self.count_frame(OpCode::Close, true);
        self.ending().sent(sent, code.unwrap_or(CloseCode::NO_STATUS_RECEIVED));
        if self.may_send == MaySend::Everything {
            self.may_send = MaySend::Pongs;
        }
    }
}

fn control_frame_len<R: Role>(payload_len: usize) -> usize {
    2 + if R::MASKS { 4 } else { 0 } + payload_len
}
