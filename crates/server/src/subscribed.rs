//! What the guard counts of the commands of one client.

use crate::engine::Engine;
use sansocket_realtime::{
    guard::{Breach, Client},
    hub::{Command, Effect, Operation, SubscriptionId},
};
use std::{collections::HashMap, slice};

/// The destinations of each subscription, since a subscription ends by its name alone.
#[derive(Debug, Default)]
pub(crate) struct Subscribed {
    destinations: HashMap<SubscriptionId, Box<[String]>>,
}

impl Subscribed {
    /// Asks the guard about a command. If it is an error, the hub must not see the command.
    pub(crate) fn check(
        &mut self,
        engine: &Engine,
        client: &mut Client,
        command: &Command,
    ) -> Result<(), Breach> {
        let now = engine.now();
        let operations = match command {
            Command::Perform { operation, .. } => slice::from_ref(operation),
            Command::Commit { operations, .. } => operations,
            Command::Subscribe { subscription, destinations, .. } => {
                // A name that exists is refused by the hub, and does not begin anew.
                if self.destinations.contains_key(subscription) {
                    return Ok(());
                }
                let mut guard = engine.guard();
                for (counted, destination) in destinations.iter().enumerate() {
                    if let Err(breach) = guard.subscribe(client, destination, now) {
                        destinations[..counted]
                            .iter()
                            .for_each(|it| guard.unsubscribe(client, it, now));
                        return Err(breach);
                    }
                }
                self.destinations.insert(*subscription, destinations.clone().into());
                return Ok(());
            }
            Command::Unsubscribe { subscription, .. } => {
                self.ended(engine, client, *subscription);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let mut guard = engine.guard();
        operations.iter().try_for_each(|operation| match operation {
            Operation::Send { destination, message } => {
                guard.message(client, destination, message.size(), now)
            }
            _ => Ok(()),
        })
    }

    /// Notes that the hub has refused or ended a subscription.
    pub(crate) fn apply(&mut self, engine: &Engine, client: &mut Client, effect: &Effect) {
        if let Effect::Refused { subscription: Some(subscription), .. } = effect {
            self.ended(engine, client, *subscription);
        }
    }

    fn ended(&mut self, engine: &Engine, client: &mut Client, subscription: SubscriptionId) {
        let now = engine.now();
        for destination in self.destinations.remove(&subscription).iter().flatten() {
            engine.guard().unsubscribe(client, destination, now);
        }
    }
}
