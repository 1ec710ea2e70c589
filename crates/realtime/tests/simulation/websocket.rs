//! A WebSocket over a link, driven as the core says.

use crate::link::{Arrival, LinkId, Network, Side};
use sansocket::{
    CloseCode, Config, Event, Message,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, Next, Progress, Role},
    handshake::Negotiated,
    transport::IoFailure,
};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct WebSocket<R> {
    connection: Connection<R>,
    input: ReadBuffer,
    output: WriteBuffer,
    pub(crate) link: LinkId,
    side: Side,
    pub(crate) is_over: bool,
    pub(crate) deadline: Option<Duration>,
}

impl<R: Role> WebSocket<R> {
    pub(crate) fn new(role: R, link: LinkId, side: Side) -> Self {
        Self {
            connection: Connection::new(role, &Negotiated::new(), Config::default()),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
            link,
            side,
            is_over: false,
            deadline: None,
        }
    }

    /// Takes what arrives, and returns the messages in it.
    pub(crate) fn arrived(&mut self, arrival: Arrival) -> Vec<Message> {
        match arrival {
            Arrival::Bytes(bytes) => {
                self.input.extend_from_slice(&bytes);
                self.connection.did_read(Ok(bytes.len()));
            }
            Arrival::Finished => self.connection.did_read(Ok(0)),
            Arrival::Lost => self.connection.did_read(Err(IoFailure::Reset)),
            Arrival::TimedOut => self.connection.did_read(Err(IoFailure::TimedOut)),
            Arrival::Room | Arrival::Opened => {}
        }
        let mut messages = Vec::new();
        while let Ok(Progress::Event | Progress::More) =
            self.connection.advance(&mut self.input, &mut self.output)
        {
            let message = self.connection.event(&self.input).as_ref().and_then(Event::to_message);
            messages.extend(message);
        }
        messages
    }

    /// Does what the connection asks for, as far as possible now.
    pub(crate) fn drive(&mut self, network: &mut Network) {
        while !self.is_over {
            let now = network.now;
            let wants = match self.connection.next(&mut self.output, || now) {
                Next::Wants(wants) => wants,
                Next::Ended(_) => {
                    network.close(self.link, self.side);
                    self.is_over = true;
                    self.deadline = None;
                    return;
                }
            };
            if wants.write {
                let count = network.write(self.link, self.side, self.output.front());
                let outcome = if count > 0 { Ok(count) } else { Err(IoFailure::NotReady) };
                self.connection.did_write(outcome, &mut self.output);
                if count > 0 {
                    continue;
                }
            }
            if wants.shut_down_write {
                network.finish(self.link, self.side);
                self.connection.did_shut_down(Ok(()));
                continue;
            }
            self.deadline = wants.deadline;
            if wants.deadline.is_none_or(|deadline| now < deadline) {
                return;
            }
            self.connection.did_read(Err(IoFailure::NotReady));
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        !self.is_over && self.connection.has_room(&self.output)
    }

    pub(crate) fn unsent(&self) -> usize {
        self.output.len()
    }

    /// Sends a message. After a Close, nothing can be sent, and nobody waits for it.
    pub(crate) fn send(&mut self, message: &Message) {
        let _ = self.connection.send(message, &mut self.output);
    }

    pub(crate) fn close(&mut self, code: CloseCode) {
        let _ = self.connection.close(code, "", &mut self.output);
    }

    /// Ends the link without a Close.
    pub(crate) fn reset(&mut self, network: &mut Network) {
        network.reset(self.link, self.side);
        self.is_over = true;
        self.deadline = None;
    }
}
