//! The clients: each has real machines, and checks all that they tell against the truth.

pub(crate) mod exchange;
mod follower;
mod line;
pub(crate) mod sockjs;
mod talker;
mod wire;
mod worker;

use crate::{
    link::{Arrival, LinkId, Network},
    truth::Truth,
};
pub(crate) use follower::Follower;
use std::time::Duration;
pub(crate) use talker::Talker;
pub(crate) use worker::Worker;

/// What the simulation does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Clients send, links break, and so on.
    Busy,
    /// Nothing new happens, so that everybody gets everything.
    Calm,
    /// The clients go.
    Leaving,
}

pub(crate) struct World<'w> {
    pub(crate) network: &'w mut Network,
    pub(crate) truth: &'w mut Truth,
    pub(crate) phase: Phase,
}

pub(crate) enum Client {
    Follower(Box<Follower>),
    Talker(Box<Talker>),
    Worker(Box<Worker>),
}

impl Client {
    pub(crate) fn arrived(&mut self, link: LinkId, arrival: Arrival, world: &mut World<'_>) {
        match self {
            Self::Follower(follower) => follower.arrived(link, arrival, world),
            Self::Talker(talker) => talker.arrived(link, arrival, world),
            Self::Worker(worker) => worker.arrived(link, arrival, world),
        }
        self.drive(world);
    }

    /// Does what is due.
    pub(crate) fn drive(&mut self, world: &mut World<'_>) {
        match self {
            Self::Follower(follower) => follower.drive(world),
            Self::Talker(talker) => talker.drive(world),
            Self::Worker(worker) => worker.drive(world),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Follower(follower) => follower.next_deadline(),
            Self::Talker(talker) => talker.next_deadline(),
            Self::Worker(worker) => worker.next_deadline(),
        }
    }

    pub(crate) fn check(&self, world: &World<'_>) {
        match self {
            Self::Follower(follower) => follower.check(world),
            Self::Talker(talker) => talker.check(world),
            Self::Worker(_) => {}
        }
    }

    /// Describes the client for the message of a failure.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Follower(follower) => follower.describe(),
            Self::Talker(talker) => format!("talker over {:?}", talker.line.transport),
            Self::Worker(worker) => format!("worker over {:?}", worker.line.transport),
        }
    }

    pub(crate) fn has_left(&self) -> bool {
        match self {
            Self::Follower(follower) => follower.has_left(),
            Self::Talker(talker) => talker.line.is_idle(),
            Self::Worker(worker) => worker.line.is_idle(),
        }
    }
}
