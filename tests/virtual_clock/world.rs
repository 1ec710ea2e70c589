//! Two endpoints, the transport between them, and a clock that jumps to the next event.

use super::{
    ends::{End, Seen},
    wire::{Direction, Faults, Rules, Socket},
};
use sansocket::transport::IoFailure;
use std::time::Duration;

pub(crate) const SERVER: usize = 0;
pub(crate) const CLIENT: usize = 1;

/// An action of an endpoint, at a time chosen by the test.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Sends a binary message of this size.
    Send(usize),
    /// Closes with this code and reason.
    Close(u16, &'static str),
    /// Sends raw bytes, after the queue.
    Say(Vec<u8>),
    /// Always has more to send until then.
    Flood(Duration),
    /// Does nothing until then.
    Sleep(Duration),
    /// Stops reading.
    StopReading,
    /// Ends its sending side after everything that was sent.
    Finish,
    /// Drops its transport, and tells the connection.
    Drop,
    /// Ends its TLS stream without the closing message.
    Truncate,
    FailReads(IoFailure),
    FailWrites(IoFailure),
    TakeNothing,
    /// Makes its half-close ready only then.
    ShutDownFrom(Duration),
}

pub(crate) struct World {
    rules: Rules,
    ends: [Box<dyn End>; 2],
    faults: [Faults; 2],
    asleep_until: [Duration; 2],
    /// The direction from each endpoint.
    directions: [Direction; 2],
    /// The actions in order of time.
    script: Vec<(Duration, usize, Action)>,
    now: Duration,
}

/// The number of rounds at one moment after which both endpoints are considered stuck in a loop.
const TOO_MANY_ROUNDS: u32 = 200_000;

impl World {
    pub(crate) fn new(
        server: impl End + 'static,
        client: impl End + 'static,
        rules: Rules,
    ) -> Self {
        Self {
            rules,
            ends: [Box::new(server), Box::new(client)],
            faults: Default::default(),
            asleep_until: Default::default(),
            directions: Default::default(),
            script: Vec::new(),
            // Not zero, since a clock may begin anywhere.
            now: START,
        }
    }

    /// Adds to the script: `who` does this at the given time after the beginning.
    pub(crate) fn at(mut self, after: Duration, who: usize, action: Action) -> Self {
        self.script.push((START + after, who, action));
        self.script.sort_by_key(|(moment, ..)| *moment);
        self
    }

    /// Runs until nothing happens any more.
    fn run(mut self) -> [Seen; 2] {
        loop {
            while let Some((moment, ..)) = self.script.first() {
                if *moment > self.now {
                    break;
                }
                let (_, who, action) = self.script.remove(0);
                self.act(who, action);
            }
            let mut rounds = 0;
            while self.turn(SERVER) | self.turn(CLIENT) {
                rounds += 1;
                assert!(rounds < TOO_MANY_ROUNDS, "both endpoints loop at {:?}", self.now);
            }
            match self.next_moment() {
                Some(moment) => self.now = moment,
                None => return self.ends.map(End::into_seen),
            }
        }
    }

    fn act(&mut self, who: usize, action: Action) {
        let faults = &mut self.faults[who];
        match action {
            Action::Sleep(until) => self.asleep_until[who] = START + until,
            Action::FailReads(failure) => faults.read = Some(failure),
            Action::FailWrites(failure) => faults.write = Some(failure),
            Action::TakeNothing => faults.takes_nothing = true,
            Action::ShutDownFrom(moment) => faults.shut_down_from = START + moment,
            Action::Flood(until) => self.act_in_end(who, Action::Flood(START + until)),
            action => self.act_in_end(who, action),
        }
    }

    fn act_in_end(&mut self, who: usize, action: Action) {
        let (end, mut socket) = self.end_and_socket(who);
        end.act(action, &mut socket);
    }

    /// Lets an endpoint do what it can do now. Returns `true` if it did anything.
    fn turn(&mut self, who: usize) -> bool {
        if self.asleep_until[who] > self.now {
            return false;
        }
        let (end, mut socket) = self.end_and_socket(who);
        end.turn(&mut socket)
    }

    fn end_and_socket(&mut self, who: usize) -> (&mut dyn End, Socket<'_>) {
        let [from_server, from_client] = &mut self.directions;
        let (incoming, outgoing) =
            if who == SERVER { (from_client, from_server) } else { (from_server, from_client) };
        let (now, rules, faults) = (self.now, self.rules, &self.faults[who]);
        (&mut *self.ends[who], Socket { now, rules, faults, incoming, outgoing })
    }

    /// Returns when something can happen next.
    fn next_moment(&self) -> Option<Duration> {
        let now = self.now;
        let script = self.script.first().map(|(moment, ..)| *moment);
        let arrivals = self.directions.iter().filter_map(|direction| direction.next_arrival(now));
        let awake = [SERVER, CLIENT].into_iter().filter(|who| self.asleep_until[*who] <= now);
        let deadlines = awake.filter_map(|who| self.ends[who].deadline());
        let wakings = self.asleep_until.into_iter();
        let faults = self.faults.iter().map(|faults| faults.shut_down_from);
        let moments = arrivals.chain(deadlines).chain(wakings).chain(faults).chain(script);
        moments.filter(|moment| *moment > now).min()
    }
}

pub(crate) const START: Duration = Duration::from_secs(1000);

/// Plays a scenario twice, and returns what the server and the client have seen. Then plays it a
/// third time with connections that read their input before they ask what is wanted, which must not
/// change the outcome.
#[track_caller]
pub(crate) fn play(scenario: impl Fn() -> World) -> [Seen; 2] {
    let [first, second] = [scenario().run(), scenario().run()];
    assert!(first == second, "the same scenario had two outcomes");
    let mut other_way = scenario();
    other_way.ends.iter_mut().for_each(|end| end.read_first());
    let other_way = other_way.run().map(Seen::outcome);
    assert_eq!(other_way, first.clone().map(Seen::outcome), "the order of reading matters");
    first
}
