//! A server with a hub and polls.

use crate::json::Json;
use sansocket_realtime::{
    Epoch, Message, bridge,
    http::Response,
    hub::{self, Authorization, Command, ConnectionId, Effect, Hub, Open, Operation, Principal},
    poll::{Config, Polls, Request},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Server<A = Open> {
    pub(crate) hub: Hub<A>,
    pub(crate) polls: Polls,
    pub(crate) config: Config,
    pub(crate) now: Duration,
    pub(crate) answers: BTreeMap<u64, Response>,
    pub(crate) bridge: Vec<bridge::Command>,
    /// How many messages the hub has delivered to polls.
    pub(crate) deliveries: usize,
    next: u64,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Config::default(), hub::Config::default())
    }

    pub(crate) fn with(config: Config, hub: hub::Config) -> Self {
        Self::of(config, Hub::with_config(Epoch(0xa), hub, Open))
    }
}

impl<A: Authorization> Server<A> {
    pub(crate) fn of(config: Config, hub: Hub<A>) -> Self {
        Self {
            hub,
            polls: Polls::new(config),
            config,
            now: 100 * SECOND,
            answers: BTreeMap::new(),
            bridge: Vec::new(),
            deliveries: 0,
            next: 1,
        }
    }

    /// Handles commands, and keeps the answers that are due.
    pub(crate) fn handle(&mut self, commands: impl Into<VecDeque<Command>>) {
        let mut commands = commands.into();
        loop {
            while let Some(answer) = self.polls.next_answer(&self.hub) {
                commands.push_back(answer.disconnect());
                let other = self.answers.insert(answer.connection.0, answer.response);
                assert_eq!(other, None, "a poll is answered once");
            }
            let Some(command) = commands.pop_front() else { return };
            for effect in self.hub.handle(command, self.now) {
                let is_of_poll = self.polls.apply(&effect, self.now);
                match effect {
                    Effect::Bridge(command) => self.bridge.push(*command),
                    Effect::Deliver { .. } if is_of_poll => self.deliveries += 1,
                    _ => {}
                }
            }
        }
    }

    /// Begins a poll, and returns its number.
    pub(crate) fn poll(&mut self, query: &str) -> u64 {
        self.poll_of(None, query)
    }

    pub(crate) fn poll_of(&mut self, user: Option<&str>, query: &str) -> u64 {
        let id = self.next;
        self.next += 1;
        let request = match Request::parse(query, &self.config) {
            Ok(request) => request,
            Err(invalid) => {
                self.answers.insert(id, invalid.response());
                return id;
            }
        };
        match self.polls.begin(ConnectionId(id), user.map(Principal::new), request, self.now) {
            Ok(commands) => self.handle(commands),
            Err(response) => drop(self.answers.insert(id, response)),
        }
        id
    }

    /// Polls, and returns the answer, which is due at once.
    pub(crate) fn answer(&mut self, query: &str) -> Answer {
        let id = self.poll(query);
        self.take(id)
    }

    pub(crate) fn publish(&mut self, topic: &str, body: &str) {
        let message = Message::new(body.to_owned());
        let destination = topic.into();
        self.handle([Command::Publish { destination, message, request: None }]);
    }

    /// Publishes messages in one command.
    pub(crate) fn commit(&mut self, messages: &[(&str, &str)]) {
        let connection = ConnectionId(u64::MAX);
        let send = |(topic, body): &(&str, &str)| Operation::Send {
            destination: (*topic).into(),
            message: Message::new((*body).to_owned()),
        };
        let operations = messages.iter().map(send).collect();
        self.handle([
            Command::Connect { connection, principal: None },
            Command::Commit { connection, operations, request: None },
        ]);
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.polls.time_passed(self.now);
        self.handle([Command::TimePassed]);
    }

    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        !self.answers.contains_key(&id)
    }

    pub(crate) fn take_response(&mut self, id: u64) -> Response {
        self.answers.remove(&id).expect("the poll is answered")
    }

    pub(crate) fn take(&mut self, id: u64) -> Answer {
        let response = self.take_response(id);
        assert_eq!(response.head.status, 200, "{response:?}");
        Answer::read(&Json::parse(&response.body))
    }
}

/// What a client reads in an answer: bodies, and gaps as `from..to`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) events: Vec<String>,
    pub(crate) cursor: String,
}

impl Answer {
    pub(crate) fn read(answer: &Json) -> Self {
        let read = |event: &Json| match event.get("gap") {
            Some(gap) => format!("{}..{}", gap.text_of("from"), gap.text_of("to")),
            None => event.text_of("data").to_owned(),
        };
        let events = answer.get("events").expect("events").items().iter().map(read).collect();
        Self { events, cursor: answer.text_of("cursor").to_owned() }
    }
}

pub(crate) fn answer<const N: usize>(events: [&str; N], cursor: &str) -> Answer {
    Answer { events: events.map(String::from).to_vec(), cursor: cursor.to_owned() }
}
