//! Redis breaks, and comes back: nothing is lost in silence, doubled, or out of order.

use crate::{
    hubs::Hubs,
    node::{Node, options},
    server::{Server, is_left_out},
};
use sansocket_realtime::hub::Start;
use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

const TOPICS: &[&str] = &["/topic/a", "/topic/b"];
const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

/// Joins hubs, each with subscribers of one topic, of the other, and of both.
async fn joined(hubs: usize, server: &Server, is_durable: bool) -> Hubs {
    let mut joined = Hubs::join(hubs, 10_000, server, |options| {
        options.durable = is_durable;
        // Nothing is to be a gap, however much a node has missed.
        options.messages = NonZeroU32::new(10_000).unwrap();
        options.history_messages = options.messages;
    });
    joined.are_up().await;
    for hub in 0..hubs {
        for destination in ["/topic/a", "/topic/b", "/topic/*"] {
            joined.subscribe(hub, destination, Start::Now);
        }
    }
    joined.have_begun().await;
    joined
}

/// Publishes in small parts, so that something is always on its way.
async fn publish(hubs: &mut Hubs, messages: usize) {
    for number in 0..messages {
        for hub in 0..hubs.hubs.len() {
            hubs.publish(hub, TOPICS[(number + hub) % TOPICS.len()]);
        }
        if number % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn outages(hubs: &Hubs) -> u32 {
    hubs.hubs.iter().map(|hub| hub.lock().unwrap().outages).min().unwrap()
}

#[tokio::test]
async fn each_message_is_published_once_although_connections_are_cut() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut hubs = joined(2, &server, false).await;
    for _ in 0..10 {
        publish(&mut hubs, 100).await;
        server.cut();
    }
    assert_eq!(hubs.check(TOPICS).await, 1);
    assert!(outages(&hubs) > 0);
    // Redis has kept everything.
    for subscriber in [2, 5] {
        assert_eq!(hubs.gaps_and_messages(subscriber), (0, 2_002));
    }
    hubs.nothing_is_doubled();
}

#[tokio::test]
async fn each_job_is_done_once_although_connections_are_cut() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut hubs = joined(3, &server, false).await;
    for _ in 0..10 {
        for number in 0..150 {
            hubs.publish_job(number % 3);
            if number % 20 == 0 {
                hubs.consume(number / 20 % 3, number % 40 == 0);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        server.cut();
    }
    (0..3).for_each(|hub| hubs.consume(hub, true));
    hubs.all_jobs_are_done_once().await;
    assert_eq!(hubs.check(TOPICS).await, 1);
}

#[tokio::test]
async fn a_redis_that_is_durable_loses_nothing_when_it_is_killed() {
    if is_left_out() {
        return;
    }
    let mut server = Server::start(DURABLE);
    let mut hubs = joined(2, &server, true).await;
    for _ in 0..3 {
        publish(&mut hubs, 100).await;
        server.kill();
        hubs.are_down().await;
        publish(&mut hubs, 10).await;
        server.start_again();
        hubs.are_up().await;
    }
    assert_eq!(hubs.check(TOPICS).await, 1);
    for subscriber in [2, 5] {
        assert_eq!(hubs.gaps_and_messages(subscriber), (0, 662));
    }
    hubs.nothing_is_doubled();
}

#[tokio::test]
async fn a_redis_that_is_not_durable_begins_another_sequence_and_a_gap_is_told() {
    if is_left_out() {
        return;
    }
    let mut server = Server::start(&[]);
    let mut hubs = joined(3, &server, false).await;
    publish(&mut hubs, 100).await;
    hubs.have_published_all().await;
    server.kill();
    hubs.are_down().await;
    publish(&mut hubs, 10).await;
    server.start_again();
    assert_eq!(hubs.check(TOPICS).await, 2);
    for subscriber in [2, 5, 8] {
        let (gaps, messages) = hubs.gaps_and_messages(subscriber);
        assert!(gaps == 1 && messages > 0);
    }
}

#[tokio::test]
async fn a_redis_that_was_emptied_begins_another_sequence() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut hubs = joined(2, &server, false).await;
    publish(&mut hubs, 10).await;
    hubs.have_published_all().await;
    let _: String = server.run("FLUSHALL");
    // Nobody publishes, but the nodes look.
    hubs.wait("it is noticed", |hubs| outages(hubs) > 0).await;
    publish(&mut hubs, 10).await;
    assert_eq!(hubs.check(TOPICS).await, 2);
    for subscriber in [2, 5] {
        assert_eq!(hubs.gaps_and_messages(subscriber).0, 1);
    }
}

#[tokio::test]
async fn a_message_behind_a_new_sequence_is_not_published_in_the_old_one() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut options = options(&server);
    options.ping = Duration::from_secs(10);
    let (mut node, epoch, _) = Node::up(1, options).await;
    let _: String = server.run("FLUSHALL");
    node.publish(1, "/topic/a", "1");
    assert_eq!(node.shown(2).await, ["down", "up at 0"]);
    let key = format!("EXISTS {{sansocket}}:{epoch}:messages:/topic/a");
    assert!(!server.run::<bool>(&key));
}

#[tokio::test]
async fn a_sequence_that_has_gone_back_is_another_one() {
    if is_left_out() {
        return;
    }
    let server = Server::start(DURABLE);
    let mut options = options(&server);
    options.durable = true;
    let (mut node, epoch, _) = Node::up(1, options).await;
    node.has_published(1, &["/topic/a", "/topic/a"]).await;
    let _: usize = server.run("HSET {sansocket} head 1");
    server.cut();
    let (other, head) = node.is_up().await;
    assert!(other != epoch && head == 1);
}

#[tokio::test]
async fn while_redis_has_no_memory_messages_wait_in_their_order() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&["--maxmemory-policy", "noeviction"]);
    let mut hubs = joined(2, &server, false).await;
    publish(&mut hubs, 50).await;
    let _: String = server.run("CONFIG SET maxmemory 1");
    publish(&mut hubs, 50).await;
    hubs.are_down().await;
    publish(&mut hubs, 50).await;
    let _: String = server.run("CONFIG SET maxmemory 0");
    assert_eq!(hubs.check(TOPICS).await, 1);
    for subscriber in [2, 5] {
        assert_eq!(hubs.gaps_and_messages(subscriber), (0, 302));
    }
    hubs.nothing_is_doubled();
}

#[tokio::test]
async fn one_refused_message_lets_none_behind_it_pass() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let (mut node, epoch, _) = Node::up(1, options(&server)).await;
    // The key of one topic is taken, so its messages are refused, and those of the other could be published.
    let key = format!("{{sansocket}}:{epoch}:messages:/topic/a");
    let _: String = server.run(&format!("SET {key} taken"));
    let publish = |node: &Node| {
        for (sequence, topic) in [(1, "/topic/a"), (2, "/topic/b"), (3, "/topic/b")] {
            node.publish(sequence, topic, "");
        }
    };
    publish(&node);
    assert_eq!(node.shown(2).await, ["down", "up at 1"]);
    let _: usize = server.run(&format!("DEL {key}"));
    publish(&node);
    let published = ["published 1 at 2", "published 2 at 3", "published 3 at 4"];
    assert_eq!(node.shown(3).await, published);
    assert_eq!(node.has_history("/topic/*", 0).await, "/topic/* [2, 3, 4] after 0 of 4");
}

#[tokio::test]
async fn scripts_that_redis_has_forgotten_are_loaded_again() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut hubs = joined(2, &server, false).await;
    publish(&mut hubs, 20).await;
    let _: String = server.run("SCRIPT FLUSH");
    publish(&mut hubs, 20).await;
    assert_eq!(hubs.check(TOPICS).await, 1);
    assert_eq!(hubs.gaps_and_messages(2), (0, 82));
}

#[tokio::test]
async fn a_replica_is_not_published_to() {
    if is_left_out() {
        return;
    }
    let (server, master) = (Server::start(&[]), Server::start(&[]));
    let mut hubs = joined(1, &server, false).await;
    publish(&mut hubs, 20).await;
    hubs.have_published_all().await;
    let _: String = server.run(&format!("REPLICAOF 127.0.0.1 {}", master.port));
    hubs.publish(0, "/topic/a");
    hubs.are_down().await;
    let _: String = server.run("REPLICAOF NO ONE");
    hubs.check(TOPICS).await;
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_noticed() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut hubs = Hubs::join(1, 100, &server, |options| {
        options.deadline = Duration::from_millis(200);
        options.connect = Duration::from_millis(200);
    });
    hubs.are_up().await;
    hubs.subscribe(0, "/topic/a", Start::Now);
    hubs.have_begun().await;
    server.stop_answering();
    hubs.publish(0, "/topic/a");
    hubs.are_down().await;
    server.answer_again();
    assert_eq!(hubs.check(TOPICS).await, 1);
    assert_eq!(hubs.gaps_and_messages(0), (0, 2));
}

#[tokio::test]
async fn a_node_that_is_too_slow_catches_up() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let mut slow = options(&server);
    slow.received = 10_000;
    let (mut node, ..) = Node::up(1, slow).await;
    let (mut publisher, ..) = Node::up(2, options(&server)).await;
    node.follow(1, "/topic/a", None);
    node.shown(1).await;
    // One batch comes at once.
    let topics = ["/topic/a"; 1_000];
    publisher.has_published(1, &topics).await;
    let mut last = 0;
    loop {
        match node.event().await {
            sansocket_realtime::bridge::Event::Message(entry) => {
                // Nothing is left out in between.
                assert_eq!(entry.position, last + 1);
                last = entry.position;
            }
            sansocket_realtime::bridge::Event::Down => break,
            other => panic!("{other:?}"),
        }
    }
    node.is_up().await;
    node.follow(1, "/topic/a", Some(last));
    let shown = node.shown(1).await;
    assert!(shown[0].ends_with(&format!("1000] after {last} of 1000")), "{shown:?}");
}

#[tokio::test]
async fn a_user_at_two_hubs_comes_once_and_leaves_once() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let hubs = joined(3, &server, false).await;
    hubs.watch(2);
    hubs.wait("the list is there", |hubs| !hubs.told(2).is_empty()).await;
    for hub in [0, 1] {
        hubs.visit(hub, 1, true);
    }
    hubs.visit(1, 2, true);
    for hub in 0..3 {
        hubs.sees(hub, &[1, 2].into()).await;
    }
    hubs.visit(0, 1, false);
    hubs.visit(1, 2, false);
    hubs.sees(2, &[1].into()).await;
    hubs.visit(1, 1, false);
    hubs.sees(2, &BTreeSet::new()).await;
    hubs.wait("all is told", |hubs| hubs.told(2).len() == 5).await;
    let told = hubs.told(2);
    for (event, user) in [("join", 1), ("join", 2), ("leave", 1), ("leave", 2)] {
        let text = format!(r#"{{"event":"{event}","user":"user{user:02}","#);
        let times = told.iter().filter(|it| it.starts_with(&text)).count();
        assert_eq!(times, 1, "{text} {told:?}");
    }
}

#[tokio::test]
async fn lists_are_right_after_connections_are_cut_while_users_come_and_go() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let hubs = joined(3, &server, false).await;
    users_come_and_go(&hubs, || server.cut()).await;
    assert!(outages(&hubs) > 0);
}

#[tokio::test]
async fn lists_are_right_after_redis_is_killed_while_users_come_and_go() {
    if is_left_out() {
        return;
    }
    for is_durable in [true, false] {
        let mut server = Server::start(if is_durable { DURABLE } else { &[] });
        let hubs = joined(3, &server, is_durable).await;
        users_come_and_go(&hubs, || {
            server.kill();
            server.start_again();
        })
        .await;
    }
}

/// Has users come and go at all hubs, with faults in between.
async fn users_come_and_go(hubs: &Hubs, mut fault: impl FnMut()) {
    let mut there = vec![BTreeSet::new(); hubs.hubs.len()];
    for round in 0..5_u64 {
        for step in 0..60_u64 {
            // Each user is at one hub, or at two.
            let (user, hub) = (step * 7 % 13, (step * step + round) as usize % there.len());
            let is_there = (step * 5 + round) % 3 > 0;
            hubs.visit(hub, user, is_there);
            if is_there {
                there[hub].insert(user)
            } else {
                there[hub].remove(&user)
            };
            if step % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        fault();
    }
    hubs.are_up().await;
    let all = there.iter().flatten().copied().collect();
    for hub in 0..there.len() {
        hubs.sees(hub, &all).await;
    }
    // Who is gone at all hubs is gone.
    for (hub, users) in there.iter().enumerate() {
        users.iter().for_each(|&user| hubs.visit(hub, user, false));
    }
    hubs.sees(0, &BTreeSet::new()).await;
}

#[tokio::test]
async fn the_users_of_a_hub_that_counted_as_dead_are_there_again() {
    if is_left_out() {
        return;
    }
    let server = Server::start(&[]);
    let hubs = joined(2, &server, false).await;
    hubs.visit(0, 1, true);
    hubs.sees(1, &[1].into()).await;
    // As if it had been silent for too long, and another node had said goodbye for it.
    let epoch: String = server.run("HGET {sansocket} epoch");
    let room = format!("{{sansocket}}:{epoch}:members:/presence/topic/room/a");
    let gone: usize =
        server.run(&format!("UNLINK {{sansocket}}:alive:1 {{sansocket}}:{epoch}:entered:1 {room}"));
    assert_eq!(gone, 3);
    hubs.sees(1, &[1].into()).await;
    assert_eq!(outages(&hubs), 0);
}
