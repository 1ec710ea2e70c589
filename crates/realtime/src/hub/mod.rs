//! The hub: topics, queues, user queues, and the application's handlers, for all transports.

mod authorization;
mod call;
mod command;
mod config;
mod effect;
mod refusal;

pub use authorization::{Authorization, Open};
pub use call::{Call, RouteId};
pub use command::{
    Acknowledgement, Command, ConnectionId, DeliveryId, DeliveryOf, Operation, Principal,
    RequestId, Start, SubscribeOptions, SubscriptionId,
};
pub use config::{Config, OutboxConfig, QueueConfig, TopicConfig};
pub use effect::{Effect, Gap};
pub use refusal::{Action, Refusal};

/// The hub.
#[derive(Debug)]
pub struct Hub;

impl Hub {
    /// Handles a command.
    pub fn handle(&mut self) {}
    /// Routes.
    pub fn route(&mut self) {}
    /// The next deadline.
    pub fn next_deadline(&self) {}
}
