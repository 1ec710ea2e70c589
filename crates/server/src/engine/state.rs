//! What the lock of the engine guards, and what becomes of a command: effects for clients, calls of the
//! application, commands for the broker.

use super::{
    Bridge,
    application::{Application, Rules},
    figures::{Counts, Status},
};
use crate::mailboxes::Mailboxes;
use sansocket_realtime::{
    http::Response,
    hub::{Command, ConnectionId, Effect, Hub, Operation, Presence, RequestId},
    poll::Polls,
};
use std::{
    collections::{HashMap, VecDeque},
    slice,
    time::Duration,
};
use tokio::sync::oneshot;

pub(super) struct State {
    pub(super) hub: Hub<Rules>,
    pub(super) application: Application,
    pub(super) polls: Polls,
    /// Who waits for the answer to a poll.
    pub(super) polling: HashMap<ConnectionId, oneshot::Sender<Response>>,
    /// Who waits to learn who is in a topic.
    pub(super) asking: HashMap<RequestId, oneshot::Sender<Presence>>,
    pub(super) last_request: u64,
    pub(super) mailboxes: Mailboxes,
    /// What is still to be handled. It is empty while nobody has the lock.
    pub(super) commands: VecDeque<Command>,
    pub(super) bridge: Option<Bridge>,
    pub(super) status: Status,
    pub(super) counts: Counts,
    /// The deadline for which the task that tells the time waits.
    pub(super) deadline: Option<Duration>,
    /// Whether the last client has left a server that ends. What is published from then on goes nowhere.
    pub(super) has_ended: bool,
}

impl State {
    /// Handles commands in their order, and all that follows from each of them.
    pub(super) fn perform(&mut self, commands: impl IntoIterator<Item = Command>, now: Duration) {
        for command in commands {
            self.commands.push_back(command);
            self.settle(now);
        }
    }

    /// Handles all commands, and those that follow from them.
    pub(super) fn settle(&mut self, now: Duration) {
        loop {
            while let Some(answer) = self.polls.next_answer(&self.hub) {
                self.commands.push_back(answer.disconnect());
                if let Some(waiting) = self.polling.remove(&answer.connection) {
                    // If the client has gone, so be it: it comes back with its cursor.
                    let _ = waiting.send(answer.response);
                }
            }
            let Some(command) = self.commands.pop_front() else { return };
            self.handle(command, now);
        }
    }

    fn handle(&mut self, command: Command, now: Duration) {
        let Self {
            hub,
            application,
            polls,
            asking,
            mailboxes,
            commands,
            bridge,
            counts,
            status,
            ..
        } = self;
        counts.handled += 1;
        let (sender, mut messages) = messages(&command);
        if let Command::Bridge(event) = &command {
            status.hear(event);
        }
        for effect in hub.handle(command, now) {
            match &effect {
                Effect::Deliver { .. } => counts.delivered += 1,
                Effect::Gap { .. } => counts.gaps += 1,
                Effect::Refused { subscription, .. } => {
                    counts.refused += 1;
                    // What is said of a subscription is about an earlier command.
                    if subscription.is_none() {
                        messages = 0;
                    }
                }
                Effect::Discarded { message, deliveries } => {
                    if let Some(left_out) = counts.discarded.add(now) {
                        let destination = &**message.destination();
                        tracing::warn!(destination, deliveries, left_out, "a message is given up");
                    }
                }
                Effect::Call(_) => {
                    if let Effect::Call(call) = effect {
                        commands.extend(application.call(*call));
                    }
                    continue;
                }
                Effect::Presence { request, .. } => {
                    let waiting = asking.remove(request);
                    if let (Some(waiting), Effect::Presence { presence, .. }) = (waiting, effect) {
                        // Whoever has asked may have gone.
                        let _ = waiting.send(*presence);
                    }
                    continue;
                }
                Effect::Bridge(_) => {
                    if let (Some(bridge), Effect::Bridge(command)) = (bridge.as_ref(), effect) {
                        // The broker's task lives as long as the server.
                        let _ = bridge.send(*command);
                    }
                    continue;
                }
                _ => {}
            }
            let Some(connection) = effect.connection() else { continue };
            if !polls.is_empty() && polls.apply(&effect, now) {
                continue;
            }
            if let Some(mailbox) = mailboxes.get(connection) {
                if mailbox.push(effect, now) {
                    counts.paused += 1;
                    commands.push_back(Command::Pause { connection });
                }
            }
        }
        match sender {
            Some(_) => counts.sent += messages,
            None => counts.published += messages,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.mailboxes.len() == 0 && self.application.calls.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let deadlines =
            [self.hub.next_deadline(), self.polls.next_deadline(), self.mailboxes.next_deadline()];
        deadlines.into_iter().flatten().min()
    }
}

/// Returns who sends messages by a command, which is nobody for those of the application, and how many they
/// are.
fn messages(command: &Command) -> (Option<ConnectionId>, u64) {
    let count = |operations: &[Operation]| {
        operations.iter().filter(|it| matches!(it, Operation::Send { .. })).count() as u64
    };
    match command {
        Command::Perform { connection, operation, .. } => {
            (Some(*connection), count(slice::from_ref(operation)))
        }
        Command::Commit { connection, operations, .. } => (Some(*connection), count(operations)),
        Command::Publish { .. } | Command::PublishFor { .. } => (None, 1),
        _ => (None, 0),
    }
}
