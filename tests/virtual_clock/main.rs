//! Both endpoints of a connection without a socket or a real clock: a transport in memory, time
//! that jumps, and one loop that does what
//! [`Connection::next`](sansocket::connection::Connection::next) says. The tests play all endings,
//! and check what each endpoint learns and when (RFC 6455 §7).
#![cfg(feature = "alloc")]

mod clean;
mod data_rate;
mod ends;
mod faults;
mod idle;
mod keepalive;
mod lost;
mod silent;
mod wire;
mod world;

use ends::Seen;
use sansocket::{
    Config,
    connection::{Cause, Initiator, TransportEnd},
};
use sansocket_testkit::frames::{failure_close, masked, plain};
use std::time::Duration;
use wire::Rules;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// How long everything is in flight.
const LATENCY: Duration = Duration::from_millis(10);
/// The default close timeout.
const CLOSE: Duration = Duration::from_secs(5);
/// How long a client waits for the server to end TCP before it reports a clean end.
const LINGER: Duration = SECOND;

/// An approximation of TCP.
const TCP: Rules =
    Rules { capacity: 64 << 10, latency: LATENCY, piece: usize::MAX, half_close: true };
/// Like TLS in a stream that can only be read and written.
const NO_HALF_CLOSE: Rules = Rules { half_close: false, ..TCP };
/// Everything moves byte by byte.
const DRIP: Rules = Rules { piece: 1, ..TCP };
/// At most one byte is in flight.
const NARROW: Rules = Rules { capacity: 1, ..TCP };

const ALL_RULES: [Rules; 6] = [
    TCP,
    NO_HALF_CLOSE,
    DRIP,
    Rules { half_close: false, ..DRIP },
    NARROW,
    Rules { half_close: false, ..NARROW },
];

/// All parts of `Closed` except the reason.
type Parts = (u16, u16, Initiator, bool, Cause);

const LOST: u16 = 1006;

fn by_transport(how: TransportEnd) -> Cause {
    Cause::Transport(how)
}

impl Seen {
    fn parts(&self) -> Parts {
        let (_, closed) = self.told.as_ref().expect("the end was never reported");
        let (code, sent) = (closed.code.number(), closed.sent_code.number());
        (code, sent, closed.initiator, closed.clean, closed.cause)
    }

    fn reason(&self) -> &str {
        self.told.as_ref().map_or("", |(_, closed)| &closed.reason)
    }

    /// When the end was reported, and when the connection was over.
    fn times(&self) -> (Duration, Duration) {
        (self.told.as_ref().expect("never reported").0, self.over.expect("never over"))
    }
}

fn config() -> Config {
    Config::default()
}
