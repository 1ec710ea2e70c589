//! What polls hold while they wait.

use crate::server::{SECOND, Server};
use sansocket_realtime::{
    hub::{self, ConnectionId},
    poll::{Config, Polls, Request},
};
use sansocket_testkit::allocator::live;

const POLLS: isize = 10_000;

/// Returns the bytes that each of many polls holds.
fn measure(query: &str) -> isize {
    let mut server = Server::with(Config::default(), hub::Config::default());
    server.publish("/topic/a", "1");
    let before = live();
    let mut parked = 0;
    let mut left = [0; 3];
    for left in &mut left {
        for _ in 0..POLLS {
            let poll = server.poll(query);
            assert!(server.is_waiting(poll));
        }
        parked = live() - before;
        server.publish("/topic/b", "2");
        server.pass(25 * SECOND);
        assert_eq!(server.answers.len() as isize, POLLS);
        server.answers.clear();
        *left = live() - before;
    }
    // Tables of the hub keep their size for the next polls, and nothing else is left.
    assert!(left[2] - left[1] < 1 << 10 && left[0] < parked, "{left:?} of {parked}");
    parked / POLLS
}

#[test]
fn a_parked_poll_holds_some_hundred_bytes() {
    let now = measure("topic=/topic/a");
    let resumed = measure("topic=/topic/a&since=a-1");
    println!("a parked poll holds {now} bytes, one that resumes {resumed}");
    assert!(now <= 450 && resumed <= 500, "{now}, {resumed}");
}

#[test]
fn polls_that_have_gone_leave_nothing_behind() {
    let request = Request::new(["/topic/a"], &Config::default()).unwrap();
    let before = live();
    let mut polls = Polls::new(Config::default());
    for number in 0..POLLS as u64 {
        polls.begin(ConnectionId(number), None, request.clone(), SECOND).unwrap();
    }
    for number in 0..POLLS as u64 {
        polls.abort(ConnectionId(number)).expect("it waits");
    }
    let left = live() - before;
    assert!(left < 10_000, "{left} bytes");
}
