//! What a poll asks for.

use super::config::Config;
use crate::{
    http::{InvalidRequest, Selection, decode, set_once},
    hub::Start,
    query,
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

/// What a poll asks for: its topics, where it begins, and how long it waits.
///
/// In the query of a request, these are the parameters:
///
/// | parameter | |
/// |---|---|
/// | `topic` | `/topic/…`, which may be a pattern, `/user/queue/…` or `/presence/topic/…`. Repeat it for more topics: their events come in one order, with one cursor |
/// | `since` | the `cursor` of the last answer, or `now`, `last` or `beginning`; see [`Start`]. Without it, a poll begins now |
/// | `start` | another name of `since`, as in STOMP. One of them can be there, once |
/// | `wait` | how many whole seconds to wait for an event, `0` for an answer at once |
///
/// The query is `application/x-www-form-urlencoded`, as `URLSearchParams` writes it: `+` stands for a
/// space. Other parameters are ignored, because others own them: EventSource can't set header fields, so
/// tokens are often in the query, and so is what keeps caches from answering.
///
/// ```
/// use sansocket_realtime::{hub::Start, poll::{Config, Request}};
/// use std::time::Duration;
///
/// let query = "topic=%2Ftopic%2Forders%2F42&topic=/user/queue/errors&since=5f3a-1042&wait=10";
/// let request = Request::parse(query, &Config::default())?;
/// assert_eq!(request.topics(), ["/topic/orders/42", "/user/queue/errors"]);
/// assert_eq!(request.start(), Start::After("5f3a-1042".parse()?));
/// assert_eq!(request.wait(), Duration::from_secs(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    topics: Vec<String>,
    start: Start,
    wait: Duration,
}

impl Request {
    /// Parses the query of a request: what follows the `?` in its target.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no topic, if a value is not as the table says, if one of a single
    /// value is there twice, or if there are too many [`topics`](Config::topics). A longer
    /// [wait](Config::longest_wait) than allowed is no error: the poll is answered earlier.
    pub fn parse(query: &str, config: &Config) -> Result<Self, InvalidRequest> {
        let mut selection = Selection::default();
        let mut wait = None;
        for (name, value) in query::parameters(query) {
            if !selection.take(&name, value, config.topics)? && name == "wait" {
                set_once("wait", &mut wait, parse_wait(&decode("wait", value)?)?)?;
            }
        }
        let (topics, start) = selection.finish()?;
        let wait = wait.unwrap_or(config.wait).min(config.longest_wait);
        Ok(Self { topics, start: start.unwrap_or_default(), wait })
    }

    /// Creates what a poll of these topics asks for that has no such query. It begins now, and waits for
    /// as long as the [configuration](Config::wait) says.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub fn new<T: Into<String>>(
        topics: impl IntoIterator<Item = T>,
        config: &Config,
    ) -> Result<Self, InvalidRequest> {
        let mut selection = Selection::default();
        for topic in topics {
            selection.add_topic(topic.into(), config.topics)?;
        }
        let (topics, _) = selection.finish()?;
        let wait = config.wait.min(config.longest_wait);
        Ok(Self { topics, start: Start::Now, wait })
    }

    /// Sets where the poll begins.
    #[must_use]
    pub const fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Sets how long the poll waits for an event.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Returns the topics.
    #[must_use]
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Returns where the poll begins.
    #[must_use]
    pub const fn start(&self) -> Start {
        self.start
    }

    /// Returns how long the poll waits for an event.
    #[must_use]
    pub const fn wait(&self) -> Duration {
        self.wait
    }

    pub(super) fn into_topics(self) -> Vec<String> {
        self.topics
    }
}

fn parse_wait(text: &str) -> Result<Duration, InvalidRequest> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let expected = "a whole number of seconds";
        return Err(InvalidRequest::Value { parameter: "wait", expected });
    }
    // Digits alone fail only because they are too many, and a wait is capped anyway.
    Ok(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}
