//! What Redis answers, and what the hub is told of it.

use super::{failure::Failure, format, link::Seen, member, queues::Queues};
use redis::{FromRedisValue, Value};
use sansocket_realtime::{
    Cursor,
    bridge::{Entry, Event, History, PublishId, QuestionId},
};
use std::sync::Arc;

/// What an answer is to.
#[derive(Debug)]
pub(super) enum Expected {
    Published(PublishId),
    History {
        question: QuestionId,
        destination: Arc<str>,
    },
    /// Messages of a queue.
    Taken(Arc<str>),
    /// Messages that are still with this node.
    Still,
    Settled(Cursor),
    Entered,
    Left(QuestionId),
    Members {
        question: QuestionId,
        destinations: Arc<[Arc<str>]>,
    },
    Subscription,
    Alive,
}

/// What is to be done with an answer.
#[derive(Debug)]
pub(super) enum Answer {
    Nothing,
    Tell(Event),
    /// It is told behind the messages up to a position, and before those behind it.
    TellAt(u64, Event),
    /// Messages of queues.
    Taken(Vec<Event>),
    /// Messages that are still with the node, and the position after which there are more.
    Still(Vec<Event>, Option<u64>),
    /// The node is alive.
    Alive {
        /// Whether others could take it for dead.
        was_dead: bool,
        /// Whether more members of dead nodes have to leave, or more of their messages to be returned.
        has_more: bool,
    },
}

impl Expected {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// Returns an error if Redis refuses the command. It is a failure of the connection, so that the
    /// command is tried again and nothing overtakes it.
    pub(super) fn read(
        self,
        answer: Value,
        seen: &mut Seen,
        queues: &mut Queues,
    ) -> Result<Answer, Failure> {
        let what = self.what();
        let answer = match (&self, answer) {
            (Self::Published(id), Value::ServerError(error)) if error.code() == "FULL" => {
                let reason = error.details().unwrap_or("the queue is full").to_owned();
                return Ok(Answer::Tell(Event::Rejected { id: *id, reason }));
            }
            (_, Value::ServerError(error)) => return Err(Failure::refused(what, error)),
            (_, answer) => answer,
        };
        match self {
            Self::Published(id) => {
                let position: Option<u64> = parse(answer, what)?;
                seen.has_published(position);
                Ok(Answer::Tell(Event::Published { id, position }))
            }
            Self::History { question, destination } => {
                let (head, complete_after, found): (u64, u64, Vec<Vec<u8>>) = parse(answer, what)?;
                seen.has_published(Some(head));
                let (entries, complete_after) = entries(found, complete_after, &destination);
                let history = History { question, destination, entries, complete_after, head };
                Ok(Answer::TellAt(head, Event::History(history)))
            }
            Self::Taken(queue) => {
                let (has_more, found): (bool, Vec<Vec<u8>>) = parse(answer, what)?;
                let mut events = taken(found, &queue);
                // The hub still waits for one that can't be read.
                let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
                // What was asked for before it was stopped has come now.
                for _ in 0..queues.is_answered(&queue, count, has_more) {
                    events.push(Event::Stopped { destination: queue.clone() });
                }
                Ok(Answer::Taken(events))
            }
            Self::Still => {
                let (read_to, found): (String, Vec<Vec<u8>>) = parse(answer, what)?;
                Ok(Answer::Still(still(found), read_to.parse().ok()))
            }
            Self::Settled(cursor) => Ok(Answer::Tell(Event::Settled { cursor })),
            Self::Entered => {
                seen.has_published(parse(answer, what)?);
                Ok(Answer::Nothing)
            }
            Self::Left(question) => {
                seen.has_published(parse(answer, what)?);
                Ok(Answer::Tell(Event::Left { question }))
            }
            Self::Members { question, destinations } => {
                let (head, is_partial, lists): (u64, bool, Vec<Vec<Vec<u8>>>) =
                    parse(answer, what)?;
                if lists.len() != destinations.len() {
                    return Err(Failure::Unexpected { what });
                }
                seen.has_published(Some(head));
                let members = member::members(question, destinations, lists, is_partial);
                Ok(Answer::TellAt(head, members))
            }
            Self::Subscription => Ok(Answer::Nothing),
            Self::Alive => {
                let (was_dead, has_more) = parse(answer, what)?;
                Ok(Answer::Alive { was_dead, has_more })
            }
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Published(_) => "a message",
            Self::History { .. } => "a question for messages",
            Self::Taken(_) | Self::Still => "a question for messages of a queue",
            Self::Settled(_) => "what has become of a message",
            Self::Entered | Self::Left(_) => "a member who comes or goes",
            Self::Members { .. } => "a question for members",
            Self::Subscription => "a subscription",
            Self::Alive => "a sign of life",
        }
    }
}

fn parse<T: FromRedisValue>(answer: Value, what: &'static str) -> Result<T, Failure> {
    redis::from_redis_value(answer).map_err(|_| Failure::Unexpected { what })
}

/// Reads messages behind a position: each has its destination, its position and itself. Returns them in
/// their order, and the position after which nothing is missing.
fn entries(found: Vec<Vec<u8>>, complete_after: u64, asked: &Arc<str>) -> (Vec<Entry>, u64) {
    let mut entries = Vec::with_capacity(found.len() / 3);
    let mut complete_after = complete_after;
    let mut found = found.into_iter();
    while let (Some(destination), Some(position), Some(message)) =
        (found.next(), found.next(), found.next())
    {
        let (Some(destination), Some(position)) = (text(destination), number(position)) else {
            continue;
        };
        let Some(message) = format::read(&message.into()) else {
            tracing::warn!(destination, position, "what is stored in Redis is not a message");
            complete_after = complete_after.max(position);
            continue;
        };
        let destination = if *destination == **asked { asked.clone() } else { destination.into() };
        entries.push(Entry { destination, position, message });
    }
    entries.retain(|entry: &Entry| entry.position > complete_after);
    entries.sort_unstable_by_key(|entry| entry.position);
    (entries, complete_after)
}

/// Reads messages of a queue: each has its position, how often it was delivered, and itself.
fn taken(found: Vec<Vec<u8>>, queue: &Arc<str>) -> Vec<Event> {
    let mut events = Vec::with_capacity(found.len() / 3);
    let mut found = found.into_iter();
    while let (Some(position), Some(deliveries), Some(message)) =
        (found.next(), found.next(), found.next())
    {
        events.extend(taken_event(queue.clone(), position, deliveries, message, false));
    }
    events
}

/// Reads messages that are still with the node: each has its queue before the rest.
fn still(found: Vec<Vec<u8>>) -> Vec<Event> {
    let mut events = Vec::with_capacity(found.len() / 4);
    let mut found = found.into_iter();
    while let (Some(queue), Some(position), Some(deliveries), Some(message)) =
        (found.next(), found.next(), found.next(), found.next())
    {
        let queue = text(queue).unwrap_or_default().into();
        events.extend(taken_event(queue, position, deliveries, message, true));
    }
    events
}

/// Reads a message of a queue. One that others have stored, and that can't be read, stays with the node.
fn taken_event(
    queue: Arc<str>,
    position: Vec<u8>,
    deliveries: Vec<u8>,
    message: Vec<u8>,
    again: bool,
) -> Option<Event> {
    let position = number(position)?;
    let Some(message) = format::read(&message.into()) else {
        tracing::warn!(%queue, position, "what is stored in Redis is not a message");
        return None;
    };
    let deliveries = number(deliveries)?.try_into().unwrap_or(u32::MAX);
    Some(Event::Taken { entry: Entry { destination: queue, position, message }, deliveries, again })
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

fn number(bytes: Vec<u8>) -> Option<u64> {
    text(bytes)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::Epoch;

    #[test]
    fn what_is_no_message_is_a_gap() {
        let found = ["/topic/b", "3", "{}\nb", "/topic/a", "1", "{}\na", "/topic/a", "2", "?"];
        let found = found.map(|text| text.as_bytes().to_vec()).to_vec();
        let (entries, complete_after) = entries(found, 0, &"/topic/*".into());
        assert_eq!(complete_after, 2);
        let positions: Vec<_> = entries.iter().map(|entry| entry.position).collect();
        assert_eq!(positions, [3]);
    }

    #[test]
    fn an_answer_that_is_none_is_a_failure() {
        let mut seen = Seen { epoch: Epoch(1), head: 0 };
        let id = PublishId { node: Epoch(1), sequence: 1 };
        for answer in [Value::Okay, Value::BulkString(b"a".to_vec())] {
            let read = Expected::Published(id).read(answer, &mut seen, &mut Queues::default());
            assert!(matches!(read, Err(Failure::Unexpected { what: "a message" })), "{read:?}");
        }
        let (question, destination) = (QuestionId(1), Arc::from("/topic/a"));
        let read = Expected::History { question, destination }.read(
            Value::Int(1),
            &mut seen,
            &mut Queues::default(),
        );
        assert!(matches!(read, Err(Failure::Unexpected { .. })), "{read:?}");
    }
}
