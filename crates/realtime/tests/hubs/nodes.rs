//! Hubs, their queues, and what is on its way between them and the broker.

use crate::{
    jobs::{DEAD_LETTERS, JOBS, Jobs},
    record::{AGE, Published, Record},
};
use core::time::Duration;
use sansocket_realtime::{
    Epoch,
    bridge::{self, Entry, Event, Memory},
    hub::{Command, Config, Effect, Hub, OutboxConfig, QueueConfig, TopicConfig},
};
use std::collections::{BTreeMap, VecDeque};

/// How often a message of a queue is delivered.
pub(crate) const DELIVERIES: u32 = 3;
/// How many messages wait for the broker.
pub(crate) const OUTBOX: usize = 5;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) hub: Hub,
    pub(crate) epoch: Epoch,
    link: bridge::Node,
    /// What the hub has told the broker, on its way.
    commands: VecDeque<bridge::Command>,
    /// What the broker has told the hub, on its way.
    events: VecDeque<Event>,
    /// What the hub has heard since the bridge is up.
    heard: Vec<Entry>,
    pub(crate) is_connected: bool,
    /// Whether what the hub tells is for the connection that exists.
    is_heard: bool,
    /// Whether topics can have been forgotten, since messages have expired.
    pub(crate) has_expired: bool,
    /// The messages in its queue that no consumer has, and how often they were delivered.
    pub(crate) queued: BTreeMap<u64, u32>,
}

/// The broker, and what it has published.
#[derive(Debug)]
pub(crate) struct Broker {
    memory: Memory,
    pub(crate) epoch: Epoch,
    head: u64,
    /// The last message of each hub.
    published: BTreeMap<Epoch, u64>,
    pub(crate) jobs: Jobs,
    /// The hubs that were killed and do not count as dead yet.
    killed: Vec<bridge::Node>,
    /// Whether messages of queues that no consumer takes have a destination.
    pub(crate) dead_letters: bool,
}

impl Broker {
    pub(crate) fn new(history: usize, dead_letters: bool) -> Self {
        let epoch = Epoch(0xb0);
        let memory = Memory::new(epoch).history(history).refuse("/topic/refused".parse().unwrap());
        let (published, jobs, killed) = (BTreeMap::new(), Jobs::default(), Vec::new());
        Self { memory, epoch, head: 0, published, jobs, killed, dead_letters }
    }

    pub(crate) fn join(&mut self, epoch: Epoch, kept: usize) -> Node {
        let dead_letters = self.dead_letters.then(|| DEAD_LETTERS.into());
        let queues = QueueConfig::default().messages(6).deliveries(DELIVERIES);
        let queues = queues.dead_letters(dead_letters);
        let config = Config::default()
            .other_topics(TopicConfig::default().messages(kept).age(AGE))
            .queues(queues)
            .replay_portion(500)
            .outbox(OutboxConfig::default().messages(OUTBOX))
            .local("/topic/local/*".parse().unwrap())
            .local("/queue/q".parse().unwrap());
        let hub = Hub::with_config(epoch, config, sansocket_realtime::hub::Open).with_bridge();
        Node {
            hub,
            epoch,
            link: self.memory.join(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            heard: Vec::new(),
            is_connected: false,
            is_heard: false,
            has_expired: false,
            queued: BTreeMap::new(),
        }
    }

    pub(crate) fn connect(&mut self, nodes: &mut [Node], index: usize) {
        let node = &mut nodes[index];
        if node.is_connected {
            return;
        }
        node.is_connected = true;
        node.commands.clear();
        self.memory.connect(node.link);
        self.collect(nodes);
    }

    /// Cuts a connection. Of what is on its way to the hub, this much is lost.
    pub(crate) fn cut(&mut self, nodes: &mut [Node], index: usize, lost: usize) {
        let node = &mut nodes[index];
        if !node.is_connected {
            return;
        }
        node.is_connected = false;
        node.is_heard = false;
        node.commands.clear();
        node.events.truncate(node.events.len().saturating_sub(lost));
        self.memory.disconnect(node.link);
        self.collect(nodes);
    }

    pub(crate) fn begin_epoch(&mut self, nodes: &mut [Node]) {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.head = 0;
        self.published.clear();
        self.jobs.begin_epoch();
        self.memory.begin_epoch(self.epoch);
        self.collect(nodes);
    }

    /// Lets the broker handle the next command of a hub.
    pub(crate) fn handle(
        &mut self,
        nodes: &mut [Node],
        index: usize,
        record: &mut Record,
        now: Duration,
    ) -> bool {
        let Some(command) = nodes[index].commands.pop_front() else { return false };
        if let bridge::Command::Publish { id, destination, message } = &command {
            let last = self.published.entry(id.node).or_default();
            if **destination != *"/topic/refused" && id.sequence > *last {
                *last = id.sequence;
                self.head += 1;
                let body = message.text().unwrap().to_owned();
                let topic = destination.to_string();
                if topic == JOBS {
                    self.jobs.published(&body);
                }
                record.add(self.epoch, Published { position: self.head, topic, body, at: now });
            }
        }
        if let bridge::Command::Settle { destination, cursor, .. } = &command {
            if **destination == *JOBS && cursor.epoch == self.epoch {
                self.jobs.settled(nodes[index].link, cursor.position);
            }
        }
        self.memory.handle(nodes[index].link, command);
        self.collect(nodes);
        true
    }

    pub(crate) fn is_killed(&mut self, node: &Node) {
        self.killed.push(node.link);
    }

    pub(crate) fn count_as_dead(&mut self, nodes: &mut [Node], which: usize) {
        let link = match which.checked_sub(nodes.len()) {
            None => nodes[which].link,
            Some(killed) if killed < self.killed.len() => self.killed.swap_remove(killed),
            Some(_) => return,
        };
        self.jobs.counts_as_dead(link);
        self.memory.count_as_dead(link);
        self.collect(nodes);
    }

    /// Finds out which hubs are dead.
    pub(crate) fn bury_killed(&mut self, nodes: &mut [Node]) {
        while !self.killed.is_empty() {
            self.count_as_dead(nodes, nodes.len());
        }
    }

    fn collect(&mut self, nodes: &mut [Node]) {
        for node in nodes {
            for event in core::iter::from_fn(|| self.memory.next(node.link)) {
                if let Event::Taken { entry, .. } = &event {
                    if *entry.destination == *JOBS {
                        let body = entry.message.text().unwrap();
                        self.jobs.taken(node.link, entry.position, body);
                    }
                }
                node.events.push_back(event);
            }
        }
    }
}

impl Node {
    pub(crate) fn handle(&mut self, command: Command, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut handled: Vec<_> = self.hub.handle(command, now).collect();
        // The hub may deliver in portions.
        while self.hub.next_deadline().is_some_and(|deadline| deadline <= now) {
            handled.extend(self.hub.handle(Command::TimePassed, now));
        }
        for effect in handled {
            match effect {
                Effect::Bridge(command) => {
                    if self.is_heard {
                        self.commands.push_back(*command);
                    }
                }
                effect => effects.push(effect),
            }
        }
        effects
    }

    /// Lets the hub hear the next event.
    pub(crate) fn hear(&mut self, now: Duration) -> Option<Vec<Effect>> {
        let event = self.events.pop_front()?;
        match &event {
            Event::Down => self.is_heard = false,
            Event::Up { .. } => {
                // It can have been cut since.
                self.is_heard = !self.events.iter().any(|event| matches!(event, Event::Down));
                self.heard.clear();
            }
            Event::EpochChanged { .. } => self.heard.clear(),
            Event::Message(entry) => self.heard.push(entry.clone()),
            _ => {}
        }
        Some(self.handle(Command::Bridge(event), now))
    }

    /// Lets the hub hear a receipt before what was told earlier, in the same epoch.
    pub(crate) fn hear_receipt(&mut self, now: Duration) -> Option<Vec<Effect>> {
        let is_receipt =
            |event: &Event| matches!(event, Event::Published { .. } | Event::Rejected { .. });
        let is_end = |event: &Event| {
            matches!(event, Event::Down | Event::Up { .. } | Event::EpochChanged { .. })
        };
        let index = self.events.iter().position(|event| is_receipt(event) || is_end(event))?;
        self.events.get(index).filter(|event| is_receipt(event))?;
        let event = self.events.remove(index)?;
        Some(self.handle(Command::Bridge(event), now))
    }

    pub(crate) fn hear_again(&mut self, which: usize, now: Duration) -> Option<Vec<Effect>> {
        let index = which.checked_rem(self.heard.len())?;
        let entry = self.heard[index].clone();
        Some(self.handle(Command::Bridge(Event::Message(entry)), now))
    }
}
