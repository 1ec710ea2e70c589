//! What a client asks for that requests an event stream.

use super::{
    config::EventStreamConfig,
    response::{InvalidLastEventId, parse_last_event_id},
};
use crate::{
    cursor::{Cursor, Epoch},
    http::{InvalidRequest, Selection, decode, set_once},
    hub::Start,
    query,
};
use alloc::{string::String, vec::Vec};

/// What a client asks for that requests an event stream: its topics, where it begins, and its form.
///
/// In the query of a request, these are the parameters:
///
/// | parameter | |
/// |---|---|
/// | `topic` | `/topic/…`, which may be a pattern, `/user/queue/…` or `/presence/topic/…`. Repeat it for more topics: their events come in one order |
/// | `since` | a cursor, or `now`, `last` or `beginning`; see [`Start`]. Without it, a stream begins now |
/// | `start` | another name of `since`, as in STOMP. One of them can be there, once |
/// | `form` | `text`, or `json`; see [`EventStreamForm`]. Without it, it is `text` |
///
/// The query is read as that of a [poll](crate::poll::Request): other parameters are ignored.
///
/// The header field `Last-Event-ID` counts before `since`. A client that reconnects sends both:
/// EventSource repeats the URL of its first request, and the field says how far it has come since then.
///
/// ```
/// use sansocket_realtime::{hub::Start, sse::{EventStreamConfig, EventStreamForm, EventStreamRequest}};
///
/// let query = "topic=%2Ftopic%2Forders%2F*&since=beginning&form=json";
/// let request = EventStreamRequest::parse(query, Some(b"5f3a-7"), &EventStreamConfig::default())?;
/// assert_eq!(request.topics(), ["/topic/orders/*"]);
/// assert_eq!(request.start(), Start::After("5f3a-7".parse()?));
/// assert_eq!(request.form(), EventStreamForm::Json);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventStreamRequest {
    topics: Vec<String>,
    start: Start,
    form: EventStreamForm,
}

/// In which form a stream has its messages. The [module](super) describes both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventStreamForm {
    /// The data of an event is the body of the message. This suits streams of one topic.
    #[default]
    Text,
    /// The data of an event is a JSON object, which has also the topic, the content type and the headers
    /// of the message.
    Json,
}

impl EventStreamRequest {
    /// Parses the query of a request, which is what follows the `?` in its target, and the value of its
    /// header field `Last-Event-ID`.
    ///
    /// A `Last-Event-ID` that is no cursor is no error, because EventSource gives up for good if a
    /// request is refused, and it would send the same again. The stream begins with everything that
    /// topics keep, behind a gap: the client is told that it has missed something.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no topic, if a parameter is not as the table says, if one of a single
    /// value is there twice, or if there are too many [`topics`](EventStreamConfig::topics).
    pub fn parse(
        query: &str,
        last_event_id: Option<&[u8]>,
        config: &EventStreamConfig,
    ) -> Result<Self, InvalidRequest> {
        let mut selection = Selection::default();
        let mut form = None;
        for (name, value) in query::parameters(query) {
            if !selection.take(&name, value, config.topics)? && name == "form" {
                set_once("form", &mut form, parse_form(&decode("form", value)?)?)?;
            }
        }
        let (topics, since) = selection.finish()?;
        let start = resumed(last_event_id).or(since).unwrap_or_default();
        Ok(Self { topics, start, form: form.unwrap_or_default() })
    }

    /// Creates what a request asks for that has no such query. The stream begins now.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub fn new<T: Into<String>>(
        topics: impl IntoIterator<Item = T>,
        config: &EventStreamConfig,
    ) -> Result<Self, InvalidRequest> {
        let mut selection = Selection::default();
        for topic in topics {
            selection.add_topic(topic.into(), config.topics)?;
        }
        let (topics, _) = selection.finish()?;
        Ok(Self { topics, start: Start::Now, form: EventStreamForm::Text })
    }

    /// Sets where the stream begins.
    #[must_use]
    pub const fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Sets the form of the stream.
    #[must_use]
    pub const fn with_form(mut self, form: EventStreamForm) -> Self {
        self.form = form;
        self
    }

    /// Returns the topics.
    #[must_use]
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Returns where the stream begins.
    #[must_use]
    pub const fn start(&self) -> Start {
        self.start
    }

    /// Returns the form of the stream.
    #[must_use]
    pub const fn form(&self) -> EventStreamForm {
        self.form
    }

    pub(super) fn into_topics(self) -> Vec<String> {
        self.topics
    }
}

/// Before all messages of a sequence that no hub has: whoever resumes after it is told a gap.
const UNKNOWN: Cursor = Cursor::new(Epoch(0), 0);

fn resumed(last_event_id: Option<&[u8]>) -> Option<Start> {
    match parse_last_event_id(last_event_id?) {
        Ok(cursor) => Some(Start::After(cursor)),
        Err(InvalidLastEventId::Empty) => None,
        Err(_) => Some(Start::After(UNKNOWN)),
    }
}

fn parse_form(text: &str) -> Result<EventStreamForm, InvalidRequest> {
    match text {
        "text" => Ok(EventStreamForm::Text),
        "json" => Ok(EventStreamForm::Json),
        _ => Err(InvalidRequest::Value { parameter: "form", expected: "`text` or `json`" }),
    }
}
