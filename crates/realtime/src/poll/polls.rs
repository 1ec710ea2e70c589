//! Polls that wait for their answers.

use super::{
    batch::{self, Batch, Shared, Waiting},
    config::Config,
    request::Request,
};
use crate::{
    http::Response,
    hub::{
        Acknowledgement, Authorization, Command, ConnectionId, Effect, Hub, Principal, Start,
        SubscribeOptions, SubscriptionId,
    },
    shrink::shrink,
};
use alloc::{
    boxed::Box,
    collections::{BTreeSet, VecDeque},
};
use core::time::Duration;
use std::collections::HashMap;

/// The polls of all clients, between their requests and the [hub](crate::hub).
///
/// To the hub, each poll is a connection with one subscription of all of its topics. What is delivered
/// to it while one command is handled is its answer. If that is nothing, the poll is parked: it holds
/// some hundred bytes, those in the hub included, until there is something to tell, its time is over,
/// or the server shuts down.
///
/// 1. For each request, call [`begin`](Self::begin), and have the hub handle the commands that it
///    returns.
/// 2. Pass on each effect of the hub that is of a poll's connection to [`apply`](Self::apply).
/// 3. After each command, call [`next_answer`](Self::next_answer) until there is none. Write the
///    answers, and have the hub [disconnect](Answer::disconnect) their polls.
/// 4. When [`next_deadline`](Self::next_deadline) has passed, call [`time_passed`](Self::time_passed).
///    When a client goes before it is answered, call [`abort`](Self::abort).
///
/// An answer is sent without a trace of it here. If it does not arrive, the client polls again since the
/// cursor that it has, and gets the same events.
///
/// The documentation of [`poll`](super) has an example.
#[derive(Debug)]
pub struct Polls {
    config: Config,
    polls: HashMap<ConnectionId, Poll>,
    /// The polls that are not to be answered yet.
    deadlines: BTreeSet<(Duration, ConnectionId)>,
    /// The polls that are to be answered. They are in `polls`, and not in `deadlines`.
    ready: VecDeque<ConnectionId>,
    shared: Option<Shared>,
    is_shut_down: bool,
}

#[derive(Debug)]
struct Poll {
    deadline: Duration,
    /// Parked polls have none.
    batch: Option<Box<Batch>>,
}

impl Poll {
    fn batch(&mut self) -> &mut Batch {
        self.batch.get_or_insert_default()
    }
}

/// The answer to a poll.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The connection of the poll.
    pub connection: ConnectionId,
    /// What to write.
    pub response: Response,
}

impl Answer {
    /// Returns the command that has the hub forget the poll.
    #[must_use]
    pub const fn disconnect(&self) -> Command {
        Command::Disconnect { connection: self.connection }
    }
}

/// The one subscription of each poll.
const SUBSCRIPTION: SubscriptionId = SubscriptionId(0);

/// When to poll again if there are too many polls, or if the server shuts down.
const LATER: Duration = Duration::from_secs(5);

impl Polls {
    /// Creates an empty set of polls.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            polls: HashMap::new(),
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            shared: None,
            is_shut_down: false,
        }
    }

    /// Begins a poll, and returns the commands for the hub: pass on the effects of the first before the
    /// second is handled, and ask for answers after the second.
    ///
    /// `connection` is a number that no other connection of the hub has. A poll that has it is replaced,
    /// and gets no answer.
    ///
    /// # Errors
    ///
    /// Returns the response to the request if it is refused: with 403 if it names the queue of a user
    /// and `principal` is `None`, and with 503 if there are as many [polls](Config::parked) as there may
    /// be, or after [`shut_down`](Self::shut_down). Then the hub need not know of it.
    pub fn begin(
        &mut self,
        connection: ConnectionId,
        principal: Option<Principal>,
        request: Request,
        now: Duration,
    ) -> Result<[Command; 2], Response> {
        // A connection without a user has a queue of its own, which nobody could send to in time.
        if principal.is_none() && request.topics().iter().any(|topic| topic.starts_with("/user/")) {
            return Err(Response::problem(403, "only a user who is logged in has queues"));
        }
        // Whoever is answered at once asks again at once, until the server is gone.
        if self.is_shut_down {
            return Err(Response::later("the server shuts down", LATER));
        }
        // The hub disconnects the replaced poll as it connects this one, which has its room.
        self.abort(connection);
        if self.polls.len() >= self.config.parked {
            return Err(Response::later("there are too many polls", LATER));
        }
        let wait = request.wait().min(self.config.longest_wait);
        let deadline = now.saturating_add(wait.max(self.config.begin));
        let start = request.start();
        let waiting = Waiting { park_until: now.saturating_add(wait), start };
        let batch = Some(Box::new(Batch::of(waiting)));
        self.polls.insert(connection, Poll { deadline, batch });
        self.deadlines.insert((deadline, connection));
        let subscribe = Command::Subscribe {
            connection,
            subscription: SUBSCRIPTION,
            destinations: request.into_topics(),
            options: self.options(start),
            request: None,
        };
        Ok([Command::Connect { connection, principal }, subscribe])
    }

    /// Takes an effect of the hub. Returns whether it is of one of these polls.
    pub fn apply(&mut self, effect: &Effect, now: Duration) -> bool {
        let Some(connection) = effect.connection() else { return false };
        let Some(poll) = self.polls.get_mut(&connection) else { return false };
        match effect {
            Effect::Deliver { message, .. } => poll.batch().add_message(message, &self.config),
            Effect::Gap { gap, .. } => poll.batch().add_gap(*gap, &self.config),
            Effect::Refused { refusal, .. } => poll.batch().refusal = Some(refusal.clone()),
            Effect::Subscribed { .. } => {
                self.has_begun(connection, now);
                return true;
            }
            _ => return true,
        }
        self.is_ready(connection);
        true
    }

    /// Returns the next answer that is due, or `None` if there is none.
    ///
    /// Pass on all effects that the hub has had for these polls first: an answer says up to where the
    /// hub has delivered everything.
    pub fn next_answer<A: Authorization>(&mut self, hub: &Hub<A>) -> Option<Answer> {
        while let Some(connection) = self.ready.pop_front() {
            let Some(poll) = self.remove(connection) else { continue };
            let through = hub.cursor(connection, SUBSCRIPTION);
            let response = match (poll.batch, through) {
                (None, Some(through)) => batch::without_events(through),
                (batch, through) => {
                    batch.unwrap_or_default().into_response(through, &mut self.shared)
                }
            };
            return Some(Answer { connection, response });
        }
        // A message to many polls leaves no memory behind.
        self.ready = VecDeque::new();
        self.shared = None;
        None
    }

    /// Forgets a poll whose client has gone. Returns the command for the hub, or `None` if there is no
    /// such poll.
    pub fn abort(&mut self, connection: ConnectionId) -> Option<Command> {
        let poll = self.remove(connection)?;
        if !self.deadlines.remove(&(poll.deadline, connection)) {
            self.ready.retain(|ready| *ready != connection);
        }
        Some(Command::Disconnect { connection })
    }

    /// Returns when to call [`time_passed`](Self::time_passed).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Has the polls answered whose time is over. Ask for the [answers](Self::next_answer) then.
    pub fn time_passed(&mut self, now: Duration) {
        while let Some(&(deadline, connection)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            self.ready.push_back(connection);
        }
    }

    /// Has all polls answered, and from now on each refused: a client polls another server, or comes back
    /// with its cursor. Ask for the [answers](Self::next_answer) then.
    pub fn shut_down(&mut self) {
        self.is_shut_down = true;
        let deadlines = core::mem::take(&mut self.deadlines);
        self.ready.extend(deadlines.into_iter().map(|(_, connection)| connection));
    }

    /// Returns how many polls there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.polls.len()
    }

    /// Returns whether there is no poll.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.polls.is_empty()
    }

    fn options(&self, start: Start) -> SubscribeOptions {
        let options = SubscribeOptions::default().start(start).gaps(true).hidden(true);
        // Polls acknowledge nothing. A window bounds how much of what topics keep the hub delivers, of
        // which an answer could only have the first events.
        match start {
            Start::Now => options,
            _ => {
                let cumulative = Acknowledgement::Cumulative;
                options.acknowledgement(cumulative).window(Some(self.config.events))
            }
        }
    }

    fn remove(&mut self, connection: ConnectionId) -> Option<Poll> {
        let poll = self.polls.remove(&connection)?;
        shrink(&mut self.polls);
        Some(poll)
    }

    fn has_begun(&mut self, connection: ConnectionId, now: Duration) {
        let Some(poll) = self.polls.get_mut(&connection) else { return };
        let Some(waiting) = poll.batch.as_mut().and_then(|batch| batch.waiting.take()) else {
            return;
        };
        if waiting.park_until <= now {
            self.is_ready(connection);
        } else if self.deadlines.remove(&(poll.deadline, connection)) {
            poll.deadline = waiting.park_until;
            poll.batch = None;
            self.deadlines.insert((waiting.park_until, connection));
        }
    }

    fn is_ready(&mut self, connection: ConnectionId) {
        let Some(poll) = self.polls.get(&connection) else { return };
        if self.deadlines.remove(&(poll.deadline, connection)) {
            self.ready.push_back(connection);
        }
    }
}
