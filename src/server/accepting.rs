//! The opening handshake of one connection, as a server performs it (RFC 6455 §4.2).
//!
//! ```text
//! receiving ──request──▶ asked ──accept──▶ answering ──written──▶ open
//!     │                    └──refuse──▶ refusing
//!     └──invalid or plain request─────▶ refusing ──read, or timeout──▶ ended
//! ```

use super::answer;
use super::origin::OriginPolicy;
use super::plain::{PlainResponder, unanswered};
use super::proxies::{Peer, TrustedProxies};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Config;
#[cfg(feature = "deflate")]
use crate::deflate::ContextBudget;
#[cfg(feature = "std")]
use crate::handshake::Opens;
use crate::handshake::{
    Accept, AcceptError, Asked, Exchange, HandshakeError, HandshakeNext, OpeningError,
    PlainRequest, PlainResponse, PlainResponseError, Request, ServerHandshake,
};
use crate::negotiated::Negotiated;
use crate::transport::{IoFailure, Wants};
use alloc::boxed::Box;
use core::{net::SocketAddr, time::Duration};

/// A server's opening handshake. You do the IO.
///
/// Call [`next`](Self::next), do what it returns, report the outcome, and call it again.
/// `Accepting` keeps the deadlines of the handshake, and checks the request and its origin.
///
/// `Accepting` also makes sure that a refusal arrives: after the refusal the writing side of the
/// transport ends, and up to 1 MiB of what the client still sends is read and dropped. This takes
/// at most 2 seconds, or 1 second on a transport that has no half-close.
///
/// While a request waits for your answer, no deadline runs: limit the time that you take yourself.
/// If the client leaves in the meantime, you notice when you answer.
///
#[cfg_attr(feature = "std", doc = "```no_run")]
#[cfg_attr(not(feature = "std"), doc = "```ignore")]
/// use sansocket::server::{Accepting, Step};
/// use sansocket::{buffer::{ReadBuffer, WriteBuffer}, connection::{Connection, Server}, handshake::{Accept, HandshakeNext, PlainResponse}, transport::IoFailure};
/// use std::io::{Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::time::Duration;
///
/// /// A client on a nonblocking socket.
/// struct Peer {
///     socket: TcpStream,
///     accepting: Accepting,
///     input: ReadBuffer,
///     output: WriteBuffer,
/// }
///
/// enum Progress {
///     /// Call again when the socket is ready or at this moment.
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
///                     // If the answer can't be sent, the client gets status 500.
///                     let _ = match request.path() {
///                         "/chat" => accepting.accept(&request, &Accept::new(), output).is_ok(),
///                         _ => accepting.refuse(&PlainResponse::new(404), output).is_ok(),
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
///                 let outcome = socket.write(output.front()).map_err(IoFailure::from);
///                 waits &= outcome == Err(IoFailure::NotReady);
///                 accepting.did_write(outcome, output);
///             }
///             if wants.read {
///                 let outcome = socket.read(input.spare(1)).map_err(IoFailure::from);
///                 waits &= outcome == Err(IoFailure::NotReady);
///                 input.filled(outcome.unwrap_or(0));
///                 accepting.did_read(outcome);
///             }
///             if wants.shut_down_write {
///                 waits = false;
///                 accepting.did_shut_down(socket.shutdown(Shutdown::Write).map_err(IoFailure::from));
///             }
///             if waits {
///                 return Progress::Waits(wants.deadline);
///             }
///         }
///     }
/// }
/// ```
///
/// To only parse a request and answer it, use [`ServerHandshake`].
#[derive(Debug)]
pub struct Accepting {
    handshake: ServerHandshake,
    exchange: Exchange,
    stage: Stage,
    config: Config,
    origin: OriginPolicy,
    plain: Option<PlainResponder>,
    proxies: Option<TrustedProxies>,
    peer: Option<Peer>,
    answer_timeout: Option<Duration>,
    #[cfg(feature = "deflate")]
    context_budget: Option<ContextBudget>,
    /// Dropped when a refusal or a plain response begins.
    #[cfg(feature = "std")]
    place: Option<Place>,
}

/// The place of a client among the pending handshakes of a server, held by a guard.
#[cfg(feature = "std")]
pub(crate) type Place = Box<dyn core::fmt::Debug + Send + Sync>;

#[derive(Debug)]
enum Stage {
    Receiving,
    /// The application has the request.
    Asked,
    /// The request was accepted, and the answer is not fully written.
    Answering(Box<Negotiated>),
    /// The client was refused or got a plain response, and still has to read it.
    Refusing(OpeningError),
    Over,
}

/// A step of a server's opening handshake.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a handshake has exactly these two steps")]
pub enum Step {
    /// A request that opens a WebSocket, from an allowed origin. Answer it with
    /// [`accept`](Accepting::accept) or [`refuse`](Accepting::refuse) once you have decided.
    Request(Request),
    /// The answer is written: the connection begins, with this configuration. The bytes left in the
    /// read buffer belong to the connection.
    Open(Box<Negotiated>, Config),
}

#[cfg(feature = "std")]
impl Step {
    /// Returns the request, when a request is the expected step.
    pub(crate) fn request(self) -> Result<Request, HandshakeError> {
        match self {
            Self::Request(request) => Ok(request),
            // Not reached: `next` returns `Open` only after `accept`.
            Self::Open(..) => Err(HandshakeError::Over),
        }
    }

    /// Returns what the connection begins with, when opening is the expected step.
    pub(crate) fn open(self) -> Result<(Negotiated, Config), HandshakeError> {
        match self {
            Self::Open(negotiated, config) => Ok((*negotiated, config)),
            // Not reached: `next` returns `Request` only once, before `accept`.
            Self::Request(_) => Err(HandshakeError::Over),
        }
    }
}

impl Accepting {
    pub(super) fn new(
        config: Config,
        origin: OriginPolicy,
        plain: Option<PlainResponder>,
        proxies: Option<TrustedProxies>,
        request_timeout: Option<Duration>,
        answer_timeout: Option<Duration>,
    ) -> Self {
        let handshake = match plain {
            Some(_) => ServerHandshake::showing_plain(&config.limits),
            None => ServerHandshake::new(&config.limits),
        };
        Self {
            handshake,
            exchange: Exchange::new(request_timeout),
            stage: Stage::Receiving,
            config,
            origin,
            plain,
            proxies,
            peer: None,
            answer_timeout,
            #[cfg(feature = "deflate")]
            context_budget: None,
            #[cfg(feature = "std")]
            place: None,
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn with_context_budget(mut self, budget: Option<ContextBudget>) -> Self {
        self.context_budget = budget;
        self
    }

    /// Sets the address of the peer: that of the other end of the transport or, if the transport
    /// began with a [`ProxyHeader`](super::ProxyHeader), the one that it names. The request then has
    /// a [client's address](Request::client_address).
    #[must_use]
    pub const fn peer(mut self, address: SocketAddr) -> Self {
        self.peer = Some(Peer::new(address));
        self
    }

    /// Sets the address of the client, whatever the request says: that of the other end of the
    /// transport, if the transport began with a [`ProxyHeader`](super::ProxyHeader) that names no
    /// client. Header fields of [trusted proxies](super::Acceptor::trusted_proxies) don't count then.
    #[must_use]
    pub const fn client(mut self, address: SocketAddr) -> Self {
        self.peer = Some(Peer::client(address));
        self
    }

    #[cfg(feature = "std")]
    pub(crate) const fn of(mut self, peer: Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Returns the address of the client, or of a proxy that has not told it yet.
    #[cfg(feature = "std")]
    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        self.peer.map(|peer| peer.address)
    }

    /// Holds `place` until the handshake succeeds, or a refusal or plain response begins. A client
    /// can take its time to read a response, and must not keep others waiting.
    #[cfg(feature = "std")]
    pub(crate) fn with_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Returns what to do next. `input` holds the bytes received, and `output` the bytes to send.
    /// If there is no valid request, this queues a refusal in `output`.
    ///
    /// `clock` returns the time as a duration since any moment. That moment must stay fixed until
    /// there is a request, and can be another one for the answer. While a request waits for its
    /// answer, nothing is wanted.
    pub fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Step> {
        let all_written = self.exchange.is_all_written(output);
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Receiving => match self.receive(input) {
                Ok(Some(Asked::WebSocket(request))) => {
                    self.stage = Stage::Asked;
                    HandshakeNext::Ready(Step::Request(request))
                }
                Ok(Some(Asked::Plain(request))) => {
                    self.answer_plain(&request, output);
                    self.next(input, output, clock)
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
                // These bytes were read only to be dropped.
                input.skip(input.unread_len());
                match self.exchange.linger(all_written, clock()) {
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

    /// Accepts the client by queuing the answer that opens the WebSocket, with compression if
    /// `answer` or the configuration enables it. The handshake timeout starts again for the client
    /// to read the answer.
    ///
    /// # Errors
    ///
    /// Returns an error if the answer does not match the request; the client is then refused with
    /// status 500. Also returns an error if no request waits for an answer.
    pub fn accept(
        &mut self,
        request: &Request,
        answer: &Accept,
        output: &mut WriteBuffer,
    ) -> Result<(), AcceptError> {
        if !matches!(self.stage, Stage::Asked) {
            return Err(AcceptError::Over);
        }
        #[cfg(feature = "deflate")]
        let answer = &*answer::within(answer, self.context_budget.as_ref());
        match answer::accept(request, answer, self.config, output) {
            Ok((negotiated, config)) => {
                self.config = config;
                self.exchange.restart(self.answer_timeout);
                self.stage = Stage::Answering(Box::new(negotiated));
                Ok(())
            }
            Err(error) => {
                self.fail(output);
                Err(error)
            }
        }
    }

    /// Refuses the client by queuing the refusal.
    ///
    /// # Errors
    ///
    /// Returns an error if the refusal can't be sent; the client is then refused with status 500.
    /// Also returns an error if no request waits for an answer.
    pub fn refuse(
        &mut self,
        response: &PlainResponse,
        output: &mut WriteBuffer,
    ) -> Result<(), PlainResponseError> {
        if !matches!(self.stage, Stage::Asked) {
            return Err(PlainResponseError::Over);
        }
        match response.write(output) {
            Ok(()) => {
                self.begin_refusing(OpeningError::Refused(response.status()));
                Ok(())
            }
            Err(error) => {
                self.fail(output);
                Err(error)
            }
        }
    }

    /// Reports the outcome of a read: the number of bytes added to the read buffer, or 0 at the end
    /// of the transport.
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.exchange.did_read(outcome);
    }

    /// Reports the outcome of a write: the number of bytes written from the front of `output`,
    /// which this consumes. If your transport holds bytes back until it is flushed, see
    /// [`Connection::did_write`](crate::connection::Connection::did_write).
    ///
    /// Writing 0 bytes when there are bytes to write is a failure. Otherwise you would retry
    /// without limit.
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        self.exchange.did_write(outcome, output);
    }

    /// Reports the outcome of ending the writing side: [`IoFailure::Unsupported`] if the transport
    /// has no half-close.
    pub fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.exchange.did_shut_down(outcome);
    }

    fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Asked>, HandshakeError> {
        let mut asked = self.handshake.receive_any(input)?;
        if let Some(Asked::WebSocket(request)) = &mut asked {
            if let Some(peer) = &mut self.peer {
                let client = peer.client_address(self.proxies.as_ref(), request);
                request.set_client_address(client);
                // What is told of a refusal has the client's address too.
                *peer = Peer::client(client);
            }
            self.origin.check(request)?;
        }
        Ok(asked)
    }

    fn answer_plain(&mut self, request: &PlainRequest, output: &mut WriteBuffer) {
        let why = match &self.plain {
            Some(responses) => responses.answer(request, output),
            // Without a hook, the handshake does not return plain requests.
            None => return self.refuse_for(request.refusal().clone(), output),
        };
        self.begin_refusing(why);
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
            // There is no answer: the client did not complete a request.
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

    /// Refuses a client because of what it sent.
    fn refuse_for(&mut self, error: HandshakeError, output: &mut WriteBuffer) {
        match error.response().write(output) {
            Ok(()) => self.begin_refusing(error.into()),
            Err(_) => self.fail(output),
        }
    }

    /// Refuses a client to which the application gave an invalid answer.
    fn fail(&mut self, output: &mut WriteBuffer) {
        // This can't fail: the response is valid.
        let _ = unanswered().write(output);
        self.begin_refusing(OpeningError::Refused(unanswered().status()));
    }

    fn begin_refusing(&mut self, why: OpeningError) {
        self.exchange.refuse();
        self.stage = Stage::Refusing(why);
        #[cfg(feature = "std")]
        drop(self.place.take());
    }
}

#[cfg(feature = "std")]
impl Opens for Accepting {
    type Step = Step;
    type Error = OpeningError;

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
