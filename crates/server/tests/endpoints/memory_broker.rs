//! A broker in memory, which is away when a test says so.

use sansocket_realtime::{
    Epoch,
    bridge::{self, Memory, Node},
};
use sansocket_server::broker::{Broker, Tell};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc};

/// A broker that all nodes of a test share.
#[derive(Clone)]
pub(crate) struct Shared {
    memory: Arc<Mutex<Memory>>,
    changed: Arc<Notify>,
}

/// The connection of one node to it.
pub(crate) struct Link {
    shared: Shared,
    pub(crate) node: Node,
}

impl Shared {
    pub(crate) fn new(history: usize) -> Self {
        let memory = Memory::new(Epoch(0xb0)).history(history);
        Self { memory: Arc::new(Mutex::new(memory)), changed: Arc::default() }
    }

    pub(crate) fn join(&self) -> Link {
        let node = self.memory.lock().unwrap().join();
        Link { shared: self.clone(), node }
    }

    /// Changes the broker, and tells the nodes what follows.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.memory.lock().unwrap());
        self.changed.notify_waiters();
    }
}

impl Broker for Link {
    async fn run(
        self,
        _: Epoch,
        mut commands: mpsc::UnboundedReceiver<bridge::Command>,
        mut tell: Tell,
    ) {
        loop {
            let changed = self.shared.changed.notified();
            let events: Vec<_> = {
                let mut memory = self.shared.memory.lock().unwrap();
                std::iter::from_fn(|| memory.next(self.node)).collect()
            };
            events.into_iter().for_each(&mut tell);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.shared.change(|memory| memory.handle(self.node, command)),
                    None => return,
                },
                () = changed => {}
            }
        }
    }
}
