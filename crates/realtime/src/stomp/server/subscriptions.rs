//! The subscriptions of a connection: the texts by which a client names them, and the numbers by which
//! the hub does.

use super::error::SessionError;
use crate::{
    cursor::Cursor,
    hub::{DeliveryId, SubscriptionId},
    stomp::{error::shortened, header::AckMode},
};
use alloc::{boxed::Box, vec::Vec};
use core::cmp::Ordering;

/// How a client names a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name<'a> {
    /// By an `id`.
    Id(&'a str),
    /// By the destination, in a SUBSCRIBE of STOMP 1.0 without an `id`.
    Destination(&'a str),
}

impl<'a> Name<'a> {
    const fn text(self) -> &'a str {
        let (Self::Id(text) | Self::Destination(text)) = self;
        text
    }
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: SubscriptionId,
    pub(super) ack: AckMode,
    is_named_by_id: bool,
    text: Box<str>,
    /// What it leads to, if that matters: to gaps, if the client understands those, and in STOMP 1.0.
    target: Option<Box<Target>>,
}

/// What a subscription leads to.
#[derive(Debug)]
pub(super) struct Target {
    /// Where the client has subscribed to.
    destination: Box<str>,
    /// The last delivery that waits for an acknowledgement, or 0.
    delivered: DeliveryId,
    /// Where the last gap has led to, and the last delivery before it.
    gap: Option<(Cursor, DeliveryId)>,
}

impl Target {
    pub(super) fn new(destination: &str) -> Box<Self> {
        Box::new(Self { destination: destination.into(), delivered: DeliveryId(0), gap: None })
    }
}

impl Subscription {
    pub(super) const fn name(&self) -> Name<'_> {
        if self.is_named_by_id { Name::Id(&self.text) } else { Name::Destination(&self.text) }
    }

    /// Returns where the client has subscribed to. Without a target, it is the name or nobody asks.
    pub(super) fn destination(&self) -> &str {
        self.target.as_ref().map_or(&self.text, |target| &target.destination)
    }
}

/// The subscriptions of a connection.
///
/// A number is not used again, so a delivery that is on its way while a subscription ends can't reach
/// another one.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    next: u32,
    /// Ordered by their ids, which grow.
    subscriptions: Vec<Subscription>,
    /// The ids, ordered by the names. So a client with many subscriptions can't make looking them up
    /// slow.
    by_name: Vec<SubscriptionId>,
}

impl Subscriptions {
    /// Adds a subscription and returns its number.
    ///
    /// # Errors
    ///
    /// Returns an error if there is one of this name, or if there are no more numbers.
    pub(super) fn add(
        &mut self,
        name: Name<'_>,
        ack: AckMode,
        target: Option<Box<Target>>,
    ) -> Result<SubscriptionId, SessionError> {
        let Err(index) = self.index(name) else {
            return Err(SessionError::SubscriptionExists { id: shortened(name.text()) });
        };
        let id = SubscriptionId(self.next);
        self.next = self.next.checked_add(1).ok_or(SessionError::TooManySubscriptions)?;
        if self.subscriptions.len() == self.subscriptions.capacity() {
            // Most clients have one subscription or two, and `push` would make room for four.
            self.subscriptions.reserve_exact(self.subscriptions.len().max(1));
        }
        let is_named_by_id = matches!(name, Name::Id(_));
        let text = name.text().into();
        self.subscriptions.push(Subscription { id, ack, is_named_by_id, text, target });
        self.by_name.insert(index, id);
        Ok(id)
    }

    /// Returns the number of the subscription with this name.
    pub(super) fn find(&self, name: Name<'_>) -> Result<SubscriptionId, SessionError> {
        match self.index(name) {
            Ok(index) => Ok(self.by_name[index]),
            Err(_) => Err(SessionError::UnknownSubscription { id: shortened(name.text()) }),
        }
    }

    /// Removes the subscription with this name and returns its number.
    pub(super) fn remove(&mut self, name: Name<'_>) -> Result<SubscriptionId, SessionError> {
        let Ok(index) = self.index(name) else {
            return Err(SessionError::UnknownSubscription { id: shortened(name.text()) });
        };
        let id = self.by_name.remove(index);
        if let Ok(index) = self.position(id) {
            self.subscriptions.remove(index);
        }
        Ok(id)
    }

    /// Removes the subscription to a destination that has no `id`, or else the oldest one to it, and returns
    /// its number. Without an `id`, STOMP 1.0 knows nothing else of a subscription.
    pub(super) fn remove_to(&mut self, destination: &str) -> Result<SubscriptionId, SessionError> {
        let name = Name::Destination(destination);
        if self.index(name).is_ok() {
            return self.remove(name);
        }
        let mut subscriptions = self.subscriptions.iter();
        match subscriptions.find(|subscription| subscription.destination() == destination) {
            Some(Subscription { text, .. }) => self.remove(Name::Id(&text.clone())),
            None => Err(SessionError::UnknownSubscription { id: shortened(destination) }),
        }
    }

    pub(super) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.position(id).ok().map(|index| &self.subscriptions[index])
    }

    /// Returns whether there is a subscription of this number, or was one.
    pub(super) const fn has_existed(&self, id: SubscriptionId) -> bool {
        id.0 < self.next
    }

    /// Remembers a delivery, since an acknowledgement of a gap behind it can be for it too.
    pub(super) fn delivered(&mut self, id: SubscriptionId, delivery: DeliveryId) {
        if let Some(target) = self.target(id) {
            target.delivered = delivery;
        }
    }

    /// Remembers where a gap leads to, so that an acknowledgement of it is known. Returns the last delivery
    /// before it, or 0.
    pub(super) fn set_gap(&mut self, id: SubscriptionId, to: Cursor) -> DeliveryId {
        let Some(target) = self.target(id) else { return DeliveryId(0) };
        target.gap = Some((to, target.delivered));
        target.delivered
    }

    /// Finds the subscription, this one or any, whose last gap has led to this cursor, and the last
    /// delivery before that.
    pub(super) fn gap_to(
        &self,
        to: Cursor,
        id: Option<SubscriptionId>,
    ) -> Option<(SubscriptionId, DeliveryId)> {
        let gap = |subscription: &Subscription| {
            let (cursor, delivery) = subscription.target.as_ref()?.gap?;
            (cursor == to).then_some((subscription.id, delivery))
        };
        match id {
            Some(id) => self.get(id).and_then(gap),
            None => self.subscriptions.iter().find_map(gap),
        }
    }

    pub(super) fn clear(&mut self) {
        self.subscriptions = Vec::new();
        self.by_name = Vec::new();
    }

    fn target(&mut self, id: SubscriptionId) -> Option<&mut Target> {
        let index = self.position(id).ok()?;
        self.subscriptions[index].target.as_deref_mut()
    }

    fn position(&self, id: SubscriptionId) -> Result<usize, usize> {
        self.subscriptions.binary_search_by_key(&id, |subscription| subscription.id)
    }

    /// Returns the index in `by_name` where the name is, or belongs.
    fn index(&self, name: Name<'_>) -> Result<usize, usize> {
        self.by_name.binary_search_by(|id| match self.get(*id) {
            Some(subscription) => subscription.name().cmp(&name),
            // Both vectors have the same ids.
            None => Ordering::Less,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn names_and_numbers_lead_to_each_other(
            steps in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..6_u8), 0..60),
        ) {
            let mut subscriptions = Subscriptions::default();
            let mut expected = HashMap::new();
            for (adds, by_id, number) in steps {
                let text = number.to_string();
                let name = if by_id { Name::Id(&text) } else { Name::Destination(&text) };
                let key = (by_id, number);
                if adds {
                    let added = subscriptions.add(name, AckMode::Auto, None);
                    prop_assert_eq!(added.is_ok(), !expected.contains_key(&key));
                    if let Ok(id) = added {
                        prop_assert!(!expected.values().any(|other| *other == id));
                        expected.insert(key, id);
                    }
                } else {
                    prop_assert_eq!(subscriptions.remove(name).ok(), expected.remove(&key));
                }
                for (&(by_id, number), &id) in &expected {
                    let text = number.to_string();
                    let name = if by_id { Name::Id(&text) } else { Name::Destination(&text) };
                    prop_assert_eq!(subscriptions.find(name), Ok(id));
                    prop_assert_eq!(subscriptions.get(id).unwrap().name(), name);
                }
                prop_assert_eq!(subscriptions.subscriptions.len(), expected.len());
            }
        }
    }
}
