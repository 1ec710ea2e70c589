//! What happened in all.

use crate::arguments::Arguments;
use crate::screen::{Screen, milliseconds};
use sansocket::{CloseCode, Closed};
use std::time::{Duration, Instant};

pub(crate) struct Summary {
    began: Instant,
    connections: u32,
    input_failed: bool,
    sent: Count,
    received: Count,
    pings: u32,
    round_trips: Vec<Duration>,
}

#[derive(Default)]
struct Count {
    messages: u64,
    bytes: u64,
}

/// Whether the user got everything, or what went wrong, unless that was printed already.
pub(crate) type Outcome = Result<(), Option<String>>;

/// Returns `true` if the closing handshake was completed, and the server's code blames nobody. A
/// server that gives no code (RFC 6455 §7.1.5) blames nobody either.
fn is_success(closed: &Closed) -> bool {
    let blames_nobody = [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::NO_STATUS_RECEIVED];
    closed.clean && blames_nobody.contains(&closed.code)
}

/// The most round trips that are remembered: those of a day, with a ping a second.
const MOST_ROUND_TRIPS: usize = 86_400;

impl Summary {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            connections: 0,
            input_failed: false,
            sent: Count::default(),
            received: Count::default(),
            pings: 0,
            round_trips: Vec::new(),
        }
    }

    pub(crate) fn connected(&mut self) {
        self.connections += 1;
    }

    /// Notes that standard input could not be read to its end, which the user has been told.
    pub(crate) fn input_failed(&mut self) {
        self.input_failed = true;
    }

    /// Returns whether the user got everything, given how the last connection ended, if it has.
    pub(crate) fn outcome(&self, arguments: &Arguments, closed: Option<&Closed>) -> Outcome {
        let missing = match arguments.count {
            Some(count) if self.received.messages < count && !self.input_failed => {
                Some(format!("{} of {count} messages arrived", self.received.messages))
            }
            _ => None,
        };
        let has_failed = closed.is_some_and(|closed| !is_success(closed));
        match (missing, closed) {
            (Some(missing), Some(closed)) => Err(Some(format!("{missing}; {closed}"))),
            (Some(missing), None) => Err(Some(missing)),
            (None, Some(closed)) if has_failed => Err(Some(closed.to_string())),
            (None, _) if self.input_failed => Err(None),
            (None, _) => Ok(()),
        }
    }

    pub(crate) fn sent(&mut self, len: usize) {
        self.sent.add(len);
    }

    pub(crate) fn received(&mut self, len: usize) {
        self.received.add(len);
    }

    pub(crate) fn received_messages(&self) -> u64 {
        self.received.messages
    }

    pub(crate) fn pinged(&mut self) {
        self.pings += 1;
    }

    pub(crate) fn round_trip(&mut self, took: Duration) {
        if self.round_trips.len() < MOST_ROUND_TRIPS {
            self.round_trips.push(took);
        }
    }

    /// Prints it, if there was a connection.
    pub(crate) fn print(&mut self, screen: &Screen) {
        if self.connections == 0 {
            return;
        }
        let again = match self.connections {
            1 => String::new(),
            count => format!(", {count} connections"),
        };
        screen.note(&format!(
            "sent {}, received {}, in {:.1?}{again}",
            self.sent.show(),
            self.received.show(),
            self.began.elapsed(),
        ));
        if let Some(round_trips) = self.show_round_trips() {
            screen.note(&round_trips);
        }
    }

    fn show_round_trips(&mut self) -> Option<String> {
        self.round_trips.sort_unstable();
        let (least, most) = (self.round_trips.first()?, self.round_trips.last()?);
        let median = self.round_trips.get(self.round_trips.len() / 2)?;
        Some(format!(
            "{} of {} pings answered; {} at least, {} in the median, {} at most",
            self.round_trips.len(),
            self.pings,
            milliseconds(*least),
            milliseconds(*median),
            milliseconds(*most),
        ))
    }
}

impl Count {
    fn add(&mut self, len: usize) {
        self.messages += 1;
        self.bytes += len as u64;
    }

    fn show(&self) -> String {
        let plural = if self.messages == 1 { "" } else { "s" };
        format!("{} message{plural} ({} bytes)", self.messages, self.bytes)
    }
}
