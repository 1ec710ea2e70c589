//! A client that requests a stream, and requests it again when it ends.

use super::{
    event::{InvalidEvent, check_id},
    parser::{ParseError, Parser, ParserConfig, Received},
    response::{CONTENT_TYPE, STATUS},
};
use core::time::Duration;
use sansocket::client::Backoff;

/// The client's end of an event stream, like `EventSource` of browsers (§9.2.2, §9.2.3), without IO.
///
/// It says when to make a request and with which header fields, judges the response, parses the
/// stream, and decides when to request it again: after an end or an error of the network always,
/// after a response that is no event stream never.
///
/// You make the requests, with any HTTP library. Have it follow redirections: a redirection that
/// arrives here is a response like any other.
///
/// 1. Ask [`next_action`](Self::next_action) what is due, again whenever
///    [`next_deadline`](Self::next_deadline) has passed.
/// 2. At [`Action::Request`], send a GET with the [`request_fields`](Self::request_fields).
/// 3. Pass on the head of the response by [`response`](Self::response), and the body by
///    [`next`](Self::next).
/// 4. Tell the end of the response, or the failure of the request, by [`ended`](Self::ended).
///
/// ```
/// use sansocket_realtime::sse::{Action, Client, ClientConfig, Received};
/// use std::time::Duration;
///
/// let random = 1 << 63; // Pass random numbers instead.
/// let mut now = Duration::ZERO;
/// let mut client = Client::new(ClientConfig::default(), now);
/// assert_eq!(client.next_action(now, random), Some(Action::Request));
///
/// client.response(200, Some(b"text/event-stream"), now)?;
/// let mut body = &b"id: 5f3a-7\ndata: hello\n\n"[..];
/// while let Some(received) = client.next(&mut body, now)? {
///     assert!(matches!(received, Received::Message(message) if message.data == "hello"));
/// }
///
/// // The response ends. In 3 seconds and a random part of half a second, there is another request.
/// client.ended(now, random);
/// assert_eq!(client.next_action(now, random), None);
/// now = client.next_deadline().expect("a request");
/// assert_eq!(now, Duration::from_millis(3250));
/// assert_eq!(client.next_action(now, random), Some(Action::Request));
/// assert!(client.request_fields().any(|field| field == ("last-event-id", "5f3a-7")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    parser: Parser,
    reconnection_time: Duration,
    backoff: Backoff,
    silence: Option<Duration>,
    state: State,
}

/// Options of a [`Client`].
///
/// ```
/// use sansocket_realtime::sse::ClientConfig;
/// use std::time::Duration;
///
/// let config = ClientConfig::default().silence(Duration::from_secs(45));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The limits of the stream.
    pub parser: ParserConfig,
    /// How long to wait before the stream is requested again, until the stream says so itself by
    /// `retry`. 3 seconds by default.
    pub reconnection_time: Duration,
    /// The pauses that are added to the reconnection time, and how many attempts there are. By
    /// default up to half a second after a stream that had opened, and twice as much after each
    /// further failure, up to 30 seconds, without limit of attempts.
    pub backoff: Backoff,
    /// The longest time without any byte of the response, after which it is given up and requested
    /// again. A server sends a comment every 15 seconds (§9.2.7), so that two lost ones take 45. By
    /// default there is no such limit: the standard has none.
    pub silence: Option<Duration>,
}

impl ClientConfig {
    setters! { parser: ParserConfig, reconnection_time: Duration, backoff: Backoff }

    /// Sets the longest [`silence`](Self::silence); `None` means without limit.
    #[must_use]
    pub fn silence(mut self, longest: impl Into<Option<Duration>>) -> Self {
        self.silence = longest.into();
        self
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            parser: ParserConfig::default(),
            reconnection_time: Duration::from_secs(3),
            // A server sets the pace of its streams by `retry`, so each that opens is stable.
            backoff: Backoff::new().stable_after(Duration::ZERO),
            silence: None,
        }
    }
}

/// What the caller of a [`Client`] has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Request the stream, with the fields of [`Client::request_fields`].
    Request,
    /// Drop the request or its response: nothing has arrived for as long as
    /// [`ClientConfig::silence`]. This is an end; don't call [`Client::ended`] for it.
    Drop,
}

/// What a [`Client`] is doing, by the names of `EventSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum ReadyState {
    /// It requests the stream, or waits until it requests it again.
    Connecting,
    /// It receives the stream.
    Open,
    /// It has given up or was closed, and makes no requests any more.
    Closed,
}

/// A response is no event stream, and the client has closed for good, as the standard demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The status is not 200. With 204 the server asks the client to stop; another status is the
    /// fault of the server or of the request. Whether a new client may succeed depends on the status.
    #[error("the server answers with status {status}, where an event stream has 200")]
    Status {
        /// The status.
        status: u16,
    },
    /// The server answers with something other than `text/event-stream`.
    #[error("the response is no event stream: its content type is another, or is missing")]
    ContentType,
    /// There is no request that this could be the response to: the client was closed, or has given
    /// up the request. Its state has not changed. Drop the response.
    #[error("the client does not wait for a response")]
    NotAwaited,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting { until: Duration },
    Requested { at: Duration },
    Open { since: Duration, heard: Duration },
    Closed,
}

impl Client {
    /// Creates a client that makes its first request at once.
    #[must_use]
    pub fn new(config: ClientConfig, now: Duration) -> Self {
        let ClientConfig { parser, reconnection_time, backoff, silence } = config;
        let state = State::Waiting { until: now };
        Self { parser: Parser::new(parser), reconnection_time, backoff, silence, state }
    }

    /// Has the first request resume after this ID, such as one that was stored.
    ///
    /// # Errors
    ///
    /// Returns an error if it contains a line break or NUL: no stream has such an ID, and it could
    /// break out of the header field.
    pub fn resume_after(mut self, last_event_id: &str) -> Result<Self, InvalidEvent> {
        check_id(Some(last_event_id))?;
        self.parser = self.parser.resume_after(last_event_id);
        Ok(self)
    }

    /// Returns what is due by now, if anything.
    ///
    /// `random` is a random number, uniformly distributed over its whole range.
    pub fn next_action(&mut self, now: Duration, random: u64) -> Option<Action> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        if let State::Waiting { .. } = self.state {
            self.state = State::Requested { at: now };
            return Some(Action::Request);
        }
        self.ended(now, random);
        Some(Action::Drop)
    }

    /// Returns when to call [`next_action`](Self::next_action), unless something arrives earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Requested { at: heard } | State::Open { heard, .. } => {
                self.silence.map(|silence| heard.saturating_add(silence))
            }
            State::Closed => None,
        }
    }

    /// Returns the header fields of the request, with names in lowercase.
    ///
    /// The value of `last-event-id` is what the server chose: UTF-8 without CR, LF and NUL, but it may
    /// contain other control characters, with which some HTTP libraries refuse it.
    pub fn request_fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let last_event_id = self.parser.last_event_id();
        let resume = (!last_event_id.is_empty()).then_some(("last-event-id", last_event_id));
        // The request has the cache mode "no-store" (§9.2.2), for which the Fetch Standard sends
        // `no-cache`: the former keeps an answer from being stored, the latter an old one from coming.
        let always = [("accept", CONTENT_TYPE), ("cache-control", "no-cache, no-store")];
        always.into_iter().chain(resume)
    }

    /// Judges the head of the response, by its status and the value of its `Content-Type`.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no event stream. Then the client is
    /// [`Closed`](ReadyState::Closed), unless it waited for no response.
    pub fn response(
        &mut self,
        status: u16,
        content_type: Option<&[u8]>,
        now: Duration,
    ) -> Result<(), Refused> {
        let State::Requested { .. } = self.state else {
            return Err(Refused::NotAwaited);
        };
        let refused = if status != STATUS {
            Refused::Status { status }
        } else if !content_type.is_some_and(is_event_stream) {
            Refused::ContentType
        } else {
            self.state = State::Open { since: now, heard: now };
            return Ok(());
        };
        self.close();
        Err(refused)
    }

    /// Takes bytes of the body from the front of `input` up to the next event, or all of them.
    ///
    /// Call it until it returns `None`; `input` is empty then. While the client is not
    /// [`Open`](ReadyState::Open), bytes are discarded: they are of a response that was given up.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream exceeds a limit. Then the client is
    /// [`Closed`](ReadyState::Closed): it would get the same again.
    pub fn next(
        &mut self,
        input: &mut &[u8],
        now: Duration,
    ) -> Result<Option<Received<'_>>, ParseError> {
        let State::Open { heard, .. } = &mut self.state else {
            *input = &[];
            return Ok(None);
        };
        if !input.is_empty() {
            *heard = now;
        }
        let received = self.parser.next(input);
        if received.is_err() {
            self.state = State::Closed;
        }
        received
    }

    /// Tells the client that its response has ended, or that the request has failed, for whatever
    /// reason. Returns when it makes the next request, or `None` if it is closed.
    ///
    /// `random` is a random number, uniformly distributed over its whole range.
    pub fn ended(&mut self, now: Duration, random: u64) -> Option<Duration> {
        match self.state {
            State::Closed => return None,
            State::Waiting { until } => return Some(until),
            State::Requested { .. } => {}
            State::Open { since, .. } => self.backoff.lasted(now.saturating_sub(since)),
        }
        self.parser.end();
        // §9.2.3: the reconnection time passes in any case, and the client may wait for longer.
        let Some(more) = self.backoff.next(random) else {
            self.close();
            return None;
        };
        let until = now.saturating_add(self.reconnection_time()).saturating_add(more);
        self.state = State::Waiting { until };
        Some(until)
    }

    /// Closes the client. Drop the request or the response, if there is one.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Returns what the client is doing.
    #[must_use]
    pub const fn ready_state(&self) -> ReadyState {
        match self.state {
            State::Waiting { .. } | State::Requested { .. } => ReadyState::Connecting,
            State::Open { .. } => ReadyState::Open,
            State::Closed => ReadyState::Closed,
        }
    }

    /// Returns the last event ID, or an empty string. Store it to resume with another client.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.parser.last_event_id()
    }

    /// Returns the reconnection time: what the stream said last, or that of the options.
    #[must_use]
    pub fn reconnection_time(&self) -> Duration {
        self.parser.reconnection_time().unwrap_or(self.reconnection_time)
    }
}

/// Compares the essence of the media type, without its parameters: a `charset` has no effect, since
/// the stream is UTF-8 in any case (§9.2.6).
fn is_event_stream(content_type: &[u8]) -> bool {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(CONTENT_TYPE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const SECOND: Duration = Duration::from_secs(1);
    const STREAM: Option<&[u8]> = Some(b"text/event-stream");

    fn open(config: ClientConfig, now: Duration) -> Client {
        let mut client = Client::new(config, now);
        request(&mut client, now);
        client.response(200, STREAM, now).unwrap();
        client
    }

    fn request(client: &mut Client, now: Duration) {
        assert_eq!(client.next_action(now, 0), Some(Action::Request));
        assert_eq!(client.ready_state(), ReadyState::Connecting);
        assert_eq!(client.next_action(now, 0), None);
    }

    fn receive(client: &mut Client, mut body: &[u8], now: Duration) -> usize {
        let mut count = 0;
        while client.next(&mut body, now).unwrap().is_some() {
            count += 1;
        }
        assert!(body.is_empty());
        count
    }

    #[test]
    fn the_first_request_is_due_at_once_and_resumes_what_was_stored() {
        let mut client = Client::new(ClientConfig::default(), 5 * SECOND);
        assert_eq!(client.next_deadline(), Some(5 * SECOND));
        request(&mut client, 5 * SECOND);
        assert_eq!(client.next_deadline(), None);
        let fields: Vec<_> = client.request_fields().collect();
        let always = [("accept", "text/event-stream"), ("cache-control", "no-cache, no-store")];
        assert_eq!(fields, always);
        let injected = client.clone().resume_after("a\r\nx: y");
        assert_eq!(injected.err(), Some(InvalidEvent::LineBreak { field: "id", at: 1 }));
        let client = client.resume_after("a-1").unwrap();
        assert_eq!(client.request_fields().last(), Some(("last-event-id", "a-1")));
    }

    #[test]
    fn an_end_waits_for_the_reconnection_time_and_resumes() {
        let mut client = open(ClientConfig::default(), SECOND);
        assert_eq!(client.ready_state(), ReadyState::Open);
        assert_eq!(receive(&mut client, b"id:1\ndata\n\nid:2\ndata:pending", SECOND), 1);
        assert_eq!(client.ended(9 * SECOND, 0), Some(12 * SECOND));
        assert_eq!(client.next_action(12 * SECOND - Duration::from_nanos(1), 0), None);
        request(&mut client, 12 * SECOND);
        assert_eq!(client.request_fields().last(), Some(("last-event-id", "1")));
        // Nothing is left of the last stream's unfinished block.
        client.response(200, STREAM, 12 * SECOND).unwrap();
        assert_eq!(receive(&mut client, b"\n\n", 12 * SECOND), 0);
        assert_eq!(client.last_event_id(), "1");
    }

    #[test]
    fn the_stream_sets_the_reconnection_time() {
        let mut client = open(ClientConfig::default().reconnection_time(SECOND), SECOND);
        assert_eq!(client.reconnection_time(), SECOND);
        receive(&mut client, b"retry:7000\n", SECOND);
        for end in [SECOND, 20 * SECOND] {
            assert_eq!(client.ended(end, 0), Some(end + 7 * SECOND));
            request(&mut client, end + 7 * SECOND);
        }
        client.response(200, STREAM, 30 * SECOND).unwrap();
        receive(&mut client, b"retry:18446744073709551615\n", SECOND);
        assert!(client.ended(Duration::MAX, u64::MAX).is_some());
    }

    #[test]
    fn failures_back_off_until_a_stream_opens() {
        let backoff = Backoff::new().base(SECOND).cap(5 * SECOND).stable_after(Duration::ZERO);
        let mut client = Client::new(ClientConfig::default().backoff(backoff), Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        for attempt in 0..6 {
            request(&mut client, now);
            if attempt == 4 {
                client.response(200, STREAM, now).unwrap();
            }
            let next = client.ended(now, u64::MAX).unwrap();
            pauses.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [3 + 1, 3 + 2, 3 + 4, 3 + 5, 3 + 1, 3 + 2]);
    }

    #[test]
    fn the_attempts_can_run_out() {
        let backoff = Backoff::new().attempts(1);
        let mut client = Client::new(ClientConfig::default().backoff(backoff), Duration::ZERO);
        request(&mut client, Duration::ZERO);
        let next = client.ended(Duration::ZERO, 0).unwrap();
        request(&mut client, next);
        assert_eq!(client.ended(next, 0), None);
        assert_eq!(client.ready_state(), ReadyState::Closed);
        assert_eq!((client.next_deadline(), client.next_action(next, 0)), (None, None));
    }

    #[test]
    fn a_refusal_is_final() {
        let cases = [
            (204, STREAM, Refused::Status { status: 204 }),
            (503, None, Refused::Status { status: 503 }),
            (200, Some(&b"text/html"[..]), Refused::ContentType),
        ];
        for (status, content_type, refused) in cases {
            let mut client = Client::new(ClientConfig::default(), SECOND);
            request(&mut client, SECOND);
            assert_eq!(client.response(status, content_type, SECOND), Err(refused));
            assert_eq!(client.ready_state(), ReadyState::Closed);
            assert_eq!(client.ended(SECOND, 0), None);
            assert_eq!(client.next_deadline(), None);
            assert_eq!(receive(&mut client, b"data\n\n", SECOND), 0);
        }
    }

    #[test]
    fn a_limit_exceeded_is_final() {
        let config = ClientConfig::default().parser(ParserConfig::default().line(4));
        let mut client = open(config, SECOND);
        let mut body = &b"data\n\ndata:1\n\n"[..];
        assert!(matches!(client.next(&mut body, SECOND), Ok(Some(Received::Message(_)))));
        let too_long = Err(ParseError::LineTooLong { limit: 4 });
        assert_eq!(client.next(&mut body, SECOND), too_long);
        assert_eq!(client.ready_state(), ReadyState::Closed);
        assert_eq!(client.ended(SECOND, 0), None);
    }

    #[test]
    fn silence_drops_the_response() {
        let mut client = open(ClientConfig::default().silence(45 * SECOND), SECOND);
        assert_eq!(client.next_deadline(), Some(46 * SECOND));
        receive(&mut client, b":\n\n", 16 * SECOND);
        receive(&mut client, b"", 20 * SECOND);
        assert_eq!(client.next_action(60 * SECOND, 0), None);
        assert_eq!(client.next_action(61 * SECOND, 0), Some(Action::Drop));
        assert_eq!(client.next_deadline(), Some(64 * SECOND));
        // What comes of the dropped response has no effect.
        assert_eq!(receive(&mut client, b"data\n\n", 62 * SECOND), 0);
        assert_eq!(client.ended(62 * SECOND, 0), Some(64 * SECOND));
        request(&mut client, 64 * SECOND);
        assert_eq!(client.next_action(109 * SECOND, 0), Some(Action::Drop));
        assert_eq!(client.response(200, STREAM, 110 * SECOND), Err(Refused::NotAwaited));
    }

    #[test]
    fn a_closed_client_stays_closed() {
        let mut client = open(ClientConfig::default(), SECOND);
        client.close();
        assert_eq!(client.ready_state(), ReadyState::Closed);
        assert_eq!(client.ended(SECOND, 0), None);
        assert_eq!(client.next_action(Duration::MAX, 0), None);
        assert_eq!(client.response(200, STREAM, SECOND), Err(Refused::NotAwaited));
    }
}
