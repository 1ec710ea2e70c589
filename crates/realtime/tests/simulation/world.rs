//! One run: a seed, a server, its clients, and the time between them.

use crate::{
    broker::Broker,
    clients::{Client, Follower, Phase, Talker, Worker, World},
    link::{Network, Side},
    random::Random,
    server::Server,
    timers::Timers,
    truth::Truth,
};
use sansocket_testkit::allocator::live;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a run has shown.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// A hash of everything that has arrived anywhere.
    pub(crate) trace: u64,
    pub(crate) seen: BTreeMap<&'static str, u64>,
    /// How many bytes the server holds after all have gone.
    pub(crate) held: isize,
}

/// How many steps there may be at one moment. More means that a machine asks for a time that has
/// passed, again and again.
const STEPS: u64 = 20_000;

struct Simulation {
    network: Network,
    truth: Truth,
    servers: Vec<Server>,
    broker: Option<Broker>,
    clients: Vec<Client>,
    timers: Timers<usize>,
    phase: Phase,
    publishing: Duration,
    published: u64,
}

/// Runs a whole life: clients come, talk, lose their connections, get everything, and go.
pub(crate) fn run(seed: u64, clients: usize, servers: usize) -> Outcome {
    let mut simulation = Simulation::new(seed, clients, servers);
    simulation.run_for(Duration::from_secs(45));
    if simulation.broker.is_none() && simulation.network.random.once_in(4) {
        simulation.restart();
    }
    simulation.run_for(Duration::from_secs(45));
    simulation.phase = Phase::Calm;
    simulation.network.has_faults = false;
    // Broken links are found, clients come back, and slow ones catch up.
    simulation.run_for(Duration::from_secs(300));
    simulation.check_all();
    simulation.phase = Phase::Leaving;
    simulation.wake_all();
    simulation.run_for(Duration::from_secs(200));
    for (index, client) in simulation.clients.iter().enumerate() {
        assert!(client.has_left(), "client {index} is still there: {}", client.describe());
    }
    for server in &mut simulation.servers {
        server.stop_writing();
        server.settle(&mut simulation.network, &mut simulation.truth);
    }
    // What topics keep expires.
    simulation.run_for(Duration::from_secs(400));
    simulation.servers.iter().for_each(Server::check_is_empty);
    assert_eq!(simulation.network.links(), 0, "links");
    let Simulation { network, truth, servers, .. } = simulation;
    let held = held_by(servers);
    Outcome { trace: network.trace(), seen: truth.seen, held }
}

/// Returns how many bytes a server holds that has had no clients.
pub(crate) fn held_by_new_server() -> isize {
    held_by(vec![Server::new(1, false)])
}

fn held_by(servers: Vec<Server>) -> isize {
    let before = live();
    drop(servers);
    before - live()
}

impl Simulation {
    fn new(seed: u64, clients: usize, servers: usize) -> Self {
        let mut network = Network::new(Random::new(seed));
        let is_bridged = servers > 1;
        let broker = is_bridged.then(|| Broker::new(servers));
        let servers = (1..=servers as u64).map(|epoch| Server::new(epoch, is_bridged)).collect();
        let clients = (0..clients).map(|index| client(index, &mut network)).collect();
        let publishing = network.now;
        let mut simulation = Self {
            network,
            truth: Truth::default(),
            servers,
            broker,
            clients,
            timers: Timers::new(),
            phase: Phase::Busy,
            publishing,
            published: 0,
        };
        simulation.wake_all();
        simulation
    }

    /// The server starts again, and has forgotten everything.
    fn restart(&mut self) {
        self.truth.count("restarts");
        std::mem::replace(&mut self.servers[0], Server::new(2, false)).crash(&mut self.network);
        self.truth.jobs_forgotten();
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.network.now + time;
        loop {
            self.run_moment();
            let publishing = (self.phase == Phase::Busy).then_some(self.publishing);
            let deadlines = [
                self.network.next_deadline(),
                self.servers.iter().filter_map(Server::next_deadline).min(),
                self.broker.as_ref().and_then(Broker::next_deadline),
                self.timers.next_deadline(),
                publishing,
            ];
            let next = deadlines.into_iter().flatten().min().unwrap_or(end);
            if next >= end {
                self.network.now = end;
                return;
            }
            self.network.now = next.max(self.network.now);
        }
    }

    /// Does everything that happens at this moment.
    fn run_moment(&mut self) {
        let now = self.network.now;
        let has_passed = |deadline: Option<Duration>| deadline.is_some_and(|at| at <= now);
        self.servers.iter_mut().for_each(|server| server.steps = 0);
        let mut steps = 0;
        loop {
            steps += 1;
            let of_servers: u64 = self.servers.iter().map(|server| server.steps).sum();
            assert!(steps + of_servers < STEPS, "no progress at {now:?}");
            if self.phase == Phase::Busy && self.publishing <= now {
                self.publish();
            } else if let Some((ends, link, side, arrival)) = self.network.next() {
                match side {
                    Side::Server => {
                        self.servers[ends.server].arrived(link, arrival, &mut self.network);
                    }
                    Side::Client => {
                        self.with(ends.client, |it, world| it.arrived(link, arrival, world));
                        continue;
                    }
                }
            } else if let Some(client) = self.timers.take(now) {
                self.with(client, Client::drive);
                continue;
            } else if has_passed(self.broker.as_ref().and_then(Broker::next_deadline)) {
                let Self { broker: Some(broker), servers, network, truth, phase, .. } = self else {
                    return;
                };
                broker.pump(servers, network, truth, *phase == Phase::Busy);
            } else if !self.servers.iter().any(|server| has_passed(server.next_deadline())) {
                return;
            }
            for server in &mut self.servers {
                server.settle(&mut self.network, &mut self.truth);
            }
            if let Some(broker) = &mut self.broker {
                broker.collect(&mut self.servers, &mut self.network);
            }
        }
    }

    fn with(&mut self, index: usize, act: impl FnOnce(&mut Client, &mut World<'_>)) {
        let Self { network, truth, phase, .. } = self;
        network.client = index;
        let client = &mut self.clients[index];
        // Queues are not bridged, so those who use them are all at the first server.
        let roams = matches!(client, Client::Follower(_));
        network.servers = if roams { self.servers.len() } else { 1 };
        act(client, &mut World { network, truth, phase: *phase });
        self.timers.set(index, client.next_deadline());
    }

    fn wake_all(&mut self) {
        for index in 0..self.clients.len() {
            self.with(index, Client::drive);
        }
    }

    /// The application publishes something.
    fn publish(&mut self) {
        let random = &mut self.network.random;
        self.publishing += random.millis(20, 1_000);
        self.published += 1;
        let body = format!("{} {}", self.published, "y".repeat(random.below(1_500) as usize));
        let at = random.below(self.servers.len() as u64) as usize;
        let server = &mut self.servers[at];
        match random.below(10) {
            0 => {
                let user = format!("user-{}", random.below(self.clients.len() as u64));
                server.publish_to(&user, &body);
            }
            1 | 2 => {
                self.truth.jobs += 1;
                self.truth.enqueued.insert(self.truth.jobs);
                server.publish("/queue/jobs", &self.truth.jobs.to_string());
            }
            3 => server.publish("/topic/room", &body),
            4 => server.publish("/topic/b", &body),
            _ => {
                let topic = format!("/topic/a/{}", random.below(4));
                server.publish(&topic, &body);
            }
        }
    }

    fn check_all(&mut self) {
        let world = World { network: &mut self.network, truth: &mut self.truth, phase: self.phase };
        self.clients.iter().for_each(|client| client.check(&world));
        self.truth.check_jobs();
        let mut present = BTreeSet::new();
        let mut messages = 0;
        for client in &self.clients {
            if let Client::Follower(follower) = client {
                present.extend(follower.follows("/topic/room").map(str::to_owned));
                messages += follower.messages();
            }
        }
        let presence = self.servers.iter().flat_map(|server| server.presence("/topic/room"));
        assert_eq!(presence.collect::<BTreeSet<_>>(), present);
        self.truth.seen.insert("messages", messages);
    }
}

fn client(index: usize, network: &mut Network) -> Client {
    let user = format!("user-{index}");
    // However few clients there are, somebody does the jobs.
    let kind = if index == 0 { 3 } else { network.random.below(12) };
    let topics: Vec<String> = match kind {
        0..3 => return Client::Talker(Box::new(Talker::new(&user, network))),
        3 => return Client::Worker(Box::new(Worker::new(&user, network))),
        4 | 5 => vec!["/topic/a/*".into()],
        6 => vec!["/topic/a/1".into(), "/topic/b".into(), "/user/queue/news".into()],
        7 => vec!["/user/queue/news".into()],
        8 => vec!["/topic/room".into()],
        9 => vec!["/topic/b".into()],
        _ => vec![format!("/topic/a/{}", network.random.below(4))],
    };
    let may_poll = topics != ["/topic/room"];
    Client::Follower(Box::new(Follower::new(&user, topics, may_poll, network)))
}
