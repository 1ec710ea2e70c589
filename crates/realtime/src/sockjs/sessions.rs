//! The sessions of a service, which last from request to request.

use super::{
    config::Config,
    error::{AttachError, ReceiveError},
    frame::PreparedMessage,
    queue::SendError,
    receiver::{Chunk, Receiver},
    session::{Cause, Session},
    transport::Transport,
};
use crate::shrink::shrink;
use alloc::{
    boxed::Box,
    collections::{BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;
use std::collections::HashMap;

/// How many deadlines are met in one call.
const DUE_AT_ONCE: usize = 1024;

/// How many effects there is always room for.
const KEPT: usize = 64;

/// All sessions of a service that use HTTP, by the ids that clients chose.
///
/// After each call, take the effects with [`next_effect`](Self::next_effect) until there is none, and
/// ask for the [`next_deadline`](Self::next_deadline) again. The [module](super) has an example.
///
/// Whoever knows the id of a session can read and send in it. Pass an `owner` to make guessing
/// pointless: whatever tells you who the client is, such as the name of its user. It has to be the same
/// with each request of a session. Without users, pass an empty one.
#[derive(Debug)]
pub struct Sessions {
    config: Arc<Config>,
    by_id: HashMap<Arc<str>, SessionKey>,
    entries: HashMap<SessionKey, Entry>,
    /// The deadlines of all sessions, in order.
    deadlines: BTreeSet<(Duration, SessionKey)>,
    effects: VecDeque<Effect>,
    latest: SessionKey,
}

/// Names a session to the application. No other session of the same [`Sessions`] ever has the same key,
/// even if a client uses the id again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(u64);

/// What a server has to do, or its application has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// A client opened a session.
    Opened {
        /// The new session.
        session: SessionKey,
    },
    /// The client sent messages.
    Messages {
        /// Its session.
        session: SessionKey,
        /// The messages in order. There is at least one.
        messages: Vec<String>,
    },
    /// Take chunks with [`Sessions::next_chunk`], until there is none or the connection is not ready
    /// for more.
    Ready {
        /// The session.
        session: SessionKey,
        /// The receiver that has something to take.
        receiver: Receiver,
    },
    /// End the connection of this receiver at once: see [`Session::time_passed`].
    Abort {
        /// The session.
        session: SessionKey,
        /// The receiver, which is not attached any more.
        receiver: Receiver,
    },
    /// A session closed. There are no more messages from its client. What the application sent before
    /// it closed the session is still delivered.
    Closed {
        /// The session.
        session: SessionKey,
        /// Why.
        cause: Cause,
    },
}

#[derive(Debug)]
struct Entry {
    id: Arc<str>,
    owner: Box<[u8]>,
    session: Session,
    /// The session's deadline as it stands in the order.
    deadline: Option<Duration>,
}

impl Sessions {
    /// Creates an empty table.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            by_id: HashMap::new(),
            entries: HashMap::new(),
            deadlines: BTreeSet::new(),
            effects: VecDeque::new(),
            latest: SessionKey(0),
        }
    }

    /// Returns how many sessions there are, those that closed and have not expired yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the session of that id, if there is one that belongs to `owner`.
    ///
    /// Without one, [`attach`](Self::attach) opens a session, so ask first whether this client may:
    ///
    /// ```
    /// use core::{net::IpAddr, time::Duration};
    /// use sansocket_realtime::guard::{ClientLimits, Guard, Limits};
    /// use sansocket_realtime::sockjs::{Config, Sessions, Transport};
    ///
    /// let limits = Limits::default().address(ClientLimits::of_address().connections(1));
    /// let (mut guard, address) = (Guard::new(limits), IpAddr::from([192, 0, 2, 1]));
    /// let mut sessions = Sessions::new(Config::default().into());
    /// let now = Duration::ZERO;
    ///
    /// // The first request of a session counts as a connection.
    /// assert_eq!(sessions.find("k3y", b""), None);
    /// let client = guard.connect(Some(address), now)?;
    /// let (session, _) = sessions.attach("k3y", b"", Transport::Xhr, now)?;
    ///
    /// // A later one does not, and another session is too many.
    /// assert_eq!(sessions.find("k3y", b""), Some(session));
    /// assert_eq!(sessions.find("0th3r", b""), None);
    /// assert!(guard.connect(Some(address), now).is_err());
    ///
    /// // At `Effect::Closed` there is room for another.
    /// guard.disconnect(client, now);
    /// assert!(guard.connect(Some(address), now).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn find(&self, id: &str, owner: &[u8]) -> Option<SessionKey> {
        let session = *self.by_id.get(id)?;
        (*self.entries.get(&session)?.owner == *owner).then_some(session)
    }

    /// Attaches a receiver to the session of that id, which is created if there is none.
    ///
    /// # Errors
    ///
    /// Pass the error to [`AttachError::response`].
    pub fn attach(
        &mut self,
        id: &str,
        owner: &[u8],
        transport: Transport,
        now: Duration,
    ) -> Result<(SessionKey, Receiver), AttachError> {
        let session = match self.by_id.get(id) {
            Some(_) => self.find(id, owner).ok_or(AttachError::NotFound)?,
            None => self.create(id, owner, now)?,
        };
        let receiver = self
            .update(session, |session| session.attach(transport, now))
            .ok_or(AttachError::NotFound)??;
        Ok((session, receiver))
    }

    /// Takes the next chunk for a receiver: see [`Session::next_chunk`].
    pub fn next_chunk(
        &mut self,
        session: SessionKey,
        receiver: Receiver,
        now: Duration,
    ) -> Option<Chunk> {
        self.update(session, |session| session.next_chunk(receiver, now))?
    }

    /// Tells that the last chunk of a receiver is written: see [`Session::written`].
    pub fn written(&mut self, session: SessionKey, receiver: Receiver, now: Duration) {
        self.update(session, |session| session.written(receiver, now));
    }

    /// Tells that a receiver ended before all that it took was written: see [`Session::aborted`].
    pub fn aborted(&mut self, session: SessionKey, receiver: Receiver, now: Duration) {
        self.update(session, |session| session.aborted(receiver, now));
    }

    /// Receives the body of an `xhr_send`. On success, answer with
    /// [`Response::accepted`](super::Response::accepted).
    ///
    /// # Errors
    ///
    /// Pass the error to [`ReceiveError::response`].
    pub fn received(&mut self, id: &str, owner: &[u8], body: &[u8]) -> Result<(), ReceiveError> {
        let session = self.find(id, owner).ok_or(ReceiveError::NotFound)?;
        let entry = self.entries.get(&session).ok_or(ReceiveError::NotFound)?;
        let messages = entry.session.received_body(body)?;
        if !messages.is_empty() {
            self.effects.push_back(Effect::Messages { session, messages });
        }
        Ok(())
    }

    /// Queues a message for a client.
    ///
    /// # Errors
    ///
    /// As [`Session::send`], and [`SendError::Closed`] if the session is over.
    pub fn send(
        &mut self,
        session: SessionKey,
        message: &PreparedMessage,
        now: Duration,
    ) -> Result<(), SendError> {
        self.update(session, |session| session.send(message, now)).unwrap_or(Err(SendError::Closed))
    }

    /// Returns how many bytes wait for the client of a session, or 0 if the session is over: see
    /// [`Session::queued`].
    #[must_use]
    pub fn queued(&self, session: SessionKey) -> usize {
        self.entries.get(&session).map_or(0, |entry| entry.session.queued())
    }

    /// Closes a session: see [`Session::close`].
    pub fn close(&mut self, session: SessionKey, code: u16, reason: &str, now: Duration) {
        self.update(session, |session| session.close(code, reason, now));
    }

    /// Returns the next effect.
    pub fn next_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if effect.is_none() {
            self.effects.shrink_to(KEPT);
        }
        effect
    }

    /// Returns when to call [`time_passed`](Self::time_passed). It costs little, whatever the
    /// number of sessions.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Does what is due.
    ///
    /// A call does so for at most 1,024 sessions, to leave time for other work. If more are due, the
    /// next deadline has passed already: call again.
    pub fn time_passed(&mut self, now: Duration) {
        for _ in 0..DUE_AT_ONCE {
            let Some(&(due, session)) = self.deadlines.first() else { return };
            if due > now {
                return;
            }
            let given_up = self.update(session, |session| session.time_passed(now)).flatten();
            if let Some(receiver) = given_up {
                self.effects.push_back(Effect::Abort { session, receiver });
            }
        }
    }

    fn create(&mut self, id: &str, owner: &[u8], now: Duration) -> Result<SessionKey, AttachError> {
        if id.len() > self.config.session_id_bytes {
            return Err(AttachError::NotFound);
        }
        let limit = self.config.sessions;
        if self.entries.len() >= limit {
            return Err(AttachError::Full { limit });
        }
        // One key a request: 64 bits do not overflow.
        self.latest = SessionKey(self.latest.0.wrapping_add(1));
        let id: Arc<str> = id.into();
        let session = Session::new(Arc::clone(&self.config), now);
        self.by_id.insert(Arc::clone(&id), self.latest);
        self.entries
            .insert(self.latest, Entry { id, owner: owner.into(), session, deadline: None });
        self.effects.push_back(Effect::Opened { session: self.latest });
        Ok(self.latest)
    }

    /// Calls a session, and then looks at what has changed.
    fn update<T>(&mut self, key: SessionKey, call: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let Entry { session, deadline, .. } = self.entries.get_mut(&key)?;
        let (was_ready, was_closed) = (session.ready(), session.closed());
        let result = call(session);
        if let Some(receiver) = session.ready().filter(|_| session.ready() != was_ready) {
            self.effects.push_back(Effect::Ready { session: key, receiver });
        }
        if let Some(cause) = session.closed().filter(|_| was_closed.is_none()) {
            self.effects.push_back(Effect::Closed { session: key, cause });
        }
        let next = session.next_deadline();
        let old = core::mem::replace(deadline, next);
        if old != next {
            if let Some(old) = old {
                self.deadlines.remove(&(old, key));
            }
            if let Some(next) = next {
                self.deadlines.insert((next, key));
            }
        }
        if session.is_expired() {
            if let Some(entry) = self.entries.remove(&key) {
                self.by_id.remove(&entry.id);
                shrink(&mut self.by_id);
                shrink(&mut self.entries);
            }
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_receiver_is_told_once_that_there_is_something() {
        let mut sessions = Sessions::new(Config::default().into());
        let (session, receiver) = sessions.attach("s", b"", Transport::EventSource, NOW).unwrap();
        assert_eq!(sessions.next_effect(), Some(Effect::Opened { session }));
        assert_eq!(sessions.next_effect(), Some(Effect::Ready { session, receiver }));
        sessions.send(session, &"1".into(), NOW).unwrap();
        assert_eq!(sessions.next_effect(), None);
        while sessions.next_chunk(session, receiver, NOW).is_some() {}
        assert_eq!(sessions.next_effect(), None);
        sessions.send(session, &"2".into(), NOW).unwrap();
        sessions.send(session, &"3".into(), NOW).unwrap();
        assert_eq!(sessions.next_effect(), Some(Effect::Ready { session, receiver }));
        assert_eq!(sessions.next_effect(), None);
    }

    #[test]
    fn a_session_says_how_much_waits_for_its_client() {
        let mut sessions = Sessions::new(Config::default().into());
        let (session, receiver) = sessions.attach("s", b"", Transport::Xhr, NOW).unwrap();
        let message = PreparedMessage::new("hello");
        sessions.send(session, &message, NOW).unwrap();
        sessions.send(session, &message, NOW).unwrap();
        assert_eq!(sessions.queued(session), 2 * message.len());
        // The open frame has none of them.
        sessions.next_chunk(session, receiver, NOW).unwrap();
        assert_eq!(sessions.queued(session), 2 * message.len());
        let (_, receiver) = sessions.attach("s", b"", Transport::Xhr, NOW).unwrap();
        sessions.next_chunk(session, receiver, NOW).unwrap();
        assert_eq!(sessions.queued(session), 0);
        sessions.send(session, &message, NOW).unwrap();
        sessions.aborted(session, receiver, NOW);
        assert_eq!(sessions.queued(session), 0);
        assert_eq!(sessions.queued(SessionKey(7)), 0);
    }

    #[test]
    fn a_session_is_found_by_its_owner_until_it_expires() {
        let mut sessions = Sessions::new(Config::default().into());
        assert_eq!(sessions.find("s", b"a"), None);
        let (session, receiver) = sessions.attach("s", b"a", Transport::Xhr, NOW).unwrap();
        assert_eq!(sessions.find("s", b"a"), Some(session));
        assert_eq!((sessions.find("s", b"b"), sessions.find("t", b"a")), (None, None));
        sessions.aborted(session, receiver, NOW);
        assert_eq!(sessions.find("s", b"a"), Some(session));
        sessions.time_passed(sessions.next_deadline().unwrap());
        assert_eq!(sessions.find("s", b"a"), None);
    }

    #[test]
    fn deadlines_come_in_order_and_only_those_that_are_due() {
        let mut sessions = Sessions::new(Config::default().into());
        let second = Duration::from_secs(1);
        for index in 0..1000_u32 {
            let (id, now) = (index.to_string(), NOW + second * index);
            let (session, receiver) = sessions.attach(&id, b"", Transport::Xhr, now).unwrap();
            sessions.next_chunk(session, receiver, now).unwrap();
            sessions.written(session, receiver, now);
        }
        let delay = Config::default().disconnect_delay;
        for index in 0..1000_u32 {
            assert_eq!(sessions.next_deadline(), Some(NOW + second * index + delay));
            sessions.time_passed(NOW + second * index + delay);
            assert_eq!(sessions.len(), 999 - index as usize);
        }
        assert_eq!(sessions.next_deadline(), None);
        assert!(sessions.by_id.is_empty() && sessions.deadlines.is_empty());
    }

    #[test]
    fn a_call_meets_a_bounded_number_of_deadlines() {
        let mut sessions = Sessions::new(Config::default().into());
        for index in 0..2000_u32 {
            sessions.attach(&index.to_string(), b"", Transport::Xhr, NOW).unwrap();
        }
        let heartbeat = sessions.next_deadline().unwrap();
        sessions.time_passed(heartbeat);
        assert_eq!(sessions.next_deadline(), Some(heartbeat));
        sessions.time_passed(heartbeat);
        assert!(sessions.next_deadline().unwrap() > heartbeat);
    }

    #[test]
    fn what_is_over_is_unknown() {
        let mut sessions = Sessions::new(Config::default().into());
        let (session, receiver) = sessions.attach("s", b"", Transport::Xhr, NOW).unwrap();
        sessions.aborted(session, receiver, NOW);
        let later = sessions.next_deadline().unwrap();
        sessions.time_passed(later);
        let (next, _) = sessions.attach("s", b"other", Transport::Xhr, later).unwrap();
        assert_ne!(next, session);
        assert_eq!(sessions.send(session, &"x".into(), later), Err(SendError::Closed));
        assert_eq!(sessions.next_chunk(session, receiver, later), None);
        sessions.close(session, 3000, "", later);
        sessions.aborted(session, receiver, later);
        assert_eq!(sessions.received("s", b"", b"[]"), Err(ReceiveError::NotFound));
        assert_eq!(sessions.received("s", b"other", b"[]"), Ok(()));
    }
}
