//! What the query of a poll or of an event stream asks for, as far as both have it.

use super::Response;
use crate::{destination::Destination, hub::Start, query};
use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};

/// Why a request is refused before the hub is asked. It is the fault of the client, and the same request
/// fails again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The request names no topic.
    #[error("the parameter `topic` is missing")]
    NoTopic,
    /// The request names more topics than allowed.
    #[error("there are more than {limit} topics")]
    TooManyTopics {
        /// How many are allowed.
        limit: usize,
    },
    /// A topic is not one that can be used like this.
    #[error("topic {number} {problem}")]
    Topic {
        /// Which of the topics it is. The first is 1.
        number: usize,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// A parameter that there can be once is there again.
    #[error("the parameter `{parameter}` is there more than once")]
    Repeated {
        /// Its name.
        parameter: &'static str,
    },
    /// The value of a parameter can't be decoded.
    #[error("the parameter `{parameter}` {problem}")]
    Encoding {
        /// Its name.
        parameter: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// The value of a parameter is something else.
    #[error("the parameter `{parameter}` has to be {expected}")]
    Value {
        /// Its name.
        parameter: &'static str,
        /// What the value can be.
        expected: &'static str,
    },
}

impl InvalidRequest {
    /// Returns the response to the request: status 400, with this error as a JSON object.
    #[must_use]
    pub fn response(&self) -> Response {
        Response::problem(400, &self.to_string())
    }
}

/// The topics of a request, and where it begins.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    topics: Vec<String>,
    start: Option<Start>,
}

impl Selection {
    /// Takes a parameter if it is one of a selection. Returns whether it is.
    pub(crate) fn take(
        &mut self,
        name: &str,
        value: &str,
        limit: usize,
    ) -> Result<bool, InvalidRequest> {
        match name {
            "topic" => self.add_topic(decode("topic", value)?.into_owned(), limit)?,
            "since" => self.begin("since", value)?,
            // The name in STOMP.
            "start" => self.begin("start", value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn begin(&mut self, parameter: &'static str, value: &str) -> Result<(), InvalidRequest> {
        let expected = "a cursor, `now`, `last` or `beginning`";
        let start = Start::parse(&decode(parameter, value)?);
        let start = start.ok_or(InvalidRequest::Value { parameter, expected })?;
        set_once(parameter, &mut self.start, start)
    }

    /// Adds a topic, if a cursor can resume it.
    pub(crate) fn add_topic(&mut self, topic: String, limit: usize) -> Result<(), InvalidRequest> {
        if self.topics.len() >= limit {
            return Err(InvalidRequest::TooManyTopics { limit });
        }
        let problem = match Destination::parse(&topic) {
            Ok(Destination::Topic(_) | Destination::Pattern(_) | Destination::OwnQueue(_)) => None,
            // What is delivered of a queue or by the application is gone if the answer is lost, since
            // no cursor leads back to it.
            Ok(Destination::Queue(_) | Destination::Application(_)) => {
                Some("is no topic: only topics and queues of users have cursors")
            }
            Ok(Destination::UserQueue(_)) => Some("names a user: use /user/queue/…"),
            Err(problem) => Some(problem),
        };
        if let Some(problem) = problem {
            return Err(InvalidRequest::Topic { number: self.topics.len() + 1, problem });
        }
        self.topics.push(topic);
        Ok(())
    }

    /// Returns the topics, of which there is at least one, and where the request begins if it says so.
    pub(crate) fn finish(self) -> Result<(Vec<String>, Option<Start>), InvalidRequest> {
        if self.topics.is_empty() {
            return Err(InvalidRequest::NoTopic);
        }
        Ok((self.topics, self.start))
    }
}

/// Decodes the value of a parameter.
pub(crate) fn decode<'a>(
    parameter: &'static str,
    value: &'a str,
) -> Result<Cow<'a, str>, InvalidRequest> {
    query::decode(value).map_err(|problem| InvalidRequest::Encoding { parameter, problem })
}

/// Sets what can be there once.
pub(crate) fn set_once<T>(
    parameter: &'static str,
    slot: &mut Option<T>,
    value: T,
) -> Result<(), InvalidRequest> {
    if slot.is_some() {
        return Err(InvalidRequest::Repeated { parameter });
    }
    *slot = Some(value);
    Ok(())
}
