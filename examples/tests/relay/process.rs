//! The relay run as a process.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) struct Relay {
    process: Child,
    /// Where it listens: `ws://` or `wss://`, and the address.
    pub(crate) url: String,
}

impl Relay {
    /// Starts the relay in front of a server.
    pub(crate) fn start(server: &str, options: &[&str]) -> Self {
        let listen = [server, "--listen", "127.0.0.1:0"];
        Self::run("relay", &[&listen, options].concat())
    }

    /// Starts an example with these arguments.
    pub(crate) fn run(name: &str, arguments: &[&str]) -> Self {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.extend(["examples", name]);
        let path: PathBuf = path;
        assert!(path.exists(), "{} is missing; `cargo build --examples` builds it", path.display());
        let mut process = Command::new(path)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the relay can be started");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { process, url }
    }

    /// Returns the address without the scheme.
    pub(crate) fn address(&self) -> &str {
        self.url.split("//").nth(1).unwrap()
    }

    /// Does what Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Waits until the process ends, and returns whether it succeeded.
    pub(crate) fn wait(&mut self, most: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < most {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the relay did not end within {most:?}")
    }

    /// Returns the number of bytes of memory that the relay holds.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
