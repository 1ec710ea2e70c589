//! How much memory topics and subscriptions take.
//!
//! ```sh
//! cargo bench -p sansocket-realtime --bench memory
//! ```
//!
//! With `--test`, it makes a thousandth of everything, and only checks that it runs.

use core::time::Duration;
use sansocket_realtime::{
    Epoch, Message,
    hub::{Command, Config, ConnectionId, Hub, Open, SubscriptionId},
};
use sansocket_testkit::allocator::{Counting, live};
use std::{env, time::Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Duration = Duration::ZERO;

fn main() {
    let is_test = env::args().any(|argument| argument == "--test");
    let scale = if is_test { 1_000 } else { 1 };
    println!("{:<58} {:>10} {:>10}", "", "bytes each", "ns each");
    row("a connection without subscriptions", 1_000_000 / scale, connect);
    row("a connection with a subscription of one topic", 1_000_000 / scale, |hub, number| {
        connect(hub, number);
        subscribe(hub, number, 0, "/topic/all".into());
    });
    row("one more subscription of a connection with 100", 1_000_000 / scale, |hub, number| {
        if number % 100 == 0 {
            connect(hub, number / 100);
        }
        subscribe(hub, number / 100, number as u32 % 100, format!("/topic/{}", number % 100));
    });
    row(
        "a connection with a subscription of a topic of its own",
        1_000_000 / scale,
        |hub, number| {
            connect(hub, number);
            subscribe(hub, number, 0, format!("/topic/orders/{number}"));
        },
    );
    row("a connection with a pattern of its own", 100_000 / scale, |hub, number| {
        connect(hub, number);
        subscribe(hub, number, 0, format!("/topic/orders/{number}/*"));
    });
    row("a topic that keeps a message of 125 bytes", 100_000 / scale, |hub, number| {
        publish(hub, format!("/topic/orders/{number}"));
    });
    row("one more message of 125 bytes in a topic with 100", 100_000 / scale, |hub, number| {
        publish(hub, format!("/topic/orders/{}", number / 100));
    });
}

/// Prints what each of so many calls adds to a hub.
fn row(name: &str, count: u64, mut add: impl FnMut(&mut Hub, u64)) {
    let config = Config::default().destinations(usize::MAX).replay(usize::MAX);
    let mut hub = Hub::with_config(Epoch(1), config, Open);
    let (before, begin) = (live(), Instant::now());
    for number in 0..count {
        add(&mut hub, number);
    }
    let nanoseconds = begin.elapsed().as_nanos() / u128::from(count);
    let bytes = (live() - before) / count as isize;
    println!("{name:<58} {bytes:>10} {nanoseconds:>10}");
}

fn connect(hub: &mut Hub, number: u64) {
    hub.handle(Command::Connect { connection: ConnectionId(number), principal: None }, NOW);
}

fn subscribe(hub: &mut Hub, connection: u64, subscription: u32, destination: String) {
    let command = Command::Subscribe {
        connection: ConnectionId(connection),
        subscription: SubscriptionId(subscription),
        destinations: vec![destination],
        options: Default::default(),
        request: None,
    };
    assert_eq!(hub.handle(command, NOW).count(), 1);
}

fn publish(hub: &mut Hub, destination: String) {
    let message = Message::new(vec![b'x'; 125]);
    hub.handle(Command::Publish { destination, message, request: None }, NOW);
}
