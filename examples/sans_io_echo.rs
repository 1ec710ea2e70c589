//! One connection of an echo server without its IO, shared by `echo_mio` and `echo_io_uring`: what to do
//! with the socket next, and by when.

use sansocket::{
    CloseCode, Event,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, Next, Progress, Server},
    handshake::{Accept, HandshakeNext},
    pool::Leased,
    server::{Accepting, Step},
    transport::{IoFailure, Wants},
};
use std::time::Duration;

pub(crate) struct Echo {
    stage: Stage,
    pub(crate) input: Leased<ReadBuffer>,
    pub(crate) output: Leased<WriteBuffer>,
}

enum Stage {
    Opening(Box<Accepting>),
    Open(Connection<Server>),
}

/// Both stages have methods of the same names to learn the outcome of a socket operation.
macro_rules! tell {
    ($echo:ident, $($words:tt)*) => {
        match &mut $echo.stage {
            Stage::Opening(accepting) => accepting.$($words)*,
            Stage::Open(connection) => connection.$($words)*,
        }
    };
}

impl Echo {
    pub(crate) fn new(accepting: Accepting) -> Self {
        let (input, output) = (Leased::none(), Leased::none());
        Self { stage: Stage::Opening(Box::new(accepting)), input, output }
    }

    /// Sends back what was received, and returns what to do next, or `None` at the end.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Wants> {
        loop {
            let is_all_echoed = self.echo();
            let Self { stage, input, output } = self;
            match stage {
                Stage::Opening(accepting) => match accepting.next(input, output, || now) {
                    HandshakeNext::Wants(wants) => return Some(wants),
                    HandshakeNext::Ready(Step::Request(request)) => {
                        // A response that can't be sent becomes one with status 500.
                        let _ = accepting.accept(&request, &Accept::new(), output);
                    }
                    HandshakeNext::Ready(Step::Open(negotiated, config)) => {
                        *stage = Stage::Open(Connection::new(Server::new(), &negotiated, config));
                    }
                    HandshakeNext::Ended(_) => return None,
                },
                Stage::Open(connection) => match connection.next(output, || now) {
                    Next::Wants(mut wants) => {
                        wants.read &= is_all_echoed;
                        return Some(wants);
                    }
                    Next::Ended(_) => return None,
                },
            }
        }
    }

    /// Returns `false` if messages have to wait because too many bytes are queued.
    fn echo(&mut self) -> bool {
        let Self { stage: Stage::Open(connection), input, output } = self else { return true };
        // A closing connection has room, and nothing more is sent back.
        while connection.has_room(output) {
            // `next` handles errors of the peer.
            if !connection.advance(input, output).is_ok_and(Progress::goes_on) {
                return true;
            }
            let _ = match connection.event(input) {
                Some(Event::Text(text)) => connection.send_text(text, output),
                Some(Event::Binary(data)) => connection.send_binary(data, output),
                _ => Ok(()),
            };
        }
        false
    }

    pub(crate) fn did_read(&mut self, read: Result<usize, IoFailure>) {
        tell!(self, did_read(read));
    }

    pub(crate) fn did_write(&mut self, written: Result<usize, IoFailure>) {
        tell!(self, did_write(written, &mut self.output));
    }

    pub(crate) fn did_shut_down(&mut self, ended: Result<(), IoFailure>) {
        tell!(self, did_shut_down(ended));
    }

    /// Gives the buffers back that are empty: a waiting connection holds none.
    pub(crate) fn give_back(&mut self) {
        let has_let_go = match &mut self.stage {
            Stage::Opening(_) => true,
            Stage::Open(connection) => connection.unbind(&self.input),
        };
        if has_let_go {
            self.input.give_back();
        }
        self.output.give_back();
    }

    /// Tells the peer that the server stops. Returns `false` if there is nobody to tell.
    pub(crate) fn close(&mut self) -> bool {
        let Stage::Open(connection) = &mut self.stage else { return false };
        let _ = connection.close(CloseCode::GOING_AWAY, "the server stops", &mut self.output);
        true
    }
}
