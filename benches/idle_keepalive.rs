//! What idle connections cost a server: how often their tasks are polled, and how much processor time
//! that takes, with keepalive and without.
//!
//! ```sh
//! cargo bench --features tokio --bench idle_keepalive -- 10000 25 100
//! ```
//!
//! The arguments are the number of connections, keepalive's interval in seconds, and for how many
//! seconds to measure. The clients are in a process of their own, so that each process needs one file
//! descriptor for each connection. With `--test`, it only checks that it runs.

use sansocket::{
    Config,
    connection::Keepalive,
    on_tokio::{Acceptor, connect},
};
use std::{
    cell::Cell,
    env, fs,
    future::poll_fn,
    pin::pin,
    process::{Child, Command},
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::sleep,
};

/// The first argument of the process of the clients.
const CLIENTS: &str = "clients";

/// How long all connections have been open before the measurement begins.
const SETTLING: Duration = Duration::from_secs(2);

thread_local! {
    /// The polls of this thread's connections.
    static POLLS: Cell<u64> = const { Cell::new(0) };
}

struct Plan {
    connections: usize,
    interval: Duration,
    measured: Duration,
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [CLIENTS, url, count] = &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return hold_clients(url, count.parse().unwrap());
    }
    let number = |index: usize, default: u64| {
        let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
        numbers.nth(index).unwrap_or(default)
    };
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let [connections, interval, measured] =
        if is_test { [20, 1, 3] } else { [number(0, 10_000), number(1, 25), number(2, 100)] };
    let plan = Plan {
        connections: connections as usize,
        interval: Duration::from_secs(interval),
        measured: Duration::from_secs(measured),
    };
    println!("{connections} idle connections, measured for {measured} s");
    measure("without keepalive", &plan, Config::default());
    let keepalive = Keepalive::new(plan.interval, Duration::from_secs(20));
    let name = format!("keepalive, interval {interval} s");
    measure(&name, &plan, Config::default().keepalive(keepalive));
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn measure(name: &str, plan: &Plan, config: Config) {
    thread::scope(|scope| {
        let (tell_url, url) = channel();
        let server = scope.spawn(move || runtime().block_on(serve(plan, config, tell_url)));
        let mut clients = start_clients(&url.recv().unwrap(), plan.connections);
        let (polls, processor) = server.join().unwrap();
        clients.kill().unwrap();
        clients.wait().unwrap();
        let seconds = plan.measured.as_secs_f64();
        let each = polls as f64 / plan.connections as f64 * 60.0 / seconds;
        let processor = match processor {
            Some(time) => format!("{:.2} ms", time.as_secs_f64() * 1e3 / seconds),
            None => "unknown".into(),
        };
        println!(
            "{name}: {each:.2} polls a connection and minute; {processor} of a processor a second"
        );
    });
}

/// Serves the connections, and returns what they took while they were idle: polls, and the processor
/// time of this thread.
async fn serve(plan: &Plan, config: Config, tell_url: Sender<String>) -> (u64, Option<Duration>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    tell_url.send(format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let mut connections = JoinSet::new();
    for _ in 0..plan.connections {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let mut server = Acceptor::new().config(config).accept_tcp(stream).await.unwrap();
            let mut next = pin!(server.next());
            let next = poll_fn(|cx| {
                POLLS.set(POLLS.get() + 1);
                next.as_mut().poll(cx)
            });
            panic!("a connection is not idle: {:?}", next.await);
        });
    }
    sleep(SETTLING).await;
    let (polls, before) = (POLLS.get(), processor_time());
    sleep(plan.measured).await;
    let processor = processor_time().zip(before).map(|(after, before)| after - before);
    assert!(connections.try_join_next().is_none(), "a connection has ended");
    (POLLS.get() - polls, processor)
}

/// Returns how long this thread has run, if the system says so as Linux does.
fn processor_time() -> Option<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    statistics.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn start_clients(url: &str, count: usize) -> Child {
    let program = env::current_exe().unwrap();
    Command::new(program).args([CLIENTS, url, &count.to_string()]).spawn().unwrap()
}

/// Opens connections, and receives from them, until the process is killed.
fn hold_clients(url: &str, count: usize) {
    runtime().block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let mut client = connect(url).await.unwrap();
            clients.spawn(async move { client.next().await.is_none() });
        }
        // The server may end first.
        while clients.join_next().await.is_some() {}
    });
}
