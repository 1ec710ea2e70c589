//! The opening handshake of one connection, as a server makes it (RFC 6455 §4.2).
//!
//! ```text
//!   receiving ──request──▶ asked ──accept──▶ answering ──all written──▶ open
//!       └─no good request──▶ refusing ◀──refuse──┘
//!                               └──the client has read it, or its time is over──▶ ended
//! ```

use super::answer;
use super::origin::OriginPolicy;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Config;
#[cfg(feature = "std")]
use crate::handshake::Opens;
use crate::handshake::{
    Accept, AcceptError, Exchange, HandshakeError, HandshakeNext, OpeningError, Reject,
    RejectError, Request, ServerHandshake,
};
use crate::negotiated::Negotiated;
use crate::transport::{IoFailure, Wants};
use alloc::boxed::Box;
use core::time::Duration;

/// A server's opening handshake, whose IO is yours to do.
///
/// Ask it what is [`next`](Self::next), do that, tell how it went, and ask again. In it are the
/// deadlines of the handshake, the checks of the request and its origin, and what it takes that a
/// refusal arrives: behind it the writing side of the transport ends, and up to 1 MiB of what the
/// client still sends is read and dropped, for at most 2 seconds, or for 1 second on a transport that
/// has no half-close.
///
/// While a request waits for your answer no deadline runs: bound the time that you take yourself. A client
/// that leaves meanwhile is noticed once you answer.
///
/// ```no_run
/// use sansocket::server::{Accepting, Step};
/// use sansocket::{
///     Accept, Connection, HandshakeNext, IoFailure, ReadBuffer, Reject, Server, WriteBuffer,
/// };
/// use std::io::{self, ErrorKind, Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::time::Duration;
///
/// /// A client on a socket that does not block.
/// struct Peer {
///     socket: TcpStream,
///     accepting: Accepting,
///     input: ReadBuffer,
///     output: WriteBuffer,
/// }
///
/// enum Progress {
///     /// Call again when the socket is ready, and at this moment.
///     Waits(Option<Duration>),
///     Open(Connection<Server>),
///     Ended,
/// }
///
/// impl Peer {
///     fn progress(&mut self, now: Duration) -> Progress {
///         let Self { socket, accepting, input, output } = self;
///         loop {
///             let wants = match accepting.next(input, output, || now) {
///                 HandshakeNext::Wants(wants) => wants,
///                 HandshakeNext::Ready(Step::Request(request)) => {
///                     // An answer that can't be sent is one with status 500.
///                     let _ = match request.path() {
///                         "/chat" => accepting.accept(&request, &Accept::new(), output).is_ok(),
///                         _ => accepting.refuse(&Reject::new(404), output).is_ok(),
///                     };
///                     continue;
///                 }
///                 HandshakeNext::Ready(Step::Open(negotiated, config)) => {
///                     return Progress::Open(Connection::new(Server::new(), &negotiated, config));
///                 }
///                 HandshakeNext::Ended(_) => return Progress::Ended,
///             };
///             let mut waits = wants.deadline.is_none_or(|deadline| now < deadline);
///             if wants.write {
///                 let outcome = socket.write(output.front()).map_err(failure);
///                 waits &= outcome == Err(IoFailure::NotReady);
///                 accepting.did_write(outcome, output);
///             }
///             if wants.read {
///                 let outcome = socket.read(input.spare(1)).map_err(failure);
///                 waits &= outcome == Err(IoFailure::NotReady);
///                 input.filled(outcome.unwrap_or(0));
///                 accepting.did_read(outcome);
///             }
///             if wants.shut_down_write {
///                 waits = false;
///                 accepting.did_shut_down(socket.shutdown(Shutdown::Write).map_err(failure));
///             }
///             if waits {
///                 return Progress::Waits(wants.deadline);
///             }
///         }
///     }
/// }
///
/// fn failure(error: io::Error) -> IoFailure {
///     match error.kind() {
///         ErrorKind::WouldBlock | ErrorKind::Interrupted => IoFailure::NotReady,
///         ErrorKind::TimedOut => IoFailure::TimedOut,
///         ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => IoFailure::Reset,
///         _ => IoFailure::Other,
///     }
/// }
/// ```
///
/// To parse a request and to answer it without any of this, there is [`ServerHandshake`].
#[derive(Debug)]
pub struct Accepting {
    handshake: ServerHandshake,
    exchange: Exchange,
    stage: Stage,
    config: Config,
    origin: OriginPolicy,
    timeout: Option<Duration>,
}

#[derive(Debug)]
enum Stage {
    Receiving,
    /// The application has the request.
    Asked,
    /// It was accepted, and the answer is not all written.
    Answering(Box<Negotiated>),
    /// It was refused, which the client is to read.
    Refusing(OpeningError),
    Over,
}

/// What a server's opening handshake comes to.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a request comes, and then it is answered")]
pub enum Step {
    /// A request that opens a WebSocket, from an origin that is allowed. Answer it with
    /// [`accept`](Accepting::accept) or [`refuse`](Accepting::refuse), whenever that is decided.
    Request(Request),
    /// The answer to that is written: the connection begins, with this configuration. What is left
    /// in the read buffer belongs to it.
    Open(Box<Negotiated>, Config),
}

#[cfg(feature = "std")]
impl Step {
    /// The request that was waited for.
    pub(crate) fn request(self) -> Result<Request, HandshakeError> {
        match self {
            Self::Request(request) => Ok(request),
            // Nothing was accepted before.
            Self::Open(..) => Err(HandshakeError::Over),
        }
    }

    /// What the connection begins with, once the answer is written.
    pub(crate) fn open(self) -> Result<(Negotiated, Config), HandshakeError> {
        match self {
            Self::Open(negotiated, config) => Ok((*negotiated, config)),
            // There is one alone, which was answered.
            Self::Request(_) => Err(HandshakeError::Over),
        }
    }
}

impl Accepting {
    pub(super) fn new(config: Config, origin: OriginPolicy, timeout: Option<Duration>) -> Self {
        Self {
            handshake: ServerHandshake::new(&config.limits),
            exchange: Exchange::new(timeout),
            stage: Stage::Receiving,
            config,
            origin,
            timeout,
        }
    }

    /// What is to be done next. `input` is what was received, `output` what is to be sent: a refusal
    /// of what is no good request is queued there.
    ///
    /// `clock` tells the time as a duration since any moment. That moment stays the same until there
    /// is a request; for the answer it can be another one. While a request waits for its answer
    /// nothing is wanted.
    pub fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Step> {
        let all_written = self.exchange.is_all_written(output);
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Receiving => match self.receive(input) {
                Ok(Some(request)) => {
                    self.stage = Stage::Asked;
                    HandshakeNext::Ready(Step::Request(request))
                }
                Ok(None) => self.wait_for_request(input, clock()),
                Err(error) => {
                    self.refuse_for(error, output);
                    self.next(input, output, clock)
                }
            },
            Stage::Asked => {
                self.stage = Stage::Asked;
                HandshakeNext::Wants(Wants::default())
            }
            Stage::Answering(negotiated) => self.write_answer(negotiated, all_written, clock()),
            Stage::Refusing(why) => {
                // It was read to be dropped.
                input.skip(input.unread_len());
                match self.exchange.see_off(all_written, clock()) {
                    Some(wants) => {
                        self.stage = Stage::Refusing(why);
                        HandshakeNext::Wants(wants)
                    }
                    None => HandshakeNext::Ended(why),
                }
            }
            Stage::Over => HandshakeNext::Ended(HandshakeError::Over.into()),
        }
    }

    /// Accepts the client: queues the answer that opens the WebSocket, with compression if `answer` or
    /// the configuration wants that. The client has the handshake timeout again, to take it.
    ///
    /// # Errors
    ///
    /// If the answer does not suit the request: the client is refused with status 500 then. Also if
    /// no request waits for an answer.
    pub fn accept(
        &mut self,
        request: &Request,
        answer: &Accept<'_>,
        output: &mut WriteBuffer,
    ) -> Result<(), AcceptError> {
        if !matches!(self.stage, Stage::Asked) {
            return Err(AcceptError::Over);
        }
        match answer::accept(request, answer, self.config, output) {
            Ok((negotiated, config)) => {
                self.config = config;
                self.exchange.restart(self.timeout);
                self.stage = Stage::Answering(Box::new(negotiated));
                Ok(())
            }
            Err(error) => {
                self.fail(output);
                Err(error)
            }
        }
    }

    /// Refuses the client: queues the answer that says so.
    ///
    /// # Errors
    ///
    /// If the refusal can't be sent: the client is refused with status 500 then. Also if no request
    /// waits for an answer.
    pub fn refuse(
        &mut self,
        reject: &Reject<'_>,
        output: &mut WriteBuffer,
    ) -> Result<(), RejectError> {
        if !matches!(self.stage, Stage::Asked) {
            return Err(RejectError::Over);
        }
        match reject.write(output) {
            Ok(()) => {
                self.begin_refusing(OpeningError::Refused(reject.status));
                Ok(())
            }
            Err(error) => {
                self.fail(output);
                Err(error)
            }
        }
    }

    /// Says what came of reading: so many bytes, which are in the read buffer; 0 is the end of the
    /// transport.
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.exchange.did_read(outcome);
    }

    /// Says what came of writing: so many bytes from the front of `output`, which are consumed here.
    /// Of a transport that holds bytes back until it is flushed, see
    /// [`Connection::did_write`](crate::Connection::did_write).
    ///
    /// Taking none of several is a failure: it would be tried for ever.
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        self.exchange.did_write(outcome, output);
    }

    /// Says what came of ending the writing side: [`IoFailure::Unsupported`] if the transport has no
    /// half-close.
    pub fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.exchange.did_shut_down(outcome);
    }

    fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Request>, HandshakeError> {
        let Some(request) = self.handshake.receive(input)? else { return Ok(None) };
        self.origin.check(&request)?;
        Ok(Some(request))
    }

    fn wait_for_request(&mut self, input: &mut ReadBuffer, now: Duration) -> HandshakeNext<Step> {
        HandshakeNext::Ended(match self.exchange.input_ended() {
            None => match self.exchange.wait(true, now) {
                Some(wants) => {
                    self.stage = Stage::Receiving;
                    return HandshakeNext::Wants(wants);
                }
                None => OpeningError::TimedOut,
            },
            // This is not answered: nobody asked for anything.
            Some(Ok(())) => self.handshake.receive_eof(input).into(),
            Some(Err(failure)) => OpeningError::Transport(failure),
        })
    }

    fn write_answer(
        &mut self,
        negotiated: Box<Negotiated>,
        all_written: bool,
        now: Duration,
    ) -> HandshakeNext<Step> {
        if let Some(failure) = self.exchange.output_failed() {
            return HandshakeNext::Ended(OpeningError::Transport(failure));
        }
        if all_written {
            return HandshakeNext::Ready(Step::Open(negotiated, self.config));
        }
        match self.exchange.write_out(now) {
            Some(wants) => {
                self.stage = Stage::Answering(negotiated);
                HandshakeNext::Wants(wants)
            }
            None => HandshakeNext::Ended(OpeningError::TimedOut),
        }
    }

    /// Refuses a client for what it sent.
    fn refuse_for(&mut self, error: HandshakeError, output: &mut WriteBuffer) {
        match error.reject().write(output) {
            Ok(()) => self.begin_refusing(error.into()),
            Err(_) => self.fail(output),
        }
    }

    /// Refuses a client that the application has no good answer to. What it did wrong is for the
    /// application to know.
    fn fail(&mut self, output: &mut WriteBuffer) {
        // It is one that can be sent.
        let _ = Reject::new(500).body("the server failed to answer\n").write(output);
        self.begin_refusing(OpeningError::Refused(500));
    }

    fn begin_refusing(&mut self, why: OpeningError) {
        self.exchange.refuse();
        self.stage = Stage::Refusing(why);
    }
}

#[cfg(feature = "std")]
impl Opens for Accepting {
    type Step = Step;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Step> {
        Self::next(self, input, output, clock)
    }

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}
