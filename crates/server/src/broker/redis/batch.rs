//! Commands on their way to Redis together, and what is expected in answer.

use super::{
    RedisOptions,
    answers::Expected,
    followed::Followed,
    format,
    keys::{Keys, is_pattern, is_queue, lua_pattern},
    queues::Queues,
    scripts,
};
use redis::{Cmd, Pipeline};
use sansocket_realtime::{
    Cursor, Epoch, Message,
    bridge::{Command, Event, Outcome, PublishId, QuestionId},
};
use std::{sync::Arc, time::Duration};

/// How many commands and how many bytes of messages go together.
const COMMANDS: usize = 1_000;
const BYTES: usize = 4 << 20;
/// How many bytes the answers to a batch can have, by their limits. Redis ends a connection that has
/// subscriptions when 32 MiB wait for it, in its default configuration.
const ANSWERS: usize = 16 << 20;
/// How many bytes of messages of a queue are taken together.
const TAKEN: usize = 1 << 20;
/// How many bytes a message in a queue takes beside its own.
const OVERHEAD: usize = 180;
/// At how many topics one question about a pattern looks at most. It takes Redis some milliseconds.
const LOOKS: u32 = 20_000;
/// How long the last message of a node is known after the node has gone.
const PUBLISHED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How many members of dead nodes leave in one step. It takes Redis some milliseconds.
const LEAVES: u32 = 200;
/// How many messages that are with a node are returned or read in one step. It takes Redis some milliseconds.
const WITH_NODE: u32 = 1_000;

/// What does not change while a connection lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) options: &'a RedisOptions,
    pub(super) node: Epoch,
    pub(super) keys: &'a Keys,
    pub(super) epoch: Epoch,
    /// Names the connection among those of the node.
    pub(super) connection_id: u64,
}

/// Commands that are sent together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) pipeline: Pipeline,
    pub(super) expected: Vec<Expected>,
    bytes: usize,
    /// How many bytes the answers can have.
    answers: usize,
    has_message: bool,
}

/// What is sent depends on what was before it on this connection.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The number of the last message that was published.
    last: Option<u64>,
    pub(super) followed: Followed,
    pub(super) queues: Queues,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.expected.len() < COMMANDS && self.bytes < BYTES && self.answers < ANSWERS
    }

    fn add(&mut self, command: Cmd, expected: Expected) {
        self.pipeline.add_command(command);
        self.expected.push(expected);
    }

    /// Adds a command with so many bytes of messages, whose answer can have so many bytes.
    pub(super) fn add_with(
        &mut self,
        command: Cmd,
        bytes: usize,
        answer: usize,
        expected: Expected,
    ) {
        self.bytes += bytes;
        self.answers += answer;
        self.add(command, expected);
    }

    /// Returns whether the order of the answers and of what is told besides matters to a single message.
    pub(super) fn asks_for_members(&self) -> bool {
        self.expected.iter().any(|it| matches!(it, Expected::Members { .. }))
    }

    /// Adds a command of the hub. Returns the answer if there is nothing to ask.
    pub(super) fn add_command(
        &mut self,
        command: Command,
        state: &mut State,
        context: Context<'_>,
    ) -> Option<Event> {
        let keys = context.keys;
        match command {
            Command::Publish { id, destination, message } => {
                return self.publish(id, &destination, &message, &mut state.last, context).err();
            }
            Command::Follow { question, destination, after } => {
                // Redis runs the commands of a connection in their order: first it subscribes, then it reads.
                self.add(state.followed.follow(&destination, keys), Expected::Subscription);
                self.history(question, destination, after, context);
            }
            Command::Unfollow { destination } => {
                if let Some(command) = state.followed.unfollow(&destination, keys) {
                    self.add(command, Expected::Subscription);
                }
            }
            Command::History { question, destination, after } => {
                self.history(question, destination, Some(after), context);
            }
            Command::Take { destination, count } => {
                if state.queues.ask(&destination, count) {
                    self.subscription("SUBSCRIBE", &destination, keys);
                }
            }
            Command::Stop { destination } => {
                let stopping = state.queues.stop(&destination);
                if stopping.was_subscribed {
                    self.subscription("UNSUBSCRIBE", &destination, keys);
                }
                return stopping.is_stopped.then_some(Event::Stopped { destination });
            }
            // That of an epoch before: there is nothing to do.
            Command::Settle { cursor, .. } if cursor.epoch != context.epoch => {
                return Some(Event::Settled { cursor });
            }
            Command::Settle { destination, cursor, outcome } => {
                self.settle(&destination, cursor, outcome, context);
            }
            Command::Enter { destination, member, join, leave } => {
                let entered = self.enter(&destination, &member, [&join, &leave], context);
                if let Err(error) = entered {
                    tracing::error!(%destination, ?member, "a member can't be told to Redis: {error}");
                }
            }
            Command::Leave { question, destination, member } => {
                self.leave(question, &destination, &member, context);
            }
            Command::Members { question, destinations } => {
                self.members(question, destinations, context);
            }
            other => tracing::error!(?other, "the connection to Redis does not know this command"),
        }
        None
    }

    fn subscription(&mut self, command: &str, queue: &str, keys: &Keys) {
        let mut command = redis::cmd(command);
        command.arg(keys.channel(queue));
        self.add(command, Expected::Subscription);
    }

    /// Adds a message, or returns why it is refused.
    fn publish(
        &mut self,
        id: PublishId,
        destination: &str,
        message: &Message,
        last: &mut Option<u64>,
        context: Context<'_>,
    ) -> Result<(), Event> {
        let Context { options, keys, epoch, .. } = context;
        let rejected = |reason| Event::Rejected { id, reason };
        let (size, limit) = (message.size(), options.message);
        if size > limit {
            return Err(rejected(format!("it has {size} bytes, and at most {limit} are allowed")));
        }
        let written = format::write(message).map_err(|error| rejected(error.to_string()))?;
        let (first, second, kept) = if is_queue(destination) {
            (keys.queued(destination), keys.waiting(destination), options.queue)
        } else {
            (keys.stream(destination), keys.topics(), options.messages)
        };
        let (state, published) = (keys.state_of_all(), keys.published(id.node));
        let mut command = scripts::call(&scripts::PUBLISH, &[&state, &published, &first, &second]);
        command
            .arg(epoch.to_string())
            .arg(id.sequence)
            .arg(last.map(|last| last.to_string()).unwrap_or_default())
            // The answers to those before it have come, since there is one batch at a time.
            .arg(u8::from(!self.has_message))
            .arg(milliseconds(PUBLISHED_FOR))
            .arg(destination)
            .arg(keys.channel(destination))
            .arg(&written)
            .arg(kept.get())
            .arg(milliseconds(options.age))
            .arg(options.topics.get())
            .arg(options.queued)
            .arg(OVERHEAD)
            .arg(options.history_bytes);
        *last = Some(id.sequence);
        self.has_message = true;
        self.bytes += written.len();
        self.add(command, Expected::Published(id));
        Ok(())
    }

    /// Adds the question for messages of a queue.
    pub(super) fn take(&mut self, queue: Arc<str>, count: u32, context: Context<'_>) {
        let Context { options, node, keys, epoch, connection_id } = context;
        let alive = keys.alive_of(node);
        let (state, taken) = (keys.state_of_all(), keys.taken(node));
        let of_queue = [keys.waiting(&queue), keys.queued(&queue), keys.deliveries(&queue)];
        let [waiting, queued, deliveries] = &of_queue;
        let mut command =
            scripts::call(&scripts::TAKE, &[&state, &taken, waiting, queued, deliveries, &alive]);
        command.arg(epoch.to_string()).arg(&*queue).arg(count).arg(TAKEN).arg(connection_id);
        self.answers += TAKEN + options.message;
        self.add(command, Expected::Taken(queue));
    }

    /// Adds the question for what is still with this node, behind a position.
    pub(super) fn still(&mut self, after: u64, context: Context<'_>) {
        let Context { options, node, keys, epoch, .. } = context;
        let (state, taken) = (keys.state_of_all(), keys.taken(node));
        let mut command = scripts::call(&scripts::STILL, &[&state, &taken]);
        command.arg(epoch.to_string()).arg(after).arg(TAKEN).arg(WITH_NODE);
        self.answers += TAKEN + options.message;
        self.add(command, Expected::Still);
    }

    fn settle(&mut self, queue: &str, cursor: Cursor, outcome: Outcome, context: Context<'_>) {
        let Context { node, keys, epoch, connection_id, .. } = context;
        let deliveries = match outcome {
            Outcome::Returned { deliveries } => deliveries.to_string(),
            _ => String::new(),
        };
        let (state, taken, alive) = (keys.state_of_all(), keys.taken(node), keys.alive_of(node));
        let of_queue = [keys.waiting(queue), keys.queued(queue), keys.deliveries(queue)];
        let [waiting, queued, counted] = &of_queue;
        let mut command =
            scripts::call(&scripts::SETTLE, &[&state, &taken, waiting, queued, counted, &alive]);
        command
            .arg(epoch.to_string())
            .arg(cursor.position)
            .arg(deliveries)
            .arg(keys.channel(queue))
            .arg(OVERHEAD)
            .arg(connection_id)
            .arg(queue);
        self.add(command, Expected::Settled(cursor));
    }

    fn history(
        &mut self,
        question: QuestionId,
        destination: Arc<str>,
        after: Option<u64>,
        context: Context<'_>,
    ) {
        let Context { options, keys, epoch, .. } = context;
        if after.is_some() {
            self.answers += options.history_bytes.max(options.message);
        }
        let pattern = is_pattern(&destination).then(|| lua_pattern(&destination));
        let mut command = scripts::call(&scripts::HISTORY, &[&keys.state_of_all(), &keys.topics()]);
        command
            .arg(epoch.to_string())
            .arg(&*destination)
            .arg(pattern.unwrap_or_default())
            .arg(after.map(|after| after.to_string()).unwrap_or_default())
            .arg(options.history_messages.get())
            .arg(options.history_bytes)
            .arg(keys.streams())
            .arg(LOOKS);
        self.add(command, Expected::History { question, destination });
    }

    /// Adds the question whether Redis is still there, which tells it that the node is.
    pub(super) fn alive(&mut self, context: Context<'_>) {
        let Context { options, node, keys, epoch, connection_id } = context;
        let (state, alive, nodes) = (keys.state_of_all(), keys.alive_of(node), keys.nodes_of_all());
        let published = keys.published(node);
        let mut command = scripts::call(&scripts::ALIVE, &[&state, &alive, &published, &nodes]);
        command
            .arg(epoch.to_string())
            .arg(connection_id)
            .arg(node.to_string())
            .arg(milliseconds(options.absence))
            .arg(milliseconds(PUBLISHED_FOR))
            .arg(options.messages.get())
            .arg(milliseconds(options.age))
            .arg(options.topics.get())
            .arg(options.history_bytes)
            .arg(LEAVES)
            .arg(WITH_NODE);
        self.add(command, Expected::Alive);
    }
}

/// Redis takes durations up to half the range of its clock.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 52)
}
