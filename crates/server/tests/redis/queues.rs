//! Queues, whose messages all nodes share.

use crate::{
    node::{Node, options},
    server::{PATIENCE, Server, is_left_out},
};
use sansocket_realtime::{
    Cursor,
    bridge::{Event, Outcome},
};
use sansocket_server::broker::redis::RedisOptions;
use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    time::{Duration, Instant},
};

const A: &str = "/queue/a";

fn returned(deliveries: u32) -> Outcome {
    Outcome::Returned { deliveries }
}

/// Waits until a node is told these events, in this order. Others can come between.
async fn is_told(node: &mut Node, expected: &[&str]) {
    for expected in expected {
        let mut others = Vec::new();
        loop {
            let shown = node.shown(1).await.remove(0);
            if shown == *expected {
                break;
            }
            others.push(shown);
            assert!(others.len() < 100, "{expected} is not told, but {others:?}");
        }
    }
}

#[tokio::test]
async fn messages_are_given_in_their_order_to_who_asks() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    node.has_published(1, &[A, A, "/queue/b", A]).await;
    node.take(A, 2);
    assert_eq!(node.shown(2).await, ["taken 1 /queue/a after 0", "taken 2 /queue/a after 0"]);
    node.take(A, 3);
    assert_eq!(node.shown(1).await, ["taken 4 /queue/a after 0"]);
    // What was asked for is given as soon as there is something, and no more than that.
    for sequence in 5..=8 {
        node.publish(sequence, A, "");
    }
    is_told(&mut node, &["taken 5 /queue/a after 0", "taken 6 /queue/a after 0"]).await;
    node.take("/queue/b", 1);
    assert_eq!(node.shown(1).await, ["taken 3 /queue/b after 0"]);
}

#[tokio::test]
async fn a_message_is_with_one_node_until_it_is_settled() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    let at = |position| Cursor::new(epoch, position);
    node.has_published(1, &[A, A, A]).await;
    node.take(A, 2);
    node.shown(2).await;
    other.take(A, 5);
    assert_eq!(other.shown(1).await, ["taken 3 /queue/a after 0"]);
    // It is not with the other node.
    other.settle(A, at(1), Outcome::Consumed);
    assert_eq!(other.shown(1).await, ["settled 1"]);
    node.settle(A, at(2), returned(1));
    node.settle(A, at(1), Outcome::Consumed);
    // Again: there is nothing to do.
    node.settle(A, at(2), returned(7));
    assert_eq!(node.shown(3).await, ["settled 2", "settled 1", "settled 2"]);
    assert_eq!(other.shown(1).await, ["taken 2 /queue/a after 1"]);
    // That of another sequence.
    other.settle(A, Cursor::new(sansocket_realtime::Epoch(1), 2), Outcome::Consumed);
    assert_eq!(other.shown(1).await, ["settled 2"]);
    for position in [2, 3] {
        other.settle(A, at(position), Outcome::Consumed);
    }
    assert_eq!(other.shown(2).await, ["settled 2", "settled 3"]);
    // Nothing is left.
    let keys: Vec<String> = server.run("KEYS *:/queue/a");
    assert_eq!(keys, [""; 0]);
    assert!(!server.run::<bool>("EXISTS {sansocket}:taken:1"));
}

#[tokio::test]
async fn what_is_returned_goes_before_what_is_behind_it() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    node.has_published(1, &[A, A, A]).await;
    node.take(A, 1);
    node.shown(1).await;
    node.settle(A, Cursor::new(epoch, 1), returned(1));
    node.take(A, 3);
    let taken = ["settled 1", "taken 1 /queue/a after 1", "taken 2 /queue/a after 0"];
    assert_eq!(node.shown(3).await, taken);
}

#[tokio::test]
async fn what_was_stopped_is_not_given() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    node.take(A, 5);
    node.stop(A);
    node.stop(A);
    assert_eq!(node.shown(2).await, ["stopped /queue/a", "stopped /queue/a"]);
    other.has_published(1, &[A]).await;
    other.take(A, 1);
    assert_eq!(other.shown(1).await, ["taken 1 /queue/a after 0"]);
    node.take(A, 1);
    other.has_published(2, &[A, A]).await;
    assert_eq!(node.shown(1).await, ["taken 2 /queue/a after 0"]);
}

#[tokio::test]
async fn what_is_with_a_node_is_told_again_when_it_comes_back() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    node.has_published(1, &[A, "/queue/b", A]).await;
    node.take(A, 2);
    node.take("/queue/b", 1);
    node.shown(3).await;
    node.settle(A, Cursor::new(epoch, 3), Outcome::Consumed);
    node.shown(1).await;
    server.cut();
    node.is_up().await;
    let again = ["taken 1 /queue/a after 0 again", "taken 2 /queue/b after 0 again"];
    assert_eq!(node.shown(2).await, again);
    // What it has asked for before is void.
    node.has_published(4, &[A]).await;
    node.take(A, 1);
    assert_eq!(node.shown(1).await, ["taken 4 /queue/a after 0"]);
}

#[tokio::test]
async fn much_that_is_with_a_node_is_told_in_parts() {
    const BODY: usize = 1_500_000;
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    for sequence in 1..=8 {
        node.publish(sequence, A, "x".repeat(BODY));
    }
    node.shown(8).await;
    node.take(A, 8);
    node.shown(8).await;
    server.cut();
    node.is_up().await;
    let again: Vec<_> = (1..=8).map(|it| format!("taken {it} /queue/a after 0 again")).collect();
    assert_eq!(node.shown(8).await, again);
}

/// How many scripts Redis has run.
fn scripts(server: &Server) -> usize {
    let figures: String = server.run("INFO commandstats");
    let calls = figures.split("cmdstat_evalsha:calls=").nth(1).unwrap();
    calls.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn no_script_returns_or_reads_all_of_a_node_that_has_much() {
    const MESSAGES: usize = 2_500;
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut unasked = options(&server);
    (unasked.ping, unasked.absence) = (Duration::from_secs(1_000), Duration::from_secs(2_000));
    let (mut node, ..) = Node::up(1, unasked.clone()).await;
    node.has_published(1, &[A; MESSAGES]).await;
    node.take(A, MESSAGES as u32);
    node.shown(MESSAGES).await;
    let before = scripts(&server);
    server.cut();
    node.is_up().await;
    let again: Vec<_> =
        (1..=MESSAGES).map(|it| format!("taken {it} /queue/a after 0 again")).collect();
    assert_eq!(node.shown(MESSAGES).await, again);
    // It has connected, was alive, and has read all in three parts.
    assert_eq!(scripts(&server) - before, 5);

    node.dies();
    let _: usize = server.run("DEL {sansocket}:alive:1");
    let before = scripts(&server);
    let (mut other, ..) = Node::up(2, unasked).await;
    while server.run::<bool>("EXISTS {sansocket}:taken:1") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // It has connected, has nothing itself, and has returned all in three parts.
    assert_eq!(scripts(&server) - before, 5);
    other.take(A, MESSAGES as u32);
    let taken: Vec<_> = (1..=MESSAGES).map(|it| format!("taken {it} /queue/a after 1")).collect();
    assert_eq!(other.shown(MESSAGES).await, taken);
}

#[tokio::test]
async fn what_was_with_a_dead_node_goes_to_others() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut short = options(&server);
    (short.ping, short.deadline) = (Duration::from_millis(50), Duration::from_millis(400));
    short.absence = Duration::from_millis(500);
    let (mut node, epoch, _) = Node::up(1, short.clone()).await;
    let (mut other, ..) = Node::up(2, short).await;
    node.has_published(1, &[A, A]).await;
    node.take(A, 1);
    node.shown(1).await;
    other.take(A, 5);
    assert_eq!(other.shown(1).await, ["taken 2 /queue/a after 0"]);
    // It does not end as a hub does that stops.
    node.dies();
    assert_eq!(other.shown(1).await, ["taken 1 /queue/a after 1"]);
    other.settle(A, Cursor::new(epoch, 1), Outcome::Consumed);
    assert_eq!(other.shown(1).await, ["settled 1"]);
    // Nobody asks for it again.
    let nodes: Vec<String> = server.run("SMEMBERS {sansocket}:nodes");
    assert_eq!(nodes, ["2"]);
}

#[tokio::test]
async fn a_node_that_ends_leaves_at_once() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let (mut other, ..) = Node::up(2, options(&server)).await;
    node.has_published(1, &[A]).await;
    node.take(A, 1);
    node.shown(1).await;
    other.take(A, 1);
    node.ends().await;
    let began = Instant::now();
    assert_eq!(other.shown(1).await, ["taken 1 /queue/a after 1"]);
    // The time after which a node counts as dead is longer than the patience of the test.
    assert!(began.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_and_what_it_has_refused_stays_refused() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.queue = NonZeroU32::new(2).unwrap();
    let (mut node, epoch, _) = Node::up(1, options).await;
    for sequence in 1..=3 {
        node.publish(sequence, A, "");
    }
    node.publish(4, "/topic/a", "");
    let full = "rejected 3: the queue has 2 messages already";
    let answers = ["published 1 at 1", "published 2 at 2", full, "published 4 at 3"];
    assert_eq!(node.shown(4).await, answers);
    // There is room now, but the answer was lost.
    node.take(A, 1);
    node.shown(1).await;
    node.settle(A, Cursor::new(epoch, 1), Outcome::Consumed);
    node.shown(1).await;
    server.cut();
    node.is_up().await;
    for sequence in 3..=5 {
        node.publish(sequence, if sequence == 4 { "/topic/a" } else { A }, "");
    }
    is_told(&mut node, &[full, "published 4 at 3", "published 5 at 4"]).await;
    // Once it has the answers, they are forgotten.
    node.has_published(6, &["/topic/a"]).await;
    let fields: Vec<String> = server.run(&format!("HKEYS {{sansocket}}:{epoch}:published:1"));
    assert_eq!(
        fields.into_iter().collect::<BTreeSet<_>>(),
        ["number", "position"].map(Into::into).into()
    );
}

#[tokio::test]
async fn queues_outlast_a_sequence() {
    if is_left_out() {
        return;
    }
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    node.has_published(1, &[A, A, A]).await;
    node.take(A, 1);
    node.shown(1).await;
    // It has what it answered, but the nodes do not know that.
    server.kill();
    server.start_again();
    let (other, head) = node.is_up().await;
    assert!(other != epoch && head == 3);
    node.publish(4, A, "");
    node.take(A, 9);
    is_told(
        &mut node,
        &[
            "taken 1 /queue/a after 1",
            "taken 2 /queue/a after 0",
            "taken 3 /queue/a after 0",
            "taken 4 /queue/a after 0",
        ],
    )
    .await;
}

#[tokio::test]
async fn each_message_is_given_to_one_of_many() {
    const MESSAGES: u64 = 2_000;
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut consumers = Vec::new();
    let (publisher, epoch, _) = Node::up(9, options(&server)).await;
    for number in 1..=3 {
        let (mut node, ..) = Node::up(number, options(&server)).await;
        let (sender, mut numbers) = tokio::sync::mpsc::unbounded_channel();
        node.take(A, 7);
        let task = tokio::spawn(async move {
            loop {
                match node.event().await {
                    Event::Taken { entry, again, .. } => {
                        node.settle(A, Cursor::new(epoch, entry.position), Outcome::Consumed);
                        if !again {
                            node.take(A, 1);
                        }
                        sender.send(entry.position).unwrap();
                    }
                    // It asks anew, since what it has asked for is void.
                    Event::Up { .. } => node.take(A, 7),
                    _ => {}
                }
            }
        });
        let mut got = Vec::new();
        consumers.push((
            task,
            tokio::spawn(async move {
                while let Some(number) = numbers.recv().await {
                    got.push(number);
                }
                got
            }),
        ));
    }
    for sequence in 1..=MESSAGES {
        publisher.publish(sequence, A, "");
        if sequence % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let began = Instant::now();
    while server.run::<Vec<String>>("KEYS *:/queue/a").len()
        + server.run::<usize>("HGET {sansocket} head")
        != MESSAGES as usize
    {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut all = Vec::new();
    for (task, got) in consumers {
        task.abort();
        let got = got.await.unwrap();
        assert!(!got.is_empty());
        all.extend(got);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=MESSAGES));
}

#[tokio::test]
async fn what_was_asked_for_before_a_stop_comes_before_it_is_told() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    node.has_published(1, &[A, A]).await;
    for _ in 0..20 {
        node.take(A, 1);
        node.stop(A);
        let mut shown = node.shown(1).await;
        if shown[0] != "stopped /queue/a" {
            shown = node.shown(1).await;
        }
        // So both know that nothing is asked for.
        assert_eq!(shown, ["stopped /queue/a"]);
    }
    // What it got in between is with it still, and the rest comes.
    server.cut();
    node.is_up().await;
    node.take(A, 9);
    let mut shown = node.shown(2).await;
    shown.sort();
    assert!(shown[0].starts_with("taken 1 ") && shown[1].starts_with("taken 2 "), "{shown:?}");
}

/// Options with which a node does not say by itself that it is alive, and does not come back.
fn silent(server: &Server) -> RedisOptions {
    let mut silent = options(server);
    (silent.ping, silent.absence) = (Duration::from_secs(1_000), Duration::from_secs(2_000));
    (silent.first_pause, silent.longest_pause) = (silent.ping, silent.ping);
    silent
}

/// What was sent on a connection that is lost can arrive after the next one has begun.
#[tokio::test]
async fn nothing_is_taken_by_an_earlier_connection() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut earlier, ..) = Node::up(1, silent(&server)).await;
    let (mut node, ..) = Node::up(1, silent(&server)).await;
    node.has_published(1, &[A]).await;
    earlier.take(A, 1);
    assert_eq!(earlier.shown(1).await, ["down"]);
    node.take(A, 1);
    assert_eq!(node.shown(1).await, ["taken 1 /queue/a after 0"]);
}

/// The node is told that it has the message, so nobody else may get it.
#[tokio::test]
async fn nothing_is_settled_by_an_earlier_connection() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    for outcome in [returned(1), Outcome::Consumed] {
        let (mut earlier, epoch, head) = Node::up(1, silent(&server)).await;
        earlier.has_published(head + 1, &[A]).await;
        earlier.take(A, 1);
        let position = head + 1;
        is_told(&mut earlier, &[&format!("taken {position} /queue/a after 0")]).await;
        let (mut node, ..) = Node::up(1, silent(&server)).await;
        let again = format!("taken {position} /queue/a after 0 again");
        assert_eq!(node.shown(1).await, [again]);
        earlier.settle(A, Cursor::new(epoch, position), outcome);
        assert_eq!(earlier.shown(1).await, ["down"]);
        assert!(!server.run::<bool>("EXISTS {sansocket}:waiting:/queue/a"));
        node.settle(A, Cursor::new(epoch, position), Outcome::Consumed);
        assert_eq!(node.shown(1).await, [format!("settled {position}")]);
        assert!(!server.run::<bool>("EXISTS {sansocket}:queued:/queue/a"));
    }
}

#[tokio::test]
async fn a_node_that_counts_as_dead_takes_nothing() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, silent(&server)).await;
    node.has_published(1, &[A]).await;
    let _: usize = server.run("DEL {sansocket}:alive:1");
    node.take(A, 1);
    assert_eq!(node.shown(1).await, ["down"]);
    let (mut other, ..) = Node::up(2, options(&server)).await;
    other.take(A, 1);
    assert_eq!(other.shown(1).await, ["taken 1 /queue/a after 0"]);
}

/// No node can say that it is alive while Redis is away.
#[tokio::test]
async fn no_node_counts_as_dead_because_redis_was_away() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, silent(&server)).await;
    node.has_published(1, &[A]).await;
    node.take(A, 1);
    node.shown(1).await;
    // As after an outage that was longer than the absence.
    let _: usize = server.run("DEL {sansocket}:alive:1 {sansocket}:watched");
    let (mut other, ..) = Node::up(2, options(&server)).await;
    other.take(A, 2);
    let began = Instant::now();
    while !server.run::<bool>("EXISTS {sansocket}:watched") {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It has all the time that it would have had.
    assert!(server.run::<i64>("PTTL {sansocket}:alive:1") > 1_000);
    other.publish(1, A, "");
    let published = ["published 1 at 2", "taken 2 /queue/a after 0"];
    assert_eq!(other.shown(2).await, published);
    // The other is not there either when Redis is.
    let _: usize = server.run("DEL {sansocket}:alive:1");
    assert_eq!(other.shown(1).await, ["taken 1 /queue/a after 1"]);
}

#[tokio::test]
async fn all_queues_together_are_bounded() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    // Two messages of a hundred bytes, with their heads.
    options.queued = 2 * (100 + 3 + 180);
    let (mut node, epoch, _) = Node::up(1, options).await;
    for (sequence, queue) in (1..).zip(["/queue/a", "/queue/b", "/queue/c"]) {
        node.publish(sequence, queue, "x".repeat(100));
    }
    node.publish(4, "/topic/a", "x".repeat(100));
    let full = "rejected 3: all queues have 566 bytes already, and at most 566 are allowed";
    let answers = ["published 1 at 1", "published 2 at 2", full, "published 4 at 3"];
    assert_eq!(node.shown(4).await, answers);
    // What is returned stays, and what is consumed counts once.
    node.take(A, 1);
    node.shown(1).await;
    node.settle(A, Cursor::new(epoch, 1), returned(1));
    node.publish(5, A, "");
    node.take(A, 1);
    let taken = "taken 1 /queue/a after 1";
    let full = "rejected 5: all queues have 566 bytes already, and at most 566 are allowed";
    is_told(&mut node, &["settled 1", full, taken]).await;
    for _ in 0..2 {
        node.settle(A, Cursor::new(epoch, 1), Outcome::Consumed);
    }
    is_told(&mut node, &["settled 1", "settled 1"]).await;
    node.publish(6, "/queue/c", "x".repeat(100));
    node.publish(7, "/queue/c", "");
    let answers = node.shown(2).await;
    assert!(
        answers[0] == "published 6 at 4" && answers[1].starts_with("rejected 7"),
        "{answers:?}"
    );
    assert_eq!(server.run::<u64>("HGET {sansocket} queued"), 566);
}
