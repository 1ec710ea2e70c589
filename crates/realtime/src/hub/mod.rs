//! The hub: topics, queues, user queues, and the application's handlers, for all transports.

mod authorization;
mod call;
mod command;
mod config;
mod connection;
mod delivering;
mod effect;
mod flow;
mod following;
mod handlers;
#[allow(clippy::module_inception)]
mod hub;
mod outbox;
mod patterns;
mod presence;
mod queue;
mod refusal;
mod ring;
mod sending;
mod sequence;
mod slab;
mod subscribing;
mod subscription;
mod topic;

pub use authorization::{Authorization, Open};
pub use call::{Call, InvalidRoute, RouteId};
pub use command::{
    Acknowledgement, Command, ConnectionId, DeliveryId, DeliveryOf, Operation, Principal,
    RequestId, Start, SubscribeOptions, SubscriptionId,
};
pub use config::{Config, OutboxConfig, QueueConfig, TopicConfig};
pub use effect::{Effect, Gap};
pub use handlers::{Answer, Handlers};
pub use hub::Hub;
pub use refusal::{Action, Refusal};
