//! What can happen, as small numbers.

use proptest::{collection, prelude::*};

/// A step. The numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Subscribe {
        client: u8,
        to: u8,
        start: u8,
        acks: u8,
        gaps: bool,
    },
    Consume {
        client: u8,
        acks: u8,
    },
    /// A client consumes the queue that all hubs share.
    Work {
        client: u8,
        acks: u8,
    },
    Unsubscribe {
        client: u8,
        subscription: u8,
    },
    Send {
        client: u8,
        to: u8,
    },
    Publish {
        node: u8,
        to: u8,
    },
    /// A client sends to the queue that all hubs share.
    SendJob {
        client: u8,
    },
    /// An application publishes to it.
    PublishJob {
        node: u8,
    },
    Ack {
        client: u8,
        subscription: u8,
        which: u8,
    },
    Nack {
        client: u8,
        subscription: u8,
        which: u8,
    },
    Pause {
        client: u8,
    },
    GoOn {
        client: u8,
    },
    Leave {
        client: u8,
    },
    Return {
        client: u8,
        node: u8,
    },
    Cursor {
        client: u8,
        subscription: u8,
    },
    /// The broker gets commands of a hub.
    Commands {
        node: u8,
        count: u8,
    },
    /// A hub gets events of the broker.
    Events {
        node: u8,
        count: u8,
    },
    /// A hub gets a receipt of the broker that overtakes other events.
    Receipt {
        node: u8,
    },
    /// A hub gets a message again.
    Repeat {
        node: u8,
        which: u8,
    },
    Cut {
        node: u8,
        lost: u8,
    },
    Connect {
        node: u8,
    },
    BeginEpoch,
    Kill {
        node: u8,
        lost: u8,
    },
    /// The broker gives up waiting for a hub: one that was killed, or, wrongly, one that was not.
    CountAsDead {
        which: u8,
    },
    Wait {
        seconds: u8,
    },
}

/// What happens to the queue that all hubs share while one client works, now and then
/// slowly, and nothing fails.
pub(crate) fn steps_of_one_worker(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let n = || any::<u8>();
    let step = prop_oneof![
        4 => n().prop_map(|client| Step::SendJob { client }),
        2 => n().prop_map(|node| Step::PublishJob { node }),
        4 => n().prop_map(|which| Step::Ack { client: 0, subscription: 0, which }),
        1 => Just(Step::Pause { client: 0 }),
        1 => Just(Step::GoOn { client: 0 }),
        6 => (n(), 1..6_u8).prop_map(|(node, count)| Step::Commands { node, count }),
        6 => (n(), 1..6_u8).prop_map(|(node, count)| Step::Events { node, count }),
        1 => n().prop_map(|node| Step::Receipt { node }),
    ];
    let acks = (0..3_u8).prop_map(|acks| Step::Work { client: 0, acks });
    (acks, collection::vec(step, 1..length)).prop_map(|(works, steps)| {
        let mut all = vec![works];
        all.extend(steps);
        all
    })
}

pub(crate) fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let n = || any::<u8>();
    let step = prop_oneof![
        12 => (n(), n(), 0..4_u8, 0..4_u8, any::<bool>()).prop_map(
            |(client, to, start, acks, gaps)| Step::Subscribe { client, to, start, acks, gaps }
        ),
        2 => (n(), 0..3_u8).prop_map(|(client, acks)| Step::Consume { client, acks }),
        4 => (n(), 0..3_u8).prop_map(|(client, acks)| Step::Work { client, acks }),
        3 => (n(), n()).prop_map(|(client, subscription)| Step::Unsubscribe { client, subscription }),
        16 => (n(), n()).prop_map(|(client, to)| Step::Send { client, to }),
        8 => (n(), n()).prop_map(|(node, to)| Step::Publish { node, to }),
        6 => n().prop_map(|client| Step::SendJob { client }),
        3 => n().prop_map(|node| Step::PublishJob { node }),
        8 => (n(), n(), n()).prop_map(
            |(client, subscription, which)| Step::Ack { client, subscription, which }
        ),
        3 => (n(), n(), n()).prop_map(
            |(client, subscription, which)| Step::Nack { client, subscription, which }
        ),
        2 => n().prop_map(|client| Step::Pause { client }),
        2 => n().prop_map(|client| Step::GoOn { client }),
        3 => n().prop_map(|client| Step::Leave { client }),
        4 => (n(), n()).prop_map(|(client, node)| Step::Return { client, node }),
        6 => (n(), n()).prop_map(|(client, subscription)| Step::Cursor { client, subscription }),
        20 => (n(), 1..6_u8).prop_map(|(node, count)| Step::Commands { node, count }),
        20 => (n(), 1..6_u8).prop_map(|(node, count)| Step::Events { node, count }),
        2 => n().prop_map(|node| Step::Receipt { node }),
        2 => (n(), n()).prop_map(|(node, which)| Step::Repeat { node, which }),
        3 => (n(), 0..8_u8).prop_map(|(node, lost)| Step::Cut { node, lost }),
        4 => n().prop_map(|node| Step::Connect { node }),
        1 => Just(Step::BeginEpoch),
        1 => (n(), 0..8_u8).prop_map(|(node, lost)| Step::Kill { node, lost }),
        1 => n().prop_map(|which| Step::CountAsDead { which }),
        2 => (1..50_u8).prop_map(|seconds| Step::Wait { seconds }),
    ];
    collection::vec(step, 1..length)
}
