//! Brokers, which join the hubs of many nodes.
//!
//! [`redis`] is one that exists.

pub mod redis;

use sansocket_realtime::{Epoch, bridge};
use std::future::Future;
use tokio::sync::mpsc::UnboundedReceiver;

/// How a broker tells the hub of its node what it hears.
pub type Tell = Box<dyn FnMut(bridge::Event) + Send>;

/// The connection of a node to a broker. It does what [`bridge`] says that a bridge has to do.
pub trait Broker: Send + 'static {
    /// Carries commands to the broker and events from it, whatever happens to the connection. It ends once
    /// `commands` is closed and what came from there was sent, or can't be sent in a short time.
    ///
    /// `node` names the node in what it publishes.
    fn run(
        self,
        node: Epoch,
        commands: UnboundedReceiver<bridge::Command>,
        tell: Tell,
    ) -> impl Future<Output = ()> + Send;
}
