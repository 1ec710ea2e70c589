//! The conformance vectors of `tests/vectors/stomp/session`, whose `README.md` describes the format: each
//! whole, byte by byte, and cut at every index.

use crate::any_bytes::check_session;
use crate::script::{Expected, Step, Vector, describe_command, describe_frame, read_folder};
use sansocket_realtime::{
    hub::{ConnectionId, Principal},
    stomp::{
        Version,
        server::{Event, Output, Session},
    },
};
use sansocket_testkit::cuts::cuts;
use std::{collections::HashSet, fs, path::Path, sync::Arc, time::Duration};

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this way.
const VECTORS: usize = 162;

fn vectors() -> Vec<Vector> {
    read_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/stomp/session"))
}

struct Run<'a> {
    vector: &'a Vector,
    version: Version,
    session: Session,
    now: Duration,
    seen: Expected,
}

impl<'a> Run<'a> {
    fn new(vector: &'a Vector, version: Version) -> Self {
        let config = Arc::new(vector.config.clone());
        let mut session = Session::new(ConnectionId(1), config, Duration::ZERO);
        if let Some(user) = &vector.user {
            session = session.authenticated(Principal::new(user.as_str()));
        }
        let seen = Expected::default();
        let mut run = Self { vector, version, session, now: Duration::ZERO, seen };
        if vector.is_connected {
            let connect = format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0");
            run.session.receive(connect, run.now);
            assert!(matches!(run.session.next_event(), Some(Event::Connect(_))));
            run.session.accept(None, run.now);
            run.pull();
            assert_eq!(run.seen.events, ["hub connect"]);
            assert_eq!(run.seen.output.len(), 1);
            run.seen = Expected::default();
        }
        run
    }

    /// Does all steps, with the input of each cut at these places.
    fn run(mut self, cuts: &dyn Fn(usize, usize) -> Vec<usize>) {
        let mut before = 0;
        for (step, expected) in &self.vector.steps {
            match step {
                Step::Input(_) => {
                    let input = step.input(self.version);
                    let mut start = 0;
                    for end in cuts(before, input.len()).into_iter().chain([input.len()]) {
                        self.session.receive(input[start..end].to_vec(), self.now);
                        start = end;
                        self.pull();
                    }
                    before += input.len();
                }
                Step::Accept(user) => {
                    self.session.accept(user.as_deref().map(Principal::new), self.now);
                }
                Step::Refuse(code, reason) => self.session.refuse(reason, *code, self.now),
                Step::End(code, reason) => self.session.end(reason, *code, self.now),
                Step::TransportEnds => self.session.transport_ended(),
                Step::Effect(effect) => self.session.apply(effect, self.now),
                Step::Time(now) => {
                    self.now = *now;
                    self.session.time_passed(self.now);
                }
            }
            self.pull();
            self.check(expected, step);
        }
        let Vector { title, error, has_ended, .. } = self.vector;
        assert_eq!(self.session.has_ended(), *has_ended, "{title}");
        let seen = self.session.error().map(ToString::to_string);
        assert_eq!(seen, *error, "{title} in {}", self.version);
    }

    /// Pulls what there is.
    fn pull(&mut self) {
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Connect(request) => {
                    let mut line = format!("connect {}", request.version());
                    for (name, value) in
                        [("login", request.login()), ("passcode", request.passcode())]
                    {
                        line += &value.map_or(String::new(), |value| format!(" {name} {value}"));
                    }
                    let user = request.principal().map(Principal::name);
                    line += &user.map_or(String::new(), |user| format!(" user {user}"));
                    self.seen.events.push(line);
                }
                Event::Command(command) => self.seen.events.extend(describe_command(&command)),
                other => panic!("{other:?}"),
            }
        }
        while let Some(output) = self.session.next_output() {
            self.seen.output.push(match output {
                Output::Frame(frame) => describe_frame(&frame, self.version),
                Output::Close(code) => format!("close {}", code.number()),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(self.session.output_bytes(), 0);
    }

    fn check(&mut self, expected: &Expected, step: &Step) {
        let deadline = self.session.next_deadline().map(|at| at.as_millis() as u64);
        let deadline = expected.deadline.map(|_| deadline);
        let seen = Expected { deadline, ..std::mem::take(&mut self.seen) };
        let (title, version) = (&self.vector.title, self.version);
        assert_eq!(
            seen,
            *expected,
            "{title} in {version} after {step:?}, error {:?}",
            self.session.error()
        );
    }
}

#[test]
fn all_cuts_have_one_outcome() {
    let vectors = vectors();
    for vector in &vectors {
        for &version in &vector.versions {
            let run = |cuts: &dyn Fn(usize, usize) -> Vec<usize>| {
                Run::new(vector, version).run(cuts);
            };
            run(&|_, _| Vec::new());
            run(&|_, len| (1..len).collect());
            let steps = vector.steps.iter();
            let len: usize = steps.map(|(step, _)| step.input(version).len()).sum();
            for at in 1..len {
                run(&|before, len| {
                    let at = at.checked_sub(before);
                    at.filter(|at| (1..len).contains(at)).into_iter().collect()
                });
            }
            for seed in 0..8 {
                run(&|_, len| cuts(seed, len));
            }
        }
    }
    assert_eq!(vectors.len(), VECTORS, "update VECTORS if you added vectors");
}

/// What clients send in the vectors are the seeds of the fuzz target `stomp_session`. If
/// `SANSOCKET_SEEDS` is set, it names a folder for the seeds of all targets.
#[test]
fn vectors_are_seeds_of_the_fuzz_target() {
    let seeds = std::env::var_os("SANSOCKET_SEEDS").map(|seeds| {
        let folder = Path::new(&seeds).join("stomp_session");
        fs::create_dir_all(&folder).unwrap();
        folder
    });
    for (index, vector) in vectors().iter().enumerate() {
        for &version in &vector.versions {
            let choice = if vector.is_connected { version as u8 + 1 } else { 0 };
            let mut data = vec![choice, 1];
            data.extend(vector.steps.iter().flat_map(|(step, _)| step.input(version)));
            check_session(&data);
            if let Some(seeds) = &seeds {
                fs::write(seeds.join(format!("vector-{index:04}-{version}")), &data).unwrap();
            }
        }
    }
}

/// Names identify vectors, so they are unique.
#[test]
fn names_are_unique() {
    let mut names = HashSet::new();
    for vector in vectors() {
        assert!(names.insert(vector.name.clone()), "{} is not the first", vector.title);
    }
}
