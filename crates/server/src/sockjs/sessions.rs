//! The sessions over HTTP: which request belongs to which.

use super::inbox::Inbox;
use crate::{
    admission::Admitted,
    clock::{Clock, KeepsTime, keep_time},
    engine::{Engine, Registration},
    mailboxes,
    stomp::{self, Transport, Unsendable},
};
use bytes::Bytes;
use sansocket::CloseCode;
use sansocket_realtime::{
    hub::Principal,
    sockjs::{
        self, AttachError, Chunk, Effect, PreparedMessage, ReceiveError, Receiver, SessionKey,
        Sessions,
    },
    stomp::EncodedFrame,
};
use std::{
    collections::HashMap,
    str,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::Notify;

pub(crate) struct Service {
    pub(crate) engine: Arc<Engine>,
    state: Mutex<State>,
    /// Wakes the task that tells the time, when a deadline has come nearer.
    timer: Arc<Notify>,
}

struct State {
    sessions: Sessions,
    /// The sessions that have a task.
    inboxes: HashMap<SessionKey, Arc<Inbox>>,
    /// Clients whose sessions begin now.
    admitted: HashMap<SessionKey, Admitted>,
    /// The responses that wait for something to send.
    receivers: HashMap<(SessionKey, Receiver), Waiting>,
    deadline: Option<Duration>,
}

enum Waiting {
    For(Waker),
    /// The response is to be cut off.
    Aborted,
}

/// What a response does next.
pub(super) enum Next {
    Chunk(Chunk),
    /// The response is to be cut off.
    Abort,
}

impl Service {
    /// Creates a service, and begins to tell it the time.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub(crate) fn start(engine: Arc<Engine>) -> Arc<Self> {
        let service = Self::new(engine);
        tokio::spawn(keep_time(Arc::downgrade(&service)));
        service
    }

    fn new(engine: Arc<Engine>) -> Arc<Self> {
        let state = State {
            sessions: Sessions::new(engine.options.sockjs.clone()),
            inboxes: HashMap::new(),
            admitted: HashMap::new(),
            receivers: HashMap::new(),
            deadline: None,
        };
        Arc::new(Self { engine, state: Mutex::new(state), timer: Arc::default() })
    }

    /// Returns whether there is such a session.
    pub(super) fn has(&self, id: &str, owner: &[u8]) -> bool {
        self.state().sessions.find(id, owner).is_some()
    }

    /// Attaches a response to a session, which begins if there is none. It needs an admitted client then.
    pub(super) fn attach(
        self: &Arc<Self>,
        id: &str,
        owner: &[u8],
        transport: sockjs::Transport,
        admitted: Option<Admitted>,
    ) -> Result<(SessionKey, Receiver), AttachError> {
        let attached = self.update(|state, now| {
            let attached = state.sessions.attach(id, owner, transport, now)?;
            if let Some(admitted) = admitted {
                state.admitted.insert(attached.0, admitted);
            }
            Ok::<_, AttachError>(attached)
        })?;
        // Another request may have begun the session in the meantime. Then this client counts no longer.
        self.state().admitted.remove(&attached.0);
        Ok(attached)
    }

    /// Takes what a client sends.
    pub(super) fn received(
        self: &Arc<Self>,
        id: &str,
        owner: &[u8],
        body: &[u8],
    ) -> Result<(), ReceiveError> {
        self.update(|state, _| state.sessions.received(id, owner, body))
    }

    /// Waits for the next chunk of a response.
    pub(super) fn poll_chunk(
        self: &Arc<Self>,
        of: (SessionKey, Receiver),
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        self.update(|state, now| {
            if let Some(Waiting::Aborted) = state.receivers.remove(&of) {
                return Poll::Ready(Next::Abort);
            }
            let Some(chunk) = state.sessions.next_chunk(of.0, of.1, now) else {
                state.receivers.insert(of, Waiting::For(cx.waker().clone()));
                return Poll::Pending;
            };
            if let Some(inbox) = state.inboxes.get(&of.0) {
                inbox.wake();
            }
            Poll::Ready(Next::Chunk(chunk))
        })
    }

    /// Notes that a response is written to its end.
    pub(super) fn written(self: &Arc<Self>, of: (SessionKey, Receiver)) {
        self.update(|state, now| state.sessions.written(of.0, of.1, now));
    }

    /// Notes that a response has ended, however it did.
    pub(super) fn ended(self: &Arc<Self>, of: (SessionKey, Receiver)) {
        self.update(|state, now| {
            state.receivers.remove(&of);
            state.sessions.aborted(of.0, of.1, now);
        });
    }

    /// Does something to the sessions, and then all that follows from it.
    fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.engine.now();
        let mut state = self.state();
        let changed = change(&mut state, now);
        let mut opened = Vec::new();
        while let Some(effect) = state.sessions.next_effect() {
            match effect {
                Effect::Opened { session } => opened.extend(self.open(&mut state, session)),
                effect => state.follow(effect),
            }
        }
        let next = state.sessions.next_deadline();
        if next.is_some_and(|next| state.deadline.is_none_or(|deadline| next < deadline)) {
            state.deadline = next;
            self.timer.notify_one();
        }
        drop(state);
        // A task that can't be spawned any more is dropped at once, and takes the lock then.
        for (registration, principal, transport) in opened {
            tokio::spawn(stomp::serve(registration, principal, transport));
        }
        changed
    }

    /// Returns the task of a new session.
    fn open(
        self: &Arc<Self>,
        state: &mut State,
        session: SessionKey,
    ) -> Option<(Registration, Option<Principal>, OverHttp)> {
        let Some(Admitted { client, principal }) = state.admitted.remove(&session) else {
            // The session for which the request came has just ended. A new one has to be admitted.
            let code = CloseCode::GOING_AWAY.number();
            state.sessions.close(session, code, "", self.engine.now());
            return None;
        };
        let inbox = Inbox::new();
        state.inboxes.insert(session, inbox.clone());
        // Its requests come over many streams.
        let mut registration = self.engine.register(mailboxes::Transport::SockJs, None);
        registration.client = Some(client);
        Some((registration, principal, OverHttp { service: self.clone(), session, inbox }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Does what an effect asks for.
    fn follow(&mut self, effect: Effect) {
        match effect {
            Effect::Messages { session, messages } => {
                if let Some(inbox) = self.inboxes.get(&session) {
                    inbox.push(messages);
                }
            }
            Effect::Ready { session, receiver } => {
                let of = (session, receiver);
                if let Some(Waiting::For(waker)) = self.receivers.remove(&of) {
                    waker.wake();
                }
            }
            Effect::Abort { session, receiver } => {
                let waiting = self.receivers.insert((session, receiver), Waiting::Aborted);
                if let Some(Waiting::For(waker)) = waiting {
                    waker.wake();
                }
            }
            Effect::Closed { session, .. } => {
                self.admitted.remove(&session);
                if let Some(inbox) = self.inboxes.remove(&session) {
                    inbox.close();
                }
            }
            _ => {}
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The task that tells the time looks whether there still is a service.
        self.timer.notify_one();
    }
}

impl KeepsTime for Service {
    fn timer(&self) -> (Clock, Arc<Notify>) {
        (self.engine.clock, self.timer.clone())
    }

    fn pass_time(self: &Arc<Self>) -> Option<Duration> {
        self.update(|state, now| {
            state.sessions.time_passed(now);
            state.deadline = state.sessions.next_deadline();
            state.deadline
        })
    }
}

/// Carries the frames of a session's client in requests and responses.
struct OverHttp {
    service: Arc<Service>,
    session: SessionKey,
    inbox: Arc<Inbox>,
}

impl Transport for OverHttp {
    /// A session has no more than 1,024 messages, and a receipt takes some 30 bytes.
    const ROOM: usize = 16 << 10;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.inbox.poll_pop(cx).map(|message| message.map(Bytes::from))
    }

    fn send(&mut self, frame: EncodedFrame) -> Result<(), Unsendable> {
        let message = prepare(frame)?;
        let session = self.session;
        // If it is full, the session has closed, and the inbox says so.
        let _ = self.service.update(|state, now| state.sessions.send(session, &message, now));
        Ok(())
    }

    fn close(&mut self, code: CloseCode) {
        let session = self.session;
        self.service.update(|state, now| state.sessions.close(session, code.number(), "", now));
    }

    fn unsent(&self) -> usize {
        self.service.state().sessions.queued(self.session)
    }
}

impl Drop for OverHttp {
    fn drop(&mut self) {
        // The task can end before the session does.
        self.close(CloseCode::GOING_AWAY);
    }
}

/// Makes a message of SockJS, which is always text.
pub(super) fn prepare(frame: EncodedFrame) -> Result<PreparedMessage, Unsendable> {
    let bytes = frame.into_bytes();
    str::from_utf8(&bytes).map(PreparedMessage::new).map_err(|_| Unsendable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use sansocket_realtime::Epoch;

    fn service() -> Arc<Service> {
        let (engine, _) = Engine::new(Options::default(), None, Epoch(1), |_, _| Ok(())).unwrap();
        Service::new(Arc::new(engine))
    }

    #[test]
    fn a_session_that_nobody_was_admitted_for_closes() {
        let service = service();
        let of = service.attach("a", b"", sockjs::Transport::Xhr, None).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let opened = service.poll_chunk(of, &mut cx);
        assert!(matches!(opened, Poll::Ready(Next::Chunk(chunk)) if chunk.text.as_str() == "o\n"));
        service.written(of);
        let closed = service.attach("a", b"", sockjs::Transport::Xhr, None).unwrap_err();
        assert!(format!("{closed:?}").contains("1001"), "{closed:?}");
    }

    #[tokio::test]
    async fn a_client_that_is_admitted_to_a_session_in_vain_does_not_count() {
        let service = service();
        let admitted = || {
            let client = service.engine.admit(None).unwrap();
            Some(Admitted { client, principal: None })
        };
        let of = service.attach("a", b"", sockjs::Transport::Xhr, admitted()).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(service.poll_chunk(of, &mut cx).is_ready());
        service.written(of);
        service.attach("a", b"", sockjs::Transport::Xhr, admitted()).unwrap();
        assert!(service.state().admitted.is_empty());
    }
}
