//! What topics keep for one subscription.

use super::{
    Authorization, Hub,
    keys::SubscriptionKey,
    subscription::{Link, Source},
};
use crate::message::Published;
use alloc::{sync::Arc, vec::Vec};

/// Which of the messages that topics keep are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    /// Those for subscribers that resume after a cursor.
    All,
    /// The retained one of each topic.
    Last,
}

impl<A: Authorization> Hub<A> {
    /// Delivers the retained messages that a subscription begins with, as far as there is room. Returns
    /// whether it has got all of them.
    pub(super) fn deliver_last(&mut self, key: SubscriptionKey) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else { return true };
        let Some(mut last) = subscription.last() else { return true };
        let mut room = subscription.room();
        let at_most = room.min(self.most_messages()).saturating_add(1);
        let messages = self.messages_after(key, Kept::Last, last.after, at_most);
        let mut is_everything = true;
        for (position, message) in
            messages.into_iter().take_while(|(position, _)| *position <= last.through)
        {
            if room == 0 || self.portion == 0 {
                is_everything = false;
                if room > 0 {
                    self.unfinished.push_back(key);
                }
                break;
            }
            room -= 1;
            self.deliver_kept(key, &message);
            last.after = position;
        }
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.unusual = subscription.unusual.take().and_then(|mut unusual| {
                unusual.last = Some(last).filter(|_| !is_everything);
                (unusual.last.is_some() || unusual.missed.is_some()).then_some(unusual)
            });
        }
        is_everything
    }

    /// Makes `complete_after` of the patterns of a subscription count what topics had dropped before the
    /// patterns came, if the subscription goes back so far.
    pub(super) fn count_what_was_dropped(&mut self, key: SubscriptionKey) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        for link in subscription.sources.iter() {
            let Source::Pattern(key) = link.source else { continue };
            let Some(pattern) = self.topics.pattern(key) else { continue };
            if pattern.counts_after <= subscription.through {
                continue;
            }
            let topics = self.topics.matched_by(key).into_iter();
            let dropped =
                topics.filter_map(|topic| Some(self.topics.get(topic)?.ring.complete_after()));
            // What came later is counted already.
            let dropped = dropped.max().unwrap_or(0).min(pattern.counts_after);
            if let Some(pattern) = self.topics.pattern_mut(key) {
                pattern.complete_after = pattern.complete_after.max(dropped);
                pattern.counts_after = 0;
            }
        }
    }

    /// Returns the messages of a subscription's topics after a position in their order, and at most so
    /// many.
    pub(super) fn messages_after(
        &mut self,
        key: SubscriptionKey,
        kept: Kept,
        position: u64,
        at_most: usize,
    ) -> Vec<(u64, Arc<Published>)> {
        let Some(subscription) = self.subscriptions.get(key) else { return Vec::new() };
        let is_pattern = |link: &Link| matches!(link.source, Source::Pattern(_));
        if subscription.sources.iter().any(is_pattern) {
            return self.logged_after(key, kept, position, at_most);
        }
        let own = |(position, message): (u64, &Arc<Published>)| (position, message.clone());
        let mut messages = Vec::new();
        for link in subscription.sources.iter() {
            let Source::Topic(topic) = link.source else { continue };
            let Some(topic) = self.topics.get(topic) else { continue };
            match kept {
                Kept::All => messages.extend(topic.ring.after(position).take(at_most).map(own)),
                Kept::Last => messages.extend(topic.retained.iter().filter_map(|message| {
                    let at = message.cursor()?.position;
                    (at > position).then(|| (at, message.clone()))
                })),
            }
        }
        if subscription.sources.len() > 1 {
            messages.sort_unstable_by_key(|(position, _)| *position);
            messages.truncate(at_most);
        }
        messages
    }

    /// As [`messages_after`](Self::messages_after), for a subscription of patterns. It takes time in
    /// proportion to what topics keep after the position, however many topics there are.
    fn logged_after(
        &mut self,
        key: SubscriptionKey,
        kept: Kept,
        position: u64,
        at_most: usize,
    ) -> Vec<(u64, Arc<Published>)> {
        let Some(subscription) = self.subscriptions.get(key) else { return Vec::new() };
        let sequence = match &self.bridge {
            Some(bridge) if subscription.is_bridged => bridge.sequence.as_ref(),
            _ => Some(&self.sequence),
        };
        let Some(sequence) = sequence else { return Vec::new() };
        let mut sources: Vec<_> = subscription.sources.iter().map(|link| link.source).collect();
        sources.sort_unstable();
        let has = |source| sources.binary_search(&source).is_ok();
        let mut messages = Vec::new();
        for (position, key) in sequence.log.after(position) {
            if messages.len() >= at_most {
                break;
            }
            let message = self.topics.get(key).and_then(|topic| match kept {
                Kept::All => topic.ring.get(position),
                Kept::Last => topic.retained_at(position),
            });
            let Some(message) = message.cloned() else { continue };
            let mut patterns = self.topics.patterns_of(key).iter();
            if has(Source::Topic(key)) || patterns.any(|pattern| has(Source::Pattern(*pattern))) {
                messages.push((position, message));
            }
        }
        messages
    }
}
