//! Random users at random hubs, while random things fail: whoever watches a presence knows who is there.

use proptest::{collection::vec, prelude::*};
use sansocket_realtime::{
    Cursor, Epoch,
    bridge::{self, Event, Memory, QuestionId},
    hub::{
        Command, Config, ConnectionId, Effect, Hub, Open, Principal, RequestId, Start,
        SubscribeOptions, SubscriptionId, TopicConfig,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

const NOW: Duration = Duration::ZERO;
const TOPIC: &str = "/topic/a";
const PRESENCE: &str = "/presence/topic/a";
/// The subscriptions of a client.
const MEMBER: SubscriptionId = SubscriptionId(0);
const WATCHER: SubscriptionId = SubscriptionId(1);
/// Of the clients, two are the same user, and the last has none.
const USERS: [Option<&str>; 5] = [Some("ann"), Some("ann"), Some("bob"), Some("eve"), None];

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter {
        client: u8,
    },
    Leave {
        client: u8,
    },
    Watch {
        client: u8,
    },
    Unwatch {
        client: u8,
    },
    /// A client loses its connection, and comes back at any hub with what it knows.
    Move {
        client: u8,
        node: u8,
    },
    Pause {
        client: u8,
    },
    GoOn {
        client: u8,
    },
    Commands {
        node: u8,
        count: u8,
    },
    Events {
        node: u8,
        count: u8,
    },
    Cut {
        node: u8,
        lost: u8,
    },
    Connect {
        node: u8,
    },
    BeginEpoch,
    Kill {
        node: u8,
        handled: u8,
    },
    /// The broker gives up waiting for a hub: one that was killed, or, wrongly, one that was not.
    CountAsDead {
        which: u8,
    },
}

struct Node {
    hub: Hub,
    link: bridge::Node,
    commands: VecDeque<bridge::Command>,
    events: VecDeque<Event>,
    is_connected: bool,
    /// Whether what the hub tells is for the connection that exists.
    is_heard: bool,
}

#[derive(Debug)]
struct Client {
    connection: ConnectionId,
    node: usize,
    user: Option<&'static str>,
    is_member: bool,
    watches: Option<Known>,
}

/// What a client knows, which does what a page does.
#[derive(Debug, Default)]
struct Known {
    users: BTreeSet<String>,
    at: Option<Cursor>,
    /// Whether there was a whole list since the last gap.
    is_whole: bool,
}

struct World {
    memory: Memory,
    /// Follows the presence, and is never away.
    observer: bridge::Node,
    /// Who is there, as the messages say that the observer has got in this epoch.
    observed: BTreeSet<String>,
    nodes: Vec<Node>,
    killed: Vec<bridge::Node>,
    clients: Vec<Client>,
    epoch: Epoch,
    /// What the application was told of each hub.
    told: BTreeMap<usize, (Vec<String>, usize, bool)>,
    numbers: u64,
}

impl World {
    fn new(nodes: usize, kept: usize, history: usize) -> Self {
        let epoch = Epoch(0xb0);
        let mut memory = Memory::new(epoch).history(history);
        let observer = memory.join();
        memory.connect(observer);
        let mut world = Self {
            memory,
            observer,
            observed: BTreeSet::new(),
            nodes: Vec::new(),
            killed: Vec::new(),
            clients: Vec::new(),
            epoch,
            told: BTreeMap::new(),
            numbers: 100,
        };
        for _ in 0..nodes {
            let node = world.node(kept);
            world.nodes.push(node);
        }
        for (index, user) in USERS.into_iter().enumerate() {
            let (connection, node) = (ConnectionId(index as u64), index % nodes);
            let (is_member, watches) = (false, None);
            world.clients.push(Client { connection, node, user, is_member, watches });
            world.connect_client(index);
        }
        (0..nodes).for_each(|node| world.connect(node));
        world
    }

    fn node(&mut self, kept: usize) -> Node {
        self.numbers += 1;
        let topics = TopicConfig::default().presence(true).messages(kept);
        let config = Config::default().other_topics(topics);
        let hub = Hub::with_config(Epoch(self.numbers), config, Open).with_bridge();
        let (commands, events) = (VecDeque::new(), VecDeque::new());
        let link = self.memory.join();
        Node { hub, link, commands, events, is_connected: false, is_heard: false }
    }

    fn take(&mut self, step: Step) {
        let client = |client: u8| usize::from(client) % USERS.len();
        let nodes = self.nodes.len();
        let node = |node: u8| usize::from(node) % nodes;
        match step {
            Step::Enter { client: it } => self.enter(client(it)),
            Step::Leave { client: it } => {
                if core::mem::take(&mut self.clients[client(it)].is_member) {
                    self.unsubscribe(client(it), MEMBER);
                }
            }
            Step::Watch { client: it } => {
                if self.clients[client(it)].watches.is_none() {
                    self.watch(client(it), Known::default());
                }
            }
            Step::Unwatch { client: it } => {
                if self.clients[client(it)].watches.take().is_some() {
                    self.unsubscribe(client(it), WATCHER);
                }
            }
            Step::Move { client: it, node: to } => {
                let connection = self.clients[client(it)].connection;
                let from = self.clients[client(it)].node;
                self.handle(from, Command::Disconnect { connection });
                self.come_back(client(it), node(to));
            }
            Step::Pause { client: it } => {
                let Client { connection, node, .. } = self.clients[client(it)];
                self.handle(node, Command::Pause { connection });
            }
            Step::GoOn { client: it } => self.go_on(client(it)),
            Step::Commands { node: it, count } => {
                (0..count).for_each(|_| _ = self.carry_command(node(it)));
            }
            Step::Events { node: it, count } => {
                (0..count).for_each(|_| _ = self.hear(node(it)));
            }
            Step::Cut { node: it, lost } => self.cut(node(it), lost.into()),
            Step::Connect { node: it } => self.connect(node(it)),
            Step::BeginEpoch => {
                self.epoch = Epoch(self.epoch.0 + 1);
                self.memory.begin_epoch(self.epoch);
                self.collect();
            }
            Step::Kill { node: it, handled } => self.kill(node(it), handled.into()),
            Step::CountAsDead { which } => {
                let which = usize::from(which) % (2 * nodes);
                let link = match which.checked_sub(nodes) {
                    None => self.nodes[which].link,
                    Some(killed) if killed < self.killed.len() => self.killed.remove(killed),
                    Some(_) => return,
                };
                self.memory.count_as_dead(link);
                self.collect();
            }
        }
    }

    /// Lets everything work until nothing happens any more, and checks that all know who is there.
    fn settle(&mut self) {
        for link in core::mem::take(&mut self.killed) {
            self.memory.count_as_dead(link);
        }
        self.collect();
        (0..USERS.len()).for_each(|client| self.go_on(client));
        (0..self.nodes.len()).for_each(|node| self.connect(node));
        self.come_to_rest();
        for node in 0..self.nodes.len() {
            let request = RequestId(node as u64);
            let (topic, timeout) = (TOPIC.into(), Duration::from_secs(1));
            self.handle(node, Command::Presence { topic, timeout, request });
        }
        self.come_to_rest();
        let there = self.clients.iter().filter(|it| it.is_member);
        let there: BTreeSet<_> = there.filter_map(|it| it.user).map(str::to_owned).collect();
        let anonymous = self.clients.iter().filter(|it| it.is_member && it.user.is_none()).count();
        for client in &self.clients {
            if let Some(known) = &client.watches {
                assert!(known.is_whole && known.at.is_some(), "{client:?} waits");
                assert_eq!(known.users, there, "{client:?}");
            }
        }
        assert_eq!(self.observed.len(), there.len() + anonymous, "{:?}", self.observed);
        let users: Vec<_> = there.into_iter().collect();
        for node in 0..self.nodes.len() {
            assert_eq!(self.told[&node], (users.clone(), anonymous, false));
        }
    }

    fn come_to_rest(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "it does not come to rest");
            let mut is_at_rest = true;
            for node in 0..self.nodes.len() {
                while self.carry_command(node) || self.hear(node) {
                    is_at_rest = false;
                }
            }
            if is_at_rest {
                return;
            }
        }
    }

    fn handle(&mut self, node: usize, command: Command) {
        let effects: Vec<_> = self.nodes[node].hub.handle(command, NOW).collect();
        for effect in effects {
            match effect {
                Effect::Bridge(command) if self.nodes[node].is_heard => {
                    self.nodes[node].commands.push_back(*command);
                }
                Effect::Bridge(_) => {}
                Effect::Presence { request, presence } => {
                    let users = presence.users.iter().map(ToString::to_string).collect();
                    let told = (users, presence.anonymous, presence.is_partial);
                    self.told.insert(request.0 as usize, told);
                }
                effect => self.tell(effect),
            }
        }
    }

    fn tell(&mut self, effect: Effect) {
        let connection = effect.connection().unwrap();
        let is_of_it = |client: &&mut Client| client.connection == connection;
        let client = self.clients.iter_mut().find(is_of_it).expect("it has not gone");
        let known = client.watches.as_mut();
        match effect {
            Effect::Deliver { subscription: WATCHER, message, .. } => {
                known.unwrap().hears(message.message().text().unwrap(), message.cursor());
            }
            Effect::Gap { subscription: WATCHER, gap, .. } => {
                let known = known.unwrap();
                (known.at, known.is_whole) = (Some(gap.to), false);
            }
            Effect::Subscribed { subscription: WATCHER, cursor, .. } => known.unwrap().at = cursor,
            Effect::Gap { .. } | Effect::Subscribed { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn connect_client(&mut self, client: usize) {
        let Client { connection, node, user, .. } = self.clients[client];
        let principal = user.map(Principal::new);
        self.handle(node, Command::Connect { connection, principal });
    }

    /// Lets a client whose connection has ended come back at a hub.
    fn come_back(&mut self, client: usize, node: usize) {
        self.numbers += 1;
        self.clients[client].connection = ConnectionId(self.numbers);
        self.clients[client].node = node;
        self.connect_client(client);
        let known = self.clients[client].watches.take();
        if let Some(known) = known {
            // Whoever does not know all members begins anew.
            self.watch(client, if known.is_whole { known } else { Known::default() });
        }
        if core::mem::take(&mut self.clients[client].is_member) {
            self.enter(client);
        }
    }

    fn enter(&mut self, client: usize) {
        if !core::mem::replace(&mut self.clients[client].is_member, true) {
            self.subscribe(client, MEMBER, TOPIC, SubscribeOptions::default().gaps(true));
        }
    }

    fn watch(&mut self, client: usize, mut known: Known) {
        let start = known.at.take().map_or(Start::Now, Start::After);
        self.clients[client].watches = Some(known);
        let options = SubscribeOptions::default().gaps(true).start(start);
        self.subscribe(client, WATCHER, PRESENCE, options);
    }

    fn subscribe(
        &mut self,
        client: usize,
        subscription: SubscriptionId,
        destination: &str,
        options: SubscribeOptions,
    ) {
        let Client { connection, node, .. } = self.clients[client];
        let (destinations, request) = (vec![destination.into()], None);
        let subscribe =
            Command::Subscribe { connection, subscription, destinations, options, request };
        self.handle(node, subscribe);
    }

    fn unsubscribe(&mut self, client: usize, subscription: SubscriptionId) {
        let Client { connection, node, .. } = self.clients[client];
        let request = None;
        self.handle(node, Command::Unsubscribe { connection, subscription, request });
    }

    fn go_on(&mut self, client: usize) {
        let Client { connection, node, .. } = self.clients[client];
        self.handle(node, Command::Resume { connection });
    }

    fn connect(&mut self, node: usize) {
        if !core::mem::replace(&mut self.nodes[node].is_connected, true) {
            self.nodes[node].commands.clear();
            self.memory.connect(self.nodes[node].link);
            self.collect();
        }
    }

    /// Cuts a connection. Of what is on its way to the hub, this much is lost.
    fn cut(&mut self, node: usize, lost: usize) {
        let node = &mut self.nodes[node];
        if core::mem::take(&mut node.is_connected) {
            node.is_heard = false;
            node.commands.clear();
            node.events.truncate(node.events.len().saturating_sub(lost));
            self.memory.disconnect(node.link);
            self.collect();
        }
    }

    /// Lets a hub die after the broker has handled some of what it told, and another begin in its place.
    fn kill(&mut self, node: usize, handled: usize) {
        (0..handled).for_each(|_| _ = self.carry_command(node));
        self.cut(node, usize::MAX);
        self.killed.push(self.nodes[node].link);
        self.nodes[node] = self.node(3);
        for client in 0..USERS.len() {
            if self.clients[client].node == node {
                self.come_back(client, node);
            }
        }
    }

    /// Lets the broker handle the next command of a hub.
    fn carry_command(&mut self, node: usize) -> bool {
        let Some(command) = self.nodes[node].commands.pop_front() else { return false };
        self.memory.handle(self.nodes[node].link, command);
        self.collect();
        true
    }

    fn hear(&mut self, node: usize) -> bool {
        let Some(event) = self.nodes[node].events.pop_front() else { return false };
        match &event {
            Event::Down => self.nodes[node].is_heard = false,
            Event::Up { .. } => {
                // It can have been cut since.
                let events = &self.nodes[node].events;
                let is_cut = events.iter().any(|event| matches!(event, Event::Down));
                self.nodes[node].is_heard = !is_cut;
            }
            _ => {}
        }
        self.handle(node, Command::Bridge(event));
        true
    }

    fn collect(&mut self) {
        for node in &mut self.nodes {
            node.events.extend(core::iter::from_fn(|| self.memory.next(node.link)));
        }
        while let Some(event) = self.memory.next(self.observer) {
            match event {
                Event::Up { .. } | Event::EpochChanged { .. } => {
                    self.observed.clear();
                    let (question, destination) = (QuestionId(1), PRESENCE.into());
                    let follow = bridge::Command::Follow { question, destination, after: None };
                    self.memory.handle(self.observer, follow);
                }
                Event::Message(entry) => self.observe(entry.message.text().unwrap()),
                _ => {}
            }
        }
    }

    /// Each comes before they go, and comes again only then.
    fn observe(&mut self, text: &str) {
        let (event, user, node) = parse(text);
        if user == "null" {
            // There is one of them, at a hub that the message names.
            let anonymous = format!("{user} at {node}");
            match event {
                "join" => drop(self.observed.insert(anonymous)),
                _ => assert!(self.observed.remove(&anonymous), "{text}"),
            }
            return;
        }
        let is_change = match event {
            "join" => self.observed.insert(user.to_owned()),
            _ => self.observed.remove(user),
        };
        assert!(is_change, "{text}: {:?}", self.observed);
    }
}

impl Known {
    fn hears(&mut self, text: &str, cursor: Option<Cursor>) {
        self.at = cursor.or(self.at);
        if let Some(list) = text.strip_prefix(r#"{"event":"members","users":["#) {
            let (users, rest) = list.split_once(']').unwrap();
            let users = users.split(',').filter(|user| user.starts_with('"'));
            self.users = users.map(|user| user.trim_matches('"').to_owned()).collect();
            self.is_whole = rest == "}";
            return;
        }
        match parse(text) {
            (_, "null", _) => {}
            ("join", user, _) => drop(self.users.insert(user.to_owned())),
            (_, user, _) => drop(self.users.remove(user)),
        }
    }
}

/// Returns the event, the user, and the node.
fn parse(text: &str) -> (&str, &str, &str) {
    let rest = text.strip_prefix(r#"{"event":""#).unwrap();
    let (event, rest) = rest.split_once(r#"","user":"#).unwrap();
    let (user, rest) = rest.split_once(r#","node":""#).unwrap();
    (event, user.trim_matches('"'), rest.strip_suffix(r#""}"#).unwrap())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = || any::<u8>();
    let step = prop_oneof![
        12 => n().prop_map(|client| Step::Enter { client }),
        8 => n().prop_map(|client| Step::Leave { client }),
        8 => n().prop_map(|client| Step::Watch { client }),
        2 => n().prop_map(|client| Step::Unwatch { client }),
        6 => (n(), n()).prop_map(|(client, node)| Step::Move { client, node }),
        2 => n().prop_map(|client| Step::Pause { client }),
        2 => n().prop_map(|client| Step::GoOn { client }),
        20 => (n(), 1..6_u8).prop_map(|(node, count)| Step::Commands { node, count }),
        20 => (n(), 1..6_u8).prop_map(|(node, count)| Step::Events { node, count }),
        3 => (n(), 0..8_u8).prop_map(|(node, lost)| Step::Cut { node, lost }),
        4 => n().prop_map(|node| Step::Connect { node }),
        1 => Just(Step::BeginEpoch),
        1 => (n(), 0..8_u8).prop_map(|(node, handled)| Step::Kill { node, handled }),
        2 => n().prop_map(|which| Step::CountAsDead { which }),
    ];
    vec(step, 1..120)
}

proptest! {
    #[test]
    fn all_who_watch_know_who_is_there(
        nodes in 1..4_usize,
        kept in 0..6_usize,
        history in 1..8_usize,
        steps in steps(),
    ) {
        let mut world = World::new(nodes, kept, history);
        steps.into_iter().for_each(|step| world.take(step));
        world.settle();
    }
}
