//! What Redis keeps, and what is missing: exactly what is told.

use crate::{
    node::{Node, options},
    server::{PATIENCE, Server, is_left_out},
};
use sansocket_realtime::bridge::Event;
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[tokio::test]
async fn one_answer_is_bounded_and_says_what_is_missing() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.history_messages = number(2);
    let (mut node, ..) = Node::up(1, options).await;
    node.has_published(
        1,
        &["b", "a", "a", "a", "b"].map(|it| ["/topic/", it].concat()).each_ref().map(|it| &**it),
    )
    .await;
    for (destination, after, expected) in [
        ("/topic/a", 0, "[3, 4] after 2 of 5"),
        ("/topic/a", 2, "[3, 4] after 2 of 5"),
        ("/topic/a", 3, "[4] after 3 of 5"),
        ("/topic/b", 0, "[1, 5] after 0 of 5"),
        ("/topic/b", 1, "[5] after 1 of 5"),
        ("/topic/c", 0, "[] after 0 of 5"),
        ("/topic/a", 9, "[] after 5 of 5"),
        // The newest topic is read first, and then there is no room for the other.
        ("/topic/*", 0, "[5] after 4 of 5"),
        ("/topic/*", 3, "[4, 5] after 3 of 5"),
    ] {
        let expected = format!("{destination} {expected}");
        assert_eq!(node.has_history(destination, after).await, expected);
    }
}

#[tokio::test]
async fn one_answer_is_bounded_in_bytes() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.history_bytes = 2_000;
    let (mut node, ..) = Node::up(1, options).await;
    for sequence in 1..=5 {
        node.publish(sequence, "/topic/a", "x".repeat(900));
    }
    node.shown(5).await;
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [4, 5] after 3 of 5");
    assert_eq!(node.has_history("/topic/a", 4).await, "/topic/a [5] after 4 of 5");
    // One message is read in any case.
    node.publish(6, "/topic/a", "x".repeat(3_000));
    node.shown(1).await;
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [6] after 5 of 6");
}

#[tokio::test]
async fn what_no_answer_has_is_not_kept_for_long() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.topics = number(1);
    options.history_bytes = 2_000;
    let (mut node, epoch, _) = Node::up(1, options).await;
    let mut last = 0;
    for (destination, size, messages, kept, told, complete_after) in [
        // Each of them has three bytes more, since it has no headers.
        ("/topic/a", 97, 38, 1..=38, 19..=38, 18),
        // There is room for 20 from the twentieth on.
        ("/topic/a", 97, 1, 20..=39, 20..=39, 19),
        ("/topic/a", 97, 18, 20..=57, 38..=57, 37),
        ("/topic/a", 97, 1, 39..=58, 39..=58, 38),
        ("/topic/a", 2_997, 1, 58..=59, 59..=59, 58),
        ("/topic/a", 2_997, 1, 59..=60, 60..=60, 59),
        // It makes the first topic forgotten.
        ("/topic/b", 97, 1, 61..=61, 61..=61, 0),
        ("/topic/a", 97, 20, 59..=81, 62..=81, 60),
        ("/topic/a", 97, 19, 81..=100, 81..=100, 80),
    ] {
        for _ in 0..messages {
            last += 1;
            node.publish(last, destination, "x".repeat(size));
        }
        node.shown(messages).await;
        let stream = format!("XRANGE {{sansocket}}:{epoch}:messages:{destination} - +");
        let entries: Vec<(String, Vec<Vec<u8>>)> = server.run(&stream);
        let entries = entries.iter().map(|(id, _)| id.split('-').next().unwrap().parse().unwrap());
        let kept: Vec<u64> = kept.filter(|&it| (destination, it) != ("/topic/a", 61)).collect();
        assert_eq!(entries.collect::<Vec<u64>>(), kept);
        let told: Vec<_> = told.collect();
        let history = format!("{destination} {told:?} after {complete_after} of {last}");
        assert_eq!(node.has_history(destination, 0).await, history);
    }
}

#[tokio::test]
async fn long_histories_are_read_in_parts() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let topics: Vec<_> = (0..900).map(|it| ["/topic/a", "/topic/b", "/topic/c"][it % 3]).collect();
    node.has_published(1, &topics).await;
    for (destination, step) in [("/topic/a", 3), ("/topic/*", 1)] {
        let expected: Vec<u64> = (1..=900).step_by(step).collect();
        let expected = format!("{destination} {expected:?} after 0 of 900");
        assert_eq!(node.has_history(destination, 0).await, expected);
    }
}

#[tokio::test]
async fn a_pattern_of_many_topics_is_read_in_parts() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let topics: Vec<_> = (0..700).map(|it| format!("/topic/{it}")).collect();
    node.has_published(1, &topics.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let expected: Vec<u64> = (1..=700).collect();
    assert_eq!(
        node.has_history("/topic/*", 0).await,
        format!("/topic/* {expected:?} after 0 of 700")
    );
}

#[tokio::test]
async fn what_was_trimmed_is_known_exactly() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.messages = number(100);
    let (mut node, ..) = Node::up(1, options).await;
    // Every second message is of another topic, so the position before an entry is not its own less one.
    let topics: Vec<_> = (0..1_000).map(|it| ["/topic/a", "/topic/b"][it % 2]).collect();
    node.has_published(1, &topics).await;
    node.history(1, "/topic/a", 0);
    let Event::History(history) = node.event().await else { panic!() };
    let first = history.entries[0].position;
    assert_eq!(history.complete_after, first - 2);
    assert!((100..=250).contains(&history.entries.len()), "{}", history.entries.len());
    // Who has everything up to there has missed nothing.
    node.history(1, "/topic/a", first - 2);
    let Event::History(history) = node.event().await else { panic!() };
    assert_eq!((history.complete_after, history.entries[0].position), (first - 2, first));
}

#[tokio::test]
async fn what_has_expired_is_known_exactly() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.age = Duration::from_millis(50);
    let (mut node, epoch, _) = Node::up(1, options).await;
    node.has_published(1, &["/topic/a", "/topic/b"]).await;
    let key = format!("EXISTS {{sansocket}}:{epoch}:messages:/topic/a");
    let began = Instant::now();
    while server.run::<bool>(&key) {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.publish(3, "/topic/b", "3");
    node.shown(1).await;
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [] after 1 of 3");
    assert_eq!(node.has_history("/topic/a", 1).await, "/topic/a [] after 1 of 3");
    assert_eq!(node.has_history("/topic/c", 0).await, "/topic/c [] after 0 of 3");
    // Another message continues what has expired.
    node.publish(4, "/topic/a", "4");
    node.shown(1).await;
    node.history(1, "/topic/a", 0);
    let Event::History(history) = node.event().await else { panic!() };
    // It can have expired already.
    assert!(matches!((history.complete_after, history.entries.len()), (1, 1) | (4, 0)));
}

#[tokio::test]
async fn topics_that_are_forgotten_are_gaps() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.topics = number(2);
    let (mut node, epoch, _) = Node::up(1, options).await;
    node.has_published(1, &["/topic/a", "/topic/b", "/topic/c", "/topic/b"]).await;
    for (destination, after, expected) in [
        // Its messages are still there.
        ("/topic/a", 0, "[1] after 0 of 4"),
        ("/topic/b", 0, "[2, 4] after 0 of 4"),
        // Of others it is not known whether there was something.
        ("/topic/d", 0, "[] after 1 of 4"),
        ("/topic/d", 2, "[] after 2 of 4"),
        ("/topic/*", 0, "[2, 3, 4] after 1 of 4"),
        ("/topic/*", 2, "[3, 4] after 2 of 4"),
    ] {
        let expected = format!("{destination} {expected}");
        assert_eq!(node.has_history(destination, after).await, expected);
    }
    let _: usize = server.run(&format!("DEL {{sansocket}}:{epoch}:messages:/topic/a"));
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [] after 1 of 4");
    // A topic that comes back knows only that nothing of it is behind what was forgotten.
    node.has_published(5, &["/topic/a"]).await;
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [5] after 1 of 5");
}

#[tokio::test]
async fn what_others_store_and_publish_is_no_message() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    node.follow(1, "/topic/a", None);
    node.has_published(1, &["/topic/a"]).await;
    let _: usize = server.run(&format!("PUBLISH {{sansocket}}:{epoch}:/topic/a hello"));
    let _: String = server
        .run(&format!("XADD {{sansocket}}:{epoch}:messages:/topic/a 2-0 before 1 message hello"));
    let _: usize = server.run(&format!("ZADD {{sansocket}}:{epoch}:topics 2 /topic/a"));
    let _: usize = server.run("HSET {sansocket} head 2");
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [] after 2 of 2");
}

/// Redis ends a connection when too much waits for it.
#[tokio::test]
async fn many_answers_are_not_asked_for_at_once() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    for sequence in 1..=60 {
        node.publish(sequence, &format!("/topic/{sequence}"), "x".repeat(1 << 20));
    }
    node.shown(60).await;
    for question in 1..=60 {
        node.follow(question, &format!("/topic/{question}"), Some(0));
    }
    let expected = (1..=60).map(|it| format!("/topic/{it} [{it}] after 0 of 60"));
    assert_eq!(node.shown(60).await, expected.collect::<Vec<_>>());
}
