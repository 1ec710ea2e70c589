//! Talkers: they send to topics, queues and the application, with receipts and in transactions.

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
        client::{Cause, Lost, ReceiptId, SubscribeOptions, TransactionId, Unconfirmed},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a receipt says.
#[derive(Debug)]
enum Receipt {
    Published(String),
    Enqueued(u64),
    Replied(String),
    /// The application has published it, and a broker may still be on the way to it.
    Relayed(String),
}

pub(crate) struct Talker {
    pub(crate) line: Line,
    user: String,
    pending: BTreeMap<ReceiptId, Receipt>,
    again: Vec<Unconfirmed>,
    committing: BTreeMap<TransactionId, Vec<String>>,
    /// What was sent in transactions that were not committed.
    aborted: Vec<String>,
    relayed: Vec<String>,
    replies: BTreeSet<String>,
    sent: u64,
    next: Duration,
    is_leaving: bool,
}

impl Talker {
    pub(crate) fn new(user: &str, network: &mut Network) -> Self {
        let version = network.random.pick(&Version::ALL);
        let transport = Transport::any(&mut network.random);
        let mut line = Line::new(user, vec![version], transport, network.now);
        line.client.subscribe("/user/queue/replies", SubscribeOptions::default()).unwrap();
        Self {
            line,
            user: user.into(),
            pending: BTreeMap::new(),
            again: Vec::new(),
            committing: BTreeMap::new(),
            aborted: Vec::new(),
            relayed: Vec::new(),
            replies: BTreeSet::new(),
            sent: 0,
            next: network.now,
            is_leaving: false,
        }
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
            self.next = now + world.network.random.millis(500, 6_000);
            self.talk(world);
        }
        let told = self.line.drive(world.network, world.truth);
        self.told(told, world);
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let next = (!self.is_leaving).then_some(self.next);
        [self.line.next_deadline(), next].into_iter().flatten().min()
    }

    /// Checks that everything was answered, and nothing was published that was not to be.
    pub(crate) fn check(&self, world: &World<'_>) {
        assert!(self.pending.is_empty(), "without a receipt: {:?}", self.pending);
        assert!(self.committing.is_empty(), "without an answer: {:?}", self.committing);
        for body in &self.relayed {
            assert!(world.truth.has(body), "{body} has a receipt only");
        }
        for body in &self.aborted {
            assert!(!world.truth.has(body), "{body} was not committed, and is published");
        }
    }

    fn told(&mut self, told: Vec<Told>, world: &mut World<'_>) {
        for told in told {
            match told {
                Told::Message { body, .. } => {
                    assert!(self.replies.insert(body.clone()), "two replies to {body}");
                }
                Told::Receipt(receipt) => {
                    world.truth.count("receipts");
                    match self.pending.remove(&receipt).expect("a receipt comes once") {
                        Receipt::Published(body) => {
                            assert!(world.truth.has(&body), "{body} has a receipt only");
                        }
                        Receipt::Enqueued(job) => _ = world.truth.enqueued.insert(job),
                        Receipt::Relayed(body) => self.relayed.push(body),
                        Receipt::Replied(body) => {
                            assert!(self.replies.remove(&body), "no reply to {body}");
                        }
                    }
                }
                Told::Committed(transaction) => {
                    world.truth.count("transactions");
                    let bodies = self.committing.remove(&transaction).unwrap();
                    bodies.iter().for_each(|body| assert!(world.truth.has(body), "{body}"));
                }
                Told::Refused(Cause::Send(receipt)) => _ = self.pending.remove(&receipt),
                Told::Lost(lost) => self.lost(*lost, world),
                _ => {}
            }
        }
    }

    fn lost(&mut self, lost: Lost, world: &mut World<'_>) {
        for transaction in lost.transactions {
            let bodies = self.committing.remove(&transaction.transaction).unwrap_or_default();
            if !transaction.is_committing {
                self.aborted.extend(bodies);
            }
        }
        self.committing.clear();
        self.replies.clear();
        for unconfirmed in lost.unconfirmed {
            let receipt = self.pending.remove(&unconfirmed.receipt);
            if matches!(receipt, Some(Receipt::Published(_))) && world.network.random.once_in(2) {
                self.again.push(unconfirmed);
            }
        }
        assert!(self.pending.is_empty(), "nobody knows of {:?}", self.pending);
    }

    fn talk(&mut self, world: &mut World<'_>) {
        if !self.line.is_connected() || world.phase != Phase::Busy {
            return;
        }
        let client = &mut self.line.client;
        for unconfirmed in std::mem::take(&mut self.again) {
            let body = unconfirmed.message.text().unwrap().to_owned();
            let receipt = client.send_again(&unconfirmed).unwrap();
            self.pending.insert(receipt, Receipt::Published(body));
        }
        self.sent += 1;
        if world.network.random.once_in(60) {
            // More than the guard allows.
            let flood = Message::new("flood");
            return (0..40).for_each(|_| client.send("/topic/flood", &flood).unwrap());
        }
        let random = &mut world.network.random;
        let body =
            format!("{} {} {}", self.user, self.sent, "x".repeat(random.below(700) as usize));
        let message = Message::new(body.clone());
        let topic = format!("/topic/a/{}", random.below(4));
        let (destination, expected) = match random.below(8) {
            0 => (String::from("/app/echo"), Receipt::Replied(body)),
            1 => (String::from("/app/relay/relayed"), Receipt::Relayed(body)),
            2 if random.once_in(4) => {
                (String::from("/app/relay/refused"), Receipt::Published(body))
            }
            2 | 3 => {
                world.truth.jobs += 1;
                let job = world.truth.jobs;
                let message = Message::new(job.to_string());
                let receipt = client.send_with_receipt("/queue/jobs", &message);
                self.pending.insert(receipt.unwrap(), Receipt::Enqueued(job));
                return;
            }
            4 => return self.transact(&topic, &body, world),
            5 => return client.send(&topic, &message).unwrap(),
            _ => (topic, Receipt::Published(body)),
        };
        let receipt = client.send_with_receipt(destination, &message).unwrap();
        self.pending.insert(receipt, expected);
    }

    fn transact(&mut self, topic: &str, body: &str, world: &mut World<'_>) {
        let client = &mut self.line.client;
        let id = client.begin().unwrap();
        let bodies: Vec<_> = (0..3).map(|index| format!("{index} of {body}")).collect();
        let mut transaction = client.transaction(id).unwrap();
        for body in &bodies {
            transaction.send(topic, &Message::new(body.clone())).unwrap();
        }
        match world.network.random.below(3) {
            0 => {
                transaction.abort().unwrap();
                self.aborted.extend(bodies);
            }
            // It is left open until the connection ends.
            1 if world.network.random.once_in(4) => self.aborted.extend(bodies),
            _ => {
                transaction.commit().unwrap();
                self.committing.insert(id, bodies);
            }
        }
    }
}
