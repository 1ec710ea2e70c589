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

use crate::{
    clock::Clock,
    guests,
    mailbox::{Mailbox, Mailboxes},
    options::Options,
    random::random,
};
use sansocket_realtime::{
    Cursor, Epoch, bridge,
    guard::{Breach, Client, Guard, Reaction},
    http::Response,
    hub::{
        Authorization, Call, Command, ConnectionId, Effect, Handlers, Hub, InvalidRoute, Presence,
        Principal, RequestId, SubscriptionId,
    },
    poll::{Polls, Request},
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
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

/// Whether the server can do all that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The broker has not been reached yet.
    Starting,
    Ready,
    /// The broker is away: topics of all nodes wait, local ones go on.
    Degraded,
    ShuttingDown,
}

/// What happened since the server began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Messages that subscriptions got.
    pub(crate) delivered: u64,
    /// Gaps that subscriptions were told.
    pub(crate) gaps: u64,
    /// Commands of clients that were refused.
    pub(crate) refused: u64,
    /// Messages that were given up.
    pub(crate) discarded: u64,
    /// Connections that were paused because their clients are slow.
    pub(crate) paused: u64,
    /// Commands.
    pub(crate) handled: u64,
}

/// What there is now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) connections: usize,
    pub(crate) polls: usize,
    pub(crate) subscriptions: usize,
    pub(crate) destinations: usize,
}

impl Engine {
    /// Creates an engine, with a bridge if there is a broker. `prepare` adds the handlers.
    pub(crate) fn new(
        options: Options,
        bridge: Option<Bridge>,
        epoch: Epoch,
        prepare: impl FnOnce(&mut Handlers<()>, &mut Hub<Rules>) -> Result<(), InvalidRoute>,
    ) -> Result<Self, InvalidRoute> {
        let rules = Rules(options.authorization.clone());
        let mut hub = Hub::with_config(epoch, options.hub.clone(), rules);
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

    /// Waits until the server shuts down and no client is there. Then the broker's task ends, once it has sent what it has.
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

    /// Does what is due. Returns when to do so again.
    fn pass_time(&self) -> Option<Duration> {
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
            hear(event, status);
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
                Effect::Call(call) => commands.extend(call_handler(handlers, call)),
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

/// Tells the hub and the polls the time, for as long as somebody has the engine.
pub(crate) async fn keep_time(engine: Weak<Engine>) {
    while let Some(strong) = engine.upgrade() {
        let deadline = strong.pass_time().map(|deadline| strong.clock.instant(deadline));
        let timer = strong.timer.clone();
        drop(strong);
        let sleep = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = timer.notified() => {}
        }
    }
}

/// Notes whether the broker is there.
fn hear(event: &bridge::Event, status: &mut Status) {
    let heard = match event {
        bridge::Event::Up { .. } => Status::Ready,
        bridge::Event::Down => Status::Degraded,
        _ => return,
    };
    if *status != Status::ShuttingDown && *status != heard {
        *status = heard;
        tracing::info!(status = ?heard, "the broker");
    }
}

/// Calls the application. If its handler panics, the sender alone learns that.
fn call_handler(handlers: &mut Handlers<()>, call: &Call) -> Vec<Command> {
    let answer = catch_unwind(AssertUnwindSafe(|| handlers.handle(&mut (), call)));
    answer.unwrap_or_else(|_| {
        tracing::error!(destination = call.destination, "a handler has panicked");
        vec![call.refused("the handler has failed")]
    })
}

/// A connection in the engine. The hub forgets it when this is dropped, however its task ends.
pub(crate) struct Registration {
    engine: Arc<Engine>,
    pub(crate) connection: ConnectionId,
    pub(crate) mailbox: Arc<Mailbox>,
    /// What the guard counts, until the connection ends.
    pub(crate) client: Option<Client>,
}

impl Registration {
    pub(crate) const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Says how many bytes the connection has and its client has not taken.
    pub(crate) fn report(&self, downstream: usize) {
        let connection = self.connection;
        match self.mailbox.set_downstream(downstream, self.engine.now()) {
            Some(Reaction::Pause) => self.engine.perform(Command::Pause { connection }),
            Some(Reaction::Resume) => self.engine.perform(Command::Resume { connection }),
            // The end is in the mailbox.
            _ => {}
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let connection = self.connection;
        self.engine.perform(Command::Disconnect { connection });
        self.engine.remove(connection);
        if let Some(client) = self.client.take() {
            let now = self.engine.now();
            self.engine.guard().disconnect(client, now);
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// A poll that waits. It is given up when this is dropped.
pub(crate) struct Polling {
    engine: Arc<Engine>,
    connection: ConnectionId,
}

impl Drop for Polling {
    fn drop(&mut self) {
        let now = self.engine.now();
        let mut state = self.engine.state();
        if state.polling.remove(&self.connection).is_some() {
            if let Some(command) = state.polls.abort(self.connection) {
                state.commands.push_back(command);
                state.settle(now);
                self.engine.watch(&mut state);
            }
        }
        drop(state);
        self.engine.remove(self.connection);
    }
}

/// The authorization of the application, to which guests are as clients without a user.
pub(crate) struct Rules(Arc<dyn Authorization + Send + Sync>);

impl Rules {
    /// Asks the application. If it panics, the answer is no: the hub must not be left half-way.
    fn ask(
        &self,
        destination: &str,
        question: impl FnOnce(&(dyn Authorization + Send + Sync)) -> bool,
    ) -> bool {
        let answer = catch_unwind(AssertUnwindSafe(|| question(&*self.0)));
        answer.unwrap_or_else(|_| {
            tracing::error!(destination, "the authorization has panicked");
            false
        })
    }
}

impl Authorization for Rules {
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        self.ask(destination, |rules| rules.may_subscribe(guests::known(user), destination))
    }

    fn may_subscribe_pattern(&self, user: Option<&Principal>, pattern: &str) -> bool {
        self.ask(pattern, |rules| rules.may_subscribe_pattern(guests::known(user), pattern))
    }

    fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
        self.ask(destination, |rules| rules.may_send(guests::known(user), destination))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The task that tells the time looks whether there still is an engine.
        self.timer.notify_one();
    }
}
