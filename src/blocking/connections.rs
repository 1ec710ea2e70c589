//! The connections that a server runs: how many there are, and the shutdown of all of them.

use super::Transport;
use super::exchange::Exchange;
use super::owning_server::OwningServer;
use super::timed::PAUSE;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::TrafficLimit;
use crate::handshake::LingeringClose;
use crate::server::Admission;
use crate::serving::LimitedClient;
use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    /// The address that the server listens on, if it is known.
    address: Option<SocketAddr>,
    is_shutting_down: AtomicBool,
    registry: Mutex<Registry>,
    changed: Condvar,
}

/// The connections that the server has now.
#[derive(Debug)]
struct Registry {
    admission: Admission,
    /// Whether the server's thread waits for the next client, and only a connection can wake it.
    is_accepting: bool,
    /// A second handle on the transport of each connection, used to end it.
    served: HashMap<u64, TcpStream>,
    last_served: u64,
}

/// One connection, from when it is accepted until both its `WebSocket` and its handler are gone.
#[derive(Debug)]
pub(super) struct ServedConnection {
    connections: Arc<Connections>,
    number: u64,
    /// The place among the connections of its address, if they are limited.
    client: OnceLock<Arc<LimitedClient>>,
}

/// A guard for a connection that is still in its opening handshake.
#[derive(Debug)]
pub(super) struct HandshakeSlot(Arc<Connections>);

/// How long the server tries to connect to itself.
const WAKING: Duration = Duration::from_secs(1);

impl Connections {
    pub(super) fn new(address: Option<SocketAddr>) -> Arc<Self> {
        let admission = Admission::new(usize::MAX, usize::MAX);
        Arc::new(Self {
            address,
            is_shutting_down: AtomicBool::new(false),
            registry: Mutex::new(Registry {
                admission,
                is_accepting: false,
                served: HashMap::new(),
                last_served: 0,
            }),
            changed: Condvar::new(),
        })
    }

    /// Sets how many connections there may be. Called before the first one.
    pub(super) fn open(&self, admission: Admission) {
        self.registry().admission = admission;
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(Ordering::SeqCst)
    }

    /// Starts the shutdown, and wakes the thread that waits to accept.
    pub(super) fn begin_shutdown(&self) {
        self.update(|_| self.is_shutting_down.store(true, Ordering::SeqCst));
        let Some(address) = self.address else { return };
        let end = Instant::now() + WAKING;
        while self.registry().is_accepting {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // This may fail, or the connection may go to another socket on the same address. If the
            // queue of waiting clients is full, one of those clients wakes the thread.
            let stream = TcpStream::connect_timeout(&reachable(address), left);
            self.wait_until(end.min(Instant::now() + PAUSE), |registry| !registry.is_accepting);
            drop(stream);
        }
    }

    /// Waits until there is room for one more connection. Returns `false` if the server is shutting
    /// down. Otherwise the server then accepts, and calls [`has_accepted`](Self::has_accepted).
    pub(super) fn wait_for_room(&self) -> bool {
        let registry = self.registry();
        let is_full =
            |registry: &mut Registry| !registry.admission.has_room() && !self.is_shutting_down();
        let registry = self.changed.wait_while(registry, is_full);
        let mut registry = registry.unwrap_or_else(PoisonError::into_inner);
        registry.is_accepting = !self.is_shutting_down();
        registry.is_accepting
    }

    /// Notes that accepting has returned.
    pub(super) fn has_accepted(&self) {
        self.update(|registry| registry.is_accepting = false);
    }

    /// Waits for `time`, or until the server shuts down.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        self.wait_until(end, |_| self.is_shutting_down());
    }

    /// Waits until all connections are gone, but no longer than `time`. Returns `true` if they are
    /// gone.
    pub(super) fn wait_empty(&self, time: Duration) -> bool {
        match Instant::now().checked_add(time) {
            Some(end) => self.wait_until(end, |registry| registry.admission.is_empty()),
            None => {
                let is_there = |registry: &mut Registry| !registry.admission.is_empty();
                let registry = self.changed.wait_while(self.registry(), is_there);
                drop(registry.unwrap_or_else(PoisonError::into_inner));
                true
            }
        }
    }

    fn wait_until(&self, end: Instant, condition: impl Fn(&Registry) -> bool) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        let waited =
            self.changed.wait_timeout_while(self.registry(), left, |registry| !condition(registry));
        let (registry, _) = waited.unwrap_or_else(PoisonError::into_inner);
        condition(&registry)
    }

    /// Ends the transports of all remaining connections.
    pub(super) fn end(&self) {
        for transport in self.registry().served.values() {
            // This fails if the transport has already ended.
            let _ = transport.shutdown(Shutdown::Both);
        }
    }

    /// Adds a connection. Returns an error if its transport can't make a second handle.
    pub(super) fn admit(
        self: &Arc<Self>,
        transport: &TcpStream,
    ) -> io::Result<(Arc<ServedConnection>, HandshakeSlot)> {
        let transport = transport.try_clone()?;
        let mut registry = self.registry();
        registry.admission.accepted();
        registry.last_served += 1;
        let number = registry.last_served;
        registry.served.insert(number, transport);
        Ok((
            Arc::new(ServedConnection {
                connections: Arc::clone(self),
                number,
                client: OnceLock::new(),
            }),
            HandshakeSlot(Arc::clone(self)),
        ))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, update: impl FnOnce(&mut Registry)) {
        update(&mut self.registry());
        self.changed.notify_all();
    }
}

/// Returns an address to connect to. Not every system connects to the unspecified address, which
/// stands for all addresses of a machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

impl ServedConnection {
    /// Sets the place among the connections of the client's address.
    pub(super) fn set_client(&self, client: Arc<LimitedClient>) {
        // This can't fail: the opening handshake calls it once.
        let _ = self.client.set(client);
    }
}

impl OwningServer for ServedConnection {
    fn is_shutting_down(&self) -> bool {
        self.connections.is_shutting_down()
    }

    fn traffic_limit(&self) -> Option<Arc<dyn TrafficLimit>> {
        self.client.get().and_then(LimitedClient::traffic_limit)
    }

    fn drop_transport(&self) {
        let transport = self.connections.registry().served.remove(&self.number);
        drop(transport);
    }
}

impl Drop for ServedConnection {
    fn drop(&mut self) {
        self.connections.update(|registry| {
            registry.served.remove(&self.number);
            registry.admission.ended();
        });
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.0.update(|registry| registry.admission.handshake_ended());
    }
}

/// Writes what is left to a transport that the user has dropped, and then ends it so that the peer
/// receives everything.
pub(super) fn linger(mut transport: impl Transport, unwritten: WriteBuffer) {
    // A timeout of the handler, or one that a split connection left on the socket, would end this
    // too early. A transport that fails here fails again when it is next used.
    let _ = transport.set_read_timeout(None);
    let _ = transport.set_write_timeout(None);
    // There is nothing left to do, whatever the outcome.
    let _ =
        Exchange::new(transport, ReadBuffer::new(), unwritten).drive(&mut LingeringClose::new());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::websocket::WebSocket;
    use crate::connection::{Config, Server};
    use crate::negotiated::Negotiated;
    use std::net::TcpListener;

    /// Returns a connection with a server, and the client's stream.
    fn served(
        connections: &Arc<Connections>,
    ) -> (WebSocket<TcpStream, Server>, Arc<ServedConnection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let (served, _) = connections.admit(&stream).unwrap();
        let (negotiated, config) = (Negotiated::default(), Config::default());
        let websocket =
            WebSocket::new(stream, Server::new(), negotiated, ReadBuffer::new(), config);
        (websocket.with_server(Arc::clone(&served)), served, client)
    }

    #[test]
    fn a_server_drops_its_handle_with_the_last_one_of_the_connection() {
        let connections = Connections::new(None);
        let count = || connections.registry().served.len();
        for sender_is_last in [false, true] {
            let (websocket, _served, client) = served(&connections);
            let (sender, mut receiver) = websocket.split().unwrap();
            // Nothing can be delivered after the end.
            drop(client);
            assert!(receiver.next().unwrap().is_err());
            if sender_is_last {
                drop(receiver);
                assert_eq!(count(), 1);
                drop(sender);
            } else {
                drop(sender);
                assert_eq!(count(), 1);
                drop(receiver);
            }
            assert_eq!(count(), 0, "{sender_is_last}");
        }
    }

    #[test]
    fn a_server_keeps_its_handle_until_the_user_takes_the_transport() {
        let connections = Connections::new(None);
        let count = || connections.registry().served.len();
        let (websocket, _served, _client) = served(&connections);
        let (sender, receiver) = websocket.split().unwrap();
        let websocket = sender.reunite(receiver).unwrap();
        assert_eq!(count(), 1);
        let parts = websocket.into_parts();
        assert_eq!(count(), 0);
        drop(parts);
    }

    #[test]
    fn unspecified_addresses_become_loopback_addresses() {
        for (address, expected) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.2:80", "127.0.0.2:80"),
        ] {
            assert_eq!(reachable(address.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
