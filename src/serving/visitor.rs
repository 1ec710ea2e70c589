//! The client of a connection, whose address may have limits, from when the connection is accepted
//! on.

use super::Options;
use crate::connection::{ProtocolError, Traffic};
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{Acceptor, AddressTable, Verdict};
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clients of a server whose addresses have limits.
pub(crate) struct LimitedClients {
    table: Mutex<AddressTable>,
    /// The time since a fixed moment, by the clock of the shell.
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl LimitedClients {
    /// Returns `None` if there are no limits.
    pub(crate) fn new(
        options: &Options,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Option<Arc<Self>> {
        let table = Mutex::new(AddressTable::new(options.per_address?));
        Some(Arc::new(Self { table, clock: Box::new(clock) }))
    }

    fn table(&self) -> MutexGuard<'_, AddressTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LimitedClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedClients").finish_non_exhaustive()
    }
}

/// A connection that counts towards the limits of its address until this is dropped.
#[derive(Debug)]
pub(crate) struct LimitedClient {
    clients: Arc<LimitedClients>,
    address: IpAddr,
}

impl LimitedClient {
    /// Returns whether traffic counts and, if so, whether messages are counted.
    pub(crate) fn counts_traffic(&self) -> Option<bool> {
        let table = self.clients.table();
        table.limits_traffic().then(|| table.limits_messages())
    }

    /// Counts what the connection has received.
    pub(crate) fn received(&self, traffic: Traffic) -> Result<(), ProtocolError> {
        let now = (self.clients.clock)();
        let Traffic { messages, bytes } = traffic;
        self.clients.table().received(self.address, messages, bytes, now)
    }
}

impl Drop for LimitedClient {
    fn drop(&mut self) {
        let now = (self.clients.clock)();
        self.clients.table().ended(self.address, now);
    }
}

/// The client of one connection, before the connection opens.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) address: SocketAddr,
    clients: Option<Arc<LimitedClients>>,
    limited: Option<LimitedClient>,
    /// The answer to a client that has exceeded the limits of its address.
    refusal: Option<PlainResponse>,
}

impl Visitor {
    /// Returns the client of a new connection, or `None` if the connection is to be dropped. Boxed,
    /// because it is not needed any more once the connection is open.
    pub(crate) fn arrive<M>(
        address: SocketAddr,
        clients: Option<&Arc<LimitedClients>>,
        acceptor: &Acceptor<M>,
        options: &Options,
    ) -> Option<Box<Self>> {
        let clients = clients.cloned();
        let mut visitor = Box::new(Self { address, clients, limited: None, refusal: None });
        // A proxy still has to say who the client is.
        if !acceptor.trusts(address.ip()) {
            if let Err(error) = visitor.enter() {
                options.report_handshake(address, error);
                return None;
            }
        }
        Some(visitor)
    }

    /// Asks whether the limits of the client's address allow the connection, unless that was asked
    /// before. A refusal is the answer to the request once that has come.
    ///
    /// Returns an error if the connection is to be dropped without an answer.
    pub(crate) fn enter(&mut self) -> Result<(), Error> {
        let Some(clients) = self.clients.take() else { return Ok(()) };
        let address = self.address.ip();
        let now = (clients.clock)();
        let verdict = clients.table().admit(address, now);
        self.refusal = match verdict {
            Verdict::Accept => None,
            Verdict::Refuse(response) => Some(response),
            Verdict::Drop => return Err(Error::Refused(429)),
        };
        self.limited = Some(LimitedClient { clients, address });
        Ok(())
    }

    /// Decides on the request of the client.
    pub(crate) fn decide(
        &mut self,
        request: &Request,
        options: &Options,
    ) -> Result<Accept, PlainResponse> {
        if let Some(address) = request.client_address() {
            self.address = address;
        }
        // An answer costs little now that the request is there, so nobody is dropped.
        self.enter().map_err(|_| PlainResponse::new(429))?;
        match self.refusal.take() {
            Some(refusal) => Err(refusal),
            None => options.decide(request),
        }
    }

    /// Returns what holds the connection's place among those of its address, if there are limits.
    pub(crate) fn into_limited(self) -> Option<LimitedClient> {
        self.limited
    }
}
