//! The client as a process, whose output can be waited for.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A running client, which ends when this is dropped.
pub(crate) struct Client {
    process: Child,
    output: Lines,
    notes: Lines,
}

/// What a client has done in all.
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) output: Vec<String>,
    /// What stands on standard error.
    pub(crate) notes: String,
}

/// How long to wait for what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a program in the folder of the examples, or beside it.
pub(crate) fn program(path: &[&str]) -> PathBuf {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.extend(path);
    program
}

/// Returns the command of the client, which knows nothing of the environment of the tests.
pub(crate) fn client(arguments: &[&str]) -> Command {
    let path = program(&["examples", "subscribe"]);
    assert!(path.exists(), "{} is missing; `cargo build --examples` builds it", path.display());
    let mut command = Command::new(path);
    command.args(arguments).env_remove("SUBSCRIBE_TOKEN").env_remove("SUBSCRIBE_USER");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the client until it ends by itself.
pub(crate) fn run(arguments: &[&str]) -> Done {
    Client::start(arguments).wait()
}

impl Client {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(client(arguments))
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let output = Lines::of(process.stdout.take().unwrap());
        let notes = Lines::of(process.stderr.take().unwrap());
        Self { process, output, notes }
    }

    /// Waits until a line of standard error contains this so many times.
    pub(crate) fn wait_for_notes(&self, text: &str, count: usize) {
        let is_noted = || self.notes.with(|lines| lines.join("\n").matches(text).count() >= count);
        self.wait_until(is_noted, &format!("{count} times {text:?}"));
    }

    pub(crate) fn wait_for_note(&self, text: &str) {
        self.wait_for_notes(text, 1);
    }

    /// Waits until so many lines were printed.
    pub(crate) fn wait_for_lines(&self, count: usize) {
        self.wait_until(
            || self.output.with(|lines| lines.len()) >= count,
            &format!("{count} lines"),
        );
    }

    fn wait_until(&self, condition: impl Fn() -> bool, what: &str) {
        let began = Instant::now();
        while !condition() {
            assert!(
                began.elapsed() < PATIENCE,
                "no {what} in {:?} and {:?}",
                self.output.with(Clone::clone),
                self.notes.with(Clone::clone)
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Does what Ctrl-C does, and waits for the end.
    pub(crate) fn interrupt(self) -> Done {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.wait()
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Done {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status.code();
            }
            let notes = self.notes.with(|lines| lines.join("\n"));
            assert!(began.elapsed() < PATIENCE, "the client did not end: {notes}");
            thread::sleep(Duration::from_millis(5));
        };
        let (output, notes) = (self.output.all(), self.notes.all().join("\n"));
        Done { status, output, notes }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Done {
    /// Checks how the client has ended, what it has printed, and what stands among the notes.
    #[track_caller]
    pub(crate) fn assert(&self, status: i32, output: &[&str], notes: &[&str]) {
        assert_eq!(self.output, output, "{}", self.notes);
        assert_eq!(self.status, Some(status), "{}", self.notes);
        for note in notes {
            assert!(self.notes.contains(note), "{note:?} is not in {}", self.notes);
        }
        assert!(!self.notes.contains('\x1b'), "there is no terminal to colour: {}", self.notes);
    }
}

/// Lines that a thread reads.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(input: impl Read + Send + 'static) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&lines);
        let thread = thread::spawn(move || {
            for line in BufReader::new(input).lines() {
                shared.lock().unwrap().push(line.unwrap());
            }
        });
        Self { lines, thread: Some(thread) }
    }

    fn with<T>(&self, look: impl FnOnce(&Vec<String>) -> T) -> T {
        look(&self.lines.lock().unwrap())
    }

    /// Returns all lines, once there are no more.
    fn all(&mut self) -> Vec<String> {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.with(Clone::clone)
    }
}
