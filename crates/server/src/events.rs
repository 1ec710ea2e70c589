//! Server-Sent Events: `GET /events?topic=…`.

use crate::{
    admission, answers,
    clock::Timer,
    engine::{Engine, Registration},
    mailbox::End,
    mailboxes::Transport,
    random::random,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http::request::Parts;
use http_body::Frame;
use sansocket_realtime::{
    guard::Answer,
    hub::ConnectionId,
    sse::{EventStream, EventStreamRequest},
};
use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// How much of a stream is handed on at a time. What was handed on counts as taken, and nothing more is asked for
/// until it has been written: so a client that takes a large message slowly is seen to take it.
const PIECE: usize = 16 << 10;

/// Answers with a stream of events.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match open(&engine, &parts).await {
        Ok(mut events) => {
            // The status is known once the hub has begun the subscription, or refused it.
            let head = poll_fn(|cx| events.poll_head(cx)).await;
            let mut response = answers::response(&head, Body::new(events));
            answers::add_challenge(&mut response, head.status, &engine.options.sources);
            response
        }
        Err(response) => *response,
    }
}

async fn open(engine: &Arc<Engine>, parts: &Parts) -> Result<Events, Box<Response>> {
    let config = engine.options.event_streams;
    let query = parts.uri.query().unwrap_or_default();
    let last_event_id = parts.headers.get("last-event-id").map(|value| value.as_bytes());
    let request = EventStreamRequest::parse(query, last_event_id, &config)
        .map_err(|invalid| Box::new(answers::whole(invalid.response())))?;
    let admitted = admission::admit(engine, parts).await.and_then(|mut admitted| {
        let now = engine.now();
        for topic in request.topics() {
            let counted = engine.guard().subscribe(&mut admitted.client, topic, now);
            counted.map_err(|breach| engine.refuse(admitted.client.address(), &breach))?;
        }
        Ok(admitted)
    });
    let admitted = admitted.map_err(|answer| {
        let stream = EventStream::refused(ConnectionId(0), &answer, config, random());
        Box::new(refused(engine, stream, &answer))
    })?;
    let mut registration = engine.register(Transport::Sse, parts.extensions.get().cloned());
    registration.client = Some(admitted.client);
    let expires_at = admission::expires_at(engine, admitted.principal.as_ref());
    let (stream, commands) = EventStream::open(
        registration.connection,
        admitted.principal,
        request,
        config,
        engine.now(),
        random(),
    );
    engine.perform_all(commands);
    let timer = Timer::new(engine.clock);
    Ok(Events { registration, stream, rest: Bytes::new(), timer, expires_at })
}

/// Returns the response of a stream that ends at once.
fn refused(engine: &Engine, mut stream: EventStream, answer: &Answer) -> Response {
    let body: Vec<u8> = std::iter::from_fn(|| stream.next_chunk()).flatten().collect();
    match stream.head() {
        Some(head) => {
            let mut response = answers::response(&head, Body::from(body));
            answers::add_challenge(&mut response, answer.status, &engine.options.sources);
            response
        }
        None => answers::problem(answer, &engine.options.sources),
    }
}

/// The body of the response.
struct Events {
    registration: Registration,
    stream: EventStream,
    /// What is left of a chunk.
    rest: Bytes,
    timer: Timer,
    /// When the credentials of the client stop to be valid.
    expires_at: Option<Duration>,
}

impl Events {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<sansocket_realtime::http::Head> {
        loop {
            if let Some(head) = self.stream.head() {
                return Poll::Ready(head);
            }
            ready!(self.poll_progress(cx));
        }
    }

    /// Waits until something has happened.
    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Poll::Ready(effects) = self.registration.mailbox.poll_take(cx) {
            let now = self.now();
            for effect in effects {
                self.stream.apply(&effect, now);
            }
            self.registration.report(self.stream.queued(), now);
            return Poll::Ready(());
        }
        let shut_down = match self.registration.mailbox.end() {
            Some(End::ShuttingDown(at)) => Some(at),
            // The connection is reset by whoever writes the response.
            Some(End::TooSlow(_)) | None => None,
        };
        let end = shut_down.into_iter().chain(self.expires_at).min();
        let now = self.now();
        if end.is_some_and(|at| at <= now) {
            self.stream.shut_down();
            return Poll::Ready(());
        }
        let deadline = [self.stream.next_deadline(), end].into_iter().flatten().min();
        ready!(self.timer.poll(deadline, now, cx));
        let cursor = self.registration.engine().cursor(self.stream.subscription());
        let now = self.now();
        self.stream.time_passed(cursor, now);
        Poll::Ready(())
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        let mut piece = match self.rest.is_empty() {
            true => self.stream.next_chunk()?,
            false => mem::take(&mut self.rest),
        };
        if piece.len() > PIECE {
            self.rest = piece.split_off(PIECE);
        }
        Some(piece)
    }

    fn now(&self) -> Duration {
        self.registration.engine().now()
    }
}

/// Why a response is cut off: the client does not take it.
#[derive(Debug, thiserror::Error)]
#[error("the client is too slow")]
struct TooSlow;

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = TooSlow;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooSlow>>> {
        loop {
            if matches!(self.registration.mailbox.end(), Some(End::TooSlow(_))) {
                return Poll::Ready(Some(Err(TooSlow)));
            }
            if let Some(piece) = self.next_piece() {
                let queued = self.stream.queued() + self.rest.len();
                let now = self.now();
                self.registration.report(queued, now);
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if self.stream.has_ended() {
                return Poll::Ready(None);
            }
            ready!(self.poll_progress(cx));
        }
    }
}
