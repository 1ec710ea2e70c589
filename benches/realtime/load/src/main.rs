//! The load: one publisher, and subscribers that count what they get. `--help` tells how to use it.

mod clients;
mod crowd;
// The histogram of the other load.
#[path = "../../../peers/load/src/histogram.rs"]
mod histogram;
mod payload;
mod processor_time;
mod websocket;

use clients::{Place, Transport};
use crowd::{Crowd, Plan};
use std::{io::BufRead, net::SocketAddr, process::ExitCode, sync::mpsc, time::Duration};

const HELP: &str = "\
Usage: realtime-load --transport NAME --port PORT [OPTION]...

Opens subscribers of one topic and a publisher, prints `ready`, and then does what each line of its input
says. It answers with a line of JSON.

  saturate WINDOW SECONDS   publishes as fast as the subscribers get it: at most WINDOW messages are under way
  steady RATE SECONDS       publishes RATE messages a second, and tells how long they take
  count                     tells how many subscribers are still connected

Options:
  --transport NAME      stomp, events, poll, socket.io, or bare
  --port PORT           where the subscribers connect
  --publish-port PORT   where the publisher connects, by default the same
  --subscribers COUNT   by default 1
  --path PATH           of the WebSocket of STOMP, by default /ws
  --topic TOPIC         by default /topic/bench
  --payload BYTES       of the body of a message, by default 125
  --bytes BYTES         of a piece, if the transport is bare
  --cpu PID             a process whose processor time is told, any number of times
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{{\"error\": {error:?}}}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Some(plan) = parse().map_err(|error| error.to_string())? else {
        print!("{HELP}");
        return Ok(());
    };
    let mut crowd = Crowd::open(plan)?;
    println!("ready");
    let lines = lines(&crowd)?;
    while let Some(line) = crowd.idle(&lines)? {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<f64>().map_err(|_| format!("{word:?} is no number"));
        match *words {
            ["saturate", window, seconds] => {
                let window = number(window)? as u64;
                println!("{}", crowd.saturate(window, Duration::from_secs_f64(number(seconds)?))?);
            }
            ["steady", rate, seconds] => {
                let duration = Duration::from_secs_f64(number(seconds)?);
                println!("{}", crowd.steady(number(rate)?, duration)?);
            }
            ["count"] => println!("{{\"subscribers\": {}}}", crowd.connected()),
            _ => return Err(format!("unknown: {line:?}")),
        }
    }
    Ok(())
}

/// Reads the input in a thread of its own, and wakes the crowd for each line and at the end.
fn lines(crowd: &Crowd) -> Result<mpsc::Receiver<String>, String> {
    let (sender, receiver) = mpsc::channel();
    let waker = crowd.waker();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() || waker.wake().is_err() {
                return;
            }
        }
        drop(sender);
        // The crowd has ended if it can't be woken.
        let _ = waker.wake();
    });
    Ok(receiver)
}

fn parse() -> Result<Option<Plan>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let (mut transport, mut port, mut publish_port) = (None, None, None);
    let mut plan = Plan {
        transport: Transport::Stomp,
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        publish_address: SocketAddr::from(([127, 0, 0, 1], 0)),
        subscribers: 1,
        place: Place { path: "/ws".to_owned(), topic: "/topic/bench".to_owned() },
        payload: 125,
        bytes: 0,
        processes: Vec::new(),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("transport") => {
                let name = parser.value()?.string()?;
                transport = Some(Transport::named(&name).ok_or("there is no such transport")?);
            }
            Long("port") => port = Some(parser.value()?.parse::<u16>()?),
            Long("publish-port") => publish_port = Some(parser.value()?.parse::<u16>()?),
            Long("subscribers") => plan.subscribers = parser.value()?.parse()?,
            Long("path") => plan.place.path = parser.value()?.string()?,
            Long("topic") => plan.place.topic = parser.value()?.string()?,
            Long("payload") => plan.payload = parser.value()?.parse()?,
            Long("bytes") => plan.bytes = parser.value()?.parse()?,
            Long("cpu") => plan.processes.push(parser.value()?.parse()?),
            Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    plan.transport = transport.ok_or("--transport is missing")?;
    let port = port.ok_or("--port is missing")?;
    plan.address.set_port(port);
    plan.publish_address.set_port(publish_port.unwrap_or(port));
    Ok(Some(plan))
}
