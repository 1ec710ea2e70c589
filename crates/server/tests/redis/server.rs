//! Servers of Redis, which tests start, stop and break.

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Returns whether the tests can be left out, since there is no Redis and that is known.
pub(crate) fn is_left_out() -> bool {
    std::env::var("SANSOCKET_WITHOUT")
        .is_ok_and(|names| names.split(',').any(|name| name == "redis"))
}

/// A server in a folder of its own. It ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    options: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Starts a server with these options, such as `--appendonly yes`.
    pub(crate) fn start(options: &[&str]) -> Self {
        static SERVERS: AtomicUsize = AtomicUsize::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("redis-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let options: Vec<String> = options.iter().map(|&option| option.into()).collect();
        // Another program can take the port before the server does.
        for _ in 0..10 {
            fs::create_dir_all(&folder).unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (folder, options) = (folder.clone(), options.clone());
            let mut server = Self { port, folder, options, process: None };
            if server.try_to_start() {
                return server;
            }
        }
        panic!("redis-server does not start: see {}", folder.join("log").display());
    }

    /// Starts a Sentinel that watches the master of a service.
    pub(crate) fn sentinel(service: &str, master: u16) -> Self {
        let mut server = Self::start(&[]);
        server.kill();
        let file = server.folder.join("sentinel.conf");
        let configuration = format!(
            "sentinel monitor {service} 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds {service} 500\n\
             sentinel failover-timeout {service} 2000\n"
        );
        fs::write(&file, configuration).unwrap();
        server.options = vec![file.to_str().unwrap().into(), "--sentinel".into()];
        server.start_again();
        server
    }

    /// Starts the server again, on the same port and with what it has kept.
    pub(crate) fn start_again(&mut self) {
        // Another program can have the port for a moment.
        let starts = (0..10).any(|_| {
            let starts = self.try_to_start();
            if !starts {
                thread::sleep(Duration::from_millis(200));
            }
            starts
        });
        assert!(starts, "see {}", self.folder.join("log").display());
    }

    fn try_to_start(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        let has_file = self.options.first().is_some_and(|option| !option.starts_with("--"));
        let (file, options) = self.options.split_at(usize::from(has_file));
        command.args(file).arg("--port").arg(self.port.to_string()).arg("--dir").arg(&self.folder);
        command.args(["--bind", "127.0.0.1", "--logfile", "log"]);
        if !has_file {
            command.args(["--save", ""]);
        }
        command.args(options).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!(
                "these tests need redis-server (on Debian: apt-get install redis-server), or the \
                 environment variable SANSOCKET_WITHOUT=redis"
            ),
            _ => panic!("redis-server can't be started: {error}"),
        });
        let process = self.process.insert(process);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            if answers(self.port, process.id()) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Ends the server by SIGKILL: it writes nothing more.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command, such as `CLIENT KILL TYPE pubsub`.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        self.try_to_run(command).unwrap()
    }

    pub(crate) fn try_to_run<T: redis::FromRedisValue>(
        &self,
        command: &str,
    ) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.address())?.get_connection()?;
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut connection)
    }

    /// Stops the process without ending it, as a machine does whose disk hangs.
    pub(crate) fn stop_answering(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn answer_again(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Cuts the connections of all nodes.
    pub(crate) fn cut(&self) {
        let _: usize = self.run("CLIENT KILL TYPE pubsub");
        let _: usize = self.run("CLIENT KILL TYPE normal");
    }
}

/// Returns whether this process answers on the port, and not one that has taken the port before it.
fn answers(port: u16, process: u32) -> bool {
    let info = || -> redis::RedisResult<String> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
        redis::cmd("INFO").arg("server").query(&mut client.get_connection()?)
    };
    match info() {
        Ok(info) => info.lines().any(|line| line == format!("process_id:{process}")),
        // It answers, but wants a password.
        Err(error) => {
            error.kind() == redis::ErrorKind::AuthenticationFailed || error.code() == Some("NOAUTH")
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.folder));
    }
}
