//! Followers: they follow topics on any transport, and change it now and then. One cursor is enough.

use super::{
    Phase, World,
    exchange::Exchange,
    line::{Line, Told},
    wire::Transport,
};
use crate::{
    http::Request,
    json::Json,
    link::{Arrival, LinkId, Network, Side},
    random::Random,
    truth::Followed,
};
use sansocket::client::Backoff;
use sansocket_realtime::{
    Cursor,
    hub::Start,
    sse::{self, Action, ReadyState, Received},
    stomp::{
        Version,
        client::{AckToken, SubscribeOptions, SubscriptionId},
        header::AckMode,
    },
};
use std::{collections::VecDeque, num::NonZeroU32, time::Duration};

pub(crate) struct Follower {
    user: String,
    topics: Vec<String>,
    followed: Followed,
    reader: Reader,
    /// Whether the topics may be polled: a poll is no presence.
    may_poll: bool,
    is_leaving: bool,
}

enum Reader {
    Stomp(Box<Stomp>),
    Events(Box<Events>),
    Poll(Box<Poll>),
}

struct Stomp {
    line: Line,
    subscription: SubscriptionId,
    mode: AckMode,
    unacknowledged: VecDeque<(AckToken, Cursor)>,
    next: Duration,
}

struct Events {
    client: sse::Client,
    exchange: Option<Exchange>,
    is_json: bool,
    start: Option<Cursor>,
}

struct Poll {
    exchange: Option<Exchange>,
    cursor: Option<Cursor>,
    next: Duration,
}

impl Follower {
    pub(crate) fn new(
        user: &str,
        topics: Vec<String>,
        may_poll: bool,
        network: &mut Network,
    ) -> Self {
        let own = format!("/user/{user}/queue/");
        let wants = topics.iter().map(|topic| topic.replace("/user/queue/", &own)).collect();
        let reader = Reader::any(user, &topics, may_poll, None, network);
        let mut followed = Followed::new(wants);
        followed.reader = reader.describe();
        Self { user: user.into(), topics, followed, reader, may_poll, is_leaving: false }
    }

    pub(crate) fn arrived(&mut self, link: LinkId, arrival: Arrival, world: &mut World<'_>) {
        match &mut self.reader {
            Reader::Stomp(stomp) => {
                let told = stomp.line.arrived(link, arrival, world.network, world.truth);
                self.told(told, world);
            }
            Reader::Events(events) => {
                let exchange = events.exchange.as_mut().filter(|exchange| exchange.link == link);
                let Some(exchange) = exchange else { return };
                exchange.arrived(arrival, world.network);
                self.read_events(world);
            }
            Reader::Poll(poll) => {
                if let Some(exchange) = poll.exchange.as_mut().filter(|it| it.link == link) {
                    exchange.arrived(arrival, world.network);
                    self.read_answer(world);
                }
            }
        }
    }

    pub(crate) fn drive(&mut self, world: &mut World<'_>) {
        let now = world.network.now;
        if world.phase == Phase::Leaving && !std::mem::replace(&mut self.is_leaving, true) {
            self.leave(world.network);
        }
        match &mut self.reader {
            Reader::Stomp(stomp) => {
                stomp.acknowledge(&mut self.followed, world);
                let told = stomp.line.drive(world.network, world.truth);
                self.told(told, world);
            }
            Reader::Events(events) => {
                let random = world.network.random.next();
                match events.client.next_action(now, random) {
                    Some(Action::Request) => {
                        let after = events.client.last_event_id();
                        self.followed.note(format!("requests after {after:?} at {now:?}"));
                        events.request(&self.user, &self.topics, world.network);
                    }
                    Some(_) => events.give_up(world.network),
                    None => {}
                }
            }
            Reader::Poll(poll) => {
                if poll.exchange.is_none() && poll.next <= now && !self.is_leaving {
                    poll.request(&self.user, &self.topics, world.network);
                }
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        match &self.reader {
            Reader::Stomp(stomp) => {
                let next = (!stomp.unacknowledged.is_empty()).then_some(stomp.next);
                [stomp.line.next_deadline(), next].into_iter().flatten().min()
            }
            Reader::Events(events) => events.client.next_deadline(),
            Reader::Poll(poll) => {
                (poll.exchange.is_none() && !self.is_leaving).then_some(poll.next)
            }
        }
    }

    pub(crate) fn check(&self, world: &World<'_>) {
        self.followed.check(world.truth);
    }

    /// Returns the user, if these are the topics.
    pub(crate) fn follows(&self, topic: &str) -> Option<&str> {
        (self.topics == [topic]).then_some(&*self.user)
    }

    pub(crate) fn messages(&self) -> u64 {
        self.followed.messages
    }

    pub(crate) fn describe(&self) -> String {
        format!("{}: {:#?}", self.reader.describe(), self.followed)
    }

    pub(crate) fn has_left(&self) -> bool {
        match &self.reader {
            Reader::Stomp(stomp) => stomp.line.is_idle(),
            Reader::Events(events) => events.exchange.is_none(),
            Reader::Poll(poll) => poll.exchange.is_none(),
        }
    }

    fn leave(&mut self, network: &mut Network) {
        match &mut self.reader {
            Reader::Stomp(stomp) => stomp.line.leave(network.now),
            Reader::Events(events) => {
                events.client.close();
                events.give_up(network);
            }
            Reader::Poll(poll) => {
                if let Some(exchange) = poll.exchange.take() {
                    network.reset(exchange.link, Side::Client);
                }
            }
        }
    }

    /// A connection is lost, which is an occasion to try something else.
    fn is_lost(&mut self, cursor: Option<Cursor>, world: &mut World<'_>) {
        let wants_other = world.phase == Phase::Busy && world.network.random.once_in(2);
        if !wants_other {
            return;
        }
        self.leave(world.network);
        world.truth.count("changes of transport");
        self.followed.resumes(cursor);
        let (user, topics) = (&self.user, &self.topics);
        self.reader = Reader::any(user, topics, self.may_poll, cursor, world.network);
        self.followed.reader = self.reader.describe();
    }

    fn told(&mut self, told: Vec<Told>, world: &mut World<'_>) {
        for told in told {
            let Reader::Stomp(stomp) = &mut self.reader else { return };
            match told {
                Told::Subscribed { cursor, .. } => {
                    self.followed.begins(cursor.unwrap(), stomp.mode != AckMode::Auto);
                }
                Told::Message { cursor, token, body, .. } => {
                    let cursor = cursor.expect("messages of topics have a place");
                    self.followed.message(world.truth, cursor, &body);
                    if let Some(token) = token {
                        stomp.unacknowledged.push_back((token, cursor));
                        stomp.next = world.network.now + world.network.random.millis(10, 3_000);
                    }
                }
                Told::Gap(gap) => self.followed.gap(world.truth, gap.from, gap.to),
                Told::Lost(_) => {
                    self.followed.note(String::from("lost"));
                    stomp.unacknowledged.clear();
                    let cursor = stomp.line.client.cursor(stomp.subscription);
                    self.is_lost(cursor, world);
                }
                _ => {}
            }
        }
    }

    fn read_events(&mut self, world: &mut World<'_>) {
        let Reader::Events(events) = &mut self.reader else { return };
        let Some(exchange) = &mut events.exchange else { return };
        let now = world.network.now;
        let is_new = events.client.ready_state() == ReadyState::Connecting;
        if let Some(head) = exchange.head.as_ref().filter(|_| is_new) {
            assert_eq!(head.status, 200);
            let content_type = head.get("content-type").map(str::as_bytes);
            events.client.response(head.status, content_type, now).unwrap();
        }
        let body =
            if exchange.head.is_some() { std::mem::take(&mut exchange.body) } else { Vec::new() };
        let mut body = &body[..];
        while let Some(received) = events.client.next(&mut body, now).unwrap() {
            let Received::Message(message) = received else { continue };
            let cursor = message.last_event_id.parse().unwrap();
            if message.event_type == sse::GAP {
                let gap = Json::parse(message.data.as_bytes());
                let from = gap.text_of("from").parse().unwrap();
                self.followed.gap(world.truth, from, gap.text_of("to").parse().unwrap());
            } else if events.is_json {
                let event = Json::parse(message.data.as_bytes());
                self.followed.message(world.truth, cursor, event.text_of("data"));
            } else {
                self.followed.message(world.truth, cursor, message.data);
            }
        }
        // The ID moves also without events.
        let cursor = events.client.last_event_id().parse().ok();
        if let Some(cursor) = cursor {
            self.followed.advances(world.truth, cursor);
        }
        if exchange.ended.is_some() {
            events.exchange = None;
            events.client.ended(now, world.network.random.next());
            let cursor = cursor.or(events.start);
            self.is_lost(cursor, world);
        }
    }

    fn read_answer(&mut self, world: &mut World<'_>) {
        let Reader::Poll(poll) = &mut self.reader else { return };
        let Some(is_complete) = poll.exchange.as_ref().and_then(|exchange| exchange.ended) else {
            return;
        };
        let Some(exchange) = poll.exchange.take() else { return };
        let now = world.network.now;
        let is_answered = is_complete && exchange.status() == Some(200);
        if !is_answered {
            poll.next = now + world.network.random.millis(500, 1_500);
            let cursor = poll.cursor;
            return self.is_lost(cursor, world);
        }
        poll.next = now + world.network.random.millis(1, 50);
        let answer = Json::parse(&exchange.body);
        for event in answer.get("events").unwrap().items() {
            match event.get("gap") {
                Some(gap) => {
                    let from = gap.text_of("from").parse().unwrap();
                    self.followed.gap(world.truth, from, gap.text_of("to").parse().unwrap());
                }
                None => {
                    let cursor = event.text_of("cursor").parse().unwrap();
                    self.followed.message(world.truth, cursor, event.text_of("data"));
                }
            }
        }
        let cursor = answer.text_of("cursor").parse().unwrap();
        self.followed.advances(world.truth, cursor);
        poll.cursor = Some(cursor);
        if world.network.random.once_in(20) {
            self.is_lost(Some(cursor), world);
        }
    }
}

impl Reader {
    fn describe(&self) -> String {
        match self {
            Self::Stomp(stomp) => format!("STOMP over {:?}, {}", stomp.line.transport, stomp.mode),
            Self::Events(_) => String::from("event stream"),
            Self::Poll(_) => String::from("polls"),
        }
    }

    fn any(
        user: &str,
        topics: &[String],
        may_poll: bool,
        cursor: Option<Cursor>,
        network: &mut Network,
    ) -> Self {
        // A subscription of STOMP has one destination.
        let may_stomp = topics.len() == 1;
        match network.random.below(4) {
            0 | 1 if may_stomp => {
                Self::Stomp(Box::new(Stomp::new(user, &topics[0], cursor, network)))
            }
            2 if may_poll => {
                Self::Poll(Box::new(Poll { exchange: None, cursor, next: network.now }))
            }
            _ => Self::Events(Box::new(Events::new(cursor, network))),
        }
    }
}

impl Stomp {
    fn new(user: &str, topic: &str, cursor: Option<Cursor>, network: &mut Network) -> Self {
        let random: &mut Random = &mut network.random;
        let version = random.pick(&Version::ALL);
        let mode = match version {
            Version::V1_0 => random.pick(&[AckMode::Auto, AckMode::Client]),
            _ => random.pick(&[AckMode::Auto, AckMode::Client, AckMode::ClientIndividual]),
        };
        let transport = Transport::any(random);
        let mut options = SubscribeOptions::default().ack(mode);
        if random.once_in(2) {
            options = options.prefetch(NonZeroU32::new(5));
        }
        if let Some(cursor) = cursor {
            options = options.start(Start::After(cursor));
        }
        let mut line = Line::new(user, vec![version], transport, network.now);
        let subscription = line.client.subscribe(topic, options).unwrap();
        Self { line, subscription, mode, unacknowledged: VecDeque::new(), next: network.now }
    }

    fn acknowledge(&mut self, followed: &mut Followed, world: &mut World<'_>) {
        if !self.line.is_connected() || self.next > world.network.now {
            return;
        }
        while !self.unacknowledged.is_empty() {
            let at = world.network.random.below(self.unacknowledged.len() as u64) as usize;
            let token = self.unacknowledged[at].0.clone();
            self.line.client.ack(&token).unwrap();
            let from = if self.mode == AckMode::Client { 0 } else { at };
            for (_, cursor) in self.unacknowledged.drain(from..=at) {
                followed.settles(cursor);
            }
        }
    }
}

impl Events {
    fn new(start: Option<Cursor>, network: &mut Network) -> Self {
        let backoff = Backoff::new().cap(Duration::from_secs(5)).stable_after(Duration::ZERO);
        let config = sse::ClientConfig::default().silence(Duration::from_secs(45)).backoff(backoff);
        let client = sse::Client::new(config, network.now);
        Self { client, exchange: None, is_json: network.random.once_in(2), start }
    }

    fn request(&mut self, user: &str, topics: &[String], network: &mut Network) {
        let mut target = target("/events", topics, self.start);
        if self.is_json {
            target += "&form=json";
        }
        let mut request = Request::new("GET", target).field("user", user);
        for (name, value) in self.client.request_fields() {
            request = request.field(name, value);
        }
        self.exchange = Some(Exchange::begin(&request, network));
    }

    fn give_up(&mut self, network: &mut Network) {
        if let Some(exchange) = self.exchange.take() {
            network.reset(exchange.link, Side::Client);
        }
    }
}

impl Poll {
    fn request(&mut self, user: &str, topics: &[String], network: &mut Network) {
        let wait = network.random.pick(&[0, 1, 25]);
        if wait == 0 {
            self.next = network.now + Duration::from_secs(1);
        }
        let target = format!("{}&wait={wait}", target("/poll", topics, self.cursor));
        let request = Request::new("GET", target).field("user", user);
        self.exchange = Some(Exchange::begin(&request, network));
    }
}

fn target(path: &str, topics: &[String], since: Option<Cursor>) -> String {
    let mut target = format!("{path}?");
    for topic in topics {
        target += &format!("topic={topic}&");
    }
    match since {
        Some(cursor) => target + &format!("since={cursor}"),
        None => target + "since=now",
    }
}
