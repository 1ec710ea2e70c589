//! The hub and what is around it, behind one lock.
//!
//! ```text
//! a client's task ── perform(command) ─▶ Hub ─▶ effects ─▶ the mailboxes of other clients ─▶ their tasks
//!                                         │
//!                                         ├─▶ Call ─▶ handlers ─▶ commands
//!                                         └─▶ Bridge ─▶ the broker's task
//! ```
//!
//! Under the lock nothing is written, and nothing but the answers to polls is encoded: the tasks of the
//! clients do that. So it is held for as long as it takes to pass on effects.

mod application;
mod calls;
mod figures;
mod registration;
mod state;

pub(crate) use application::{Application, Rules};
pub(crate) use calls::{AsyncHandler, Ready, run as run_calls};
pub(crate) use figures::{Counts, Gauges, Status};
pub(crate) use registration::{Polling, Registration};

use crate::{
    clock::{Clock, KeepsTime},
    mailbox::GivenUp,
    mailboxes::{Mailboxes, Transport},
    options::Options,
    random::random,
    refusals::{Reason, Refusals},
};
use sansocket_realtime::{
    Cursor, Epoch, bridge,
    guard::{Answer, Client, Guard},
    http::Response,
    hub::{
        Call, Command, ConnectionId, Hub, InvalidRoute, Presence, Principal, RequestId,
        SubscriptionId,
    },
    poll::{Polls, Request},
};
use state::State;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Where commands for the broker go.
pub(crate) type Bridge = mpsc::UnboundedSender<bridge::Command>;

/// How long a broker can take to tell who is there, before the answer is who is on this node.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    guard: Mutex<Guard>,
    pub(crate) refusals: Refusals,
    /// Wakes the task that tells the time, when a deadline may have come nearer.
    timer: Arc<Notify>,
    /// Wakes those that wait for the end of the server, which comes when it has nothing to do any more.
    idle: Notify,
    shuts_down: watch::Sender<bool>,
}

impl Engine {
    /// Creates an engine, with a bridge if there is a broker. `prepare` adds the handlers. Also returns what
    /// [`run_calls`] needs.
    pub(crate) fn new(
        options: Options,
        bridge: Option<Bridge>,
        epoch: Epoch,
        prepare: impl FnOnce(&mut Application, &mut Hub<Rules>) -> Result<(), InvalidRoute>,
    ) -> Result<(Self, Ready), InvalidRoute> {
        let mut hub = Hub::with_config(epoch, options.hub.clone(), Rules::new(&options));
        if bridge.is_some() {
            hub = hub.with_bridge();
        }
        let (mut application, ready) = Application::new(&options);
        prepare(&mut application, &mut hub)?;
        let status = if bridge.is_some() { Status::Starting } else { Status::Ready };
        let state = State {
            hub,
            application,
            polls: Polls::new(options.polls),
            polling: HashMap::new(),
            asking: HashMap::new(),
            last_request: 0,
            mailboxes: Mailboxes::new(options.slow_consumer),
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
        let (refusals, (shuts_down, _)) = (Refusals::default(), watch::channel(false));
        Ok((Self { options, clock, state, guard, refusals, timer, idle, shuts_down }, ready))
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
        let mut state = self.state();
        state.perform(commands, self.now());
        self.watch(&mut state);
    }

    /// Handles the answer to a call that has taken time.
    fn answer(&self, call: &Call, commands: Vec<Command>) {
        let mut state = self.state();
        state.perform(commands, self.now());
        state.application.calls.remove(call);
        self.watch(&mut state);
        self.tell_if_idle(&state);
    }

    /// Adds a connection, which the hub has yet to be told of. `given_up` is that of its transport, if it has one
    /// for as long as it lasts.
    pub(crate) fn register(
        self: &Arc<Self>,
        transport: Transport,
        given_up: Option<GivenUp>,
    ) -> Registration {
        let now = self.now();
        let mut state = self.state();
        let (connection, mailbox) = state.mailboxes.open(transport, now);
        // Who comes to a server that shuts down is sent away at once, or else it would not end.
        if state.status == Status::ShuttingDown {
            mailbox.shut_down(now);
        }
        self.watch(&mut state);
        drop(state);
        Registration { engine: self.clone(), connection, mailbox, client: None, given_up }
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
        let connection = state.mailboxes.add(Transport::Poll, None);
        let commands = match state.polls.begin(connection, principal, request, now) {
            Ok(commands) => commands,
            Err(response) => {
                state.mailboxes.remove(connection);
                return Err(response);
            }
        };
        state.polling.insert(connection, sender);
        state.perform(commands, now);
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
        let calls = &state.application.calls;
        let gauges = Gauges {
            connections: state.mailboxes.by_transport(),
            outbox: state.hub.outbox(),
            calls: (calls.len(), calls.bytes()),
            subscriptions: state.hub.subscriptions(),
            destinations: state.hub.destinations(),
        };
        (state.counts, gauges)
    }

    /// Returns how many connections are no polls.
    pub(crate) fn connections(&self) -> usize {
        self.state().mailboxes.lasting()
    }

    /// Counts a client, before anything is known of it.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<Client, Answer> {
        let admitted = self.guard().connect(address, self.now());
        admitted.map_err(|breach| self.refuse(address, &breach))
    }

    /// Counts and logs that something is refused. Returns what the client gets for it.
    ///
    /// Have no lock while you call it: it can take as long as a line of the log.
    pub(crate) fn refuse<'a, E>(&self, address: Option<IpAddr>, why: &'a E) -> Answer
    where
        Answer: From<&'a E>,
        Reason: From<&'a E>,
    {
        self.refusals.add(Reason::from(why), address, None, self.now());
        Answer::from(why)
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
        self.tell_if_idle(&state);
        drop(state);
        self.shuts_down.send_replace(true);
    }

    /// Waits until the server begins to shut down.
    pub(crate) async fn shuts_down(&self) {
        // What sends is there as long as the engine.
        let _ = self.shuts_down.subscribe().wait_for(|it| *it).await;
    }

    /// Waits until the server shuts down, no client is there, and all calls are answered. Then the broker's
    /// task ends, once it has sent what it has.
    pub(crate) async fn end(&self) {
        loop {
            let idle = self.idle.notified();
            {
                let mut state = self.state();
                if state.status == Status::ShuttingDown && state.is_idle() {
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

    /// Forgets a connection that the hub need not know of any more. `is_too_slow` says whether its client was
    /// given up.
    fn remove(&self, connection: ConnectionId, is_too_slow: bool) {
        let mut state = self.state();
        // One that is given up can have been removed before, and counts then.
        let is_there = state.mailboxes.remove(connection);
        state.counts.too_slow += u64::from(is_there && is_too_slow);
        self.tell_if_idle(&state);
    }

    fn tell_if_idle(&self, state: &State) {
        if state.is_idle() {
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
        for connection in state.mailboxes.time_passed(now) {
            // What is left of it may never notice, so it is not waited for.
            state.commands.push_back(Command::Disconnect { connection });
            state.counts.too_slow += u64::from(state.mailboxes.remove(connection));
        }
        state.settle(now);
        self.tell_if_idle(&state);
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
