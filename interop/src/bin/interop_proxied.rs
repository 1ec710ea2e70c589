//! Runs our server behind a proxy that ends TLS, and a client in front of it. Prints a line for each
//! scenario.
//!
//! ```text
//! interop_proxied nginx|haproxy|haproxy-tcp DIRECTORY SERVER...
//! ```
//!
//! The proxy has its configuration from `interop/proxies`, with other ports and paths. For what is
//! about idle connections it has timeouts of three seconds instead of a minute. The directory takes what the programs write. `SERVER` is the
//! command of the server, which behaves as `interop_server` does: any server can take its place.
//! `INTEROP_CERTIFICATES` names the directory of the certificates.

use sansocket::{
    CloseCode, Error, Event, Message,
    blocking::{ClientWebSocket, Connector},
    handshake::HandshakeError,
};
use std::{
    env,
    error::Error as StdError,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    thread::{self, sleep},
    time::{Duration, Instant},
};

/// The timeout of a proxy, in place of the minute in its configuration.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The interval of the server's pings, as 25 seconds are for a timeout of a minute.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// How long a program, and what it has to say, are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where clients connect from. Proxies connect from 127.0.0.1.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

type Failure = Box<dyn StdError + Send + Sync>;
type Outcome = Result<(), Failure>;

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let (proxy, directory, server) = match &arguments[..] {
        [proxy, directory, server @ ..] if !server.is_empty() => (&**proxy, directory, server),
        _ => {
            eprintln!("usage: interop_proxied nginx|haproxy|haproxy-tcp DIRECTORY SERVER...");
            return ExitCode::from(2);
        }
    };
    match run(proxy, Path::new(directory), server) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("not ok {proxy}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, directory: &Path, server: &[String]) -> Result<bool, Failure> {
    let mut backend = Backend::new(name, directory, server)?;
    let mut report = Report { prefix: name.to_owned(), all_passed: true };
    let proxy = Proxy::start(name, directory, backend.port, None)?;
    let at = &proxy.at;
    report.add("opens", at.wait_until_open());
    report.all_passed &= all_scenarios_of_a_client(at)?;
    report.add("the client's address", client_address(at, None));
    if name != "haproxy-tcp" {
        let forged = Some(("X-Forwarded-For", "192.0.2.1"));
        report.add("the client's address, after one of its own", client_address(at, forged));
    }
    report.add("a page of the same origin is let in", origin(at, true));
    report.add("a page of another origin is refused", origin(at, false));
    report.add("a health check", at.get("/health", "200"));
    report.add("messages of 8 MiB, both ways at once", large(at));
    report.add("each message alone, at once", prompt(at));
    drop(proxy);

    let proxy = Proxy::start(name, directory, backend.port, Some(TIMEOUT))?;
    let at = &proxy.at;
    at.wait_until_open()?;
    report.add("an idle connection without keepalive is cut", cut(at));
    backend.stop()?;
    report.add("without a server: 502, 503, or the end of TCP", no_server(name, at));
    backend.start(Some(KEEPALIVE))?;
    report.add("once there is a server again", at.wait_until_open());
    let (lives, one_way) = thread::scope(|scope| {
        let lives = scope.spawn(|| lives(at));
        let one_way = scope.spawn(|| one_way(at));
        (lives.join(), one_way.join())
    });
    let panicked = |_| Err("the scenario panicked".into());
    let lives = lives.unwrap_or_else(panicked);
    report.add("an idle connection with keepalive lives", lives);
    let one_way = one_way.unwrap_or_else(panicked);
    report.add("a server that sends nothing, to a client that sends", one_way);
    report.add("a reload leaves connections", reload(&proxy));
    report.add("a server that shuts down says 1001", going_away(at, &mut backend));
    Ok(report.all_passed)
}

// --- scenarios -------------------------------------------------------------------------------

/// Those that also run without a proxy, with lines of their own.
fn all_scenarios_of_a_client(at: &Address) -> io::Result<bool> {
    let client = env::current_exe()?.with_file_name("interop_client");
    let url = format!("wss://127.0.0.1:{}", at.port);
    Ok(Command::new(client).args(["--shell", "tokio", &url]).status()?.success())
}

fn client_address(at: &Address, forged: Option<(&str, &str)>) -> Outcome {
    let mut connector = at.connector();
    if let Some((name, value)) = forged {
        connector = connector.header(name, value);
    }
    let (_, response) = connector.connect(at.url("/"))?;
    let seen = response.header("X-Client").map(String::from_utf8_lossy);
    expect("address", Some(CLIENT.to_string()), seen.map(Into::into))
}

fn origin(at: &Address, is_same: bool) -> Outcome {
    let origin = format!("https://127.0.0.1:{}", if is_same { at.port } else { 1 });
    match at.connector().header("Origin", origin).connect(at.url("/")) {
        Ok(_) if is_same => Ok(()),
        Err(error) if !is_same => expect("status", Some(403), status(&error)),
        Ok(_) => Err("a page of another origin is let in".into()),
        Err(error) => Err(error.into()),
    }
}

/// A proxy that waited for all of a message, or for one direction to end, would not get there.
fn large(at: &Address) -> Outcome {
    let (mut sender, mut receiver) = at.open()?.split()?;
    let data = vec![7; 8 << 20];
    let sent = data.clone();
    let sending = thread::spawn(move || {
        for _ in 0..2 {
            sender.send(&sent)?;
        }
        Ok::<_, Error>(sender)
    });
    for _ in 0..2 {
        let echo = receiver.next().ok_or("the connection ended")??;
        expect("echo", true, matches!(echo, Message::Binary(echo) if echo == data))?;
    }
    sending.join().map_err(|_| "the sender panicked")??;
    Ok(())
}

/// Each message waits for the answer to the one before, so one that a proxy held back for more would
/// never arrive.
fn prompt(at: &Address) -> Outcome {
    let mut websocket = at.open()?;
    for index in 0..200_usize {
        echo(&mut websocket, &"x".repeat(index * 37))?;
    }
    Ok(())
}

fn cut(at: &Address) -> Outcome {
    let mut websocket = at.open()?;
    echo(&mut websocket, "then nothing")?;
    websocket.get_ref().set_read_timeout(Some(PATIENCE))?;
    match websocket.next() {
        Some(Err(_)) => expect("code", 1006, websocket.wait_closed().code.number()),
        other => Err(format!("expected an end without a Close, got {other:?}").into()),
    }
}

fn lives(at: &Address) -> Outcome {
    let mut websocket = at.open()?;
    echo(&mut websocket, "then nothing")?;
    let until = Instant::now() + TIMEOUT + KEEPALIVE * 2;
    while Instant::now() < until {
        // Reading answers the pings.
        match websocket.receive() {
            Some(Ok((Event::Ping(_), _))) => {}
            Some(Ok((other, _))) => return Err(format!("expected a ping, got {other:?}").into()),
            Some(Err(error)) => return Err(error.into()),
            None => return Err("expected a ping, got the end".into()),
        }
    }
    echo(&mut websocket, "still there")
}

/// Keepalive pings nobody who sends. So a proxy has to count what it forwards in either direction.
fn one_way(at: &Address) -> Outcome {
    let mut websocket = at.open()?;
    let until = Instant::now() + TIMEOUT + KEEPALIVE * 2;
    while Instant::now() < until {
        // Nobody answers a pong.
        websocket.pong("unasked")?;
        sleep(KEEPALIVE / 2);
    }
    echo(&mut websocket, "there")
}

fn reload(proxy: &Proxy) -> Outcome {
    let mut websocket = proxy.at.open()?;
    echo(&mut websocket, "before")?;
    proxy.reload()?;
    echo(&mut websocket, "after")?;
    // New connections come to the new process.
    for _ in 0..10 {
        echo(&mut proxy.at.open()?, "anew")?;
    }
    echo(&mut websocket, "much later")
}

fn no_server(name: &str, at: &Address) -> Outcome {
    let Err(error) = at.open() else {
        return Err("expected a refusal, got a connection".into());
    };
    match (name, status(&error)) {
        ("nginx", Some(502)) | ("haproxy", Some(503)) => Ok(()),
        // It knows of no HTTP.
        ("haproxy-tcp", None) => Ok(()),
        (_, status) => Err(format!("got the status {status:?}: {error}").into()),
    }
}

fn going_away(at: &Address, backend: &mut Backend) -> Outcome {
    let mut websocket = at.open()?;
    echo(&mut websocket, "before")?;
    let ending = Instant::now();
    let pid = backend.running.as_ref().ok_or("the server runs")?.id();
    signal(pid, "TERM")?;
    websocket.get_ref().set_read_timeout(Some(PATIENCE))?;
    expect("messages after that", None, websocket.next().transpose()?)?;
    let closed = websocket.wait_closed();
    expect("code", CloseCode::GOING_AWAY, closed.code)?;
    expect("clean", true, closed.clean)?;
    expect("in time", true, ending.elapsed() < PATIENCE)?;
    backend.stop()
}

fn echo(websocket: &mut ClientWebSocket, text: &str) -> Outcome {
    websocket.send(text)?;
    match websocket.next() {
        Some(Ok(Message::Text(echo))) if echo == text => Ok(()),
        other => Err(format!("expected an echo, got {other:?}").into()),
    }
}

fn status(error: &Error) -> Option<u16> {
    match error {
        Error::Handshake(HandshakeError::Refused(refusal)) => Some(refusal.status()),
        _ => None,
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, got: T) -> Outcome {
    if expected == got {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {got:?}").into())
}

struct Report {
    prefix: String,
    all_passed: bool,
}

impl Report {
    fn add(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => println!("ok {}: {name}", self.prefix),
            Err(error) => {
                println!("not ok {}: {name}: {error}", self.prefix);
                self.all_passed = false;
            }
        }
    }
}

// --- programs --------------------------------------------------------------------------------

/// Where a proxy listens.
struct Address {
    port: u16,
}

impl Address {
    fn url(&self, path: &str) -> String {
        format!("wss://127.0.0.1:{}{path}", self.port)
    }

    fn connector(&self) -> Connector {
        Connector::new().local_address(CLIENT.into())
    }

    fn open(&self) -> Result<ClientWebSocket, Error> {
        let (websocket, _) = self.connector().connect(self.url("/"))?;
        websocket.get_ref().set_read_timeout(Some(PATIENCE))?;
        websocket.get_ref().set_write_timeout(Some(PATIENCE))?;
        Ok(websocket)
    }

    /// A proxy may have to find out first that the server is there.
    fn wait_until_open(&self) -> Outcome {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.open() {
                Ok(mut websocket) => return echo(&mut websocket, "hello"),
                Err(error) if Instant::now() > until => return Err(error.into()),
                Err(_) => sleep(Duration::from_millis(100)),
            }
        }
    }

    fn get(&self, path: &str, status: &str) -> Outcome {
        let curl = Command::new("curl")
            .args(["--silent", "--noproxy", "*", "--max-time", "10", "--output", "/dev/null"])
            .args([
                "--write-out",
                "%{http_code}",
                &format!("https://127.0.0.1:{}{path}", self.port),
            ])
            .output()?;
        expect("status", status, &*String::from_utf8_lossy(&curl.stdout))
    }
}

/// Our server, on a port that stays the same.
struct Backend {
    port: u16,
    command: Vec<String>,
    proxies: &'static str,
    directory: PathBuf,
    running: Option<Child>,
}

impl Backend {
    fn new(proxy: &str, directory: &Path, command: &[String]) -> io::Result<Self> {
        let proxies = if proxy == "haproxy-tcp" { "proxy-protocol" } else { "x-forwarded-for" };
        let (port, directory) = (free_port()?, directory.to_owned());
        let mut backend =
            Self { port, command: command.to_owned(), proxies, directory, running: None };
        backend.start(None)?;
        Ok(backend)
    }

    fn start(&mut self, keepalive: Option<Duration>) -> io::Result<()> {
        let log = self.directory.join("backend.log");
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdout(log.try_clone()?).stderr(log);
        command.env("INTEROP_ADDRESS", format!("127.0.0.1:{}", self.port));
        command.env("INTEROP_PROXY", self.proxies).env_remove("INTEROP_TLS");
        if let Some(keepalive) = keepalive {
            command.env("INTEROP_KEEPALIVE", keepalive.as_millis().to_string());
        }
        self.running = Some(command.spawn()?);
        wait_for_listener(self.port)
    }

    fn stop(&mut self) -> Outcome {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        signal(running.id(), "TERM")?;
        end(&mut running)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

struct Proxy {
    at: Address,
    running: Child,
    reload: &'static str,
}

impl Proxy {
    /// Starts a proxy, with this timeout or that of its configuration.
    fn start(
        name: &str,
        directory: &Path,
        backend: u16,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        let port = free_port()?;
        let certificates = PathBuf::from(env::var("INTEROP_CERTIFICATES")?);
        let both = directory.join("both.pem");
        let read = |name| fs::read_to_string(certificates.join(name));
        fs::write(&both, read("chain.pem")? + &read("key.pem")?)?;
        let file = if name == "nginx" { "nginx.conf" } else { &format!("{name}.cfg") };
        let mut text = fs::read_to_string(Path::new("interop/proxies").join(file))?;
        // What each configuration has, and what it has here.
        let both = both.display().to_string();
        let timeout = timeout.map_or("60s".into(), |timeout| format!("{}s", timeout.as_secs()));
        let own = [
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("bind :443", format!("bind 127.0.0.1:{port}")),
            ("127.0.0.1:9001", format!("127.0.0.1:{backend}")),
            ("60s", timeout),
            // This machine may not allow that many.
            ("65536", "2048".into()),
            ("32768", "900".into()),
            ("/etc/ssl/example.com.pem", both.clone()),
            ("/etc/ssl/example.com.key", both.clone()),
            ("/etc/haproxy/example.com.pem", both),
        ];
        for (theirs, own) in own {
            text = text.replace(theirs, &own);
        }
        // Where nginx writes unless it is told otherwise needs root.
        let temporary = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
            .map(|kind| format!("{kind}_temp_path temporary_{kind};"))
            .concat();
        text = text.replace("http {", &format!("http {{ access_log off; {temporary}"));
        let configuration = directory.join(file);
        fs::write(&configuration, text)?;
        let log = File::create(directory.join("proxy.log"))?;
        let mut command;
        if name == "nginx" {
            command = Command::new("nginx");
            command.arg("-p").arg(fs::canonicalize(directory)?);
            command.args(["-e", "stderr", "-g", "daemon off; pid nginx.pid;", "-c"]);
            command.arg(fs::canonicalize(configuration)?);
        } else {
            command = Command::new("haproxy");
            // With a master process, which reloads.
            command.args(["-W", "-db", "-f"]).arg(configuration);
        }
        let running = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let reload = if name == "nginx" { "HUP" } else { "USR2" };
        let proxy = Self { at: Address { port }, running, reload };
        wait_for_listener(port)?;
        Ok(proxy)
    }

    /// Starts processes with the configuration anew. The old ones keep their connections.
    fn reload(&self) -> Outcome {
        let before = self.processes()?;
        signal(self.running.id(), self.reload)?;
        let until = Instant::now() + PATIENCE;
        while self.processes()?.iter().all(|pid| before.contains(pid)) {
            expect("a new process in time", true, Instant::now() < until)?;
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn processes(&self) -> io::Result<Vec<String>> {
        let id = self.running.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Ok(children.split_whitespace().map(Into::into).collect())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both end at once then, with the connections of the processes from before a reload.
        let _ = signal(self.running.id(), "TERM");
        let _ = end(&mut self.running);
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn wait_for_listener(port: u16) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
}

/// std has no signals but SIGKILL.
fn signal(pid: u32, name: &str) -> Outcome {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status()?;
    expect("a process to signal", true, status.success())
}

fn end(process: &mut Child) -> Outcome {
    let until = Instant::now() + PATIENCE;
    while process.try_wait()?.is_none() {
        if Instant::now() > until {
            process.kill()?;
            process.wait()?;
            return Err("a program did not end on SIGTERM".into());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
