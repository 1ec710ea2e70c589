//! Control frames: the application's, those that the receiving half owes the peer, and how the
//! connection closes by them (RFC 6455 §5.5, §7).

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::closed::State;
use crate::connection::ending::SentClose;
use crate::connection::{ProtocolError, Reply, Role, SendError};
use crate::frame::{CloseCode, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, OpCode, Rsv};

impl<R: Role> Sender<R> {
    /// Queues a ping with at most 125 bytes of payload. The peer answers with an
    /// [`Event::Pong`](crate::Event::Pong) of the same payload.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::ControlTooLong`].
    pub fn ping(&mut self, payload: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_control(OpCode::Ping, payload, output)
    }

    /// Queues a pong that no ping asked for, a sign of life (RFC 6455 §5.5.3). Pings are answered
    /// without it.
    ///
    /// # Errors
    ///
    /// As for [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8], output: &mut WriteBuffer) -> Result<(), SendError> {
        self.send_control(OpCode::Pong, payload, output)
    }

    /// Queues a Close: nothing more can be sent, and the peer is expected to answer within the
    /// close timeout (RFC 6455 §7.1.2).
    ///
    /// It may be called amid a fragmented message, which is then never finished.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::UnsendableCode`] or [`SendError::ReasonTooLong`].
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.check_open()?;
        if !code.is_sendable() {
            return Err(SendError::UnsendableCode(code));
        }
        if reason.len() > MAX_CLOSE_REASON {
            return Err(SendError::ReasonTooLong { len: reason.len() });
        }
        self.append_close(Some(code), reason, SentClose::First, output);
        Ok(())
    }

    /// Queues what the receiving half owes the peer.
    ///
    /// Pongs stay in order. While 4 KiB of them wait to be written, the next is held back, and a
    /// newer one takes its place.
    pub fn reply(&mut self, reply: &Reply, output: &mut WriteBuffer) {
        match reply {
            Reply::Pong(payload) => self.answer_ping(payload, output),
            Reply::Close { code, reason } => self.answer_close(*code, reason, output),
            Reply::Failure(error) => self.fail(*error, output),
        }
    }

    /// Queues the pong that was held back, if there is room for it now. To be called after writes.
    #[inline]
    pub fn queue_owed(&mut self, output: &mut WriteBuffer) {
        // Mostly none waits.
        if self.pongs.are_none() {
            return;
        }
        self.pongs.forget_written(output);
        let Some(held_back) = self.pongs.held_back() else { return };
        let frame_len = control_frame_len::<R>(held_back.len());
        if self.pongs.have_room(frame_len, output) {
            if let Some(payload) = self.pongs.release() {
                self.append_pong(&payload, output);
            }
        }
    }

    /// How far the closing handshake is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }
}

impl<R: Role> Sender<R> {
    /// §5.5.2: a ping is answered unless the peer has closed; this end's Close does not hinder.
    fn answer_ping(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        if self.state() == State::Closed {
            return;
        }
        self.queue_owed(output);
        let frame_len = control_frame_len::<R>(payload.len());
        if self.pongs.held_back().is_none() && self.pongs.have_room(frame_len, output) {
            self.append_pong(payload, output);
        } else {
            self.pongs.hold_back(payload);
        }
    }

    /// §5.5.1: a Close is answered by one with the same code, unless one was sent before.
    fn answer_close(&mut self, code: Option<CloseCode>, reason: &str, output: &mut WriteBuffer) {
        self.pongs.release();
        // §7.1.5: without a code in it, the connection's is 1005.
        let received = code.unwrap_or(CloseCode::NO_STATUS_RECEIVED);
        self.ending().received(received, reason);
        if !self.ending().has_sent() {
            self.append_close(code, "", SentClose::Answer, output);
        }
        self.state = State::Closed;
    }

    /// §7.1.7: a Close says why the connection fails, unless one was sent before.
    fn fail(&mut self, error: ProtocolError, output: &mut WriteBuffer) {
        self.pongs.release();
        self.ending().failed(error);
        if !self.ending().has_sent() {
            self.append_close(Some(error.close_code()), "", SentClose::Failure, output);
        }
        self.state = State::Closed;
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
        self.append_frame(opcode, Rsv::NONE, true, payload, output);
        Ok(())
    }

    fn append_pong(&mut self, payload: &[u8], output: &mut WriteBuffer) {
        let start = output.end_position();
        self.append_frame(OpCode::Pong, Rsv::NONE, true, payload, output);
        self.pongs.queued(start, output);
    }

    fn append_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        sent: SentClose,
        output: &mut WriteBuffer,
    ) {
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let mut len = 0;
        if let Some(code) = code {
            len = 2 + reason.len();
            payload[..2].copy_from_slice(&code.number().to_be_bytes());
            payload[2..len].copy_from_slice(reason.as_bytes());
        }
        self.append_frame(OpCode::Close, Rsv::NONE, true, &payload[..len], output);
        self.ending().sent(sent, code.unwrap_or(CloseCode::NO_STATUS_RECEIVED));
        if self.state == State::Open {
            self.state = State::CloseSent;
        }
    }
}

fn control_frame_len<R: Role>(payload_len: usize) -> usize {
    2 + if R::MASKS { 4 } else { 0 } + payload_len
}
