//! What the guard allocates: nothing for what it knows, and a bounded number of bytes whatever clients
//! do.

use core::{net::IpAddr, time::Duration};
use sansocket::server::Rate;
use sansocket_realtime::guard::{DestinationLimits, Guard, Limits};
use sansocket_realtime::hub::Principal;
use sansocket_testkit::allocator::{Counting, live, measure};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    let slow = DestinationLimits::default().messages(Rate::per_minute(1).burst(1_000));
    Limits::default().other_destinations(slow)
}

#[test]
fn a_lookup_of_what_is_known_allocates_nothing() {
    let mut guard = Guard::new(limits());
    let (address, joe) = (IpAddr::from([192, 0, 2, 1]), Principal::new("joe"));
    let mut first = guard.connect(Some(address), SECOND).unwrap();
    guard.authenticated(&mut first, &joe, SECOND).unwrap();
    guard.message(&first, "/app/orders", 10, SECOND).unwrap();
    let ((), taken) = measure(|| {
        for _ in 0..10 {
            let mut second = guard.connect(Some(address), SECOND).unwrap();
            guard.authenticated(&mut second, &joe, SECOND).unwrap();
            guard.subscribe(&mut second, "/topic/orders", SECOND).unwrap();
            guard.message(&second, "/app/orders", 10, SECOND).unwrap();
            assert!(guard.message(&second, "/app/orders", usize::MAX, SECOND).is_err());
            guard.unsubscribe(&mut second, "/topic/orders", SECOND);
            guard.disconnect(second, SECOND);
        }
    });
    assert_eq!(taken.allocations, 0);
    guard.disconnect(first, SECOND);
}

/// Three times as many addresses and destinations come as the guard remembers, each once.
#[test]
fn the_tables_take_no_more_than_documented() {
    const REMEMBERED: usize = 10_000;
    let before = live();
    let mut guard = Guard::new(limits().remembered(REMEMBERED));
    let client = guard.connect(None, SECOND).unwrap();
    for number in 0..3 * REMEMBERED as u32 {
        let network = u128::from(number) << 64;
        let address = IpAddr::from((0x2001_0db8 << 96 | network).to_be_bytes());
        if let Ok(other) = guard.connect(Some(address), SECOND) {
            guard.disconnect(other, SECOND);
        }
        let _ = guard.message(&client, &format!("/app/{number:0>11}"), 1, SECOND);
    }
    // A name is shared, and has two counts beside its 16 bytes.
    let most = 310 * REMEMBERED + (310 + 16 + 16) * REMEMBERED;
    let held = live() - before;
    assert!(held <= most as isize, "{held} bytes, at most {most}");
    assert!(held >= most as isize / 4, "{held} bytes: it remembers nothing");
    guard.disconnect(client, SECOND);
}
