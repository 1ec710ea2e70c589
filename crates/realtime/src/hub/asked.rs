//! Who waits to learn the members of topics at all nodes.

use super::{ids::RequestId, keys::SubscriptionKey};
use crate::bridge::QuestionId;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use core::{num::NonZeroU64, time::Duration};

/// The presences whose members are asked for, in the order of their names.
pub(super) type Destinations = Arc<[Arc<str>]>;

/// When a request is given up, and its number among those of the same time.
type Deadline = (Duration, NonZeroU64);

/// Who waits for the bridge to tell members. Those who wait for the same share a question, whenever they
/// have come: what counts is when the answer comes.
#[derive(Debug, Default)]
pub(super) struct Asked {
    waiting: BTreeMap<Destinations, Waiting>,
    deadlines: BTreeMap<Deadline, Destinations>,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// `None` while the bridge is down.
    question: Option<QuestionId>,
    pub(super) subscriptions: BTreeSet<SubscriptionKey>,
    requests: BTreeMap<Deadline, RequestId>,
}

impl Waiting {
    pub(super) fn requests(&self) -> impl Iterator<Item = RequestId> {
        self.requests.values().copied()
    }
}

impl Asked {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Notes that a subscription waits. Returns whether the question is still to be asked.
    pub(super) fn add_subscription(
        &mut self,
        destinations: &[Arc<str>],
        key: SubscriptionKey,
    ) -> bool {
        let waiting = self.waiting_for(destinations);
        waiting.subscriptions.insert(key);
        waiting.question.is_none()
    }

    /// Notes that a request waits. Returns whether the question is still to be asked.
    pub(super) fn add_request(
        &mut self,
        destinations: &Destinations,
        deadline: Deadline,
        request: RequestId,
    ) -> bool {
        self.deadlines.insert(deadline, destinations.clone());
        let waiting = self.waiting_for(destinations);
        waiting.requests.insert(deadline, request);
        waiting.question.is_none()
    }

    /// Notes that the bridge is asked. Returns what it is asked about, unless nobody waits for that.
    pub(super) fn asks(
        &mut self,
        destinations: &[Arc<str>],
        question: QuestionId,
    ) -> Option<Destinations> {
        let destinations = self.waiting.get_key_value(destinations)?.0.clone();
        self.waiting.get_mut(&destinations)?.question = Some(question);
        Some(destinations)
    }

    /// Removes those who have waited for this answer.
    pub(super) fn answered(
        &mut self,
        destinations: &[Arc<str>],
        question: QuestionId,
    ) -> Option<Waiting> {
        if self.waiting.get(destinations)?.question != Some(question) {
            return None;
        }
        let waiting = self.waiting.remove(destinations)?;
        for deadline in waiting.requests.keys() {
            self.deadlines.remove(deadline);
        }
        Some(waiting)
    }

    /// Forgets a subscription that ends.
    pub(super) fn forget(&mut self, destinations: &[Arc<str>], key: SubscriptionKey) {
        if let Some(waiting) = self.waiting.get_mut(destinations) {
            waiting.subscriptions.remove(&key);
            self.remove_if_unused(destinations);
        }
    }

    /// Returns when the next request is given up.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Removes a request that has waited for too long.
    pub(super) fn next_expired(&mut self, now: Duration) -> Option<(Destinations, RequestId)> {
        let expired = self.deadlines.first_entry().filter(|first| first.key().0 <= now)?;
        let (deadline, destinations) = expired.remove_entry();
        let request = self.waiting.get_mut(&destinations)?.requests.remove(&deadline)?;
        self.remove_if_unused(&destinations);
        Some((destinations, request))
    }

    /// Removes everybody, and all questions.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Destinations, Waiting)> + use<> {
        core::mem::take(self).waiting.into_iter()
    }

    /// Returns what is still to be asked.
    pub(super) fn unasked(&self) -> impl Iterator<Item = &Destinations> {
        let unasked = self.waiting.iter().filter(|(_, waiting)| waiting.question.is_none());
        unasked.map(|(destinations, _)| destinations)
    }

    fn waiting_for(&mut self, destinations: &[Arc<str>]) -> &mut Waiting {
        self.waiting.entry(destinations.into()).or_default()
    }

    fn remove_if_unused(&mut self, destinations: &[Arc<str>]) {
        let unused = |it: &Waiting| it.subscriptions.is_empty() && it.requests.is_empty();
        if self.waiting.get(destinations).is_some_and(unused) {
            self.waiting.remove(destinations);
        }
    }
}
