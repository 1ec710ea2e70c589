use super::{
    super::{Member, Outcome},
    *,
};
use crate::cursor::Cursor;
use alloc::{format, string::String, vec};

const NOTHING: [&str; 0] = [];

struct World {
    broker: Memory,
    node: Node,
    other: Node,
}

impl World {
    fn new(broker: Memory) -> Self {
        let mut broker = broker;
        let (node, other) = (broker.join(), broker.join());
        broker.connect(node);
        broker.connect(other);
        let mut world = Self { broker, node, other };
        assert_eq!(world.events(world.node), ["up b-0"]);
        assert_eq!(world.events(world.other), ["up b-0"]);
        world
    }

    fn publish(&mut self, sequence: u64, destination: &str) {
        let id = PublishId { node: Epoch(1), sequence };
        let (destination, message) = (destination.into(), Message::default());
        self.broker.handle(self.node, Command::Publish { id, destination, message });
    }

    fn follow(&mut self, destination: &str, after: Option<u64>) {
        let (question, destination) = (QuestionId(7), destination.into());
        self.broker.handle(self.node, Command::Follow { question, destination, after });
    }

    fn history(&mut self, destination: &str, after: u64) {
        let (question, destination) = (QuestionId(8), destination.into());
        self.broker.handle(self.node, Command::History { question, destination, after });
    }

    fn events(&mut self, node: Node) -> Vec<String> {
        core::iter::from_fn(|| self.broker.next(node)).map(show).collect()
    }

    fn own_events(&mut self) -> Vec<String> {
        self.events(self.node)
    }
}

fn show(event: Event) -> String {
    match event {
        Event::Up { epoch, head } => format!("up {epoch}-{head}"),
        Event::Down => "down".into(),
        Event::EpochChanged { epoch, head } => format!("epoch {epoch}-{head}"),
        Event::Published { id, position } => format!("published {} {position:?}", id.sequence),
        Event::Rejected { id, reason } => format!("rejected {}: {reason}", id.sequence),
        Event::Message(entry) => format!("{}@{}", entry.destination, entry.position),
        Event::Taken { entry, deliveries, again } => {
            let again = if again { " again" } else { "" };
            format!("taken {}@{} after {deliveries}{again}", entry.destination, entry.position)
        }
        Event::Stopped { destination } => format!("stopped {destination}"),
        Event::Settled { cursor } => format!("settled {cursor}"),
        Event::Left { question } => format!("left ?{}", question.0),
        Event::Members { question, destinations, members, .. } => {
            let topics = destinations.iter().zip(members);
            let topics = topics.map(|(destination, members)| format!(" {destination} {members:?}"));
            format!("members ?{}{}", question.0, topics.collect::<String>())
        }
        Event::CountedAsDead => "counted as dead".into(),
        Event::History(history) => {
            let positions: Vec<_> = history.entries.iter().map(|it| it.position).collect();
            let History { question, destination, complete_after, head, .. } = history;
            let question = question.0;
            format!("?{question} {destination} {positions:?} after {complete_after} of {head}")
        }
    }
}

#[test]
fn topics_and_patterns_are_followed_until_they_are_not() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    world.publish(1, "/topic/a");
    world.follow("/topic/a", None);
    world.follow("/topic/*", Some(0));
    assert_eq!(
        world.own_events(),
        ["published 1 Some(1)", "?7 /topic/a [] after 1 of 1", "?7 /topic/* [1] after 0 of 1"]
    );
    // A message is told once, before what comes later.
    world.publish(2, "/topic/a");
    assert_eq!(world.own_events(), ["/topic/a@2", "published 2 Some(2)"]);
    for destination in ["/topic/a", "/topic/*"] {
        let destination = destination.into();
        world.broker.handle(world.node, Command::Unfollow { destination });
    }
    world.publish(3, "/topic/a");
    assert_eq!(world.own_events(), ["published 3 Some(3)"]);
    assert_eq!(world.events(world.other), vec![""; 0]);
}

#[test]
fn a_message_is_published_once() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    world.publish(1, "/topic/a");
    world.publish(2, "/topic/a");
    world.own_events();
    world.publish(1, "/topic/a");
    world.publish(2, "/topic/a");
    world.history("/topic/a", 0);
    assert_eq!(
        world.own_events(),
        ["published 1 None", "published 2 Some(2)", "?8 /topic/a [1, 2] after 0 of 2"]
    );
}

#[test]
fn what_is_refused_stays_refused() {
    let broker = Memory::new(Epoch(0xb)).refuse("/topic/closed/*".parse().unwrap());
    let mut world = World::new(broker);
    world.publish(1, "/topic/closed/a");
    world.publish(2, "/topic/a");
    world.publish(1, "/topic/closed/a");
    let refused = "rejected 1: not allowed";
    assert_eq!(world.own_events(), [refused, "published 2 Some(1)", refused]);
}

#[test]
fn the_history_of_each_topic_is_bounded() {
    let mut world = World::new(Memory::new(Epoch(0xb)).history(2));
    for (sequence, topic) in [(1, "b"), (2, "a"), (3, "a"), (4, "a"), (5, "b")] {
        world.publish(sequence, &format!("/topic/{topic}"));
    }
    world.own_events();
    world.history("/topic/a", 0);
    world.history("/topic/b", 0);
    world.history("/topic/*", 0);
    world.history("/topic/*", 3);
    world.history("/topic/a", 9);
    assert_eq!(
        world.own_events(),
        [
            "?8 /topic/a [3, 4] after 2 of 5",
            "?8 /topic/b [1, 5] after 0 of 5",
            "?8 /topic/* [3, 4, 5] after 2 of 5",
            "?8 /topic/* [4, 5] after 3 of 5",
            "?8 /topic/a [] after 5 of 5",
        ]
    );
}

#[test]
fn what_was_not_fetched_is_lost_with_the_connection() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    world.follow("/topic/a", None);
    world.publish(1, "/topic/a");
    world.broker.disconnect(world.node);
    world.broker.disconnect(world.node);
    world.publish(2, "/topic/a");
    assert_eq!(world.own_events(), ["down"]);
    world.broker.connect(world.node);
    world.publish(3, "/topic/a");
    assert_eq!(world.own_events(), ["up b-1", "published 3 Some(2)"]);
    world.broker.connect(world.node);
    assert_eq!(world.own_events(), ["down", "up b-2"]);
}

#[test]
fn queues_are_taken_and_never_followed() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    world.follow("/topic/**", Some(0));
    world.publish(1, "/queue/a");
    world.publish(1, "/queue/a");
    let (destination, count) = ("/queue/a".into(), 1);
    world.broker.handle(world.other, Command::Take { destination, count });
    world.publish(2, "/topic/a");
    assert_eq!(
        world.own_events(),
        [
            "?7 /topic/** [] after 0 of 0",
            "published 1 Some(1)",
            "published 1 Some(1)",
            "/topic/a@2",
            "published 2 Some(2)",
        ]
    );
    assert_eq!(world.events(world.other), ["taken /queue/a@1 after 0"]);
}

#[test]
fn what_a_node_has_is_told_again_until_it_is_settled() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    let take = Command::Take { destination: "/queue/a".into(), count: 9 };
    let settle = |position| Command::Settle {
        destination: "/queue/a".into(),
        cursor: Cursor::new(Epoch(0xb), position),
        outcome: Outcome::Consumed,
    };
    world.broker.handle(world.other, take.clone());
    world.publish(1, "/queue/a");
    world.publish(2, "/queue/a");
    world.broker.handle(world.other, settle(1));
    world.broker.connect(world.other);
    let again = ["down", "up b-2", "taken /queue/a@2 after 0 again"];
    assert_eq!(world.events(world.other), again);
    // What it had asked for is void.
    world.publish(3, "/queue/a");
    assert_eq!(world.events(world.other), NOTHING);
    world.broker.handle(world.other, Command::Stop { destination: "/queue/a".into() });
    assert_eq!(world.events(world.other), ["stopped /queue/a"]);
    world.broker.count_as_dead(world.other);
    world.broker.handle(world.node, take.clone());
    assert_eq!(world.own_events()[3..], ["taken /queue/a@2 after 1", "taken /queue/a@3 after 0"]);
    // With another epoch, the position is one of another message.
    world.broker.begin_epoch(Epoch(0xc));
    world.broker.handle(world.other, take);
    world.publish(4, "/queue/a");
    world.broker.handle(world.other, settle(1));
    world.broker.connect(world.other);
    let again = ["down", "up c-1", "taken /queue/a@1 after 0 again"];
    assert_eq!(world.events(world.other), again);
}

#[test]
fn another_epoch_begins_with_nothing() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    world.follow("/topic/a", None);
    world.publish(1, "/topic/a");
    world.broker.disconnect(world.other);
    world.broker.begin_epoch(Epoch(0xc));
    world.publish(1, "/topic/a");
    world.history("/topic/a", 0);
    assert_eq!(
        world.own_events(),
        [
            "?7 /topic/a [] after 0 of 0",
            "/topic/a@1",
            "published 1 Some(1)",
            "epoch c-0",
            "published 1 Some(1)",
            "?8 /topic/a [1] after 0 of 1",
        ]
    );
    assert_eq!(world.events(world.other), ["down"]);
    world.broker.connect(world.other);
    assert_eq!(world.events(world.other), ["up c-1"]);
}

impl World {
    fn enter(&mut self, node: Node, user: &str) {
        let (join, leave) = (Message::new("join"), Message::new("leave"));
        let (destination, member) = (PRESENCE.into(), Member::User(user.into()));
        self.broker.handle(node, Command::Enter { destination, member, join, leave });
    }

    fn leave(&mut self, node: Node, user: &str) {
        let (question, destination) = (QuestionId(9), PRESENCE.into());
        let member = Member::User(user.into());
        self.broker.handle(node, Command::Leave { question, destination, member });
    }

    fn members(&mut self) -> Vec<String> {
        let (question, destinations) = (QuestionId(5), [PRESENCE, "/presence/topic/b"]);
        let destinations = destinations.map(Into::into).into();
        self.broker.handle(self.node, Command::Members { question, destinations });
        self.own_events()
    }
}

const PRESENCE: &str = "/presence/topic/a";

fn members(users: &[&str]) -> String {
    let users: Vec<_> = users.iter().map(|&user| Member::User(user.into())).collect();
    format!("members ?5 {PRESENCE} {users:?} /presence/topic/b []")
}

#[test]
fn members_come_once_and_go_once() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    let (node, other) = (world.node, world.other);
    world.follow(PRESENCE, None);
    world.own_events();
    world.enter(node, "joe");
    world.enter(node, "joe");
    world.enter(other, "joe");
    world.enter(other, "ann");
    let told = world.members();
    assert_eq!(
        told,
        [&*format!("{PRESENCE}@1"), &format!("{PRESENCE}@2"), &members(&["ann", "joe"])]
    );
    world.leave(node, "joe");
    world.leave(node, "ann");
    assert_eq!(world.own_events(), ["left ?9", "left ?9"]);
    world.leave(other, "joe");
    assert_eq!(world.events(other), ["left ?9"]);
    assert_eq!(world.members(), [format!("{PRESENCE}@3"), members(&["ann"])]);
}

#[test]
fn the_members_of_a_dead_node_leave_and_those_of_an_old_epoch_are_forgotten() {
    let mut world = World::new(Memory::new(Epoch(0xb)));
    let (node, other) = (world.node, world.other);
    world.follow(PRESENCE, None);
    world.enter(node, "joe");
    world.enter(other, "joe");
    world.enter(other, "ann");
    world.own_events();
    world.broker.disconnect(other);
    assert_eq!(world.events(other), ["down"]);
    assert_eq!(world.members(), [members(&["ann", "joe"])]);
    world.broker.count_as_dead(other);
    assert_eq!(world.members(), [format!("{PRESENCE}@3"), members(&["joe"])]);
    assert_eq!(world.events(other), NOTHING);
    // One that is not dead learns it.
    world.broker.count_as_dead(node);
    assert_eq!(world.own_events(), [format!("{PRESENCE}@4"), "counted as dead".into()]);
    world.enter(node, "joe");
    world.broker.begin_epoch(Epoch(0xc));
    assert_eq!(world.members(), [format!("{PRESENCE}@5"), "epoch c-0".into(), members(&[])]);
}
