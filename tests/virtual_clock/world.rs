//! Two ends, the transport between them, and the clock, which jumps to where something happens next.

use super::{
    ends::{End, Seen},
    wire::{Direction, Faults, Rules, Socket},
};
use sansocket::IoFailure;
use std::time::Duration;

pub(crate) const SERVER: usize = 0;
pub(crate) const CLIENT: usize = 1;

/// What an end does at a moment of the test's choice.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Sends a binary message of so many bytes.
    Send(usize),
    /// Closes with this code and reason.
    Close(u16, &'static str),
    /// Sends bytes as they are, behind what is queued.
    Say(Vec<u8>),
    /// Always has more to send, until then.
    Flood(Duration),
    /// Does nothing at all until then.
    Sleep(Duration),
    /// Reads nothing any more.
    StopReading,
    /// Ends its sending side behind what it has said.
    Finish,
    /// Drops its transport; a connection is told that it is.
    Drop,
    /// Its TLS ends without the closing message.
    Truncate,
    FailReads(IoFailure),
    FailWrites(IoFailure),
    TakeNothing,
    /// Its half-close is not ready before.
    ShutDownFrom(Duration),
}

pub(crate) struct World {
    rules: Rules,
    ends: [Box<dyn End>; 2],
    faults: [Faults; 2],
    asleep_until: [Duration; 2],
    /// What each end sends.
    directions: [Direction; 2],
    /// In the order of time.
    script: Vec<(Duration, usize, Action)>,
    now: Duration,
}

/// Rounds of both ends at one moment after which it is clear that they run in circles.
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
            // Not zero: a clock may begin anywhere.
            now: START,
        }
    }

    /// Adds to the script: so long after the beginning `who` does this.
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
                assert!(rounds < TOO_MANY_ROUNDS, "both ends run in circles at {:?}", self.now);
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

    /// Lets an end do what it can do now; whether it did anything.
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

    /// When something can happen next.
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

/// Plays a scenario twice, and returns what the server and the client have seen. A third time, the
/// connections read what has come before they ask what is wanted, and see the same.
#[track_caller]
pub(crate) fn play(scenario: impl Fn() -> World) -> [Seen; 2] {
    let [first, second] = [scenario().run(), scenario().run()];
    assert!(first == second, "the same scenario went two ways");
    let mut other_way = scenario();
    other_way.ends.iter_mut().for_each(|end| end.read_first());
    let other_way = other_way.run().map(Seen::outcome);
    assert_eq!(other_way, first.clone().map(Seen::outcome), "the order matters");
    first
}
