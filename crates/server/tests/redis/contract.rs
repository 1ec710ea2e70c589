//! What a bridge promises, line by line.

use crate::{
    node::{Node, options},
    server::{Server, is_left_out},
};
use sansocket_realtime::{
    Message,
    bridge::{Command, Event, PublishId},
};
use std::time::Duration;

#[tokio::test]
async fn messages_are_told_with_their_positions_until_they_are_not_followed() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, head) = Node::up(1, options(&server)).await;
    let (mut other, same, _) = Node::up(2, options(&server)).await;
    assert_eq!((epoch, head), (same, 0));
    node.follow(1, "/topic/a", None);
    assert_eq!(node.shown(1).await, ["/topic/a [] after 0 of 0"]);
    other.publish(1, "/topic/a", "1");
    other.publish(2, "/topic/b", "2");
    other.publish(3, "/topic/a", "3");
    let published = ["published 1 at 1", "published 2 at 2", "published 3 at 3"];
    assert_eq!(other.shown(3).await, published);
    assert_eq!(node.shown(2).await, ["1 /topic/a", "3 /topic/a"]);
    node.unfollow("/topic/a");
    node.history(2, "/topic/a", 1);
    assert_eq!(node.shown(1).await, ["/topic/a [3] after 1 of 3"]);
    other.has_published(4, &["/topic/a"]).await;
    node.history(3, "/topic/a", 3);
    assert_eq!(node.shown(1).await, ["/topic/a [4] after 3 of 4"]);
    // A node that follows again gets what it has missed.
    node.follow(4, "/topic/a", Some(3));
    assert_eq!(node.shown(1).await, ["/topic/a [4] after 3 of 4"]);
}

#[tokio::test]
async fn a_message_comes_as_it_was_published() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    node.follow(1, "/topic/a", None);
    node.shown(1).await;
    let message = Message::new(b"\0\xff\r\n".to_vec()).content_type("a/b").header("x", "\u{e9}\n");
    let id = PublishId { node: node.epoch, sequence: 1 };
    node.tell(Command::Publish { id, destination: "/topic/a".into(), message: message.clone() });
    let mut told = Vec::new();
    while told.is_empty() {
        if let Event::Message(entry) = node.event().await {
            told.push(entry.message);
        }
    }
    node.history(2, "/topic/a", 0);
    while told.len() < 2 {
        if let Event::History(history) = node.event().await {
            told.extend(history.entries.into_iter().map(|entry| entry.message));
        }
    }
    assert_eq!(told, [message.clone(), message]);
}

#[tokio::test]
async fn all_nodes_are_told_the_messages_of_all_in_one_order() {
    const MESSAGES: u64 = 500;
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let (mut node, ..) = Node::up(number, options(&server)).await;
        node.follow(1, "/topic/a", None);
        node.follow(2, "/topic/*", None);
        node.shown(2).await;
        nodes.push(node);
    }
    for sequence in 1..=MESSAGES {
        for node in &nodes {
            let topic = if sequence % 3 == 0 { "/topic/a" } else { "/topic/b" };
            node.publish(sequence, topic, format!("{} {sequence}", node.epoch));
        }
    }
    let mut orders = Vec::new();
    for node in &mut nodes {
        let (mut order, mut last) = (Vec::new(), 0);
        while order.len() < 3 * MESSAGES as usize {
            if let Event::Message(entry) = node.event().await {
                assert_eq!(entry.position, last + 1);
                last = entry.position;
                order.push(entry.message.text().unwrap().to_owned());
            }
        }
        orders.push(order);
    }
    assert!(orders.windows(2).all(|orders| orders[0] == orders[1]));
    for node in 1..=3 {
        let own = orders[0].iter().filter_map(|body| body.strip_prefix(&format!("{node} ")));
        assert!(own.eq((1..=MESSAGES).map(|sequence| sequence.to_string())));
    }
}

#[tokio::test]
async fn a_message_is_published_once() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    node.has_published(1, &["/topic/a", "/topic/a"]).await;
    node.publish(1, "/topic/a", "1");
    node.publish(2, "/topic/a", "2");
    assert_eq!(node.shown(2).await, ["published 1", "published 2 at 2"]);
    server.cut();
    node.is_up().await;
    for sequence in 1..=3 {
        node.publish(sequence, "/topic/a", "again");
    }
    let published = ["published 1", "published 2 at 2", "published 3 at 3"];
    assert_eq!(node.shown(3).await, published);
    assert_eq!(node.has_history("/topic/a", 0).await, "/topic/a [1, 2, 3] after 0 of 3");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_rejected_and_those_behind_it_are_published() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.message = 3;
    let (mut node, ..) = Node::up(1, options).await;
    node.publish(1, "/topic/a", "123");
    node.publish(2, "/topic/a", "1234");
    node.publish(3, "/topic/a", "123");
    let mut shown = node.shown(3).await;
    shown.sort();
    let rejected = "rejected 2: it has 4 bytes, and at most 3 are allowed";
    assert_eq!(shown, ["published 1 at 1", "published 3 at 2", rejected]);
}

#[tokio::test]
async fn who_follows_gets_every_message_behind_the_head_of_the_answer() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (publisher, ..) = Node::up(1, options(&server)).await;
    let (mut node, ..) = Node::up(2, options(&server)).await;
    let mut sequence = 0;
    for round in 0..50 {
        for _ in 0..50 {
            sequence += 1;
            publisher.publish(sequence, "/topic/a", "");
        }
        let destination = if round % 2 == 0 { "/topic/a" } else { "/topic/*" };
        node.follow(round, destination, Some(0));
        let mut told = Vec::new();
        let (head, complete_after) = loop {
            match node.event().await {
                Event::Message(entry) => told.push(entry.position),
                Event::History(history) => {
                    told.extend(history.entries.iter().map(|entry| entry.position));
                    break (history.head, history.complete_after);
                }
                _ => {}
            }
        };
        while told.iter().max() != Some(&sequence) {
            if let Event::Message(entry) = node.event().await {
                told.push(entry.position);
            }
        }
        told.sort_unstable();
        told.dedup();
        let expected = complete_after + 1..=sequence;
        assert!(told.iter().copied().filter(|it| expected.contains(it)).eq(expected.clone()));
        assert!(complete_after <= head);
        node.unfollow(destination);
    }
}

#[tokio::test]
async fn an_answer_comes_behind_all_messages_up_to_its_head() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (publisher, ..) = Node::up(1, options(&server)).await;
    let (mut node, ..) = Node::up(2, options(&server)).await;
    node.follow(0, "/topic/a", None);
    node.shown(1).await;
    for sequence in 1..=5_000 {
        publisher.publish(sequence, "/topic/a", "");
    }
    let (mut told, mut answers) = (0, 0);
    node.history(1, "/topic/b", 0);
    while told < 5_000 {
        match node.event().await {
            Event::Message(entry) => told = entry.position,
            Event::History(history) => {
                assert!(history.head <= told, "{} of {}", history.head, told);
                answers += 1;
                node.history(1, "/topic/b", 0);
            }
            _ => {}
        }
    }
    assert!(answers > 1);
}

#[tokio::test]
async fn patterns_follow_what_they_match_and_a_message_is_told_once() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, ..) = Node::up(1, options(&server)).await;
    let patterns =
        ["/topic/*", "/topic/a/**", "/topic/a/>", "/topic/[x]?/*", "/topic/%a/*/é", "/topic/c"];
    for pattern in patterns {
        node.follow(1, pattern, None);
    }
    node.shown(patterns.len()).await;
    let topics = [
        "/topic/a",
        "/topic/b/c",
        "/topic/a/b/c",
        "/topic/ab",
        "/topic/abc/d",
        "/topic/[x]?/y",
        "/topic/x1/y",
        "/topic/%a/b/é",
        "/topic/c",
        "/user/joe/queue/a",
    ];
    node.has_published(1, &topics).await;
    node.history(2, "/topic/none", 0);
    let mut told = Vec::new();
    loop {
        match node.event().await {
            Event::Message(entry) => told.push(entry.destination.to_string()),
            Event::History(_) => break,
            _ => {}
        }
    }
    // What was told before the answers to the messages was not looked at.
    let all =
        ["/topic/a", "/topic/a/b/c", "/topic/ab", "/topic/[x]?/y", "/topic/%a/b/é", "/topic/c"];
    assert!(all.ends_with(&told.iter().map(String::as_str).collect::<Vec<_>>()), "{told:?}");
    // What is read agrees with what is told.
    for (pattern, expected) in [
        ("/topic/*", "[1, 4, 9]"),
        ("/topic/a/**", "[1, 3]"),
        ("/topic/a/>", "[1, 3]"),
        ("/topic/[x]?/*", "[6]"),
        ("/topic/%a/*/é", "[8]"),
        ("/topic/**", "[1, 2, 3, 4, 5, 6, 7, 8, 9]"),
    ] {
        let expected = format!("{pattern} {expected} after 0 of 10");
        assert_eq!(node.has_history(pattern, 0).await, expected);
    }
    assert_eq!(node.has_history("/topic/*", 4).await, "/topic/* [9] after 4 of 10");
}

#[tokio::test]
async fn a_hub_that_stops_has_published_what_it_has_told() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (node, ..) = Node::up(1, options(&server)).await;
    assert!(server.run::<Option<String>>("GET {sansocket}:alive:1").is_some());
    for sequence in 1..=3_000 {
        node.publish(sequence, "/topic/a", "");
    }
    let told = node.ends().await;
    assert_eq!(told.last().map(String::as_str), Some("published 3000 at 3000"));
    assert_eq!(told.len(), 3_000);
    assert!(!server.run::<bool>("EXISTS {sansocket}:alive:1"));
}

#[tokio::test]
async fn a_hub_that_stops_without_a_connection_does_not_wait_for_one() {
    if is_left_out() {
        return;
    }
    let mut server = Server::start(&[]);
    let node = Node::start(1, {
        let options = options(&server);
        server.kill();
        options
    });
    assert_eq!(node.ends().await, [""; 0]);
}

#[tokio::test]
async fn a_hub_that_stops_while_redis_does_not_answer_does_not_wait_for_ever() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.deadline = Duration::from_millis(300);
    let (node, ..) = Node::up(1, options).await;
    server.stop_answering();
    node.publish(1, "/topic/a", "");
    assert_eq!(node.ends().await, ["down"]);
    server.answer_again();
}
