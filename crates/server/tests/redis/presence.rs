//! Who is where, by Redis: each promise of a bridge.

use crate::{
    node::{Node, options, show},
    server::{PATIENCE, Server, is_left_out},
};
use sansocket_realtime::{
    Epoch, Message,
    bridge::{Command, Event, Member, QuestionId},
};
use sansocket_server::broker::redis::RedisOptions;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

const A: &str = "/presence/topic/a";
const B: &str = "/presence/topic/b";
const NOBODY: [&str; 0] = [];

impl Node {
    fn enter(&self, presence: &str, user: &str) {
        self.tell(Command::Enter {
            destination: presence.into(),
            member: Member::User(user.into()),
            join: Message::new("join"),
            leave: Message::new("leave"),
        });
    }

    fn leave(&self, question: u32, presence: &str, user: &str) {
        let (question, destination) = (QuestionId(question), presence.into());
        self.tell(Command::Leave { question, destination, member: Member::User(user.into()) });
    }

    fn ask_for_members(&self, presences: &[&str]) {
        let destinations = presences.iter().map(|&presence| presence.into()).collect();
        self.tell(Command::Members { question: QuestionId(99), destinations });
    }

    /// Asks who is there, and waits for the answer. Returns it, and the other events before it.
    async fn members(&mut self, presences: &[&str]) -> (Vec<Vec<String>>, Vec<String>) {
        self.ask_for_members(presences);
        let mut before = Vec::new();
        loop {
            match self.event().await {
                Event::Members { members, is_partial, .. } => {
                    assert!(!is_partial);
                    let lists = members.iter().map(|list| list.iter().map(name).collect());
                    return (lists.collect(), before);
                }
                Event::Message(entry) => {
                    let message = entry.message.text().unwrap();
                    before.push(format!("{} {message}", entry.position));
                }
                other => before.push(show(&other)),
            }
        }
    }

    /// Waits until these are in a topic.
    async fn sees(&mut self, presence: &str, users: &[&str]) {
        let began = Instant::now();
        loop {
            let (lists, _) = self.members(&[presence]).await;
            if lists == [users] {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{lists:?} are not {users:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the node is told that it counted as dead.
    async fn is_told_that_it_was_dead(&mut self) {
        while !matches!(self.event().await, Event::CountedAsDead) {}
    }
}

fn name(member: &Member) -> String {
    match member {
        Member::User(user) => user.to_string(),
        other => format!("{other:?}"),
    }
}

/// Options with which a node soon counts as dead.
fn short_lived(server: &Server) -> RedisOptions {
    let mut options = options(server);
    (options.ping, options.deadline) = (Duration::from_millis(50), Duration::from_millis(400));
    options.absence = Duration::from_millis(500);
    options
}

#[tokio::test]
async fn a_member_comes_to_the_first_node_and_leaves_the_last() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    node.follow(1, A, None);
    node.shown(1).await;
    node.enter(A, "joe");
    node.enter(A, "joe");
    assert_eq!(
        node.members(&[A, B]).await,
        (vec![vec!["joe".into()], vec![]], vec!["1 join".into()])
    );
    other.enter(A, "joe");
    other.enter(A, "ann");
    other.enter(B, "ann");
    other.sees(B, &["ann"]).await;
    let (lists, told) = node.members(&[A, B]).await;
    assert_eq!(lists, [vec!["ann", "joe"], vec!["ann"]]);
    assert_eq!(told, ["2 join"]);
    node.leave(1, A, "joe");
    node.leave(2, A, "joe");
    node.leave(3, A, "nobody");
    assert_eq!(node.shown(3).await.len(), 3);
    node.sees(A, &["ann", "joe"]).await;
    for user in ["joe", "ann"] {
        other.leave(1, A, user);
        other.shown(1).await;
    }
    let (lists, told) = node.members(&[A]).await;
    assert_eq!(lists, [NOBODY]);
    assert_eq!(told, ["4 leave", "5 leave"]);
    other.leave(1, B, "ann");
    other.sees(B, &NOBODY).await;
    // Nothing is kept of those who are gone.
    let names = server.run::<Vec<String>>(&format!("KEYS {{sansocket}}:{epoch}:*"));
    let mut names: Vec<_> = names.iter().filter(|it| !it.contains(":messages:")).collect();
    names.sort_unstable();
    let of_topics = ["sizes", "topics"].map(|it| format!("{{sansocket}}:{epoch}:{it}"));
    assert_eq!(names, of_topics.each_ref());
}

#[tokio::test]
async fn members_without_a_user_are_told_apart() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let all = [(1, 5), (2, 5), (u64::MAX, u64::MAX)]
        .map(|(node, connection)| Member::Anonymous { node: Epoch(node), connection });
    for member in all.clone() {
        let (join, leave) = (Message::new("join"), Message::new("leave"));
        node.tell(Command::Enter { destination: A.into(), member, join, leave });
    }
    node.ask_for_members(&[A]);
    let Event::Members { members, .. } = node.event().await else { panic!("no members") };
    assert_eq!(members, [all]);
}

#[tokio::test]
async fn the_members_of_a_dead_node_leave_once() {
    if is_left_out() {
        return;
    }
    // More than leave in one step.
    const MEMBERS: usize = 1_201;
    let server = Server::start(&[]);
    let (node, ..) = Node::up(1, short_lived(&server)).await;
    let (mut other, ..) = Node::up(2, short_lived(&server)).await;
    let (mut third, ..) = Node::up(3, short_lived(&server)).await;
    for number in 0..MEMBERS {
        node.enter(A, &format!("user{number:04}"));
    }
    node.enter(B, "joe");
    other.sees(B, &["joe"]).await;
    other.enter(A, "user0000");
    other.sees(B, &["joe"]).await;
    other.follow(1, A, None);
    other.shown(1).await;
    node.dies();
    third.sees(B, &NOBODY).await;
    third.sees(A, &["user0000"]).await;
    let (_, told) = other.members(&[A]).await;
    let told: BTreeSet<_> = told.into_iter().collect();
    // Each is told once, and has a place of its own.
    assert_eq!(told.len(), MEMBERS - 1);
    assert!(told.iter().all(|it| it.ends_with(" leave")), "{told:?}");
    assert_eq!(server.run::<usize>("HGET {sansocket} head"), 2 * MEMBERS + 1);
}

#[tokio::test]
async fn a_node_that_counted_as_dead_is_told_and_enters_again() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, short_lived(&server)).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    other.follow(1, A, None);
    other.shown(1).await;
    node.enter(A, "joe");
    other.sees(A, &["joe"]).await;
    // As if it had been silent for too long.
    let _: usize = server.run("UNLINK {sansocket}:alive:1");
    node.is_told_that_it_was_dead().await;
    node.enter(A, "joe");
    other.sees(A, &["joe"]).await;
    // Another one may have taken it for dead before it came back, or not.
    let head: usize = server.run("HGET {sansocket} head");
    assert!(head == 1 || head == 3, "{head}");
    node.dies();
    other.sees(A, &NOBODY).await;
}

#[tokio::test]
async fn what_a_node_enters_while_it_counts_as_dead_leaves_with_it() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut quiet = options(&server);
    // It does not say that it is alive while the test lasts.
    (quiet.ping, quiet.absence) = (2 * PATIENCE, 3 * PATIENCE);
    let (mut node, ..) = Node::up(1, quiet).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    node.enter(A, "joe");
    node.sees(A, &["joe"]).await;
    let _: usize = server.run("UNLINK {sansocket}:alive:1");
    other.sees(A, &NOBODY).await;
    node.enter(A, "ann");
    // The answer shows that she has entered, and she may have left by now.
    node.members(&[A]).await;
    other.sees(A, &NOBODY).await;
    // It was there, and has left.
    assert_eq!(server.run::<usize>("HGET {sansocket} head"), 4);
}

#[tokio::test]
async fn nobody_is_anywhere_in_another_sequence() {
    if is_left_out() {
        return;
    }
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    node.enter(A, "joe");
    node.sees(A, &["joe"]).await;
    // It has kept everything, but the nodes do not know that.
    server.kill();
    server.start_again();
    let (next, _) = node.is_up().await;
    assert_ne!(next, epoch);
    node.sees(A, &NOBODY).await;
    let names: Vec<String> = server.run(&format!("KEYS {{sansocket}}:{epoch}:*"));
    assert!(names.iter().all(|name| name.contains(":messages:")), "{names:?}");
    node.enter(A, "joe");
    node.sees(A, &["joe"]).await;
}

#[tokio::test]
async fn members_stay_when_a_durable_redis_is_killed() {
    if is_left_out() {
        return;
    }
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut durable = options(&server);
    durable.durable = true;
    let (mut node, epoch, _) = Node::up(1, durable).await;
    node.enter(A, "joe");
    node.sees(A, &["joe"]).await;
    server.kill();
    server.start_again();
    assert_eq!(node.is_up().await, (epoch, 1));
    node.enter(A, "joe");
    node.sees(A, &["joe"]).await;
    assert_eq!(server.run::<usize>("HGET {sansocket} head"), 1);
}

#[tokio::test]
async fn what_a_connection_has_left_behind_is_not_carried_out() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    // It does not notice by itself that it has another connection.
    let mut silent = options(&server);
    (silent.ping, silent.absence) = (Duration::from_secs(1_000), Duration::from_secs(2_000));
    let (mut node, ..) = Node::up(1, silent).await;
    node.enter(A, "joe");
    node.sees(A, &["joe"]).await;
    // As if the node had another connection by now, and this one's commands came late.
    let late = "SET {sansocket}:alive:1 another PX 30000";
    let _: String = server.run(late);
    node.leave(1, A, "joe");
    node.is_up().await;
    node.sees(A, &["joe"]).await;
    let _: String = server.run(late);
    node.enter(A, "ann");
    node.is_up().await;
    node.sees(A, &["joe"]).await;
    node.leave(1, A, "joe");
    node.sees(A, &NOBODY).await;
}

#[tokio::test]
async fn a_list_has_what_was_told_before_it_and_nothing_else() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    node.follow(1, A, None);
    node.shown(1).await;
    for round in 0..30 {
        for number in 0..20 {
            other.enter(A, &format!("user{:04}", 20 * round + number));
        }
        // Each question is in a batch with others, so that answers come while members enter.
        for _ in 0..20 {
            node.ask_for_members(&[A]);
        }
        tokio::task::yield_now().await;
    }
    let (mut joined, mut lists) = (0, 0);
    while joined < 600 || lists < 600 {
        match node.event().await {
            Event::Message(_) => joined += 1,
            Event::Members { members, .. } => {
                assert_eq!(members[0].len(), joined);
                lists += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    other.sees(B, &NOBODY).await;
}

#[tokio::test]
async fn a_list_of_many_is_whole() {
    const MEMBERS: usize = 10_001;
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    for number in 0..MEMBERS {
        node.enter(A, &number.to_string());
    }
    let (lists, _) = node.members(&[A]).await;
    assert_eq!(lists[0].len(), MEMBERS);
}

#[tokio::test]
async fn a_list_that_is_too_long_is_partial() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    for number in 0..5 {
        node.enter(A, &format!("{number}{}", "x".repeat(500_000)));
    }
    node.ask_for_members(&[A, B]);
    let told = node.event().await;
    let Event::Members { members, is_partial: true, .. } = told else { panic!("not partial") };
    assert_eq!((members.len(), members[0].len()), (2, 4));
}
