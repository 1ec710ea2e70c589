//! Calls of handlers that take time. Those of one connection are handled one after the other, in the order
//! in which its client has made them, and those of different connections at the same time.

use super::Engine;
use sansocket_realtime::hub::{Answer, Call, Command, ConnectionId};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
};
use tokio::sync::mpsc;

/// A handler of the application that takes time.
pub(crate) type AsyncHandler =
    Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Where calls come from whose turn it is.
pub(crate) type Ready = mpsc::UnboundedReceiver<Job>;

/// A call, and what handles it.
pub(crate) struct Job {
    handler: AsyncHandler,
    call: Call,
}

/// How much can wait, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connection: usize,
    pub(super) all: usize,
}

/// The calls that are not answered.
pub(super) struct Calls {
    ready: mpsc::UnboundedSender<Job>,
    limits: Limits,
    /// How many calls there are, and their bytes.
    count: usize,
    bytes: usize,
    connections: HashMap<ConnectionId, Line>,
}

/// The calls of one connection.
struct Line {
    /// What waits behind the call that is handled.
    waiting: VecDeque<Job>,
    /// The bytes of all these calls, with that one.
    bytes: usize,
}

impl Calls {
    /// What a call takes beside its message.
    const OVERHEAD: usize = 512;

    /// Returns the calls, and where those appear that are to be [run](run).
    pub(super) fn new(limits: Limits) -> (Self, Ready) {
        let (ready, receiver) = mpsc::unbounded_channel();
        (Self { ready, limits, count: 0, bytes: 0, connections: HashMap::new() }, receiver)
    }

    /// Has a call handled as soon as those before it are. Returns what to tell the hub if there is no room.
    #[must_use]
    pub(super) fn add(&mut self, handler: AsyncHandler, call: Call) -> Option<Command> {
        let size = size(&call);
        let Limits { connection, all } = self.limits;
        if self.bytes + size > all {
            return Some(call.unavailable("the application is busy: try again later"));
        }
        match self.connections.entry(call.connection) {
            Entry::Vacant(free) => {
                free.insert(Line { waiting: VecDeque::new(), bytes: size });
                self.start(Job { handler, call });
            }
            Entry::Occupied(line) => {
                let line = line.into_mut();
                if line.bytes + size > connection {
                    return Some(call.unavailable(format!(
                        "{} bytes of your calls wait for their answers, of {connection}: try again later",
                        line.bytes
                    )));
                }
                line.bytes += size;
                line.waiting.push_back(Job { handler, call });
            }
        }
        self.count += 1;
        self.bytes += size;
        None
    }

    /// Forgets a call that is answered, and begins with the next of its connection.
    pub(super) fn remove(&mut self, call: &Call) {
        let size = size(call);
        let Some(line) = self.connections.get_mut(&call.connection) else { return };
        self.count -= 1;
        self.bytes -= size;
        line.bytes -= size;
        match line.waiting.pop_front() {
            Some(next) => self.start(next),
            None => drop(self.connections.remove(&call.connection)),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn start(&self, job: Job) {
        // What receives it lives as long as the engine, unless the runtime has ended.
        let _ = self.ready.send(job);
    }
}

/// Handles calls, each in a task of its own, for as long as there is an engine.
pub(crate) async fn run(engine: Weak<Engine>, mut ready: Ready) {
    while let Some(job) = ready.recv().await {
        let Some(engine) = engine.upgrade() else { return };
        tokio::spawn(handle(engine, job));
    }
}

async fn handle(engine: Arc<Engine>, Job { handler, call }: Job) {
    let made = call.clone();
    // In a task of its own, since a panic must not end what comes after it.
    let answer = tokio::spawn(async move { handler(made).await }).await;
    let commands = match answer {
        Ok(answer) => answer.into_commands(&call),
        Err(_) => vec![failed(&call)],
    };
    engine.answer(&call, commands);
}

/// Says that a handler has panicked: to the log, and by the command to the sender.
pub(super) fn failed(call: &Call) -> Command {
    tracing::error!(destination = call.destination, "a handler has panicked");
    call.failed("the handler has failed")
}

fn size(call: &Call) -> usize {
    call.message.size() + call.destination.len() + Calls::OVERHEAD
}
