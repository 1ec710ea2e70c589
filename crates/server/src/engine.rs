//! The hub and what is around it, behind one lock.
//!
//! ```text
//! a client's task ── perform(command) ─▶ Hub ─▶ effects ─▶ the mailboxes of other clients ─▶ their tasks
//!                                         │
//!                                         ├─▶ Call ─▶ handlers ─▶ commands
//!                                         └─▶ Bridge ─▶ the broker's task
//! ```
//!
//! Under the lock nothing is encoded and nothing is written: the tasks of the clients do that. So it is
//! held for as long as it takes to pass on effects.

mod application;
mod figures;
mod registration;

pub(crate) use application::Rules;
pub(crate) use figures::{Counts, Gauges, Status};
pub(crate) use registration::{Polling, Registration};

use crate::{
    clock::{Clock, KeepsTime},
    mailbox::Mailbox,
    mailboxes::Mailboxes,
    options::Options,
    random::random,
};
use sansocket_realtime::{
    Cursor, Epoch, bridge,
    guard::{Breach, Client, Guard},
    http::Response,
    hub::{
        Command, ConnectionId, Effect, Handlers, Hub, InvalidRoute, Presence, Principal, RequestId,
        SubscriptionId,
    },
    poll::{Polls, Request},
};
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Where commands for the broker go.
pub(crate) type Bridge = mpsc::UnboundedSender<bridge::Command>;

/// How long a broker can take to tell who is there, before the answer is who is on this node.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    guard: Mutex<Guard>,
    /// Wakes the task that tells the time, when a deadline may have come nearer.
    timer: Arc<Notify>,
    /// Wakes those that wait for the end of the server, which comes when no client is there any more.
    idle: Notify,
}

struct State {
    hub: Hub<Rules>,
    handlers: Handlers<()>,
    polls: Polls,
    /// Who waits for the answer to a poll.
    polling: HashMap<ConnectionId, oneshot::Sender<Response>>,
    /// Who waits to learn who is in a topic.
    asking: HashMap<RequestId, oneshot::Sender<Presence>>,
    last_request: u64,
    mailboxes: Mailboxes,
    /// What is still to be handled. It is empty while nobody has the lock.
    commands: VecDeque<Command>,
    bridge: Option<Bridge>,
    status: Status,
    counts: Counts,
    /// The deadline for which the task that tells the time waits.
    deadline: Option<Duration>,
    /// Whether the last client has left a server that ends. What is published from then on goes nowhere.
    has_ended: bool,
}

impl Engine {
    /// Creates an engine, with a bridge if there is a broker. `prepare` adds the handlers.
    pub(crate) fn new(
        options: Options,
        bridge: Option<Bridge>,
        epoch: Epoch,
        prepare: impl FnOnce(&mut Handlers<()>, &mut Hub<Rules>) -> Result<(), InvalidRoute>,
    ) -> Result<Self, InvalidRoute> {
        let mut hub = Hub::with_config(epoch, options.hub.clone(), Rules::new(&options));
        if bridge.is_some() {
            hub = hub.with_bridge();
        }
        let mut handlers = Handlers::new();
        prepare(&mut handlers, &mut hub)?;
        let status = if bridge.is_some() { Status::Starting } else { Status::Ready };
        let state = State {
            hub,
            handlers,
            polls: Polls::new(options.polls),
            polling: HashMap::new(),
            asking: HashMap::new(),
            last_request: 0,
            mailboxes: Mailboxes::default(),
            commands: VecDeque::new(),
            bridge,
            status,
            counts: Counts::default(),
            deadline: None,
            has_ended: false,
        };
        let guard = Mutex::new(Guard::new(options.guard.clone()));
        let state = Mutex::new(state);
        let (clock, timer, idle) = (Clock::new(), Arc::default(), Notify::new());
        Ok(Self { options, clock, state, guard, timer, idle })
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Handles a command and all that follows from it.
    pub(crate) fn perform(&self, command: Command) {
        self.perform_all([command]);
    }

    /// Handles commands in their order, and all that follows from them.
    pub(crate) fn perform_all(&self, commands: impl IntoIterator<Item = Command>) {
        let now = self.now();
        let mut state = self.state();
        for command in commands {
            state.commands.push_back(command);
            state.settle(now);
        }
        self.watch(&mut state);
    }

    /// Adds a connection, which the hub has yet to be told of.
    pub(crate) fn register(self: &Arc<Self>) -> Registration {
        let mailbox = Mailbox::new(self.options.slow_consumer);
        let mut state = self.state();
        // Who comes to a server that shuts down is sent away at once, or else it would not end.
        if state.status == Status::ShuttingDown {
            mailbox.shut_down(self.now());
        }
        let connection = state.mailboxes.add(Some(mailbox.clone()));
        drop(state);
        Registration { engine: self.clone(), connection, mailbox, client: None }
    }

    /// Begins a poll. The response comes by the channel, unless it is known at once.
    pub(crate) fn begin_poll(
        self: &Arc<Self>,
        principal: Option<Principal>,
        request: Request,
    ) -> Result<(Polling, oneshot::Receiver<Response>), Response> {
        let now = self.now();
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let connection = state.mailboxes.add(None);
        let commands = match state.polls.begin(connection, principal, request, now) {
            Ok(commands) => commands,
            Err(response) => {
                state.mailboxes.remove(connection);
                return Err(response);
            }
        };
        state.polling.insert(connection, sender);
        for command in commands {
            state.commands.push_back(command);
            state.settle(now);
        }
        self.watch(&mut state);
        Ok((Polling { engine: self.clone(), connection }, receiver))
    }

    /// Returns up to where a subscription has got everything.
    pub(crate) fn cursor(&self, of: (ConnectionId, SubscriptionId)) -> Option<Cursor> {
        self.state().hub.cursor(of.0, of.1)
    }

    /// Asks who is subscribed to a topic, on all nodes.
    pub(crate) async fn presence(&self, topic: &str) -> Presence {
        let (sender, receiver) = oneshot::channel();
        let request = self.add_request(sender);
        let (topic, timeout) = (topic.to_owned(), PRESENCE_TIMEOUT);
        self.perform(Command::Presence { topic, timeout, request });
        // The hub answers each request, at the latest after the timeout.
        receiver.await.unwrap_or_default()
    }

    fn add_request(&self, sender: oneshot::Sender<Presence>) -> RequestId {
        let mut state = self.state();
        state.last_request += 1;
        let request = RequestId(state.last_request);
        state.asking.insert(request, sender);
        request
    }

    pub(crate) fn status(&self) -> Status {
        self.state().status
    }

    pub(crate) fn counts(&self) -> (Counts, Gauges) {
        let state = self.state();
        let gauges = Gauges {
            connections: state.mailboxes.len() - state.polls.len(),
            polls: state.polls.len(),
            subscriptions: state.hub.subscriptions(),
            destinations: state.hub.destinations(),
        };
        (state.counts, gauges)
    }

    /// Counts a client, before anything is known of it.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<Client, Breach> {
        self.guard().connect(address, self.now())
    }

    pub(crate) fn guard(&self) -> MutexGuard<'_, Guard> {
        // The guard keeps counts alone, which are right whenever it can panic.
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has each client leave at a time of its own within `spread`.
    pub(crate) fn shut_down(&self, spread: Duration) {
        let now = self.now();
        let mut state = self.state();
        state.status = Status::ShuttingDown;
        for mailbox in state.mailboxes.iter() {
            let part = (random() >> 32) as u32;
            let after = spread.mul_f64(f64::from(part) / f64::from(u32::MAX));
            mailbox.shut_down(now.saturating_add(after));
        }
        state.polls.shut_down();
        state.settle(now);
        self.watch(&mut state);
        if state.mailboxes.len() == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until the server shuts down and no client is there. Then the broker's task ends, once it has sent
    /// what it has.
    pub(crate) async fn end(&self) {
        loop {
            let idle = self.idle.notified();
            {
                let mut state = self.state();
                if state.status == Status::ShuttingDown && state.mailboxes.len() == 0 {
                    state.has_ended = true;
                    state.bridge = None;
                    return;
                }
            }
            idle.await;
        }
    }

    /// Returns whether what is published goes nowhere any more. As long as a registered connection is there,
    /// that does not change.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// Returns how many messages wait for the broker's answer, and their bytes.
    pub(crate) fn outbox(&self) -> (usize, usize) {
        self.state().hub.outbox()
    }

    /// Forgets a connection that the hub need not know of any more.
    fn remove(&self, connection: ConnectionId) {
        let mut state = self.state();
        state.mailboxes.remove(connection);
        if state.mailboxes.len() == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Wakes the task that tells the time, if a deadline has come nearer.
    fn watch(&self, state: &mut State) {
        let next = state.next_deadline();
        if next.is_some_and(|next| state.deadline.is_none_or(|deadline| next < deadline)) {
            state.deadline = next;
            self.timer.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The application's handlers and its authorization are the only code that can panic here, and that
        // is caught.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Handles all commands, and those that follow from them.
    fn settle(&mut self, now: Duration) {
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
            hub, handlers, polls, asking, mailboxes, commands, bridge, counts, status, ..
        } = self;
        counts.handled += 1;
        if let Command::Bridge(event) = &command {
            status.hear(event);
        }
        for effect in hub.handle(command, now) {
            match &effect {
                Effect::Deliver { .. } => counts.delivered += 1,
                Effect::Gap { .. } => counts.gaps += 1,
                Effect::Refused { .. } => counts.refused += 1,
                Effect::Discarded { message, deliveries } => {
                    counts.discarded += 1;
                    let destination = &**message.destination();
                    tracing::warn!(destination, deliveries, "a message is given up");
                }
                Effect::Call(call) => commands.extend(application::call_handler(handlers, call)),
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
    }

    fn next_deadline(&self) -> Option<Duration> {
        [self.hub.next_deadline(), self.polls.next_deadline()].into_iter().flatten().min()
    }
}

impl KeepsTime for Engine {
    fn timer(&self) -> (Clock, Arc<Notify>) {
        (self.clock, self.timer.clone())
    }

    fn pass_time(self: &Arc<Self>) -> Option<Duration> {
        let now = self.now();
        let mut state = self.state();
        if state.hub.next_deadline().is_some_and(|deadline| deadline <= now) {
            state.commands.push_back(Command::TimePassed);
        }
        state.polls.time_passed(now);
        state.settle(now);
        state.deadline = state.next_deadline();
        state.deadline
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The task that tells the time looks whether there still is an engine.
        self.timer.notify_one();
    }
}
