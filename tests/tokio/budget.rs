//! A budget that connections of the tokio shell share.

use sansocket::{
    Budget, Config, Error,
    connection::{ProtocolError, Role, Server},
};
use sansocket_testkit::{
    endpoint::client_role,
    frames::{BINARY, frame},
    polling::poll_once,
    transports::wire::{CLIENT, EAGER, SERVER, Wire, websocket},
};
use std::task::Poll;

/// The peers of three connections send parts of messages. The one with the largest part has to go.
#[test]
fn the_peer_that_makes_us_hold_most_gives_way() {
    fn check<R: Role>(mut role: impl FnMut() -> R, side: usize, is_split: bool) {
        let budget: &'static Budget = Box::leak(Box::new(Budget::new(150_000)));
        let message = frame::<R>(BINARY, &vec![7; 1_000_000]);
        let parts = [140_000, 20_000, 20_000];
        let wires: [Wire; 3] = core::array::from_fn(|_| Wire::new());
        let config = Config::default().budget(budget);
        let mut websockets: Vec<_> =
            wires.iter().map(|wire| websocket(wire.end(side, EAGER), role(), config)).collect();
        for ((wire, websocket), part) in wires.iter().zip(&mut websockets).zip(parts) {
            wire.put(1 - side, &message[..part]);
            assert!(poll_once(websocket.next()).is_pending());
        }
        assert!((170_000..=180_000).contains(&budget.used()), "{budget:?}");
        for (number, (wire, websocket)) in wires.iter().zip(&mut websockets).enumerate().rev() {
            wire.put(1 - side, &message[parts[number]..][..5000]);
            let received = poll_once(websocket.next());
            match (number, received) {
                (0, Poll::Ready(Some(Err(Error::Protocol(error))))) => {
                    assert!(matches!(error, ProtocolError::OverBudget { .. }), "{error}");
                    assert!(!wire.take(side).is_empty(), "the peer gets no Close");
                }
                (1 | 2, Poll::Pending) => {}
                (number, received) => panic!("{number}: {received:?}"),
            }
        }
        assert!(budget.used() <= 50_000, "{budget:?}");
        if is_split {
            let halves: Vec<_> =
                websockets.into_iter().map(|websocket| websocket.split()).collect();
            drop(halves);
        } else {
            drop(websockets);
        }
        assert_eq!(budget.used(), 0);
    }
    for is_split in [false, true] {
        check(Server::new, SERVER, is_split);
        check(client_role, CLIENT, is_split);
    }
}

/// A connection whose peer does not read holds what it could not write.
#[test]
fn unwritten_output_counts_until_it_is_written() {
    let budget: &'static Budget = Box::leak(Box::new(Budget::new(1 << 20)));
    let wire = Wire::new();
    wire.set_room(SERVER, 1000);
    let mut websocket =
        websocket(wire.end(SERVER, EAGER), Server::new(), Config::default().budget(budget));
    websocket.try_feed(vec![7; 100_000]).unwrap();
    assert!(poll_once(websocket.flush()).is_pending());
    assert!((98_000..=100_100).contains(&budget.used()), "{budget:?}");
    wire.take(SERVER);
    wire.set_room(SERVER, 1 << 20);
    assert!(poll_once(websocket.flush()).is_ready());
    assert_eq!(budget.used(), 0);
}
