//! The queue that all hubs share, and what has to become of its messages.

use sansocket_realtime::{bridge, hub::ConnectionId};
use std::collections::BTreeMap;

pub(crate) const JOBS: &str = "/queue/jobs";
/// Where messages go that no consumer takes.
pub(crate) const DEAD_LETTERS: &str = "/queue/dead";

/// The messages of the queue by their numbers, which are their bodies.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    /// Which node each message is with, by the positions of the present epoch.
    with: BTreeMap<u64, (bridge::Node, u64)>,
    /// What consumers got, in the order in which they did.
    pub(crate) delivered: Vec<u64>,
}

#[derive(Debug, Default)]
struct Job {
    /// How often consumers got it.
    deliveries: u32,
    /// The consumers that have it.
    consumers: Vec<ConnectionId>,
    is_done: bool,
    /// A node that had it counts as dead, or the broker has begun another epoch.
    may_repeat: bool,
    /// The broker has begun another epoch.
    may_be_lost: bool,
}

pub(crate) fn number(body: &str) -> u64 {
    body.strip_prefix('n').unwrap().parse().unwrap()
}

impl Jobs {
    pub(crate) fn has(&self, number: u64) -> bool {
        self.jobs.contains_key(&number)
    }

    /// The broker has given a message its place.
    pub(crate) fn published(&mut self, body: &str) {
        self.jobs.entry(number(body)).or_default().may_be_lost = false;
    }

    /// The broker has given a message to a node.
    pub(crate) fn taken(&mut self, node: bridge::Node, position: u64, body: &str) {
        self.with.insert(position, (node, number(body)));
    }

    /// The broker has heard from a node what has become of a message.
    pub(crate) fn settled(&mut self, node: bridge::Node, position: u64) {
        if self.with.get(&position).is_some_and(|(with, _)| *with == node) {
            self.with.remove(&position);
        }
    }

    /// A node counts as dead: others may get what it has, and it goes on.
    pub(crate) fn counts_as_dead(&mut self, node: bridge::Node) {
        self.with.retain(|_, (with, number)| {
            if *with == node {
                self.jobs.get_mut(number).unwrap().may_repeat = true;
            }
            *with != node
        });
    }

    pub(crate) fn begin_epoch(&mut self) {
        self.with.clear();
        for job in self.jobs.values_mut() {
            job.may_repeat = true;
            job.may_be_lost = true;
        }
    }

    /// A consumer gets a message, and need not acknowledge it if `is_done`.
    pub(crate) fn delivered(
        &mut self,
        body: &str,
        consumer: ConnectionId,
        is_redelivered: bool,
        is_done: bool,
    ) -> u64 {
        let number = number(body);
        let job = self.jobs.get_mut(&number).expect("it was published");
        if !job.may_repeat {
            assert_eq!(job.consumers, [], "{number} is at two consumers: {job:?}");
            assert!(!job.is_done, "{number} was consumed before: {job:?}");
            assert_eq!(is_redelivered, job.deliveries > 0, "{number}: {job:?}");
        }
        self.delivered.push(number);
        job.deliveries += 1;
        job.is_done |= is_done;
        if !is_done {
            job.consumers.push(consumer);
        }
        number
    }

    /// A consumer has acknowledged a message.
    pub(crate) fn consumed(&mut self, number: u64, consumer: ConnectionId) {
        let job = self.jobs.get_mut(&number).unwrap();
        job.is_done = true;
        job.consumers.retain(|it| *it != consumer);
    }

    /// A consumer has rejected a message, or has gone.
    pub(crate) fn returned(&mut self, number: u64, consumer: ConnectionId) {
        self.jobs.get_mut(&number).unwrap().consumers.retain(|it| *it != consumer);
    }

    /// A message is given up after so many deliveries, as far as its hub knows.
    pub(crate) fn given_up(&mut self, number: u64, deliveries: u32, at_most: u32) {
        let job = self.jobs.get_mut(&number).expect("it was published");
        assert!(deliveries >= at_most, "{number} is given up too early");
        if !job.may_repeat {
            assert_eq!((deliveries, job.deliveries), (at_most, at_most), "{number}: {job:?}");
            assert_eq!(job.consumers, [], "{number} is still at a consumer: {job:?}");
            assert!(!job.is_done, "{number} was consumed before: {job:?}");
        }
        job.is_done = true;
    }

    /// Returns how many messages there were.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Everything has come to rest: nothing may be lost.
    pub(crate) fn check(&self) {
        for (number, job) in &self.jobs {
            assert!(job.is_done || job.may_be_lost, "{number} is lost: {job:?}");
        }
        assert_eq!(self.with, BTreeMap::new(), "still with nodes");
    }
}
