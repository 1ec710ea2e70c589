//! The hub beside a naive model, which keeps everything that was ever published, with random commands.
//!
//! The model does not say which effects come, but what has to be true of them: each subscription gets
//! what matches in its order, each once, with a gap exactly where messages were dropped; nothing waits
//! that could be delivered; each message of a queue has one holder; each request is answered once.

use super::*;
use proptest::{collection::vec, prelude::*};
use sansocket_realtime::{
    Pattern,
    hub::{Call, QueueConfig, TopicConfig},
};
use std::collections::BTreeMap;

const TOPICS: [&str; 3] = ["/topic/a/1", "/topic/a/2", "/topic/b/1"];
const QUEUES: [&str; 2] = ["/queue/p", "/queue/q"];
/// What a subscription subscribes to.
const SOURCES: [&[&str]; 9] = [
    &["/topic/a/1"],
    &["/topic/b/1"],
    &["/topic/a/*"],
    &["/topic/**"],
    &["/topic/a/1", "/topic/b/1"],
    &["/topic/*/1", "/topic/a/>", "/topic/a/1"],
    &["/queue/p"],
    &["/queue/p"],
    &["/queue/q"],
];
const KEPT: usize = 3;
const AGE: Duration = Duration::from_secs(10);
const DELIVERIES: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Connect(u64),
    Disconnect(u64),
    Subscribe { name: Name, sources: usize, options: SubscribeOptions, back: Option<u64> },
    Unsubscribe(Name),
    Publish(&'static str),
    Send(u64, &'static str),
    Acknowledge { name: Name, nth: usize, is_consumed: bool },
    Commit { connection: u64, sends: Vec<&'static str>, acks: Vec<(u32, usize)> },
    Call(u64),
    Finish { nth: usize, is_refused: bool },
    Pause(u64),
    Resume(u64),
    Wait(u64),
}

/// A connection and a subscription.
type Name = (u64, u32);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let connection = || 0..3_u64;
    let name = || (connection(), 0..3_u32);
    let destination = || (0..5_usize).prop_map(|at| *TOPICS.iter().chain(&QUEUES).nth(at).unwrap());
    let acknowledgement = prop_oneof![
        Just(Acknowledgement::Automatic),
        Just(Acknowledgement::Cumulative),
        Just(Acknowledgement::Individual),
    ];
    let start = prop_oneof![Just(Start::Now), Just(Start::Beginning)];
    let options = (acknowledgement, 1..4_u32, any::<bool>(), start).prop_map(
        |(acknowledgement, window, gaps, start)| {
            with_acks(acknowledgement, window).gaps(gaps).start(start)
        },
    );
    let back = prop_oneof![1 => Just(None), 1 => (0..10_u64).prop_map(Some)];
    let step = prop_oneof![
        2 => connection().prop_map(Step::Connect),
        1 => connection().prop_map(Step::Disconnect),
        6 => (name(), 0..SOURCES.len(), options, back).prop_map(
            |(name, sources, options, back)| Step::Subscribe { name, sources, options, back }
        ),
        2 => name().prop_map(Step::Unsubscribe),
        8 => destination().prop_map(Step::Publish),
        4 => (connection(), destination()).prop_map(|(by, to)| Step::Send(by, to)),
        8 => (name(), 0..4_usize, prop::bool::weighted(0.7)).prop_map(
            |(name, nth, is_consumed)| Step::Acknowledge { name, nth, is_consumed }
        ),
        2 => (connection(), vec(destination(), 0..5), vec((0..3_u32, 0..3_usize), 0..3)).prop_map(
            |(connection, sends, acks)| Step::Commit { connection, sends, acks }
        ),
        2 => connection().prop_map(Step::Call),
        2 => (any::<usize>(), any::<bool>()).prop_map(
            |(nth, is_refused)| Step::Finish { nth, is_refused }
        ),
        2 => connection().prop_map(Step::Pause),
        2 => connection().prop_map(Step::Resume),
        1 => (1..12_u64).prop_map(Step::Wait),
    ];
    vec(step, 1..150)
}

struct Topic {
    name: &'static str,
    /// Positions, and when they expire.
    kept: Vec<(u64, Duration)>,
    /// The last position that was dropped.
    dropped: u64,
}

struct Subscription {
    patterns: Vec<Pattern>,
    /// The queue, if it is one.
    queue: Option<&'static str>,
    options: SubscribeOptions,
    has_begun: bool,
    /// Everything up to here was delivered, or is in a gap.
    through: u64,
    /// The last message that was dropped and passed over. A gap that goes further has to be told: what
    /// other topics keep comes before it.
    passed_over: u64,
    /// It has started after a cursor, and was not live since.
    is_resuming: bool,
    unacknowledged: Vec<(u64, u64)>,
    last_delivery: u64,
}

#[derive(Default)]
struct Connection {
    is_paused: bool,
    subscriptions: BTreeMap<u32, Subscription>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Holder {
    Queue,
    Consumer,
    /// It was delivered too often, and has to be discarded.
    Nobody,
}

/// A message in a queue.
struct Queued {
    queue: &'static str,
    deliveries: u32,
    holder: Holder,
}

struct Model {
    hub: Hub,
    now: Duration,
    head: u64,
    /// Every message of a topic, by its position.
    published: BTreeMap<u64, &'static str>,
    topics: [Topic; 3],
    queued: BTreeMap<u64, Queued>,
    connections: BTreeMap<u64, Connection>,
    calls: Vec<(Box<Call>, Option<u64>)>,
    /// Requests without an answer, and whose they are. The application has none.
    unanswered: BTreeMap<u64, u64>,
    last_request: u64,
}

impl Model {
    fn new(portion: usize) -> Self {
        let topics = TopicConfig::default().messages(KEPT).age(AGE);
        let queues = QueueConfig::default().deliveries(DELIVERIES);
        let config = Config::default().other_topics(topics).queues(queues);
        let config = config.replay_portion(portion);
        let mut hub = Hub::with_config(EPOCH, config, Open);
        hub.route("/app/a").unwrap();
        Self {
            hub,
            now: Duration::ZERO,
            head: 0,
            published: BTreeMap::new(),
            topics: TOPICS.map(|name| Topic { name, kept: Vec::new(), dropped: 0 }),
            queued: BTreeMap::new(),
            connections: BTreeMap::new(),
            calls: Vec::new(),
            unanswered: BTreeMap::new(),
            last_request: 0,
        }
    }

    fn step(&mut self, step: Step) {
        self.expire();
        let command = match step {
            Step::Connect(connection) => {
                self.disconnect(connection);
                self.connections.insert(connection, Connection::default());
                connect(connection, None)
            }
            Step::Disconnect(connection) => {
                self.disconnect(connection);
                Command::Disconnect { connection: ConnectionId(connection) }
            }
            Step::Subscribe { name, sources, options, back } => {
                let Some(command) = self.subscribe(name, SOURCES[sources], options, back) else {
                    return;
                };
                command
            }
            Step::Unsubscribe((connection, id)) => {
                let Some(owner) = self.connections.get_mut(&connection) else { return };
                let Some(ended) = owner.subscriptions.remove(&id) else { return };
                self.give_back(ended);
                let request = self.request(connection);
                let (connection, subscription) = (ConnectionId(connection), SubscriptionId(id));
                Command::Unsubscribe { connection, subscription, request }
            }
            Step::Publish(destination) => {
                self.publish(destination);
                let (destination, message) =
                    (destination.into(), Message::new(self.head.to_string()));
                Command::Publish { destination, message, request: None }
            }
            Step::Send(connection, destination) => {
                if !self.connections.contains_key(&connection) {
                    return;
                }
                let request = self.request(connection);
                let operation = self.publish(destination);
                Command::Perform { connection: ConnectionId(connection), operation, request }
            }
            Step::Acknowledge { name, nth, is_consumed } => {
                let Some(operation) = self.acknowledge(name, nth, is_consumed) else { return };
                let request = self.request(name.0);
                Command::Perform { connection: ConnectionId(name.0), operation, request }
            }
            Step::Commit { connection, sends, acks } => {
                if !self.connections.contains_key(&connection) {
                    return;
                }
                let acks = acks.into_iter();
                let mut operations: Vec<_> = acks
                    .filter_map(|(id, nth)| self.acknowledge((connection, id), nth, true))
                    .collect();
                operations.extend(sends.into_iter().map(|destination| self.publish(destination)));
                let request = self.request(connection);
                Command::Commit { connection: ConnectionId(connection), operations, request }
            }
            Step::Call(connection) => {
                if !self.connections.contains_key(&connection) {
                    return;
                }
                let request = self.request(connection);
                let operation = send("/app/a", "");
                Command::Perform { connection: ConnectionId(connection), operation, request }
            }
            Step::Finish { nth, is_refused } => {
                if self.calls.is_empty() {
                    return;
                }
                let (call, request) = &self.calls[nth % self.calls.len()];
                // Once it is answered, nothing more is told of it.
                let is_wanted = request.is_some_and(|it| self.unanswered.contains_key(&it));
                let is_refused = is_refused && request.is_some();
                let command = if is_refused { call.refused("no") } else { call.finished() };
                let answers = self.hub.handle(command, self.now).count();
                assert_eq!(answers, usize::from(is_wanted));
                if let Some(request) = *request {
                    self.unanswered.remove(&request);
                }
                return;
            }
            Step::Pause(connection) => {
                if let Some(paused) = self.connections.get_mut(&connection) {
                    paused.is_paused = true;
                }
                Command::Pause { connection: ConnectionId(connection) }
            }
            Step::Resume(connection) => {
                if let Some(resumed) = self.connections.get_mut(&connection) {
                    resumed.is_paused = false;
                }
                Command::Resume { connection: ConnectionId(connection) }
            }
            Step::Wait(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.expire();
                Command::TimePassed
            }
        };
        self.handle(command);
    }

    fn handle(&mut self, command: Command) {
        let mut effects: Vec<_> = self.hub.handle(command, self.now).collect();
        // The hub may deliver in portions.
        while self.hub.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            effects.extend(self.hub.handle(Command::TimePassed, self.now));
        }
        effects.into_iter().for_each(|effect| self.check(effect));
        self.check_that_nothing_waits();
    }

    /// Every second command has a request.
    fn request(&mut self, connection: u64) -> Option<RequestId> {
        self.last_request += 1;
        (self.last_request % 2 == 0).then(|| {
            self.unanswered.insert(self.last_request, connection);
            RequestId(self.last_request)
        })
    }

    fn expire(&mut self) {
        for topic in &mut self.topics {
            let expired = topic.kept.iter().take_while(|(_, expires)| *expires <= self.now).count();
            topic.dropped =
                topic.kept.drain(..expired).next_back().map_or(topic.dropped, |it| it.0);
        }
    }

    fn publish(&mut self, destination: &'static str) -> Operation {
        self.head += 1;
        if let Some(topic) = self.topics.iter_mut().find(|topic| topic.name == destination) {
            topic.kept.push((self.head, self.now + AGE));
            if topic.kept.len() > KEPT {
                topic.dropped = topic.kept.remove(0).0;
            }
            self.published.insert(self.head, destination);
        } else {
            let queued = Queued { queue: destination, deliveries: 0, holder: Holder::Queue };
            self.queued.insert(self.head, queued);
        }
        send(destination, &self.head.to_string())
    }

    fn subscribe(
        &mut self,
        (connection, id): Name,
        sources: &[&'static str],
        options: SubscribeOptions,
        back: Option<u64>,
    ) -> Option<Command> {
        let queue = QUEUES.into_iter().find(|queue| *queue == sources[0]);
        let cursor = back.map(|back| Cursor::new(EPOCH, self.head.saturating_sub(back)));
        let options = cursor.map_or(options, |cursor| options.start(Start::After(cursor)));
        let owner = self.connections.get_mut(&connection)?;
        if owner.subscriptions.contains_key(&id) {
            return None;
        }
        let patterns = sources.iter().filter_map(|source| source.parse().ok()).collect();
        let subscription = Subscription {
            patterns,
            queue,
            options: options.gaps(options.gaps || cursor.is_some()),
            has_begun: false,
            through: 0,
            passed_over: 0,
            is_resuming: cursor.is_some(),
            unacknowledged: Vec::new(),
            last_delivery: 0,
        };
        owner.subscriptions.insert(id, subscription);
        let request = self.request(connection);
        Some(Command::Subscribe {
            connection: ConnectionId(connection),
            subscription: SubscriptionId(id),
            destinations: sources.iter().map(|&source| source.into()).collect(),
            options,
            request,
        })
    }

    fn disconnect(&mut self, connection: u64) {
        self.unanswered.retain(|_, owner| *owner != connection);
        for (_, ended) in self.connections.remove(&connection).unwrap_or_default().subscriptions {
            self.give_back(ended);
        }
    }

    fn give_back(&mut self, ended: Subscription) {
        for (_, position) in ended.unacknowledged.iter().filter(|_| ended.queue.is_some()) {
            self.is_not_consumed(*position);
        }
    }

    fn is_not_consumed(&mut self, position: u64) {
        let queued = self.queued.get_mut(&position).unwrap();
        assert_eq!(queued.holder, Holder::Consumer);
        let is_last = queued.deliveries == DELIVERIES;
        queued.holder = if is_last { Holder::Nobody } else { Holder::Queue };
    }

    fn acknowledge(
        &mut self,
        (connection, id): Name,
        nth: usize,
        is_consumed: bool,
    ) -> Option<Operation> {
        let subscription = self.connections.get_mut(&connection)?.subscriptions.get_mut(&id)?;
        let (delivery, position) = *subscription.unacknowledged.get(nth)?;
        let is_cumulative = subscription.options.acknowledgement == Acknowledgement::Cumulative;
        let begin = if is_cumulative { 0 } else { nth };
        let settled: Vec<_> = subscription.unacknowledged.drain(begin..=nth).collect();
        let is_queue = subscription.queue.is_some();
        for (_, position) in settled.into_iter().filter(|_| is_queue) {
            if is_consumed {
                self.queued.remove(&position).unwrap();
            } else {
                self.is_not_consumed(position);
            }
        }
        // Messages of topics are in order, so that their cursors name them too.
        let of = match is_queue || position % 2 == 0 {
            true => delivery_of(id, delivery),
            false => DeliveryOf::Message(Some(SubscriptionId(id)), Cursor::new(EPOCH, position)),
        };
        Some(if is_consumed { Operation::Ack(of) } else { Operation::Nack(of) })
    }

    fn subscription(&mut self, connection: ConnectionId, id: SubscriptionId) -> &mut Subscription {
        let owner = self.connections.get_mut(&connection.0).expect("the connection exists");
        owner.subscriptions.get_mut(&id.0).expect("the subscription exists")
    }

    fn check(&mut self, effect: Effect) {
        match effect {
            Effect::Subscribed { connection, subscription, request, cursor } => {
                self.is_answered(connection, request);
                let head = self.head;
                let subscription = self.subscription(connection, subscription);
                assert!(!subscription.has_begun);
                subscription.has_begun = true;
                assert_eq!(cursor.is_none(), subscription.queue.is_some());
                subscription.through = cursor.map_or(0, |cursor| cursor.position);
                match subscription.options.start {
                    Start::After(after) => assert!(cursor.is_none_or(|cursor| cursor == after)),
                    Start::Now => assert!(cursor.is_none_or(|cursor| cursor.position == head)),
                    _ => assert!(subscription.through <= head),
                }
            }
            Effect::Deliver { connection, subscription, delivery, is_redelivered, message } => {
                assert!(!self.connections[&connection.0].is_paused);
                let position = message.cursor().unwrap().position;
                assert_eq!(message.message().text(), Some(&*position.to_string()));
                self.check_delivery((connection, subscription), position, is_redelivered);
                let subscription = self.subscription(connection, subscription);
                assert!(subscription.has_begun);
                let is_automatic =
                    subscription.options.acknowledgement == Acknowledgement::Automatic;
                assert_eq!(delivery.is_none(), is_automatic);
                if let Some(DeliveryId(delivery)) = delivery {
                    assert!(delivery > subscription.last_delivery);
                    subscription.last_delivery = delivery;
                    subscription.unacknowledged.push((delivery, position));
                    assert!(subscription.room() < usize::MAX);
                }
            }
            Effect::Gap { connection, subscription, gap } => {
                let (topics, name) =
                    (self.matching((connection, subscription)), (connection, subscription));
                let anything = self.topics.iter().map(|topic| topic.dropped).max().unwrap();
                let kept: Vec<_> =
                    topics.iter().flat_map(|&at| &self.topics[at].kept).map(|it| it.0).collect();
                let dropped = topics.iter().map(|&at| self.topics[at].dropped).max().unwrap();
                let subscription = self.subscription(name.0, name.1);
                assert!(subscription.options.gaps);
                let is_needed = dropped > subscription.through;
                // Of a topic that it has forgotten, the hub does not know what was in it.
                assert!(is_needed || subscription.is_resuming, "a gap without need");
                assert!(
                    gap.to.position <= if subscription.is_resuming { anything } else { dropped }
                );
                assert!(gap.to.position > subscription.through);
                let swallowed =
                    |at: &u64| (subscription.through + 1..=gap.to.position).contains(at);
                // A gap covers all topics of a subscription, also those that have lost nothing.
                let is_alone = topics.len() == 1;
                assert!(!is_alone || !kept.iter().any(swallowed), "a gap of what is kept");
                assert!(gap.to.position >= subscription.passed_over);
                (subscription.through, subscription.passed_over) = (gap.to.position, 0);
            }
            Effect::Refused { connection, request, subscription, .. } => {
                let name =
                    (connection.unwrap(), subscription.expect("only a subscription is refused"));
                assert_eq!(request, None);
                let topics = self.matching(name);
                let dropped = topics.iter().map(|&at| self.topics[at].dropped).max().unwrap();
                let subscription = self.subscription(name.0, name.1);
                assert!(
                    !subscription.options.gaps && dropped > subscription.through,
                    "without need"
                );
                self.connections.get_mut(&name.0.0).unwrap().subscriptions.remove(&name.1.0);
            }
            Effect::Processed { connection, request, .. } => {
                self.is_answered(connection.unwrap(), Some(request));
            }
            Effect::Call(call) => {
                let request = Some(self.last_request).filter(|it| self.unanswered.contains_key(it));
                self.calls.push((call, request));
            }
            Effect::Discarded { message, deliveries } => {
                assert_eq!(deliveries, DELIVERIES);
                let discarded = self.queued.remove(&message.cursor().unwrap().position).unwrap();
                assert_eq!(discarded.holder, Holder::Nobody);
            }
            other => panic!("{other:?}"),
        }
    }

    fn check_delivery(&mut self, name: (ConnectionId, SubscriptionId), position: u64, again: bool) {
        let subscription = self.subscription(name.0, name.1);
        let is_automatic = subscription.options.acknowledgement == Acknowledgement::Automatic;
        let Some(queue) = subscription.queue else {
            assert!(position > subscription.through && !again, "out of order, or twice");
            let before = subscription.through;
            subscription.through = position;
            let topics = self.matching(name);
            let wanted = |at: &u64| topics.iter().any(|&topic| TOPICS[topic] == self.published[at]);
            let passed = self.published.range(before + 1..position);
            let passed: Vec<_> = passed.map(|it| *it.0).filter(wanted).collect();
            let kept: Vec<_> = self.topics.iter().flat_map(|it| &it.kept).map(|it| it.0).collect();
            assert!(!passed.iter().any(|at| kept.contains(at)), "{passed:?} are lost");
            let subscription = self.subscription(name.0, name.1);
            subscription.passed_over = passed.last().copied().unwrap_or(subscription.passed_over);
            return;
        };
        let waiting = |it: &Queued| it.queue == queue && it.holder == Holder::Queue;
        let first = self.queued.iter().find(|(_, it)| waiting(it)).map(|(position, _)| *position);
        assert_eq!(first, Some(position), "not the first that waits");
        let queued = self.queued.get_mut(&position).unwrap();
        assert_eq!(queued.deliveries > 0, again);
        queued.deliveries += 1;
        queued.holder = Holder::Consumer;
        if is_automatic {
            self.queued.remove(&position);
        }
    }

    fn is_answered(&mut self, connection: ConnectionId, request: Option<RequestId>) {
        if let Some(request) = request {
            assert_eq!(self.unanswered.remove(&request.0), Some(connection.0), "answered twice");
        }
    }

    /// Returns the topics that a subscription subscribes to.
    fn matching(&mut self, name: (ConnectionId, SubscriptionId)) -> Vec<usize> {
        let subscription = self.subscription(name.0, name.1);
        let matches =
            |topic: &usize| subscription.patterns.iter().any(|it| it.matches(TOPICS[*topic]));
        (0..TOPICS.len()).filter(matches).collect()
    }

    fn check_that_nothing_waits(&mut self) {
        assert!(self.queued.values().all(|queued| queued.holder != Holder::Nobody));
        // Only calls are answered later.
        let of_calls = self.calls.iter().filter_map(|(_, request)| *request);
        assert!(self.unanswered.keys().all(|it| of_calls.clone().any(|call| call == *it)));
        let mut subscriptions = 0;
        for (&connection, owner) in &mut self.connections {
            for (&id, subscription) in &mut owner.subscriptions {
                subscriptions += 1;
                assert!(subscription.has_begun);
                let cursor = self.hub.cursor(ConnectionId(connection), SubscriptionId(id));
                let can_take = !owner.is_paused && subscription.room() > 0;
                if let Some(queue) = subscription.queue {
                    assert_eq!(cursor, None);
                    let waits = |it: &Queued| it.queue == queue && it.holder == Holder::Queue;
                    assert!(!can_take || !self.queued.values().any(waits));
                    continue;
                }
                let is_wanted =
                    |topic: &str| subscription.patterns.iter().any(|it| it.matches(topic));
                let mut after = self.published.range(subscription.through + 1..);
                let next = after.find(|(_, topic)| is_wanted(topic)).map(|(position, _)| *position);
                assert!(!can_take || subscription.passed_over == 0, "a gap is not told");
                assert!(!can_take || next.is_none(), "{next:?} could be delivered");
                // A cursor goes past nothing that was not delivered.
                let cursor = cursor.unwrap().position;
                assert!(cursor <= self.head && next.is_none_or(|next| next > cursor));
                subscription.is_resuming &= !can_take;
            }
        }
        assert_eq!(self.hub.subscriptions(), subscriptions);
    }

    /// Lets everybody go and everything expire.
    fn end(&mut self) {
        (0..3).for_each(|connection| self.step(Step::Disconnect(connection)));
        self.step(Step::Connect(0));
        for sources in [6, 8] {
            let options = SubscribeOptions::default();
            let name = (0, sources as u32);
            self.step(Step::Subscribe { name, sources, options, back: None });
        }
        self.step(Step::Disconnect(0));
        self.step(Step::Wait(100));
        assert!(self.queued.is_empty());
        assert_eq!((self.hub.destinations(), self.hub.next_deadline()), (0, None));
    }
}

impl Subscription {
    fn room(&self) -> usize {
        match self.options.acknowledgement {
            Acknowledgement::Automatic => usize::MAX,
            // More than the window would be less than nothing.
            _ => self.options.window.unwrap().get() as usize - self.unacknowledged.len(),
        }
    }
}

proptest! {
    #[test]
    fn the_hub_does_as_the_model(
        steps in steps(),
        portion in prop_oneof![Just(0), 1..1_000_usize, Just(usize::MAX)],
    ) {
        let mut model = Model::new(portion);
        steps.into_iter().for_each(|step| model.step(step));
        model.end();
    }
}
