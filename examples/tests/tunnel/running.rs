//! The tunnel as a process, and programs of others.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A running end of a tunnel, which ends when this is dropped.
pub(crate) struct Running {
    process: Child,
    address: String,
}

/// Returns the command of the tunnel, which ends by itself after some time.
pub(crate) fn tunnel(arguments: &[&str]) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", "tunnel"]);
    let path: PathBuf = path;
    assert!(path.exists(), "{} is missing; `cargo build --examples` builds it", path.display());
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Running {
    /// Starts an end, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = tunnel(arguments).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { process, address }
    }

    /// Returns where it listens: an address, or a URL.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Ends it at once, without a chance to close its connections.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
