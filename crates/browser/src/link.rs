//! A TCP relay between a browser and a server.

use std::{
    io::copy,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A TCP relay between a browser and a server. A test can cut its connections, and later allow new ones.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    is_cut: bool,
    streams: Vec<TcpStream>,
}

impl Link {
    /// Starts a relay to this server, on an address of its own.
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { server, is_cut: false, streams: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let of_threads = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let mut state = of_threads.lock().unwrap();
                if state.is_cut {
                    continue;
                }
                // A server that is gone refuses its clients.
                let Ok(server) = TcpStream::connect(state.server) else { continue };
                for stream in [&client, &server] {
                    state.streams.push(stream.try_clone().unwrap());
                }
                relay(client.try_clone().unwrap(), server.try_clone().unwrap());
                relay(server, client);
            }
        });
        Self { address, state }
    }

    /// Returns the address of the relay.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and refuses others until [`mend`](Self::mend).
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_cut = true;
        for stream in state.streams.drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Leads new connections to another server, as a load balancer does.
    pub fn lead_to(&self, server: SocketAddr) {
        self.state.lock().unwrap().server = server;
    }

    /// Allows new connections.
    pub fn mend(&self) {
        self.state.lock().unwrap().is_cut = false;
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // Either end may be cut.
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
