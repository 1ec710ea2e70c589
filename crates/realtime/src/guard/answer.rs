//! What a client gets whose command is refused: on each transport, in one table.

use super::authentication::AuthenticationError;
use super::breach::{Breach, Scope};
use super::slow_consumer::TooSlow;
use super::sources::Sources;
use crate::hub::Refusal;
use alloc::{
    borrow::Cow,
    string::{String, ToString},
};
use core::time::Duration;
use sansocket::{CloseCode, handshake::PlainResponse};

/// What a client gets for a [`Refusal`] of the hub, a [`Breach`], an [`AuthenticationError`], or for
/// being [`TooSlow`].
///
/// | why | close code | status | `Retry-After` |
/// |---|---|---|---|
/// | [`Refusal::Destination`], [`Refusal::DifferentSequences`], [`Breach::DestinationTooLong`] | 1008 | 400 | – |
/// | [`Refusal::NotAllowed`] | 1008 | 403 | – |
/// | [`Refusal::NoHandler`], [`Refusal::UnknownSubscription`], [`Refusal::UnknownDelivery`] | 1008 | 404 | – |
/// | [`Refusal::SubscriptionExists`] | 1008 | 409 | – |
/// | [`Refusal::Application`] | 1008 | 422 | – |
/// | [`Refusal::Unavailable`] | 1013 | 503 | 5 s |
/// | [`Refusal::Failed`] | 1011 | 500 | – |
/// | [`Refusal::TooManySubscriptions`], [`Refusal::TransactionTooLarge`] | 1008 | 400 | – |
/// | [`Refusal::MessageTooLarge`], [`Breach::MessageTooLarge`] | 1009 | 413 | – |
/// | [`Refusal::TooManyDestinations`], [`Refusal::QueueFull`], [`Refusal::QueuesFull`], [`Refusal::OutboxFull`], [`Refusal::Broker`] | 1013 | 503 | 5 s |
/// | [`Refusal::Missed`] | 1013 | 503 | 1 s |
/// | [`Refusal::NotConnected`] | 1011 | 500 | – |
/// | [`Breach::Connections`], [`Breach::NewConnections`] | 1013 | 429 | as the breach says |
/// | [`Breach::Messages`], [`Breach::Bytes`], [`Breach::Subscriptions`] of a client | 1008 | 429 | as the breach says |
/// | the same of a destination, which is full because of others as well | 1013 | 503 | as the breach says |
/// | [`Breach::Bytes`] for a message that is larger than the burst | 1009 | 413 | – |
/// | any other breach that never ends, because the limit is 0 | 1008 | 403 | – |
/// | [`AuthenticationError::Missing`], [`AuthenticationError::Refused`] | 1008 | 401 | – |
/// | [`AuthenticationError::Credentials`] | 1008 | 400 | – |
/// | [`AuthenticationError::Forbidden`] | 1008 | 403 | – |
/// | [`AuthenticationError::Unavailable`] | 1013 | 503 | as it says, or 5 s |
/// | [`TooSlow`] | 1013 | 503 | 1 s |
///
/// A `Retry-After` is in whole seconds (RFC 9110 §10.2.3): at least one, and at most a day.
///
/// An `EventSource` gives up for good after any status but 200 (WHATWG HTML §9.2.2), also after 429 and
/// 503. So where this table has a `Retry-After`, an event stream gets
/// [status 200 with `retry:`](EventStreamAnswer::Retry), and ends: the client comes back by itself. Where
/// there is none, it gets the status, and gives up.
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::guard::{Answer, Breach, EventStreamAnswer, Scope};
///
/// let breach = Breach::Connections { scope: Scope::Address, limit: 10 };
/// let answer = Answer::from(&breach);
/// assert_eq!((answer.status, answer.close_code.number()), (429, 1013));
/// assert_eq!(answer.event_stream(), EventStreamAnswer::Retry(Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// What the client may be told: the `message` header of an ERROR in STOMP, the reason of a Close, the
    /// body of a response. It is one line, which each version of STOMP can send. It tells what the client
    /// has sent and what it may do, and nothing of other clients or of how the server works inside.
    pub message: Cow<'static, str>,
    /// The code of the Close of a WebSocket (RFC 6455 §7.4.1).
    pub close_code: CloseCode,
    /// The status of a response.
    pub status: u16,
    /// After which time trying the same again can succeed, if it ever can: for `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// What a request for an event stream gets instead of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventStreamAnswer {
    /// A response of this status. The client gives up.
    Status(u16),
    /// A response of status 200 with the content type of event streams, which consists of a field
    /// `retry` with this time in milliseconds, and ends. The client comes back after it.
    Retry(Duration),
}

/// When to try again if something is full or away, and nobody knows for how long.
const FULL: Duration = Duration::from_secs(5);

/// When to try again if nothing keeps the client from it.
const SOON: Duration = Duration::from_secs(1);

/// The longest time that a client is told to wait. Many clients count milliseconds in 32 bits, and come
/// back at once if these overflow.
const LATEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Answer {
    fn new(message: impl Into<Cow<'static, str>>, close_code: CloseCode, status: u16) -> Self {
        Self { message: message.into(), close_code, status, retry_after: None }
    }

    /// An answer to something that the client must not do again.
    fn policy(message: impl ToString, status: u16) -> Self {
        Self::new(message.to_string(), CloseCode::POLICY_VIOLATION, status)
    }

    /// An answer to something that the client can try again later.
    fn later(message: impl Into<Cow<'static, str>>, status: u16, retry_after: Duration) -> Self {
        let retry_after = Some(whole_seconds(retry_after).min(LATEST));
        Self { retry_after, ..Self::new(message, CloseCode::TRY_AGAIN_LATER, status) }
    }

    fn too_large(message: impl ToString) -> Self {
        Self::new(message.to_string(), CloseCode::MESSAGE_TOO_BIG, 413)
    }

    /// Returns what a request for an event stream gets.
    #[must_use]
    pub fn event_stream(&self) -> EventStreamAnswer {
        match self.retry_after {
            Some(time) => EventStreamAnswer::Retry(time),
            None => EventStreamAnswer::Status(self.status),
        }
    }

    /// Returns the header fields that a response of this status needs: `Retry-After`, and for status 401
    /// the `WWW-Authenticate` with the [challenge](Sources::challenge) of your sources.
    pub fn fields(&self, sources: &Sources) -> impl Iterator<Item = (&'static str, String)> {
        let retry_after = self.retry_after.map(|time| ("Retry-After", time.as_secs().to_string()));
        let challenge = (self.status == 401).then(|| ("WWW-Authenticate", sources.challenge()));
        retry_after.into_iter().chain(challenge)
    }

    /// Returns the response to a request that asks for a WebSocket or publishes a message. For a poll or
    /// an event stream, take that of [`http`](crate::http::Response), which is JSON.
    ///
    /// ```
    /// use sansocket_realtime::guard::{Answer, AuthenticationError, Sources};
    ///
    /// let response =
    ///     Answer::from(&AuthenticationError::Missing).response(&Sources::default());
    /// assert_eq!(response.status(), 401);
    /// let challenge = ("WWW-Authenticate", r#"Bearer realm="realtime""#);
    /// assert!(response.headers().any(|field| field == challenge));
    /// ```
    #[must_use]
    pub fn response(&self, sources: &Sources) -> PlainResponse {
        let response = PlainResponse::new(self.status).body(alloc::format!("{}\n", self.message));
        let response = response.header("Cache-Control", "no-store");
        self.fields(sources).fold(response, |response, (name, value)| response.header(name, value))
    }
}

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Destination { .. }
            | Refusal::DifferentSequences { .. }
            | Refusal::TransactionTooLarge { .. }
            | Refusal::TooManySubscriptions { .. } => Self::policy(refusal, 400),
            Refusal::NotAllowed { .. } => Self::policy(refusal, 403),
            Refusal::NoHandler { .. } | Refusal::UnknownDelivery => Self::policy(refusal, 404),
            Refusal::UnknownSubscription(_) => Self::policy("there is no such subscription", 404),
            Refusal::SubscriptionExists(_) => Self::policy("the subscription exists already", 409),
            Refusal::Application(text) => Self::policy(one_line(text), 422),
            Refusal::Unavailable(text) => Self::later(one_line(text), 503, FULL),
            Refusal::Failed(text) => Self::new(one_line(text), CloseCode::INTERNAL_ERROR, 500),
            Refusal::MessageTooLarge { .. } => Self::too_large(refusal),
            Refusal::QueueFull { .. } => Self::later("the queue is full", 503, FULL),
            Refusal::QueuesFull { .. } => Self::later("the queues are full", 503, FULL),
            Refusal::TooManyDestinations { .. } => {
                Self::later("there are too many destinations", 503, FULL)
            }
            // What a broker says may name its addresses and users.
            Refusal::OutboxFull { .. } | Refusal::Broker(_) => {
                Self::later("messages can't be taken at the moment", 503, FULL)
            }
            Refusal::Missed { .. } => Self::later(refusal.to_string(), 503, SOON),
            Refusal::NotConnected => {
                Self::new("the connection is not connected", CloseCode::INTERNAL_ERROR, 500)
            }
        }
    }
}

impl From<&Breach> for Answer {
    fn from(breach: &Breach) -> Self {
        let (scope, retry_after) = match *breach {
            Breach::MessageTooLarge { .. } => return Self::too_large(breach),
            Breach::DestinationTooLong { .. } => return Self::policy(breach, 400),
            Breach::Bytes { rate, size, .. } if size > rate.at_once() as usize => {
                return Self::too_large(breach);
            }
            Breach::Connections { .. } | Breach::NewConnections { .. } => {
                return match breach.retry_after() {
                    Some(time) => Self::later(breach.to_string(), 429, time),
                    None => Self::policy(breach, 403),
                };
            }
            Breach::Messages { scope, .. }
            | Breach::Bytes { scope, .. }
            | Breach::Subscriptions { scope, .. } => (scope, breach.retry_after()),
        };
        match (scope, retry_after) {
            (_, None) => Self::policy(breach, 403),
            (Scope::Destination, Some(time)) => Self::later(breach.to_string(), 503, time),
            (Scope::Principal | Scope::Address, Some(time)) => {
                let close_code = CloseCode::POLICY_VIOLATION;
                Self { close_code, ..Self::later(breach.to_string(), 429, time) }
            }
        }
    }
}

impl From<&AuthenticationError> for Answer {
    fn from(error: &AuthenticationError) -> Self {
        match error {
            AuthenticationError::Missing | AuthenticationError::Refused => Self::policy(error, 401),
            // RFC 6750 §3.1: a malformed request, or one with more than one token.
            AuthenticationError::Credentials(_) => Self::policy(error, 400),
            AuthenticationError::Forbidden => Self::policy(error, 403),
            AuthenticationError::Unavailable { retry_after } => {
                Self::later(error.to_string(), 503, retry_after.unwrap_or(FULL))
            }
        }
    }
}

impl From<&TooSlow> for Answer {
    fn from(why: &TooSlow) -> Self {
        match why {
            TooSlow::Stalled { .. } | TooSlow::Unsent { .. } => {
                Self::later("you were too slow", 503, SOON)
            }
        }
    }
}

/// Replaces control characters by spaces. A header of STOMP 1.0 has no way to write a line end.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Rounds a time up to whole seconds (RFC 9110 §10.2.3), so that the client does not come back too early,
/// nor at once.
fn whole_seconds(time: Duration) -> Duration {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    Duration::from_secs(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{CredentialsError, Source};
    use crate::hub::{Action, SubscriptionId};
    use crate::stomp::{Command, Encoder, Version, header};
    use alloc::vec::Vec;
    use sansocket::server::Rate;

    /// Asserts what `answers` are: the status, the code of the Close, and the seconds of `Retry-After`.
    fn assert_answers(answers: &[(Answer, u16, u16, Option<u64>)]) {
        for (answer, status, code, seconds) in answers {
            let retry_after = seconds.map(Duration::from_secs);
            let expected = (*status, *code, retry_after);
            let found = (answer.status, answer.close_code.number(), answer.retry_after);
            assert_eq!(found, expected, "{answer:?}");
            assert!(answer.close_code.is_sendable() && !answer.message.is_empty());
            assert!(answer.message.chars().all(|c| !c.is_control()), "{answer:?}");
            match answer.event_stream() {
                EventStreamAnswer::Retry(time) => assert_eq!(Some(time), retry_after),
                EventStreamAnswer::Status(given) => {
                    assert_eq!((given, retry_after), (*status, None));
                }
            }
            let fields: Vec<_> = answer.fields(&Sources::default()).collect();
            let mut expected: Vec<_> =
                seconds.iter().map(|it| ("Retry-After", it.to_string())).collect();
            if *status == 401 {
                expected.push(("WWW-Authenticate", Sources::default().challenge()));
            }
            assert_eq!(fields, expected);
            let response = answer.response(&Sources::default());
            let as_sent: Vec<_> =
                expected.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(response.status(), *status);
            assert!(as_sent.iter().all(|field| response.headers().any(|it| it == *field)));
        }
    }

    /// One refusal of each variant, in the order of this match, which a new variant breaks.
    fn refusals() -> Vec<Refusal> {
        let index = |refusal: &Refusal| match refusal {
            Refusal::Destination { .. } => 0,
            Refusal::NotAllowed { .. } => 1,
            Refusal::NoHandler { .. } => 2,
            Refusal::Application(_) => 3,
            Refusal::SubscriptionExists(_) => 4,
            Refusal::UnknownSubscription(_) => 5,
            Refusal::UnknownDelivery => 6,
            Refusal::TooManySubscriptions { .. } => 7,
            Refusal::TooManyDestinations { .. } => 8,
            Refusal::MessageTooLarge { .. } => 9,
            Refusal::QueueFull { .. } => 10,
            Refusal::OutboxFull { .. } => 11,
            Refusal::Broker(_) => 12,
            Refusal::Missed { .. } => 13,
            Refusal::NotConnected => 14,
            Refusal::DifferentSequences { .. } => 15,
            Refusal::QueuesFull { .. } => 16,
            Refusal::TransactionTooLarge { .. } => 17,
            Refusal::Unavailable(_) => 18,
            Refusal::Failed(_) => 19,
        };
        let destination = || String::from("/topic/a\n");
        let refusals = [
            Refusal::Destination { destination: destination(), problem: "is wrong" },
            Refusal::NotAllowed { action: Action::Send, destination: destination() },
            Refusal::NoHandler { destination: destination() },
            Refusal::Application("the shop is closed".into()),
            Refusal::SubscriptionExists(SubscriptionId(1)),
            Refusal::UnknownSubscription(SubscriptionId(1)),
            Refusal::UnknownDelivery,
            Refusal::TooManySubscriptions { limit: 1 },
            Refusal::TooManyDestinations { limit: 987_654 },
            Refusal::MessageTooLarge { size: 2, limit: 1 },
            Refusal::QueueFull { destination: destination(), messages: 987_654, bytes: 2 },
            Refusal::OutboxFull { messages: 987_654, bytes: 2 },
            Refusal::Broker("redis at 987_654".into()),
            Refusal::Missed { destination: destination() },
            Refusal::NotConnected,
            Refusal::DifferentSequences { destination: destination() },
            Refusal::QueuesFull { bytes: 987_654, limit: 987_654 },
            Refusal::TransactionTooLarge { operations: 2, limit: 1 },
            Refusal::Unavailable("the shop is full".into()),
            Refusal::Failed("the shop is broken".into()),
        ];
        assert!(refusals.iter().map(index).eq(0..20));
        refusals.into()
    }

    #[test]
    fn every_refusal_has_an_answer() {
        let expected = [
            (400, 1008, None),
            (403, 1008, None),
            (404, 1008, None),
            (422, 1008, None),
            (409, 1008, None),
            (404, 1008, None),
            (404, 1008, None),
            (400, 1008, None),
            (503, 1013, Some(5)),
            (413, 1009, None),
            (503, 1013, Some(5)),
            (503, 1013, Some(5)),
            (503, 1013, Some(5)),
            (503, 1013, Some(1)),
            (500, 1011, None),
            (400, 1008, None),
            (503, 1013, Some(5)),
            (400, 1008, None),
            (503, 1013, Some(5)),
            (500, 1011, None),
        ];
        assert_eq!(refusals().len(), expected.len());
        for (refusal, (status, code, seconds)) in refusals().iter().zip(expected) {
            let answer = Answer::from(refusal);
            assert_eq!(answer.retry_after.is_some(), refusal.is_temporary(), "{refusal}");
            // Nothing of the inside of the server.
            assert!(!answer.message.contains("987"), "{answer:?}");
            assert_answers(&[(answer, status, code, seconds)]);
        }
    }

    /// A `message` with a line end can't be sent in STOMP 1.0, nor one with NUL in any version.
    #[test]
    fn what_the_application_says_is_one_line() {
        let answer = Answer::from(&Refusal::Application("a:\r\n b\0c\u{85}d".into()));
        assert_eq!(answer.message, "a:   b c d");
        for version in Version::ALL {
            let headers = [(header::MESSAGE, &answer.message)];
            let sent = Encoder::new(version).encode(Command::Error, headers, b"", &mut Vec::new());
            assert_eq!(sent, Ok(()));
        }
    }

    #[test]
    fn every_breach_has_an_answer() {
        let rate = Rate::per_second(1).burst(5);
        let retry_after = Some(Duration::from_millis(1001));
        let (address, destination) = (Scope::Address, Scope::Destination);
        let scopes =
            [(Scope::Principal, 429, 1008), (address, 429, 1008), (destination, 503, 1013)];
        for (scope, status, code) in scopes {
            let answer = |breach: Breach| Answer::from(&breach);
            let messages = |retry_after| Breach::Messages { scope, rate, retry_after };
            let bytes = |size, retry_after| Breach::Bytes { scope, rate, size, retry_after };
            let connects = |retry_after| Breach::NewConnections { scope, rate, retry_after };
            assert_answers(&[
                (answer(Breach::Connections { scope, limit: 1 }), 429, 1013, Some(1)),
                (answer(Breach::Connections { scope, limit: 0 }), 403, 1008, None),
                (answer(connects(retry_after)), 429, 1013, Some(2)),
                (answer(connects(None)), 403, 1008, None),
                (answer(messages(retry_after)), status, code, Some(2)),
                (answer(messages(None)), 403, 1008, None),
                (answer(bytes(5, retry_after)), status, code, Some(2)),
                (answer(bytes(5, None)), 403, 1008, None),
                (answer(bytes(6, None)), 413, 1009, None),
                (answer(Breach::Subscriptions { scope, limit: 1 }), status, code, Some(1)),
                (answer(Breach::Subscriptions { scope, limit: 0 }), 403, 1008, None),
                (answer(Breach::MessageTooLarge { size: 2, limit: 1 }), 413, 1009, None),
                (answer(Breach::DestinationTooLong { length: 2, limit: 1 }), 400, 1008, None),
            ]);
        }
    }

    #[test]
    fn every_other_error_has_an_answer() {
        let unavailable = |retry_after| AuthenticationError::Unavailable { retry_after };
        let repeated = CredentialsError::Repeated(Source::Bearer);
        let answer = |error: AuthenticationError| Answer::from(&error);
        let stalled = TooSlow::Stalled { unsent: 1, limit: SOON };
        let long = Duration::MAX;
        assert_answers(&[
            (answer(AuthenticationError::Missing), 401, 1008, None),
            (answer(AuthenticationError::Refused), 401, 1008, None),
            (answer(AuthenticationError::Forbidden), 403, 1008, None),
            (answer(repeated.into()), 400, 1008, None),
            (answer(unavailable(None)), 503, 1013, Some(5)),
            (answer(unavailable(Some(Duration::ZERO))), 503, 1013, Some(1)),
            (answer(unavailable(Some(long))), 503, 1013, Some(86_400)),
            (Answer::from(&stalled), 503, 1013, Some(1)),
            (Answer::from(&TooSlow::Unsent { unsent: 2, limit: 1 }), 503, 1013, Some(1)),
        ]);
    }
}
