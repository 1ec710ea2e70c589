//! What a hub and Redis tell each other over one connection.

use super::{
    answers::{Answer, Expected},
    batch::{Batch, Context, State},
    failure::Failure,
    format,
    link::Seen,
    pushes::{Receiver, Told},
};
use redis::{RedisResult, Value, aio::MultiplexedConnection};
use sansocket_realtime::bridge::{Command, Entry, Event};
use std::{collections::VecDeque, future::Future, pin::Pin};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{MissedTickBehavior, interval},
};

/// How many messages are told at a time, before something else has its turn.
const MESSAGES: usize = 256;

/// A connection that is in use.
pub(super) struct Session<'a, T> {
    connection: MultiplexedConnection,
    context: Context<'a>,
    tell: &'a mut T,
    state: State,
    seen: Seen,
    /// The position of the last message. It comes again for each pattern that it matches.
    told: u64,
    /// What is sent next.
    batch: Batch,
    /// What was sent. There is one batch at a time: what comes meanwhile goes together with the next.
    on_its_way: Option<OnItsWay>,
}

struct OnItsWay {
    answers: Pin<Box<dyn Future<Output = RedisResult<Vec<Value>>> + Send>>,
    expected: Vec<Expected>,
    /// Whether what is told meanwhile has to wait, since it can belong behind an answer.
    holds_back: bool,
}

impl<'a, T: FnMut(Event)> Session<'a, T> {
    pub(super) fn new(
        connection: MultiplexedConnection,
        context: Context<'a>,
        seen: Seen,
        tell: &'a mut T,
    ) -> Self {
        let mut batch = Batch::default();
        // In a new sequence, there is something to return at once.
        batch.alive(context);
        batch.still(0, context);
        let state = State::default();
        Self { connection, context, tell, state, seen, told: 0, batch, on_its_way: None }
    }

    /// Returns what is known of the sequence.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Passes on what comes from both sides, until the hub tells nothing any more and all of it is answered.
    pub(super) async fn serve(
        &mut self,
        commands: &mut UnboundedReceiver<Command>,
        pushes: &mut Receiver,
    ) -> Result<(), Failure> {
        let mut received = Vec::new();
        let mut is_open = true;
        let mut pings = interval(self.context.options.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        loop {
            self.send();
            if !is_open && self.on_its_way.is_none() {
                return Ok(());
            }
            tokio::select! {
                answers = answers_to(&mut self.on_its_way) => {
                    let mut waiting = pushes.take_all().into();
                    let told = self.tell_answers(answers, &mut waiting);
                    self.tell_up_to(&mut waiting, None);
                    told?;
                }
                received_some = pushes.receive(&mut received, MESSAGES), if !self.holds_back() => {
                    received_some?;
                    for told in received.drain(..) {
                        self.tell_message(told);
                    }
                }
                command = commands.recv(), if is_open && self.batch.has_room() => {
                    is_open = command.is_some();
                    self.add_commands(command, commands);
                }
                _ = pings.tick(), if is_open => self.batch.alive(self.context),
            }
        }
    }

    /// Sends what there is, unless something is on its way.
    fn send(&mut self) {
        while self.batch.has_room() {
            let Some((queue, count)) = self.state.queues.next() else { break };
            self.batch.take(queue, count, self.context);
        }
        if self.on_its_way.is_some() || self.batch.is_empty() {
            return;
        }
        let holds_back = self.batch.asks_for_members();
        let Batch { pipeline, expected, .. } = std::mem::take(&mut self.batch);
        let (mut connection, count) = (self.connection.clone(), expected.len());
        let answers =
            Box::pin(async move { connection.send_packed_commands(&pipeline, 0, count).await });
        self.on_its_way = Some(OnItsWay { answers, expected, holds_back });
    }

    fn holds_back(&self) -> bool {
        self.on_its_way.as_ref().is_some_and(|it| it.holds_back)
    }

    /// Adds a command, and those that wait behind it as far as there is room.
    fn add_commands(&mut self, first: Option<Command>, commands: &mut UnboundedReceiver<Command>) {
        let mut next = first;
        while let Some(command) = next {
            if let Some(answer) = self.batch.add_command(command, &mut self.state, self.context) {
                (self.tell)(answer);
            }
            next = if self.batch.has_room() { commands.try_recv().ok() } else { None };
        }
    }

    fn tell_message(&mut self, told: Told) {
        let keys = self.context.keys;
        let Some(destination) = self.state.followed.destination(&told, keys) else {
            return self.state.queues.hear(&told, keys);
        };
        let Some((position, message)) = format::read_told(&told.message.into()) else {
            tracing::warn!(%destination, "what was published in Redis is not a message");
            return;
        };
        if position == self.told {
            return;
        }
        self.told = position;
        self.seen.has_published(Some(position));
        (self.tell)(Event::Message(Entry { destination, position, message }));
    }

    /// Tells the hub what has come before a position, or all.
    fn tell_up_to(&mut self, waiting: &mut VecDeque<Told>, head: Option<u64>) {
        while let Some(told) = waiting.pop_front() {
            let position = format::read_position(&told.message).map(|(position, _)| position);
            if head.is_some() && position > head {
                waiting.push_front(told);
                return;
            }
            self.tell_message(told);
        }
    }

    /// Tells the hub the answers to a batch, and what came before them of what waits.
    fn tell_answers(
        &mut self,
        answers: RedisResult<Vec<Value>>,
        waiting: &mut VecDeque<Told>,
    ) -> Result<(), Failure> {
        let expected = self.on_its_way.take().map(|it| it.expected).unwrap_or_default();
        let answers = answers?;
        if answers.len() != expected.len() {
            return Err(Failure::Unexpected { what: "several commands" });
        }
        for (expected, answer) in expected.into_iter().zip(answers) {
            match expected.read(answer, &mut self.seen, &mut self.state.queues)? {
                Answer::Nothing => {}
                Answer::Tell(event) => (self.tell)(event),
                Answer::TellAt(head, event) => {
                    self.tell_up_to(waiting, Some(head));
                    (self.tell)(event);
                }
                Answer::Taken(events) => events.into_iter().for_each(&mut *self.tell),
                Answer::Still(events, more) => {
                    events.into_iter().for_each(&mut *self.tell);
                    if let Some(after) = more {
                        self.batch.still(after, self.context);
                    }
                }
                Answer::Alive { was_dead, has_more } => {
                    if was_dead {
                        (self.tell)(Event::CountedAsDead);
                    }
                    if has_more {
                        self.batch.alive(self.context);
                    }
                }
            }
        }
        Ok(())
    }
}

async fn answers_to(on_its_way: &mut Option<OnItsWay>) -> RedisResult<Vec<Value>> {
    match on_its_way {
        Some(on_its_way) => on_its_way.answers.as_mut().await,
        None => std::future::pending().await,
    }
}
