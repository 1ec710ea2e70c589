//! The broker between several servers, and the way to it: slow, and sometimes cut.

use crate::{link::Network, server::Server, truth::Truth};
use sansocket_realtime::{
    Cursor, Epoch,
    bridge::{Command, Event, Memory, Node, QuestionId},
};
use std::{collections::VecDeque, time::Duration};

/// The sequence of the broker, which is not that of a server.
const EPOCH: Epoch = Epoch(0xb);

pub(crate) struct Broker {
    memory: Memory,
    /// Hears of everything at once, so that the truth is known.
    writer: Node,
    ways: Vec<Way>,
}

/// The way from a server to the broker.
struct Way {
    node: Node,
    commands: VecDeque<Command>,
    /// When something happens on it next.
    next: Option<Duration>,
    is_up: bool,
}

impl Broker {
    pub(crate) fn new(servers: usize) -> Self {
        let mut memory = Memory::new(EPOCH).history(40);
        let writer = memory.join();
        memory.connect(writer);
        for (index, destination) in ["/topic/**", "/user/*/queue/**"].into_iter().enumerate() {
            let question = QuestionId(index as u32);
            let destination = destination.into();
            memory.handle(writer, Command::Follow { question, destination, after: None });
        }
        let way = |_| {
            let (commands, next) = (VecDeque::new(), Some(Duration::ZERO));
            Way { node: memory.join(), commands, next, is_up: false }
        };
        let ways = (0..servers).map(way).collect();
        Self { memory, writer, ways }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.ways.iter().filter_map(|way| way.next).min()
    }

    /// Takes what the servers have for the broker.
    pub(crate) fn collect(&mut self, servers: &mut [Server], network: &mut Network) {
        for (way, server) in self.ways.iter_mut().zip(servers) {
            if !server.bridge.is_empty() {
                way.commands.extend(server.bridge.drain(..));
                way.wake(network);
            }
        }
    }

    /// Lets everything arrive that is on its way, or cuts the way.
    pub(crate) fn pump(
        &mut self,
        servers: &mut [Server],
        network: &mut Network,
        truth: &mut Truth,
        has_faults: bool,
    ) {
        let Self { memory, writer, ways } = self;
        let mut has_news = false;
        for (way, server) in ways.iter_mut().zip(servers) {
            if way.next.is_none_or(|next| next > network.now) {
                continue;
            }
            way.next = None;
            if !way.is_up {
                memory.connect(way.node);
                way.is_up = true;
            } else if has_faults && network.random.once_in(400) {
                truth.count("brokers lost");
                memory.disconnect(way.node);
                way.is_up = false;
                way.commands.clear();
                way.next = Some(network.now + network.random.millis(1, 5_000));
            }
            has_news |= !way.commands.is_empty();
            for command in way.commands.drain(..) {
                memory.handle(way.node, command);
            }
            while let Some(event) = memory.next(way.node) {
                server.bridged(event);
            }
        }
        if has_news {
            ways.iter_mut().for_each(|way| way.wake(network));
        }
        while let Some(event) = memory.next(*writer) {
            if let Event::Message(entry) = event {
                let cursor = Cursor::new(EPOCH, entry.position);
                truth.published_as(cursor, &entry.destination, entry.message.text().unwrap());
            }
        }
    }
}

impl Way {
    fn wake(&mut self, network: &mut Network) {
        let soon = network.now + network.random.millis(1, 40);
        if self.is_up || self.next.is_none() {
            self.next = Some(self.next.map_or(soon, |next| next.min(soon)));
        }
    }
}
