//! Keeps track of the connections that a server runs. The server is a [`House`], and each of its
//! connections has a [`Guest`].

use super::Transport;
use super::exchange::Exchange;
use super::timed::PAUSE;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::handshake::SeeingOff;
use crate::server::Admission;
use alloc::{sync::Arc, vec::Vec};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct House {
    /// The address that the server listens on, if it is known.
    address: Option<SocketAddr>,
    is_leaving: AtomicBool,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// The connections that the server has now.
#[derive(Debug)]
struct Desk {
    admission: Admission,
    /// Whether the server's thread waits for the next client, and only a connection can wake it.
    is_accepting: bool,
    /// A second handle on the transport of each connection, used to end it.
    guests: HashMap<u64, TcpStream>,
    last_guest: u64,
}

/// One connection, from when it is accepted until both its `WebSocket` and its handler are gone.
#[derive(Debug)]
pub(super) struct Guest {
    house: Arc<House>,
    number: u64,
}

/// The reference to its guest that the sending side of a connection holds, next to the last handle
/// on the transport. When both are dropped, or the user takes the transport, the server drops its
/// own handle too.
#[derive(Debug)]
pub(super) struct Hosted(pub(super) Arc<Guest>);

/// A guard for a connection that is still in its opening handshake.
#[derive(Debug)]
pub(super) struct Handshaking(Arc<House>);

/// How long the server tries to connect to itself.
const WAKING: Duration = Duration::from_secs(1);

impl House {
    pub(super) fn new(address: Option<SocketAddr>) -> Arc<Self> {
        let admission = Admission::new(usize::MAX, usize::MAX);
        Arc::new(Self {
            address,
            is_leaving: AtomicBool::new(false),
            desk: Mutex::new(Desk {
                admission,
                is_accepting: false,
                guests: HashMap::new(),
                last_guest: 0,
            }),
            changed: Condvar::new(),
        })
    }

    /// Sets how many connections there may be. Called before the first one.
    pub(super) fn open(&self, admission: Admission) {
        self.desk().admission = admission;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    /// Starts the shutdown, and wakes the thread that waits to accept.
    pub(super) fn leave(&self) {
        self.update(|_| self.is_leaving.store(true, Ordering::SeqCst));
        let Some(address) = self.address else { return };
        let end = Instant::now() + WAKING;
        while self.desk().is_accepting {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // This may fail, or the connection may go to another socket on the same address. If the
            // queue of waiting clients is full, one of those clients wakes the thread.
            let stream = TcpStream::connect_timeout(&reachable(address), left);
            self.wait_until(end.min(Instant::now() + PAUSE), |desk| !desk.is_accepting);
            drop(stream);
        }
    }

    /// Waits until there is room for one more connection. Returns `false` if the server is shutting
    /// down. Otherwise the server then accepts, and calls [`has_accepted`](Self::has_accepted).
    pub(super) fn wait_for_room(&self) -> bool {
        let desk = self.desk();
        let is_full = |desk: &mut Desk| !desk.admission.has_room() && !self.is_leaving();
        let desk = self.changed.wait_while(desk, is_full);
        let mut desk = desk.unwrap_or_else(PoisonError::into_inner);
        desk.is_accepting = !self.is_leaving();
        desk.is_accepting
    }

    /// Notes that accepting has returned.
    pub(super) fn has_accepted(&self) {
        self.update(|desk| desk.is_accepting = false);
    }

    /// Waits for `time`, or until the server shuts down.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        self.wait_until(end, |_| self.is_leaving());
    }

    /// Waits until all connections are gone, but no longer than `time`. Returns `true` if they are
    /// gone.
    pub(super) fn wait_empty(&self, time: Duration) -> bool {
        match Instant::now().checked_add(time) {
            Some(end) => self.wait_until(end, |desk| desk.admission.is_empty()),
            None => {
                let is_there = |desk: &mut Desk| !desk.admission.is_empty();
                let desk = self.changed.wait_while(self.desk(), is_there);
                drop(desk.unwrap_or_else(PoisonError::into_inner));
                true
            }
        }
    }

    fn wait_until(&self, end: Instant, condition: impl Fn(&Desk) -> bool) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.desk(), left, |desk| !condition(desk));
        let (desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        condition(&desk)
    }

    /// Ends the transports of all remaining connections.
    pub(super) fn end(&self) {
        for transport in self.desk().guests.values() {
            // This fails if the transport has already ended.
            let _ = transport.shutdown(Shutdown::Both);
        }
    }

    /// Adds a connection. Returns an error if its transport can't make a second handle.
    pub(super) fn admit(
        self: &Arc<Self>,
        transport: &TcpStream,
    ) -> io::Result<(Arc<Guest>, Handshaking)> {
        let transport = transport.try_clone()?;
        let mut desk = self.desk();
        desk.admission.came();
        desk.last_guest += 1;
        let number = desk.last_guest;
        desk.guests.insert(number, transport);
        Ok((Arc::new(Guest { house: Arc::clone(self), number }), Handshaking(Arc::clone(self))))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, update: impl FnOnce(&mut Desk)) {
        update(&mut self.desk());
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

impl Guest {
    /// Returns `true` if the server is shutting down, so that connections close with 1001.
    pub(super) fn is_leaving(&self) -> bool {
        self.house.is_leaving()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let Guest { house, number } = &*self.0;
        let transport = house.desk().guests.remove(number);
        drop(transport);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.house.update(|desk| {
            desk.guests.remove(&self.number);
            desk.admission.left();
        });
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        self.0.update(|desk| desk.admission.shook_hands());
    }
}

/// Writes what is left to a transport that the user has dropped, and then ends it so that the peer
/// receives everything.
pub(super) fn see_off(mut transport: impl Transport, unwritten: Vec<u8>) {
    // A timeout of the handler, or one that a split connection left on the socket, would end this
    // too early. A transport that fails here fails again when it is next used.
    let _ = transport.set_read_timeout(None);
    let _ = transport.set_write_timeout(None);
    let mut output = WriteBuffer::new();
    output.extend_from_slice(&unwritten);
    drop(unwritten);
    // There is nothing left to do, whatever the outcome.
    let _ = Exchange::new(transport, ReadBuffer::new(), output).drive(&mut SeeingOff::new());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::websocket::WebSocket;
    use crate::connection::{Config, Server};
    use crate::negotiated::Negotiated;
    use std::net::TcpListener;

    /// Returns a connection with a server, and the client's stream.
    fn hosted(house: &Arc<House>) -> (WebSocket<TcpStream, Server>, Arc<Guest>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let (guest, _) = house.admit(&stream).unwrap();
        let (negotiated, config) = (Negotiated::default(), Config::default());
        let websocket =
            WebSocket::new(stream, Server::new(), negotiated, ReadBuffer::new(), config);
        (websocket.with_host(Arc::clone(&guest)), guest, client)
    }

    #[test]
    fn a_server_drops_its_handle_with_the_last_one_of_the_connection() {
        let house = House::new(None);
        let count = || house.desk().guests.len();
        for sender_is_last in [false, true] {
            let (websocket, _guest, client) = hosted(&house);
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
        let house = House::new(None);
        let count = || house.desk().guests.len();
        let (websocket, _guest, _client) = hosted(&house);
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
