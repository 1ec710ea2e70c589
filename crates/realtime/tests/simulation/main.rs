//! A server and hundreds of clients on all transports, in one thread and on virtual time.
//!
//! The [server] is put together from the machines of the crate, and each of the [clients] has real
//! machines too. Between them are [links](link) that are slow, cut what is written into pieces, and
//! break. Everything that a client is told is checked against the one [truth].
//!
//! One number decides all of a [run](world). If a run fails, its seed is printed. To repeat it:
//!
//! ```sh
//! SIMULATION_SEED=42 cargo test -p sansocket-realtime --test simulation
//! ```
//!
//! Three servers can also be joined by a [broker] that gets lost now and then.
//!
//! With `SIMULATION_RUNS=1000`, so many seeds are run, and `SIMULATION_CLIENTS=300` sets the number of
//! clients.

mod broker;
mod clients;
mod http;
#[path = "../json/mod.rs"]
mod json;
mod link;
mod random;
mod server;
mod timers;
mod truth;
mod websocket;
mod world;

use sansocket_testkit::allocator::{Counting, live};
use std::{collections::BTreeMap, env};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENTS: usize = 100;
const RUNS: u64 = 5;

fn number(variable: &str) -> Option<u64> {
    env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().expect("a number"))
}

/// Prints the seed if the run fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was SIMULATION_SEED={}", self.0);
        }
    }
}

fn run(seed: u64, servers: usize) -> world::Outcome {
    let clients = number("SIMULATION_CLIENTS").map_or(CLIENTS, |count| count as usize);
    let _seed = Seed(seed);
    world::run(seed, clients, servers)
}

fn run_all(servers: usize) {
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_RUNS").unwrap_or(RUNS),
    };
    let mut seen = BTreeMap::new();
    for seed in seeds {
        for (what, count) in run(seed, servers).seen {
            *seen.entry(what).or_insert(0) += count;
        }
    }
    println!("{seen:#?}");
}

#[test]
fn everybody_gets_everything_once_or_is_told_what_is_missing() {
    run_all(1);
}

#[test]
fn few_clients_leave_nothing_behind() {
    for seed in 0..10 {
        let _seed = Seed(seed);
        world::run(seed, 10, 1);
    }
}

#[test]
fn three_servers_are_as_one() {
    run_all(3);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for servers in [1, 3] {
        let (first, second) = (world::run(7, 30, servers), world::run(7, 30, servers));
        assert_eq!((first.trace, &first.seen), (second.trace, &second.seen));
        assert_ne!(first.trace, world::run(8, 30, servers).trace);
    }
}

#[test]
fn a_server_that_all_have_left_holds_little() {
    let new = world::held_by_new_server();
    // The guard remembers what each has done until others come, so this depends on their number.
    let left = world::run(2, CLIENTS, 1).held;
    println!("{new} {left}");
    assert!(left < new + (128 << 10), "{left} bytes instead of {new}");
}

#[test]
fn nothing_stays_in_memory() {
    // The core keeps some memory for the next connections, up to a bound.
    let grows = |seed| {
        let before = live();
        drop(world::run(seed, 30, 1));
        live() > before
    };
    assert!((0..12).any(|seed| !grows(seed)), "each run leaves something behind");
}
