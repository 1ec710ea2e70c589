//! One session: what a client and the application send each other, over any number of receivers.

use super::{
    config::Config,
    frame::{Frame, PreparedMessage},
    payload::{self, PayloadError},
    queue::{Queue, SendError},
    receiver::{Attached, Chunk, Receiver, Refused},
    transport::Transport,
};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;
use sansocket::Text;

/// A session.
///
/// [`Sessions`](super::Sessions) has those of HTTP, which last from request to request. Over a
/// WebSocket, a session lasts as long as its connection, so its server creates one for each:
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::sockjs::{Config, PreparedMessage, Session, Transport};
///
/// let now = Duration::ZERO;
/// let mut session = Session::new(Config::default().into(), now);
/// let receiver = session.attach(Transport::WebSocket, now)?;
///
/// // The client's message arrives, and is sent back.
/// for text in session.received_text(r#"["hello"]"#, now)? {
///     session.send(&PreparedMessage::new(&text), now)?;
/// }
///
/// // Each chunk is a text message.
/// assert_eq!(session.next_chunk(receiver, now).unwrap().text, "o");
/// assert_eq!(session.next_chunk(receiver, now).unwrap().text, r#"a["hello"]"#);
/// assert_eq!(session.next_chunk(receiver, now), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// After the [`last`](Chunk::last) chunk, close the WebSocket with 1000. If `received_text` fails, end
/// the transport without a Close, as the protocol demands. It has no binary messages: close with 1003 if
/// one arrives. If the WebSocket ends, however it does, call
/// [`aborted`](Self::aborted) and drop the session.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    /// Whether an open frame was taken. From then on a new receiver gets none.
    opened: bool,
    closed: Option<Closed>,
    queue: Queue,
    receiver: Option<Attached>,
    /// The latest receiver, whether or not it is still attached.
    latest: Receiver,
    /// Whether the end of the latest receiver is known: it was written, aborted or given up.
    settled: bool,
    deadline: Option<Duration>,
    expired: bool,
}

/// Why a session closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The application closed it.
    Application,
    /// A receiver was aborted or given up: the client left, or its connection broke. What the receiver
    /// had taken may be lost, and what was queued is lost.
    Interrupted,
    /// The client had no receiver for [`Config::disconnect_delay`]. What was still queued is lost.
    Expired,
    /// The client took messages too slowly, and reached a limit of the queue. What was queued is lost.
    QueueFull,
    /// The client sent what is not SockJS over a WebSocket. What was queued is lost.
    BrokenPayload,
}

#[derive(Debug)]
struct Closed {
    cause: Cause,
    code: u16,
    reason: String,
}

impl Session {
    /// Creates a session, which waits for its first receiver.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Duration) -> Self {
        Self {
            deadline: Some(now.saturating_add(config.disconnect_delay)),
            config,
            opened: false,
            closed: None,
            queue: Queue::default(),
            receiver: None,
            latest: Receiver(0),
            settled: true,
            expired: false,
        }
    }

    /// Attaches a receiver. Take its chunks with [`next_chunk`](Self::next_chunk).
    ///
    /// # Errors
    ///
    /// [`Refused`] has what the client gets instead: the session has a receiver already, or is closed.
    /// The first is the client's fault. It can try again once the other response has ended.
    pub fn attach(&mut self, transport: Transport, now: Duration) -> Result<Receiver, Refused> {
        if let Some(closed) = &self.closed {
            // What was sent before the close still goes to a receiver. "Handling close": if there is
            // nothing more, another receiver that does not read makes no difference.
            if self.expired || (self.opened && self.queue.is_empty()) {
                return Err(Refused::new(closed.code, &closed.reason, transport));
            }
        }
        if self.receiver.is_some() {
            return Err(Refused::new(2010, "Another connection still open", transport));
        }
        // One number a request: 64 bits do not overflow.
        self.latest = Receiver(self.latest.0.wrapping_add(1));
        self.receiver = Some(Attached::new(transport));
        self.settled = false;
        self.deadline = Some(now.saturating_add(self.config.heartbeat_delay));
        Ok(self.latest)
    }

    /// Takes the next chunk for a receiver, which is ready to write it.
    ///
    /// Returns `None` if there is nothing for it now, or if it is not attached. After a chunk that is
    /// [`last`](Chunk::last), the receiver is not attached any more, and the client may come with
    /// another. Call [`written`](Self::written) then.
    pub fn next_chunk(&mut self, receiver: Receiver, now: Duration) -> Option<Chunk> {
        let attached = self.receiver.as_mut().filter(|_| receiver == self.latest)?;
        let transport = attached.transport;
        if let Some(text) = attached.prelude.take() {
            return Some(Chunk { text, last: false });
        }
        let (text, is_close) = self.next_frame(transport)?;
        let attached = self.receiver.as_mut()?;
        let last = attached.took(&text, &self.config) || is_close;
        if last {
            self.receiver = None;
        }
        // Behind the last chunk, it is how long the session waits to hear that it is written.
        self.deadline = Some(now.saturating_add(self.config.heartbeat_delay));
        Some(Chunk { text, last })
    }

    /// Tells that the last chunk of a receiver is written.
    ///
    /// From then on the client has [`Config::disconnect_delay`] to come with another. A client on a
    /// slow line may need longer than that to read its response, so the time does not count before. If
    /// you do not call it, the session waits for [`Config::heartbeat_delay`] instead.
    pub fn written(&mut self, receiver: Receiver, now: Duration) {
        if receiver != self.latest || self.receiver.is_some() || self.settled {
            return;
        }
        self.settled = true;
        if !self.expired {
            self.deadline = Some(now.saturating_add(self.config.disconnect_delay));
        }
    }

    /// Returns the receiver that has something to take, if there is one.
    #[must_use]
    pub fn ready(&self) -> Option<Receiver> {
        let attached = self.receiver.as_ref()?;
        let is_ready = attached.prelude.is_some()
            || !self.opened
            || !self.queue.is_empty()
            || self.closed.is_some()
            || attached.heartbeat_due;
        is_ready.then_some(self.latest)
    }

    /// Tells that the response, or the WebSocket, of a receiver ended before all that it took was
    /// written.
    ///
    /// Nobody knows which frames arrived. So the session closes with [`Cause::Interrupted`], and a
    /// later receiver gets `c[1002,"Connection interrupted"]`, also if the session was closed already.
    /// Call it even if the chunk that was not written was the last.
    ///
    /// It does nothing after [`written`](Self::written), or if a later receiver was attached since,
    /// because the client has seen the end of this one then. So whatever owns the response can call it
    /// whenever it is dropped.
    pub fn aborted(&mut self, receiver: Receiver, now: Duration) {
        if receiver == self.latest && !self.settled {
            self.interrupt(now);
        }
    }

    /// Parses the body of `xhr_send`. Returns the client's messages in order.
    ///
    /// After the session has closed there are none, as with what arrives behind a Close.
    ///
    /// # Errors
    ///
    /// The body holds no messages. It is the client's fault, and the session stays as it is.
    pub fn received_body(&self, body: &[u8]) -> Result<Vec<String>, PayloadError> {
        let messages = payload::parse_body(body, &self.config)?;
        Ok(if self.closed.is_some() { Vec::new() } else { messages })
    }

    /// Parses a text message of a WebSocket: an array of messages, one message, or nothing.
    ///
    /// # Errors
    ///
    /// The text holds no messages. It is the client's fault: the session closes with
    /// [`Cause::BrokenPayload`], and you have to end the transport without a Close.
    pub fn received_text(
        &mut self,
        text: &str,
        now: Duration,
    ) -> Result<Vec<String>, PayloadError> {
        if self.closed.is_some() {
            return Ok(Vec::new());
        }
        let messages = payload::parse_text(text, &self.config);
        if messages.is_err() {
            self.queue.clear();
            // Nothing follows, not even a frame that says why.
            self.receiver = None;
            self.close_with(Cause::BrokenPayload, 1002, "Broken framing", now);
        }
        messages
    }

    /// Queues a message for the client.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if the session is closed. [`SendError::QueueFull`] if the message exceeds
    /// a limit of the queue: the session closes with [`Cause::QueueFull`]. Trying again does not help.
    pub fn send(&mut self, message: &PreparedMessage, now: Duration) -> Result<(), SendError> {
        if self.closed.is_some() {
            return Err(SendError::Closed);
        }
        let pushed = self.queue.push(message, &self.config);
        if pushed.is_err() {
            // Some of the messages, and others not: no client could make sense of that.
            self.queue.clear();
            self.close_with(Cause::QueueFull, 1008, "Queue full", now);
        }
        pushed
    }

    /// Returns how many bytes wait for the client. Before they reach
    /// [`Config::queued_bytes`](super::Config::queued_bytes), at which the session closes, have the hub
    /// [pause](crate::hub::Command::Pause) the connection:
    /// [`SlowConsumer`](crate::guard::SlowConsumer) says when.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queue.bytes()
    }

    /// Closes the session. What is queued still goes to the client, then `c[code,"reason"]`.
    ///
    /// Every later receiver gets that frame too, until the session expires. Does nothing if the session
    /// is closed already. Codes for applications are 3000 to 4999 (RFC 6455 §7.4.2).
    pub fn close(&mut self, code: u16, reason: &str, now: Duration) {
        self.close_with(Cause::Application, code, reason, now);
    }

    /// Returns why the session closed, or `None` while it is open.
    #[must_use]
    pub fn closed(&self) -> Option<Cause> {
        self.closed.as_ref().map(|closed| closed.cause)
    }

    /// Whether the session is over: forget it.
    #[must_use]
    pub const fn is_expired(&self) -> bool {
        self.expired
    }

    /// Returns when to call [`time_passed`](Self::time_passed). Ask again after any other call.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Does what is due: a heartbeat for a receiver, or the end of a session without one.
    ///
    /// Returns a receiver that it gave up: end its response, or its WebSocket, at once. It took nothing
    /// for a whole [`Config::heartbeat_delay`] after a heartbeat was due. The session closes with
    /// [`Cause::Interrupted`].
    pub fn time_passed(&mut self, now: Duration) -> Option<Receiver> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.deadline = None;
        match &mut self.receiver {
            Some(attached) if attached.heartbeat_due => {
                self.interrupt(now);
                return Some(self.latest);
            }
            Some(attached) => {
                attached.heartbeat_due = true;
                self.deadline = Some(now.saturating_add(self.config.heartbeat_delay));
            }
            None => {
                self.expired = true;
                self.queue.clear();
                self.close_with(Cause::Expired, 1001, "Session expired", now);
            }
        }
        None
    }

    /// Ends the latest receiver, and closes the session so that the client learns of it.
    fn interrupt(&mut self, now: Duration) {
        self.receiver = None;
        self.settled = true;
        if !self.expired {
            self.deadline = Some(now.saturating_add(self.config.disconnect_delay));
        }
        // Messages behind a gap would look as if nothing were missing, and so would another close
        // frame. An open frame would promise a session that is over.
        self.queue.clear();
        self.opened = true;
        let (code, reason) = (1002, "Connection interrupted");
        match &mut self.closed {
            Some(closed) => (closed.code, closed.reason) = (code, reason.into()),
            None => self.close_with(Cause::Interrupted, code, reason, now),
        }
    }

    /// Returns the next frame, and whether it is the close frame.
    fn next_frame(&mut self, transport: Transport) -> Option<(Text, bool)> {
        if !core::mem::replace(&mut self.opened, true) {
            return Some((Frame::Open.encode(transport), false));
        }
        let messages = self.queue.take(self.config.frame_limit);
        if !messages.is_empty() {
            return Some((Frame::Messages(&messages).encode(transport), false));
        }
        if let Some(closed) = &self.closed {
            let frame = Frame::Close(closed.code, &closed.reason);
            return Some((frame.encode(transport), true));
        }
        let is_due = self.receiver.as_ref().is_some_and(|attached| attached.heartbeat_due);
        is_due.then(|| (Frame::Heartbeat.encode(transport), false))
    }

    fn close_with(&mut self, cause: Cause, code: u16, reason: &str, now: Duration) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(Closed { cause, code, reason: reason.into() });
        if self.receiver.is_none() && !self.expired {
            // It stays for a while, to tell its client, who may still be reading the last response.
            let until = now.saturating_add(self.config.disconnect_delay);
            self.deadline = self.deadline.max(Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn session() -> Session {
        Session::new(Config::default().into(), NOW)
    }

    fn take(session: &mut Session, receiver: Receiver) -> Option<(String, bool)> {
        let chunk = session.next_chunk(receiver, NOW)?;
        Some((chunk.text.as_str().into(), chunk.last))
    }

    #[test]
    fn a_receiver_that_took_nothing_can_be_aborted() {
        let mut session = session();
        let receiver = session.attach(Transport::Xhr, NOW).unwrap();
        session.aborted(receiver, NOW);
        let refused = session.attach(Transport::Xhr, NOW).unwrap_err();
        assert_eq!(refused.into_text(), "c[1002,\"Connection interrupted\"]\n");
    }

    #[test]
    fn a_session_that_closed_before_it_opened_says_both() {
        let mut session = session();
        session.close(3000, "Go away!", NOW);
        let receiver = session.attach(Transport::XhrStreaming, NOW).unwrap();
        assert_eq!(take(&mut session, receiver).unwrap().0.len(), 2049);
        assert_eq!(take(&mut session, receiver), Some(("o\n".into(), false)));
        let close = "c[3000,\"Go away!\"]\n".into();
        assert_eq!(take(&mut session, receiver), Some((close, true)));
    }

    #[test]
    fn a_receiver_that_is_over_takes_nothing() {
        let mut session = session();
        let first = session.attach(Transport::Xhr, NOW).unwrap();
        assert_eq!(take(&mut session, first), Some(("o\n".into(), true)));
        session.send(&"x".into(), NOW).unwrap();
        assert_eq!(take(&mut session, first), None);
        let second = session.attach(Transport::Xhr, NOW).unwrap();
        assert_eq!(take(&mut session, first), None);
        assert_eq!(take(&mut session, second), Some(("a[\"x\"]\n".into(), true)));
    }

    #[test]
    fn a_session_that_expired_takes_no_receiver() {
        let mut session = session();
        let deadline = session.next_deadline().unwrap();
        assert_eq!(session.time_passed(deadline), None);
        assert!(session.is_expired());
        assert!(session.attach(Transport::Xhr, deadline).is_err());
        assert_eq!(session.next_deadline(), None);
    }

    #[test]
    fn a_session_that_expired_delivers_nothing() {
        let mut session = session();
        let first = session.attach(Transport::Xhr, NOW).unwrap();
        take(&mut session, first).unwrap();
        session.send(&"x".into(), NOW).unwrap();
        let deadline = session.next_deadline().unwrap();
        assert_eq!(session.time_passed(deadline), None);
        assert!(session.is_expired());
        assert_eq!(session.closed(), Some(Cause::Expired));
        assert_eq!(session.next_deadline(), None);
        assert!(session.attach(Transport::Xhr, deadline).is_err());
    }

    #[test]
    fn a_response_takes_its_time() {
        let Config { heartbeat_delay, disconnect_delay, .. } = Config::default();
        let mut session = session();
        let first = session.attach(Transport::Xhr, NOW).unwrap();
        take(&mut session, first).unwrap();
        assert_eq!(session.next_deadline(), Some(NOW + heartbeat_delay));
        session.close(3000, "Go away!", NOW);
        assert_eq!(session.next_deadline(), Some(NOW + heartbeat_delay));
        let later = NOW + heartbeat_delay / 2;
        session.written(first, later);
        assert_eq!(session.next_deadline(), Some(later + disconnect_delay));
    }

    #[test]
    fn an_end_that_is_told_twice_counts_once() {
        let Config { disconnect_delay, .. } = Config::default();
        let mut session = session();
        let receiver = session.attach(Transport::Xhr, NOW).unwrap();
        session.aborted(receiver, NOW);
        session.aborted(receiver, 2 * NOW);
        session.written(receiver, 2 * NOW);
        assert_eq!(session.next_deadline(), Some(NOW + disconnect_delay));
    }

    #[test]
    fn only_the_latest_response_counts() {
        let Config { heartbeat_delay, .. } = Config::default();
        let mut session = session();
        let first = session.attach(Transport::Xhr, NOW).unwrap();
        take(&mut session, first).unwrap();
        let second = session.attach(Transport::Xhr, NOW).unwrap();
        session.written(first, NOW);
        session.written(second, NOW);
        assert_eq!(session.next_deadline(), Some(NOW + heartbeat_delay));
        session.time_passed(NOW + heartbeat_delay);
        assert_eq!(take(&mut session, second), Some(("h\n".into(), true)));
        // The second response is still being written.
        session.written(first, NOW);
        assert_eq!(session.next_deadline(), Some(NOW + heartbeat_delay));
    }

    #[test]
    fn the_longest_delay_is_never() {
        let config = Config::default().heartbeat_delay(Duration::MAX);
        let mut session = Session::new(config.into(), NOW);
        let receiver = session.attach(Transport::WebSocket, NOW).unwrap();
        assert_eq!(take(&mut session, receiver), Some(("o".into(), false)));
        assert_eq!(session.next_deadline(), Some(Duration::MAX));
        assert_eq!(session.time_passed(1_000_000 * NOW), None);
        assert_eq!(session.ready(), None);
    }

    #[test]
    fn times_at_the_end_of_a_duration_do_not_overflow() {
        let mut session = Session::new(Config::default().into(), Duration::MAX);
        let receiver = session.attach(Transport::WebSocket, Duration::MAX).unwrap();
        assert_eq!(session.time_passed(Duration::MAX), None);
        assert_eq!(session.time_passed(Duration::MAX), Some(receiver));
        assert_eq!(session.time_passed(Duration::MAX), None);
        assert!(session.is_expired());
    }
}
