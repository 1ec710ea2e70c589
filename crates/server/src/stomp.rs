//! A client of STOMP, whatever carries its frames.

use crate::{
    admission,
    clock::Timer,
    engine::{Engine, Registration},
    mailbox::{Effects, End},
    subscribed::Subscribed,
};
use bytes::Bytes;
use sansocket::CloseCode;
use sansocket_realtime::{
    guard::{self, Answer, AuthenticationError},
    hub::Principal,
    stomp::{
        EncodedFrame,
        server::{ConnectRequest, Event, Output, Session},
    },
};
use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// How many messages of a client are handled before other tasks have a turn.
const TURN: usize = 64;

/// How long a closed transport may take to end.
const LINGER: Duration = Duration::from_secs(10);

/// What carries the frames of a client.
pub(crate) trait Transport: Send + 'static {
    /// How many bytes the transport holds before the session keeps the rest.
    const ROOM: usize;

    /// Receives a piece of the client's bytes, and writes what is queued meanwhile. `None` is the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;

    /// Queues a frame. The client may get it late, or not at all if the transport ends.
    fn send(&mut self, frame: EncodedFrame) -> Result<(), Unsendable>;

    /// Ends the transport in order, behind what is queued.
    fn close(&mut self, code: CloseCode);

    /// Returns how many bytes are queued and not taken by the client.
    fn unsent(&self) -> usize;
}

/// A frame that this transport can't carry.
#[derive(Debug)]
pub(crate) struct Unsendable;

/// Serves a client until it has gone.
///
/// Spawn it: a future that awaits it would keep room for what came before it as well, for each client.
pub(crate) fn serve<T: Transport>(
    registration: Registration,
    principal: Option<Principal>,
    transport: T,
) -> impl Future<Output = ()> + Send {
    let engine = registration.engine();
    let (now, config) = (engine.now(), engine.options.stomp.clone());
    let expires_at = admission::expires_at(engine, principal.as_ref());
    let mut session = Session::new(registration.connection, config, now);
    if let Some(principal) = principal {
        session = session.authenticated(principal);
    }
    let timer = Timer::new(engine.clock);
    let mut client = Client {
        registration,
        session,
        transport,
        timer,
        subscribed: Subscribed::default(),
        unsent: 0,
        is_reported: true,
        lingers_until: None,
        expires_at,
        identifying: None,
    };
    poll_fn(move |cx| client.poll(cx))
}

struct Client<T> {
    registration: Registration,
    session: Session,
    transport: T,
    timer: Timer,
    subscribed: Subscribed,
    /// What was last told to be unsent.
    unsent: usize,
    /// Whether that includes all effects that were taken.
    is_reported: bool,
    /// Until when a closed transport may take to end.
    lingers_until: Option<Duration>,
    /// When the credentials of the client stop to be valid.
    expires_at: Option<Duration>,
    /// Who the client is, while that is asked: in a box, since it is there for a moment alone.
    identifying: Option<Pin<Box<Identifying>>>,
}

type Identifying = dyn Future<Output = Result<Option<Principal>, Answer>> + Send;

impl<T: Transport> Client<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURN {
            // One look at the clock is enough for each turn, and there is one turn for each message.
            let now = self.now();
            if let Poll::Ready(effects) = self.registration.mailbox.poll_take(cx) {
                self.apply_effects(effects, now);
            }
            if self.obey_end(now).is_ready() {
                return Poll::Ready(());
            }
            self.handle_events(cx);
            self.write(now);
            match self.transport.poll_receive(cx) {
                Poll::Ready(Some(bytes)) => {
                    self.session.receive(bytes, now);
                    self.handle_events(cx);
                    continue;
                }
                Poll::Ready(None) => {
                    self.session.transport_ended();
                    self.handle_events(cx);
                    return Poll::Ready(());
                }
                Poll::Pending => {}
            }
            // What was received may have made room, or effects for this client.
            if self.write(now) {
                continue;
            }
            self.report(now);
            if let Poll::Ready(effects) = self.registration.mailbox.poll_take(cx) {
                self.apply_effects(effects, now);
                continue;
            }
            // This comes last: what ends the connection from now on wakes the task.
            if self.poll_timer(now, cx).is_ready() {
                continue;
            }
            return Poll::Pending;
        }
        self.report(self.now());
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn now(&self) -> Duration {
        self.registration.engine().now()
    }

    fn apply_effects(&mut self, effects: Effects, now: Duration) {
        let Self { registration, session, subscribed, .. } = self;
        let engine = registration.engine().clone();
        for effect in effects {
            if let Some(client) = &mut registration.client {
                subscribed.apply(&engine, client, &effect);
            }
            session.apply(&effect, now);
        }
        // The mailbox counts what was taken until it is told what became of it.
        self.is_reported = false;
    }

    /// Does what the session asks for.
    fn handle_events(&mut self, cx: &mut Context<'_>) {
        loop {
            while let Some(event) = self.session.next_event() {
                self.handle(event);
            }
            if self.poll_identified(cx).is_pending() {
                return;
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let engine = self.registration.engine().clone();
        match event {
            Event::Connect(request) => {
                let address = self.address();
                let identifying = async move { identify(&engine, &request, address).await };
                self.identifying = Some(Box::pin(identifying));
            }
            Event::Command(command) => {
                let checked = match &mut self.registration.client {
                    Some(client) => self.subscribed.check(&engine, client, &command),
                    None => Ok(()),
                };
                match checked {
                    Ok(()) => engine.perform(command),
                    Err(breach) => {
                        let answer = engine.refuse(self.address(), &breach);
                        self.end(&answer);
                    }
                }
            }
            _ => {}
        }
    }

    /// Waits until it is known whose CONNECT it is, and answers it.
    fn poll_identified(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.session.has_ended() {
            // Nobody waits for it any more.
            self.identifying = None;
        }
        let Some(identifying) = &mut self.identifying else { return Poll::Pending };
        let identified = ready!(identifying.as_mut().poll(cx));
        self.identifying = None;
        let engine = self.registration.engine().clone();
        let accepted = identified.and_then(|principal| {
            if let Some(client) = &mut self.registration.client {
                admission::count(&engine, client, principal.as_ref())?;
            }
            Ok(principal)
        });
        let now = engine.now();
        match accepted {
            Ok(principal) => {
                self.expires_at = admission::expires_at(&engine, principal.as_ref());
                self.session.accept(principal, now);
            }
            Err(answer) => self.session.refuse(answer.message, answer.close_code, now),
        }
        Poll::Ready(())
    }

    fn address(&self) -> Option<IpAddr> {
        self.registration.client.as_ref().and_then(guard::Client::address)
    }

    fn end(&mut self, answer: &Answer) {
        let now = self.now();
        self.session.end(answer.message.clone(), answer.close_code, now);
    }

    /// Moves frames to the transport while it has room. Returns whether it moved some.
    fn write(&mut self, now: Duration) -> bool {
        let mut has_written = false;
        while self.transport.unsent() < T::ROOM && self.lingers_until.is_none() {
            match self.session.next_output() {
                Some(Output::Frame(frame)) => {
                    if self.transport.send(frame).is_err() {
                        let reason = "a message is not text, which is all that this transport has";
                        self.session.end(reason, CloseCode::UNSUPPORTED_DATA, now);
                    }
                }
                Some(Output::Close(code)) => {
                    self.transport.close(code);
                    self.lingers_until = Some(now.saturating_add(LINGER));
                }
                _ => break,
            }
            has_written = true;
        }
        has_written
    }

    /// Tells what the client has not taken.
    fn report(&mut self, now: Duration) {
        let unsent = self.session.output_bytes() + self.transport.unsent();
        if unsent != self.unsent || !self.is_reported {
            self.unsent = unsent;
            self.is_reported = true;
            self.registration.report(unsent, now);
        }
    }

    /// Ends the connection if the server wants that. It is ready if nothing more can be said to the client.
    fn obey_end(&mut self, now: Duration) -> Poll<()> {
        match self.registration.mailbox.end() {
            // What is unsent will not be taken.
            Some(End::TooSlow(why)) => {
                tracing::debug!(connection = self.registration.connection.0, %why, "too slow");
                return Poll::Ready(());
            }
            Some(End::ShuttingDown(at)) if at <= now && !self.session.has_ended() => {
                self.session.end("the server shuts down", CloseCode::GOING_AWAY, now);
            }
            _ => {}
        }
        if self.expires_at.is_some_and(|at| at <= now) && !self.session.has_ended() {
            let reason = "the credentials have expired";
            self.session.end(reason, CloseCode::POLICY_VIOLATION, now);
        }
        match self.lingers_until {
            Some(until) if until <= now => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Waits for the next deadline, and does what is due.
    fn poll_timer(&mut self, now: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let shut_down = match self.registration.mailbox.end() {
            Some(End::ShuttingDown(at)) if !self.session.has_ended() => Some(at),
            Some(End::TooSlow(_)) => Some(now),
            _ => None,
        };
        let expires_at = self.expires_at.filter(|_| !self.session.has_ended());
        let deadlines = [self.session.next_deadline(), shut_down, self.lingers_until, expires_at];
        let deadline = deadlines.into_iter().flatten().min();
        if self.timer.poll(deadline, now, cx).is_pending() {
            return Poll::Pending;
        }
        let now = self.now();
        self.session.time_passed(now);
        Poll::Ready(())
    }
}

/// Returns who the client of a CONNECT is.
async fn identify(
    engine: &Engine,
    request: &ConnectRequest,
    address: Option<IpAddr>,
) -> Result<Option<Principal>, Answer> {
    let found = engine.options.sources.in_connect(request.headers());
    // Who was authenticated before the upgrade needs nothing more.
    if matches!(found, Ok(None)) && request.principal().is_some() {
        return Ok(request.principal().cloned());
    }
    let principal = admission::identify(engine, found).await;
    let principal = principal.map_err(|error| engine.refuse(address, &error))?;
    if request.principal().is_some_and(|before| principal.as_ref() != Some(before)) {
        return Err(engine.refuse(address, &AuthenticationError::Refused));
    }
    Ok(principal)
}
