//! All connections, and what is measured with them.

use crate::{
    clients::{self, Place, Transport},
    histogram::Histogram,
    payload, processor_time,
};
use mio::{Events, Interest, Poll, Token, Waker, net::TcpStream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{ErrorKind, Read, Write},
    mem,
    net::{SocketAddr, TcpStream as Blocking},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// What to open.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) publish_address: SocketAddr,
    pub(crate) subscribers: usize,
    pub(crate) place: Place,
    pub(crate) payload: usize,
    pub(crate) bytes: usize,
    pub(crate) processes: Vec<u32>,
}

/// How long nothing may arrive while something is awaited.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much is read at once.
const READ: usize = 64 << 10;

pub(crate) struct Crowd {
    plan: Plan,
    poll: Poll,
    waker: Arc<Waker>,
    buffer: Box<[u8]>,
    subscribers: Vec<Subscriber>,
    publisher: Publisher,
    started: Instant,
    counts: Counts,
}

struct Subscriber {
    stream: TcpStream,
    /// What belongs to a message that is not whole yet.
    rest: Vec<u8>,
    received: u64,
}

struct Publisher {
    stream: TcpStream,
    /// What is sent for a message, and where the time stands in it.
    publication: Vec<u8>,
    place_of_time: usize,
    published: u64,
}

struct Counts {
    deliveries: u64,
    bytes: u64,
    delays: Option<Histogram>,
}

/// When something began, and what processes had used then.
struct Start {
    at: Instant,
    processes: Vec<u64>,
    load: u64,
    published: u64,
    deliveries: u64,
    bytes: u64,
}

impl Crowd {
    pub(crate) fn open(plan: Plan) -> Result<Self, String> {
        allow_files(plan.subscribers as u64 + 32)?;
        let poll = Poll::new().map_err(|error| format!("can't create a queue: {error}"))?;
        let waker = Waker::new(poll.registry(), Token(usize::MAX));
        let waker = Arc::new(waker.map_err(|error| format!("can't create a waker: {error}"))?);
        let failed = |error| format!("the publisher: {error}");
        let mut stream = connect(plan.publish_address).map_err(failed)?;
        clients::open_publisher(plan.transport, &mut stream, &plan.place).map_err(failed)?;
        let stream = register(&poll, stream, plan.subscribers).map_err(failed)?;
        let body = payload::body(plan.payload);
        let publication = clients::publication(plan.transport, &plan.place, &body, plan.bytes);
        let place_of_time = payload::place_of_time(&publication).ok_or("there is no time")?;
        let publisher = Publisher { stream, publication, place_of_time, published: 0 };
        let counts = Counts { deliveries: 0, bytes: 0, delays: None };
        let (buffer, started) = (vec![0; READ].into(), Instant::now());
        let subscribers = Vec::with_capacity(plan.subscribers);
        let mut crowd = Self { plan, poll, waker, buffer, subscribers, publisher, started, counts };
        crowd.subscribe()?;
        Ok(crowd)
    }

    /// Opens the subscribers, and meanwhile answers the pings of those that are there.
    fn subscribe(&mut self) -> Result<(), String> {
        for number in 0..self.plan.subscribers {
            let Plan { transport, address, subscribers, ref place, .. } = self.plan;
            let failed = |error| format!("subscriber {number} of {subscribers}: {error}");
            let mut stream = connect(address).map_err(failed)?;
            clients::subscribe(transport, &mut stream, place).map_err(failed)?;
            let stream = register(&self.poll, stream, number).map_err(failed)?;
            self.subscribers.push(Subscriber { stream, rest: Vec::new(), received: 0 });
            if number % 64 == 0 {
                self.turn(Some(Duration::ZERO))?;
            }
        }
        Ok(())
    }

    pub(crate) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Reads and answers until there is a line of input. `None` is the end of the input.
    pub(crate) fn idle(
        &mut self,
        lines: &mpsc::Receiver<String>,
    ) -> Result<Option<String>, String> {
        loop {
            match lines.try_recv() {
                Ok(line) => return Ok(Some(line)),
                Err(mpsc::TryRecvError::Disconnected) => return Ok(None),
                Err(mpsc::TryRecvError::Empty) => self.turn(None)?,
            }
        }
    }

    pub(crate) fn connected(&self) -> usize {
        self.subscribers.len()
    }

    /// Publishes with at most `window` messages under way.
    pub(crate) fn saturate(&mut self, window: u64, duration: Duration) -> Result<String, String> {
        let start = self.start()?;
        let subscribers = self.subscribers.len() as u64;
        while start.at.elapsed() < duration {
            let arrived = self.counts.deliveries / subscribers;
            while self.publisher.published < arrived + window {
                self.publish()?;
            }
            self.turn(Some(PATIENCE))?;
        }
        self.drain()?;
        self.report(&start)
    }

    /// Publishes messages at a steady rate.
    pub(crate) fn steady(&mut self, rate: f64, duration: Duration) -> Result<String, String> {
        let start = self.start()?;
        self.counts.delays = Some(Histogram::new());
        let count = (rate * duration.as_secs_f64()).max(1.0) as u32;
        for number in 0..count {
            let due = start.at + Duration::from_secs_f64(f64::from(number) / rate);
            loop {
                let now = Instant::now();
                let Some(left) = due.checked_duration_since(now).filter(|it| !it.is_zero()) else {
                    break;
                };
                self.turn(Some(left))?;
            }
            self.publish()?;
        }
        self.drain()?;
        self.report(&start)
    }

    fn start(&mut self) -> Result<Start, String> {
        // Whatever is under way from before does not count.
        self.drain()?;
        let processes = &self.plan.processes;
        Ok(Start {
            processes: processes
                .iter()
                .map(|it| processor_time::of(*it))
                .collect::<Result<_, _>>()?,
            load: processor_time::of(std::process::id())?,
            published: self.publisher.published,
            deliveries: self.counts.deliveries,
            bytes: self.counts.bytes,
            at: Instant::now(),
        })
    }

    /// Waits until everybody has everything.
    fn drain(&mut self) -> Result<(), String> {
        let wanted = self.publisher.published * self.subscribers.len() as u64;
        while self.counts.deliveries < wanted {
            self.turn(Some(PATIENCE))?;
        }
        let published = self.publisher.published;
        match self.subscribers.iter().position(|it| it.received != published) {
            Some(number) => Err(format!(
                "subscriber {number} has {} messages of {published}",
                self.subscribers[number].received
            )),
            None => Ok(()),
        }
    }

    fn report(&mut self, start: &Start) -> Result<String, String> {
        let seconds = start.at.elapsed().as_secs_f64();
        let mut fields = vec![
            format!("\"messages\": {}", self.publisher.published - start.published),
            format!("\"deliveries\": {}", self.counts.deliveries - start.deliveries),
            format!("\"bytes\": {}", self.counts.bytes - start.bytes),
            format!("\"seconds\": {seconds}"),
            format!("\"load_ns\": {}", processor_time::of(std::process::id())? - start.load),
        ];
        let spent = self.plan.processes.iter().zip(&start.processes);
        let spent: Result<Vec<_>, String> = spent
            .map(|(process, before)| Ok((processor_time::of(*process)? - before).to_string()))
            .collect();
        fields.push(format!("\"cpu_ns\": [{}]", spent?.join(", ")));
        if let Some(delays) = self.counts.delays.take() {
            fields.push(format!("\"p50_ns\": {}", delays.quantile(0.5)));
            fields.push(format!("\"p99_ns\": {}", delays.quantile(0.99)));
            fields.push(format!("\"most_ns\": {}", delays.largest()));
        }
        Ok(format!("{{{}}}", fields.join(", ")))
    }

    fn publish(&mut self) -> Result<(), String> {
        let publisher = &mut self.publisher;
        let time = self.started.elapsed().as_nanos() as u64;
        payload::set_time(&mut publisher.publication[publisher.place_of_time..], time);
        publisher.published += 1;
        write_all(&mut publisher.stream, &publisher.publication)
            .map_err(|error| format!("the publisher can't write: {error}"))
    }

    /// Reads what has arrived, or waits for it or for a line of input.
    fn turn(&mut self, patience: Option<Duration>) -> Result<(), String> {
        let mut events = Events::with_capacity(256);
        match self.poll.poll(&mut events, patience) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(format!("can't wait: {error}"));
            }
            _ => {}
        }
        if events.is_empty() && patience == Some(PATIENCE) {
            return Err(format!(
                "nothing has arrived for {PATIENCE:?}: {} deliveries of {} messages",
                self.counts.deliveries, self.publisher.published
            ));
        }
        for event in &events {
            let number = event.token().0;
            if number != usize::MAX {
                self.read(number).map_err(|error| format!("client {number}: {error}"))?;
            }
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> Result<(), String> {
        let Self { plan, buffer, subscribers, publisher, started, counts, .. } = self;
        let mut rest = Vec::new();
        let (stream, rest, received) = match subscribers.get_mut(number) {
            Some(it) => (&mut it.stream, &mut it.rest, &mut it.received),
            None => (&mut publisher.stream, &mut rest, &mut 0),
        };
        // What the publisher gets is not a subscription's, but speaks the same WebSocket.
        let transport = match plan.transport {
            Transport::Events | Transport::Poll if number == plan.subscribers => Transport::Stomp,
            transport => transport,
        };
        let mut replies = Vec::new();
        loop {
            let kept = rest.len();
            if kept == READ {
                return Err(format!("a message is longer than {READ} bytes"));
            }
            buffer[..kept].copy_from_slice(rest);
            let read = match stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err("the server has ended the connection".to_owned()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            };
            let now = started.elapsed().as_nanos() as u64;
            let bytes = &buffer[..kept + read];
            let before = *received;
            let done = clients::read(transport, &plan.place, bytes, &mut replies, |sent| {
                *received += 1;
                if let Some(delays) = &mut counts.delays {
                    delays.record(now.saturating_sub(sent));
                }
            })?;
            counts.deliveries += *received - before;
            counts.bytes += read as u64;
            if done < bytes.len() {
                *rest = bytes[done..].to_vec();
            } else if kept > 0 {
                *rest = Vec::new();
            }
            if !replies.is_empty() {
                write_all(stream, &mem::take(&mut replies)).map_err(|error| error.to_string())?;
            }
            // A short read has taken everything: what comes later is an event of its own.
            if read < READ - kept {
                break;
            }
        }
        Ok(())
    }
}

fn connect(address: SocketAddr) -> std::io::Result<Blocking> {
    let stream = Blocking::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // The next load is to find its ports free.
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(stream)
}

fn register(poll: &Poll, stream: Blocking, number: usize) -> std::io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
    Ok(stream)
}

/// Writes everything. The servers read while they write, so this waits for moments at most.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Raises the limit on open files to the hard limit.
fn allow_files(needed: u64) -> Result<(), String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If this fails, the check below says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(format!(
            "{needed} open files are needed, and {allowed} are allowed: see 'ulimit -Hn'"
        )),
        _ => Ok(()),
    }
}
