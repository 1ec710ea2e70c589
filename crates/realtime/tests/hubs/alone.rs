//! One hub, whose bridge is the test itself.

use core::time::Duration;
use sansocket_realtime::{
    Cursor, Epoch, Message,
    bridge::{self, Entry, Event, History, Member, Outcome, PublishId, QuestionId},
    hub::{
        Acknowledgement, Command, Config, ConnectionId, DeliveryId, DeliveryOf, Effect, Hub, Open,
        Operation, Principal, RequestId, Start, SubscribeOptions, SubscriptionId, TopicConfig,
    },
};

pub(crate) const NODE: Epoch = Epoch(0xa);
pub(crate) const BROKER: Epoch = Epoch(0xb);

/// A hub, whose effects become short texts.
pub(crate) struct Alone {
    pub(crate) hub: Hub,
    pub(crate) now: Duration,
}

impl Alone {
    /// Creates a hub with connection 1 that keeps so many messages of a topic, and a bridge that is up.
    pub(crate) fn keeping(messages: usize) -> Self {
        let topics = TopicConfig::default().messages(messages);
        let mut alone = Self::with_config(Config::default().other_topics(topics));
        assert_eq!(alone.up(BROKER, 0), [""; 0]);
        alone
    }

    /// Creates a hub with connection 1, and a bridge that was never up.
    pub(crate) fn with_config(config: Config) -> Self {
        let local = config.local("/topic/local/*".parse().unwrap());
        let local = local.local("/queue/local/*".parse().unwrap());
        let hub = Hub::with_config(NODE, local, Open).with_bridge();
        let mut alone = Self { hub, now: Duration::ZERO };
        alone.connect(1);
        alone
    }

    pub(crate) fn handle(&mut self, command: Command) -> Vec<String> {
        self.hub.handle(command, self.now).map(show).collect()
    }

    pub(crate) fn hear(&mut self, event: Event) -> Vec<String> {
        self.handle(Command::Bridge(event))
    }

    pub(crate) fn up(&mut self, epoch: Epoch, head: u64) -> Vec<String> {
        self.hear(Event::Up { epoch, head })
    }

    pub(crate) fn down(&mut self) -> Vec<String> {
        self.hear(Event::Down)
    }

    /// The bridge tells a message, whose body is its position.
    pub(crate) fn message(&mut self, topic: &str, position: u64) -> Vec<String> {
        self.hear(Event::Message(entry(topic, position)))
    }

    /// The bridge answers a question with messages of these topics and positions.
    pub(crate) fn answer(
        &mut self,
        question: u32,
        destination: &str,
        entries: &[(&str, u64)],
        complete_after: u64,
        head: u64,
    ) -> Vec<String> {
        let entries = entries.iter().map(|(topic, position)| entry(topic, *position)).collect();
        let (question, destination) = (QuestionId(question), destination.into());
        self.hear(Event::History(History { question, destination, entries, complete_after, head }))
    }

    pub(crate) fn published(&mut self, sequence: u64, position: Option<u64>) -> Vec<String> {
        self.hear(Event::Published { id: PublishId { node: NODE, sequence }, position })
    }

    /// The bridge answers who is in the topics of presences: which users, and nobody else.
    pub(crate) fn members(&mut self, question: u32, presences: &[(&str, &[&str])]) -> Vec<String> {
        let destinations: Vec<_> =
            presences.iter().map(|(presence, _)| (*presence).into()).collect();
        let user = |user: &&str| Member::User((*user).into());
        let members = |(_, users): &(&str, &[&str])| users.iter().map(user).collect();
        let (question, members) = (QuestionId(question), presences.iter().map(members).collect());
        let (destinations, is_partial) = (destinations.into(), false);
        self.hear(Event::Members { question, destinations, members, is_partial })
    }

    pub(crate) fn left(&mut self, question: u32) -> Vec<String> {
        self.hear(Event::Left { question: QuestionId(question) })
    }

    /// The bridge tells that a message of `/queue/q` is here, whose body is its position.
    pub(crate) fn taken(&mut self, position: u64, deliveries: u32) -> Vec<String> {
        let (entry, again) = (entry("/queue/q", position), false);
        self.hear(Event::Taken { entry, deliveries, again })
    }

    /// The bridge tells again that a message of `/queue/q` is here.
    pub(crate) fn taken_again(&mut self, position: u64, deliveries: u32) -> Vec<String> {
        let (entry, again) = (entry("/queue/q", position), true);
        self.hear(Event::Taken { entry, deliveries, again })
    }

    pub(crate) fn stopped(&mut self) -> Vec<String> {
        self.hear(Event::Stopped { destination: "/queue/q".into() })
    }

    pub(crate) fn settled(&mut self, position: u64) -> Vec<String> {
        self.hear(Event::Settled { cursor: Cursor::new(BROKER, position) })
    }

    /// Consumes `/queue/q` on connection 1, with so many messages at a time.
    pub(crate) fn consume(&mut self, subscription: u32, window: u32) -> Vec<String> {
        let options = SubscribeOptions::default().acknowledgement(Acknowledgement::Individual);
        self.subscribe_with(subscription, &["/queue/q"], options.window(window.try_into().ok()))
    }

    pub(crate) fn ack(&mut self, subscription: u32, delivery: u64) -> Vec<String> {
        self.settle(Operation::Ack, subscription, delivery)
    }

    pub(crate) fn nack(&mut self, subscription: u32, delivery: u64) -> Vec<String> {
        self.settle(Operation::Nack, subscription, delivery)
    }

    fn settle(
        &mut self,
        operation: fn(DeliveryOf) -> Operation,
        subscription: u32,
        delivery: u64,
    ) -> Vec<String> {
        let delivery = DeliveryOf::Delivery(SubscriptionId(subscription), DeliveryId(delivery));
        let (connection, operation) = (ConnectionId(1), operation(delivery));
        self.handle(Command::Perform { connection, operation, request: None })
    }

    pub(crate) fn connect(&mut self, connection: u64) {
        let connection = ConnectionId(connection);
        self.handle(Command::Connect { connection, principal: None });
    }

    pub(crate) fn log_in(&mut self, connection: u64, user: &str) {
        let (connection, principal) = (ConnectionId(connection), Some(Principal::new(user)));
        self.handle(Command::Connect { connection, principal });
    }

    pub(crate) fn disconnect(&mut self, connection: u64) -> Vec<String> {
        self.handle(Command::Disconnect { connection: ConnectionId(connection) })
    }

    /// Subscribes on connection 1.
    pub(crate) fn subscribe(&mut self, subscription: u32, destinations: &[&str]) -> Vec<String> {
        self.subscribe_with(subscription, destinations, SubscribeOptions::default().gaps(true))
    }

    pub(crate) fn resume(
        &mut self,
        subscription: u32,
        destinations: &[&str],
        position: u64,
    ) -> Vec<String> {
        let start = Start::After(Cursor::new(BROKER, position));
        self.subscribe_with(subscription, destinations, SubscribeOptions::default().start(start))
    }

    pub(crate) fn subscribe_with(
        &mut self,
        subscription: u32,
        destinations: &[&str],
        options: SubscribeOptions,
    ) -> Vec<String> {
        self.subscribe_on(1, subscription, destinations, options)
    }

    pub(crate) fn subscribe_on(
        &mut self,
        connection: u64,
        subscription: u32,
        destinations: &[&str],
        options: SubscribeOptions,
    ) -> Vec<String> {
        self.handle(Command::Subscribe {
            connection: ConnectionId(connection),
            subscription: SubscriptionId(subscription),
            destinations: destinations.iter().map(|&destination| destination.into()).collect(),
            options,
            request: None,
        })
    }

    pub(crate) fn unsubscribe(&mut self, subscription: u32) -> Vec<String> {
        let (connection, subscription) = (ConnectionId(1), SubscriptionId(subscription));
        self.handle(Command::Unsubscribe { connection, subscription, request: None })
    }

    /// Sends a message on a connection, and names the command.
    pub(crate) fn send(
        &mut self,
        connection: u64,
        to: &str,
        body: &str,
        request: u64,
    ) -> Vec<String> {
        let (connection, request) = (ConnectionId(connection), Some(RequestId(request)));
        let operation =
            Operation::Send { destination: to.into(), message: Message::new(body.to_owned()) };
        self.handle(Command::Perform { connection, operation, request })
    }

    pub(crate) fn pause(&mut self) -> Vec<String> {
        self.handle(Command::Pause { connection: ConnectionId(1) })
    }

    pub(crate) fn go_on(&mut self) -> Vec<String> {
        self.handle(Command::Resume { connection: ConnectionId(1) })
    }

    pub(crate) fn cursor(&self, subscription: u32) -> String {
        let cursor = self.hub.cursor(ConnectionId(1), SubscriptionId(subscription));
        cursor.map(|cursor| cursor.to_string()).unwrap_or_default()
    }

    pub(crate) fn after(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        self.handle(Command::TimePassed)
    }
}

/// Creates a hub with a live subscription 0 of `/topic/a`.
pub(crate) fn following_a(messages: usize) -> Alone {
    let mut hub = Alone::keeping(messages);
    assert_eq!(hub.subscribe(0, &["/topic/a"]), ["?1 follow /topic/a"]);
    assert_eq!(hub.answer(1, "/topic/a", &[], 0, 0), ["0: begins from b-0"]);
    hub
}

fn entry(topic: &str, position: u64) -> Entry {
    Entry { destination: topic.into(), position, message: Message::new(position.to_string()) }
}

/// Writes an effect down: `0: 5` is the delivery of the message at position 5 on subscription 0.
fn show(effect: Effect) -> String {
    match effect {
        Effect::Deliver { subscription, delivery, is_redelivered, message, .. } => {
            let body = message.message().text().unwrap();
            if let Some(cursor) = message.cursor().filter(|cursor| cursor.epoch != NODE) {
                assert_eq!(body.parse(), Ok(cursor.position), "it is not {cursor}");
            }
            let delivery = delivery.map(|it| format!(" #{}", it.0)).unwrap_or_default();
            let again = if is_redelivered { " again" } else { "" };
            format!("{}: {body}{delivery}{again}", subscription.0)
        }
        Effect::Gap { subscription, gap, .. } => {
            format!("{}: gap {} to {}", subscription.0, gap.from, gap.to)
        }
        Effect::Subscribed { subscription, request, cursor, .. } => {
            let cursor = cursor.map(|cursor| format!(" from {cursor}")).unwrap_or_default();
            format!("{}: begins{cursor}{}", subscription.0, name(request))
        }
        Effect::Processed { request, cursor, .. } => {
            let cursor = cursor.map(|cursor| format!(" {cursor}")).unwrap_or_default();
            format!("done{cursor}{}", name(Some(request)))
        }
        Effect::Refused { request, subscription, refusal, .. } => {
            let subscription = subscription.map(|it| format!("{}: ", it.0)).unwrap_or_default();
            format!("{subscription}refused{}: {refusal}", name(request))
        }
        Effect::Bridge(command) => show_command(*command),
        Effect::Discarded { message, deliveries } => {
            format!("discarded {} after {deliveries}", message.message().text().unwrap())
        }
        Effect::Presence { request, presence } => {
            let partial = if presence.is_partial { " partial" } else { "" };
            format!(
                "{:?} and {}{partial}{}",
                presence.users,
                presence.anonymous,
                name(Some(request))
            )
        }
        other => panic!("{other:?}"),
    }
}

fn name(request: Option<RequestId>) -> String {
    request.map(|request| format!(" #{}", request.0)).unwrap_or_default()
}

/// Writes down what the bridge is told: `?1 follow /topic/a after 5`.
fn show_command(command: bridge::Command) -> String {
    match command {
        bridge::Command::Publish { id, destination, message } => {
            assert_eq!(id.node, NODE);
            format!("!{} {destination} {}", id.sequence, message.text().unwrap())
        }
        bridge::Command::Follow { question, destination, after } => {
            let after = after.map(|after| format!(" after {after}")).unwrap_or_default();
            format!("?{} follow {destination}{after}", question.0)
        }
        bridge::Command::Unfollow { destination } => format!("unfollow {destination}"),
        bridge::Command::History { question, destination, after } => {
            format!("?{} history {destination} after {after}", question.0)
        }
        bridge::Command::Take { destination, count } => format!("take {count} of {destination}"),
        bridge::Command::Stop { destination } => format!("stop {destination}"),
        bridge::Command::Settle { destination, cursor, outcome } => match outcome {
            Outcome::Consumed => format!("consumed {destination}@{}", cursor.position),
            Outcome::Returned { deliveries } => {
                format!("returned {destination}@{} after {deliveries}", cursor.position)
            }
            other => panic!("{other:?}"),
        },
        bridge::Command::Enter { destination, member, join, leave } => {
            let user = match &member {
                Member::User(name) => format!("\"{name}\""),
                _ => "null".into(),
            };
            for (event, message) in [("join", join), ("leave", leave)] {
                let expected = format!(r#"{{"event":"{event}","user":{user},"node":"a"}}"#);
                assert_eq!(message.text(), Some(&*expected));
            }
            format!("enter {} {destination}", show_member(&member))
        }
        bridge::Command::Leave { question, destination, member } => {
            format!("?{} leave {} {destination}", question.0, show_member(&member))
        }
        bridge::Command::Members { question, destinations } => {
            format!("?{} members {}", question.0, destinations.join(" "))
        }
        other => panic!("{other:?}"),
    }
}

fn show_member(member: &Member) -> String {
    match member {
        Member::User(name) => name.to_string(),
        Member::Anonymous { node, connection } => format!("{node}:{connection}"),
        other => panic!("{other:?}"),
    }
}
