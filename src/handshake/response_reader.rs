//! Reading the response to a request: interim responses before it, and the body of a refusal.

use super::error::HandshakeError;
use super::head::{Head, HeadScanner};
use super::refusal::RefusalReader;
use super::start_line::StatusLine;
use crate::buffer::ReadBuffer;
use crate::headers::Fields;
use crate::limits::Limits;
use alloc::boxed::Box;

/// The number of interim responses that a client skips before the final one.
const MAX_INTERIM_RESPONSES: u32 = 8;

/// A reader of the final response to one request.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    /// Whether a status is what the client asked for. Any other final status is a refusal.
    is_granted: fn(u16) -> bool,
    scanner: HeadScanner<StatusLine>,
    interim_responses: u32,
    /// The limit for bytes of a refusal's body that are not data.
    max_framing: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Head,
    /// The server refused, and the body of its refusal is still arriving.
    Body(Box<RefusalReader>),
    Over,
}

impl ResponseReader {
    pub(crate) fn new(is_granted: fn(u16) -> bool, limits: &Limits) -> Self {
        Self {
            is_granted,
            scanner: HeadScanner::new(limits),
            interim_responses: 0,
            max_framing: limits.handshake_bytes,
            state: State::Head,
        }
    }

    /// Takes the response out of `input`, or returns `None` if it is not complete yet. A refusal is
    /// an error.
    pub(super) fn receive(
        &mut self,
        input: &mut ReadBuffer,
    ) -> Result<Option<(StatusLine, Fields)>, HandshakeError> {
        let received = self.read(input);
        if !matches!(received, Ok(None)) {
            self.state = State::Over;
        }
        received
    }

    /// Works like `receive`, for a response of which only the status counts.
    pub(crate) fn receive_status(
        &mut self,
        input: &mut ReadBuffer,
    ) -> Result<Option<u16>, HandshakeError> {
        Ok(self.receive(input)?.map(|(line, _)| line.status))
    }

    /// Returns `true` while the rest of a refusal is expected, whose head has arrived.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.state, State::Body(_))
    }

    /// Reports that nothing more arrives. `in_order` says whether the transport ended cleanly.
    pub(crate) fn end(&mut self, input: &mut ReadBuffer, in_order: bool) -> HandshakeError {
        if let Err(error) = self.receive(input) {
            return error;
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Body(reader) => HandshakeError::Refused(Box::new(reader.end(in_order))),
            _ => HandshakeError::TransportEnded { received: self.scanner.total() },
        }
    }

    fn read(
        &mut self,
        input: &mut ReadBuffer,
    ) -> Result<Option<(StatusLine, Fields)>, HandshakeError> {
        loop {
            match &mut self.state {
                State::Over => return Err(HandshakeError::Over),
                State::Body(reader) => {
                    let used = reader.read(input.unread());
                    input.skip(used);
                    return match reader.refusal() {
                        Some(refusal) => Err(HandshakeError::Refused(Box::new(refusal))),
                        None => Ok(None),
                    };
                }
                State::Head => {
                    let Some(head) = self.scanner.scan(input.unread())? else { return Ok(None) };
                    let Head { line, fields, len } = head;
                    input.skip(len);
                    self.scanner.restart();
                    if line.version.major != 1 {
                        return Err(HandshakeError::HttpVersion(line.version));
                    }
                    match line.status {
                        status if (self.is_granted)(status) => return Ok(Some((line, fields))),
                        // The response that switches protocols is a final one (RFC 9110 §15.2.2).
                        100 | 102..=199 => self.pass_interim()?,
                        status => {
                            let framing = self.max_framing;
                            let reader = RefusalReader::new(status, line.version, fields, framing);
                            self.state = State::Body(Box::new(reader));
                        }
                    }
                }
            }
        }
    }

    /// Skips an interim response. A client must accept any number of them (RFC 9110 §15.2), but
    /// this one has a limit.
    fn pass_interim(&mut self) -> Result<(), HandshakeError> {
        self.interim_responses += 1;
        if self.interim_responses > MAX_INTERIM_RESPONSES {
            return Err(HandshakeError::TooManyInterimResponses { limit: MAX_INTERIM_RESPONSES });
        }
        Ok(())
    }
}
