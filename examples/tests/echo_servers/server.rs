//! An echo server run as a process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the example of that name.
    pub(crate) fn start(name: &str) -> Self {
        Self::run(Command::new(program(name)))
    }

    /// Starts the example with a limit of open files.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_with_files(name: &str, most: usize) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(program(name));
        Self::run(shell)
    }

    /// Starts the example of that name, and returns the first line of what it reports as well.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_and_read_error(name: &str) -> (Self, String) {
        let mut server = Self::run_with(Command::new(program(name)), Stdio::piped());
        let mut line = String::new();
        BufReader::new(server.process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        (server, line.trim().to_owned())
    }

    fn run(command: Command) -> Self {
        Self::run_with(command, Stdio::null())
    }

    fn run_with(mut command: Command, errors: Stdio) -> Self {
        let mut process = command
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the server can be started");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ws://").expect("an address");
        Self { address: address.parse().unwrap(), process }
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
        panic!("the server did not end within {most:?}")
    }

    /// Returns the number of bytes of memory that the server holds.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }

    /// Returns the number of files that the server has open.
    #[cfg(target_os = "linux")]
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the path of an example. Cargo puts examples into a directory next to that of the tests.
fn program(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    assert!(path.exists(), "{} is missing; `cargo build --examples` builds it", path.display());
    path
}
