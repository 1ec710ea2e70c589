//! The client of a connection, whose address may have limits, from when the connection is accepted
//! on.

use super::Options;
use crate::connection::{ProtocolError, Traffic, TrafficLimit};
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{Acceptor, AddressLimit, AddressTable, Peer, PerAddress, Verdict};
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clients of a server whose addresses have limits.
pub(crate) struct LimitedClients {
    limits: PerAddress,
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
        let limits = options.per_address?;
        let table = Mutex::new(AddressTable::new(limits));
        Some(Arc::new(Self { limits, table, clock: Box::new(clock) }))
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
    /// Whether the connection is only there to be refused.
    is_refused: bool,
}

impl LimitedClient {
    /// Returns the limit of what the connection receives, if there is one.
    pub(crate) fn traffic_limit(self: &Arc<Self>) -> Option<Arc<dyn TrafficLimit>> {
        let limits = &self.clients.limits;
        limits.limits_traffic().then(|| Arc::clone(self) as Arc<dyn TrafficLimit>)
    }
}

impl TrafficLimit for LimitedClient {
    fn counts_messages(&self) -> bool {
        self.clients.limits.limits_messages()
    }

    fn received(&self, traffic: Traffic) -> Result<(), ProtocolError> {
        let now = (self.clients.clock)();
        let Traffic { messages, bytes } = traffic;
        self.clients.table().received(self.address, messages, bytes, now)
    }
}

impl Drop for LimitedClient {
    fn drop(&mut self) {
        let now = (self.clients.clock)();
        let mut table = self.clients.table();
        if self.is_refused {
            table.refusal_ended(self.address, now);
        } else {
            table.ended(self.address, now);
        }
    }
}

/// The client of one connection, before the connection opens.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) peer: Peer,
    clients: Option<Arc<LimitedClients>>,
    limited: Option<Arc<LimitedClient>>,
    /// The limit of its address that the client has exceeded.
    exceeded: Option<AddressLimit>,
    /// The answer to such a client.
    refusal: Option<PlainResponse>,
}

impl Visitor {
    /// Returns the client of a new connection, or `None` if the connection is to be dropped. That is
    /// not reported: a report can take time, in which the server would accept nobody. Boxed,
    /// because it is not needed any more once the connection is open.
    pub(crate) fn arrive<M>(
        address: SocketAddr,
        clients: Option<&Arc<LimitedClients>>,
        acceptor: &Acceptor<M>,
    ) -> Option<Box<Self>> {
        let clients = clients.cloned();
        let peer = Peer::new(address);
        let (limited, exceeded, refusal) = (None, None, None);
        let mut visitor = Box::new(Self { peer, clients, limited, exceeded, refusal });
        // A proxy still has to say who the client is.
        if !acceptor.trusts(address.ip()) {
            visitor.enter().ok()?;
        }
        Some(visitor)
    }

    /// Returns the address of the client, or of a proxy that has not told it yet.
    pub(crate) fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// Goes on once the peer has sent its header of the PROXY protocol, if it does that. Returns an
    /// error if the connection is to be dropped without an answer.
    pub(crate) fn identified<M>(&mut self, acceptor: &Acceptor<M>) -> Result<(), Error> {
        // The header field of a proxy may still tell another address.
        if acceptor.reads_header_of(self.peer) {
            return Ok(());
        }
        self.enter().map_err(Error::AddressLimit)
    }

    /// Asks whether the limits of the client's address allow the connection, unless that was asked
    /// before. A refusal is the answer to the request once that has come.
    ///
    /// Returns the exceeded limit if the connection is to be dropped without an answer.
    fn enter(&mut self) -> Result<(), AddressLimit> {
        let Some(clients) = self.clients.take() else { return Ok(()) };
        let address = self.peer.address.ip();
        let now = (clients.clock)();
        let verdict = clients.table().admit(address, now);
        match verdict {
            Verdict::Accept => {}
            Verdict::Refuse { limit, response } => {
                (self.exceeded, self.refusal) = (Some(limit), Some(response));
            }
            Verdict::Drop { limit } => return Err(limit),
        }
        let is_refused = self.refusal.is_some();
        self.limited = Some(Arc::new(LimitedClient { clients, address, is_refused }));
        Ok(())
    }

    /// Decides on the request of the client.
    pub(crate) fn decide(
        &mut self,
        request: &Request,
        options: &Options,
    ) -> Result<Accept, PlainResponse> {
        if let Some(address) = request.client_address() {
            self.peer = Peer::client(address);
        }
        // An answer costs little now that the request is there, so nobody is dropped.
        if let Err(limit) = self.enter() {
            self.exceeded = Some(limit);
            return Err(PlainResponse::new(429));
        }
        match self.refusal.take() {
            Some(refusal) => Err(refusal),
            None => options.decide(request),
        }
    }

    /// Reports that the opening handshake failed, or that the client was refused.
    pub(crate) fn failed(self: Box<Self>, error: Error, options: &Options) {
        let error = match (error, self.exceeded) {
            // The connection was dropped, which is not reported.
            (Error::AddressLimit(_), _) => return,
            // The limit refused the client. Nothing else was asked.
            (Error::Refused(_), Some(limit)) => Error::AddressLimit(limit),
            (error, _) => error,
        };
        let peer = self.peer.address;
        // The report may take its time, and must not keep a place from other clients.
        drop(self);
        options.report_handshake(peer, error);
    }

    /// Returns what holds the connection's place among those of its address, if there are limits.
    pub(crate) fn into_limited(self) -> Option<Arc<LimitedClient>> {
        self.limited
    }
}
