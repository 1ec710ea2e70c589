//! The server as a process, and a way to it that can be cut.

use crate::process::program;
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// A running server, which is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the server on a free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let path = program(&["sansocket-server"]);
        let how = "`cargo build -p sansocket-server` builds it";
        assert!(path.exists(), "{} is missing; {how}", path.display());
        let mut command = Command::new(path);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            line.split("listening on http://").nth(1)?.trim().parse().ok()
        });
        // The server must not wait for a reader of its log.
        thread::spawn(move || lines.for_each(drop));
        Self { process, address: address.expect("the server says where it listens") }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes connections on, until they are cut.
#[derive(Clone)]
pub(crate) struct Way {
    shared: Arc<Mutex<Shared>>,
    pub(crate) url: String,
}

struct Shared {
    /// Where new connections lead to.
    target: SocketAddr,
    connections: Vec<TcpStream>,
}

impl Way {
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way =
            Self { shared: Arc::new(Mutex::new(Shared { target, connections: Vec::new() })), url };
        let here = way.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A server that is not there is no matter of this end.
                let _ = here.join(stream.unwrap());
            }
        });
        way
    }

    /// Has new connections lead elsewhere.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        self.shared.lock().unwrap().target = target;
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for stream in self.shared.lock().unwrap().connections.drain(..) {
            // One of the ends may have gone.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn join(&self, client: TcpStream) -> io::Result<()> {
        let mut shared = self.shared.lock().unwrap();
        let server = TcpStream::connect(shared.target)?;
        shared.connections.extend([client.try_clone()?, server.try_clone()?]);
        let ways = [(client.try_clone()?, server.try_clone()?), (server, client)];
        for (mut from, mut to) in ways {
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to).and_then(|_| to.flush());
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }
}
