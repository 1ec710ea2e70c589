//! Both ends of a connection without a socket and without a clock: a transport in memory, time that
//! jumps, and one loop that does what [`Connection::next`](sansocket::Connection::next) says. All ways
//! to end are played, and what each end comes to know, and when (RFC 6455 §7).
#![cfg(feature = "alloc")]

mod clean;
mod ends;
mod faults;
mod lost;
mod silent;
mod wire;
mod world;

use ends::Seen;
use sansocket::{Cause, Config, Initiator, TransportEnd};
use sansocket_testkit::frames::{masked, plain};
use std::time::Duration;
use wire::Rules;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// How long anything is under way.
const LATENCY: Duration = Duration::from_millis(10);
/// The close timeout by default.
const CLOSE: Duration = Duration::from_secs(5);
/// How long a client waits for the server to end TCP until it says that the end was clean.
const LINGER: Duration = SECOND;

/// TCP, more or less.
const TCP: Rules =
    Rules { capacity: 64 << 10, latency: LATENCY, piece: usize::MAX, half_close: true };
/// As TLS in a stream that can only be read and written.
const NO_HALF_CLOSE: Rules = Rules { half_close: false, ..TCP };
/// All goes byte by byte.
const DRIP: Rules = Rules { piece: 1, ..TCP };
/// No more than a byte is under way.
const NARROW: Rules = Rules { capacity: 1, ..TCP };

const ALL_RULES: [Rules; 6] = [
    TCP,
    NO_HALF_CLOSE,
    DRIP,
    Rules { half_close: false, ..DRIP },
    NARROW,
    Rules { half_close: false, ..NARROW },
];

/// All that `Closed` says, but the reason.
type Parts = (u16, u16, Initiator, bool, Cause);

const LOST: u16 = 1006;

fn by_transport(how: TransportEnd) -> Cause {
    Cause::Transport(how)
}

impl Seen {
    fn parts(&self) -> Parts {
        let (_, closed) = self.told.as_ref().expect("it was never told how it ended");
        let (code, sent) = (closed.code.number(), closed.sent_code.number());
        (code, sent, closed.initiator, closed.clean, closed.cause)
    }

    fn reason(&self) -> &str {
        self.told.as_ref().map_or("", |(_, closed)| &closed.reason)
    }

    /// When it was told, and when it was over.
    fn times(&self) -> (Duration, Duration) {
        (self.told.as_ref().expect("told").0, self.over.expect("it was never over"))
    }
}

fn config() -> Config {
    Config::default()
}
