//! A budget that connections of the blocking shell share.

use sansocket::{Budget, CloseCode, Config, Error, blocking::Acceptor, connection::ProtocolError};
use sansocket_testkit::{frames::masked, pair::blocking::server_and_stream};
use std::{io::Write, thread};

/// Two peers send parts of messages. Once the budget is used up, the one with the larger part has to
/// go, and the other goes on.
#[test]
fn the_peer_that_makes_us_hold_most_gives_way() {
    let budget: &'static Budget = Box::leak(Box::new(Budget::new(1_000_000)));
    let acceptor = Acceptor::new().config(Config::default().budget(budget));
    let message = masked(0x82, &vec![7; 4_000_000]);
    let (mut first, mut first_peer) = server_and_stream(acceptor.clone());
    let (mut second, mut second_peer) = server_and_stream(acceptor);
    second_peer.write_all(&masked(0x82, &[7; 400_000])[..390_000]).unwrap();
    let second = thread::spawn(move || {
        let received = second.next().unwrap().unwrap();
        (received.len(), second)
    });
    while budget.used() < 380_000 {
        thread::yield_now();
    }
    let flooding = thread::spawn(move || {
        // The connection fails on the way.
        let _ = first_peer.write_all(&message);
        first_peer
    });
    let error = first.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::OverBudget { .. })), "{error}");
    let closed = first.wait_closed();
    assert_eq!(closed.sent_code, CloseCode::TRY_AGAIN_LATER);
    assert!(closed.is_transient());
    second_peer.write_all(&[0; 10_014]).unwrap();
    let (len, second) = second.join().unwrap();
    assert_eq!(len, 400_000);
    drop((first, second, flooding.join().unwrap()));
    assert_eq!(budget.used(), 0);
}
