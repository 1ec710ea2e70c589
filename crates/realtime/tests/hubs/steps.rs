//! What can happen, as small numbers.

use proptest::{collection::vec, prelude::*};

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
    Wait {
        seconds: u8,
    },
}

pub(crate) fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let n = || any::<u8>();
    let step = prop_oneof![
        12 => (n(), n(), 0..4_u8, 0..4_u8, any::<bool>()).prop_map(
            |(client, to, start, acks, gaps)| Step::Subscribe { client, to, start, acks, gaps }
        ),
        2 => (n(), 0..3_u8).prop_map(|(client, acks)| Step::Consume { client, acks }),
        3 => (n(), n()).prop_map(|(client, subscription)| Step::Unsubscribe { client, subscription }),
        16 => (n(), n()).prop_map(|(client, to)| Step::Send { client, to }),
        8 => (n(), n()).prop_map(|(node, to)| Step::Publish { node, to }),
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
        2 => (1..50_u8).prop_map(|seconds| Step::Wait { seconds }),
    ];
    vec(step, 1..length)
}
