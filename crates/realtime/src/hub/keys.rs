//! What the parts of the hub call each other by. The keys are here so that the parts need not know each
//! other.

use super::slab::Key;

pub(super) type ApplicationKey = Key<OfApplication>;
pub(super) type NodeKey = Key<OfNode>;
pub(super) type PatternKey = Key<OfPattern>;
pub(super) type QueueKey = Key<OfQueue>;
pub(super) type SubscriptionKey = Key<OfSubscription>;
pub(super) type TopicKey = Key<OfTopic>;

#[derive(Debug)]
pub(super) enum OfApplication {}

/// A node in the tree of patterns.
#[derive(Debug)]
pub(super) enum OfNode {}

#[derive(Debug)]
pub(super) enum OfPattern {}

#[derive(Debug)]
pub(super) enum OfQueue {}

#[derive(Debug)]
pub(super) enum OfSubscription {}

#[derive(Debug)]
pub(super) enum OfTopic {}
