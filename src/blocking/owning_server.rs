//! The server that runs a connection for its handler, as the connection sees it.
//!
//! Connections know it only through a trait. So a program without a server, such as a client, does
//! not contain the code for one.

use crate::connection::TrafficLimit;
use alloc::sync::Arc;
use core::fmt;

/// The server that runs a connection.
pub(super) trait OwningServer: Send + Sync + fmt::Debug {
    /// Returns `true` if the server is shutting down, so that its connections close with 1001.
    fn is_shutting_down(&self) -> bool;

    /// Returns the limit of what the connection receives, if there is one.
    fn traffic_limit(&self) -> Option<Arc<dyn TrafficLimit>>;

    /// Drops the server's own handle on the transport.
    fn drop_transport(&self);
}

/// The sending side's reference to its server, next to the last handle on the transport. When both
/// are dropped, or the user takes the transport, the server drops its own handle too.
#[derive(Debug)]
pub(super) struct ServerHandle(pub(super) Arc<dyn OwningServer>);

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.0.drop_transport();
    }
}
