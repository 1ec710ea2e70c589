//! Workers: they consume a queue, and crash.

use super::{
    Phase, World,
    line::{Line, Told},
    wire::Transport,
};
use crate::link::{Arrival, LinkId, Network};
use sansocket_realtime::{
    Message,
    stomp::{
        Version,
        client::{AckToken, SubscribeOptions, TransactionId},
        header::AckMode,
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
    time::Duration,
};

pub(crate) struct Worker {
    pub(crate) line: Line,
    mode: AckMode,
    can_nack: bool,
    todo: VecDeque<(AckToken, String)>,
    committing: BTreeMap<TransactionId, Vec<String>>,
    next: Duration,
    is_leaving: bool,
}

impl Worker {
    pub(crate) fn new(user: &str, network: &mut Network) -> Self {
        let version = network.random.pick(&Version::ALL);
        let can_nack = version != Version::V1_0;
        let mode = if can_nack {
            network.random.pick(&[AckMode::Client, AckMode::ClientIndividual])
        } else {
            AckMode::Client
        };
        let transport = Transport::any(&mut network.random);
        let mut line = Line::new(user, vec![version], transport, network.now);
        let options = SubscribeOptions::default().ack(mode).prefetch(NonZeroU32::new(5));
        line.client.subscribe("/queue/jobs", options).unwrap();
        let (todo, committing, next) = (VecDeque::new(), BTreeMap::new(), network.now);
        Self { line, mode, can_nack, todo, committing, next, is_leaving: false }
    }

    pub(crate) fn arrived(&mut self, link: LinkId, arrival: Arrival, world: &mut World<'_>) {
        let told = self.line.arrived(link, arrival, world.network, world.truth);
        self.told(told, world);
    }

    pub(crate) fn drive(&mut self, world: &mut World<'_>) {
        let now = world.network.now;
        if world.phase == Phase::Leaving {
            if !std::mem::replace(&mut self.is_leaving, true) {
                self.line.leave(now);
            }
        } else if self.next <= now {
            self.next = now + world.network.random.millis(100, 1_500);
            self.work(world);
        }
        let told = self.line.drive(world.network, world.truth);
        self.told(told, world);
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let next = (!self.is_leaving).then_some(self.next);
        [self.line.next_deadline(), next].into_iter().flatten().min()
    }

    fn told(&mut self, told: Vec<Told>, world: &mut World<'_>) {
        for told in told {
            match told {
                Told::Message { token, body, .. } => {
                    self.todo.push_back((token.unwrap(), body));
                }
                Told::Committed(transaction) => {
                    let bodies = self.committing.remove(&transaction).unwrap();
                    bodies
                        .iter()
                        .for_each(|body| assert!(world.truth.has(&format!("done {body}"))));
                }
                Told::Lost(_) => {
                    // What was not acknowledged comes again, here or elsewhere.
                    self.todo.clear();
                    self.committing.clear();
                }
                _ => {}
            }
        }
    }

    fn work(&mut self, world: &mut World<'_>) {
        if !self.line.is_connected() || self.todo.is_empty() {
            return;
        }
        let is_busy = world.phase == Phase::Busy;
        if is_busy && world.network.random.once_in(20) {
            world.truth.count("crashes of workers");
            let told = self.line.crash(world.network);
            return self.told(told, world);
        }
        let at = world.network.random.below(self.todo.len() as u64) as usize;
        if is_busy && self.can_nack && world.network.random.once_in(8) {
            let (token, _) = self.todo.remove(at).unwrap();
            if self.mode == AckMode::Client {
                self.todo.drain(..at);
            }
            return self.line.client.nack(&token).unwrap();
        }
        let in_transaction = is_busy && world.network.random.once_in(3);
        let token = self.todo[at].0.clone();
        let from = if self.mode == AckMode::Client { 0 } else { at };
        let bodies: Vec<_> = self.todo.drain(from..=at).map(|(_, body)| body).collect();
        if in_transaction {
            let id = self.line.client.begin().unwrap();
            let mut transaction = self.line.client.transaction(id).unwrap();
            for body in &bodies {
                transaction.send("/topic/done", &Message::new(format!("done {body}"))).unwrap();
            }
            transaction.ack(&token).unwrap();
            transaction.commit().unwrap();
            self.committing.insert(id, bodies);
        } else {
            self.line.client.ack(&token).unwrap();
        }
    }
}
