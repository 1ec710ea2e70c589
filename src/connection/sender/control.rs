//! Control frames: the application's, those that the receiving half owes the peer, and how the
//! connection closes by them (RFC 6455 §5.5, §7).

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::closed::State;
use crate::connection::ending::SentClose;
use crate::connection::{ProtocolError, Reply, Role, SendError};
use crate::frame::{
    CloseCode, FrameHeader, HEADER_ROOM, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, OpCode, Rsv,
};
use alloc::boxed::Box;

/// Bytes of pong frames that may wait to be written, beside what the user sends.
///
/// A peer that pings without reading gets no more memory than this. RFC 6455 §5.5.3 allows to
/// answer the latest ping alone when there are several, which is what is done past this.
const PONG_ROOM: usize = 4096;

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
    /// A pong waits behind at most one frame of what is queued. Of short messages it waits behind no more bytes
    /// than a large message has in a frame ([`fragment_size`](crate::Config::fragment_size)), but that counts
    /// as at least 4 KiB and at most 64 KiB. Pongs stay in order. While 4 KiB of them wait to be written, the
    /// next is held back, and a newer one takes its place.
    ///
    /// The Close of a failure goes to the same place, and what is queued behind it is dropped.
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
        if self.held_back.is_some() {
            self.queue_held_back(output);
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
        if self.held_back.is_some() || !self.queue_pong(payload, output) {
            self.held_back = Some(Box::new(payload.into()));
        }
    }

    #[cold]
    fn queue_held_back(&mut self, output: &mut WriteBuffer) {
        if let Some(payload) = self.held_back.take() {
            if !self.queue_pong(&payload, output) {
                self.held_back = Some(payload);
            }
        }
    }

    /// Queues a pong, which does not wait behind more than a frame; whether there is room.
    fn queue_pong(&mut self, payload: &[u8], output: &mut WriteBuffer) -> bool {
        let has_room = control_frame_len::<R>(payload.len()) + output.control_len() <= PONG_ROOM;
        if has_room {
            let (opcode, payload_len) = (OpCode::Pong, payload.len() as u64);
            let mask = self.role.next_key();
            let header = FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask, payload_len };
            let (header, len) = header.to_bytes();
            output.insert_control(&header[..len], payload, mask);
        }
        has_room
    }

    /// §5.5.1: a Close is answered by one with the same code, unless one was sent before.
    fn answer_close(&mut self, code: Option<CloseCode>, reason: &str, output: &mut WriteBuffer) {
        self.held_back = None;
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
        self.held_back = None;
        self.ending().failed(error);
        if !self.ending().has_sent() {
            // It says why at once, since nothing that is queued can lead to anything.
            output.discard_behind_boundary();
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
        output.begin_frame(payload.len(), self.fragment_size());
        output.make_room(HEADER_ROOM + payload.len());
        self.append_frame(opcode, Rsv::NONE, true, payload, output);
        Ok(())
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
