//! What was published, consumed and answered: the one truth that all clients are checked against.

use sansocket_realtime::{Cursor, Published};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

/// Where a message has its place: the number of the run of the hub, and its position there.
pub(crate) type Place = (u64, u64);

struct Entry {
    place: Place,
    destination: String,
    body: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.place, self.destination)
    }
}

/// Everything that was published, in its order.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    entries: Vec<Entry>,
    bodies: BTreeSet<String>,
    /// How many jobs there have been: their bodies are numbers.
    pub(crate) jobs: u64,
    /// The jobs that nobody may get again: their acknowledgement was processed.
    consumed: BTreeSet<u64>,
    /// The jobs whose senders have a receipt.
    pub(crate) enqueued: BTreeSet<u64>,
    /// The jobs up to this one were sent to a server that has forgotten them.
    forgotten: u64,
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

pub(crate) const fn place(cursor: Cursor) -> Place {
    (cursor.epoch.0, cursor.position)
}

fn number(body: &str) -> u64 {
    body.parse().expect("bodies of jobs are numbers")
}

impl Truth {
    pub(crate) fn published(&mut self, message: &Arc<Published>) {
        let cursor = message.cursor().expect("messages of topics have a place");
        let body = message.message().text().unwrap();
        self.published_as(cursor, message.destination(), body);
    }

    pub(crate) fn published_as(&mut self, cursor: Cursor, destination: &str, body: &str) {
        let place = place(cursor);
        assert!(self.entries.last().is_none_or(|last| last.place < place), "places grow");
        self.entries.push(Entry { place, destination: destination.into(), body: body.into() });
        self.bodies.insert(body.into());
    }

    pub(crate) fn has(&self, body: &str) -> bool {
        self.bodies.contains(body)
    }

    pub(crate) fn head(&self) -> Place {
        self.entries.last().map_or((0, 0), |last| last.place)
    }

    /// Returns the messages behind one place, up to and with another.
    fn between(&self, after: Place, upto: Place) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.place <= after);
        let end = self.entries.partition_point(|entry| entry.place <= upto);
        &self.entries[start..end.max(start)]
    }

    /// The server delivers a job. It may arrive much later, when somebody else has done it.
    pub(crate) fn job_delivered(&mut self, body: &str) {
        self.count("jobs delivered");
        assert!(
            !self.consumed.contains(&number(body)),
            "job {body} comes again after its acknowledgement"
        );
    }

    /// The server has processed the acknowledgement of a job.
    pub(crate) fn job_consumed(&mut self, body: &str) {
        self.consumed.insert(number(body));
    }

    /// The server has forgotten its queues. Receipts that it has sent can still arrive.
    pub(crate) fn jobs_forgotten(&mut self) {
        self.forgotten = self.jobs;
    }

    /// Checks that no job is lost.
    pub(crate) fn check_jobs(&self) {
        let lost = self.enqueued.difference(&self.consumed).filter(|job| **job > self.forgotten);
        let lost: Vec<_> = lost.collect();
        assert!(lost.is_empty(), "jobs are lost: {lost:?}");
    }

    /// Counts that something has happened, so that a test can say what a run has shown.
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }
}

/// What one subscription of topics has told its client.
#[derive(Debug)]
pub(crate) struct Followed {
    wants: Vec<String>,
    /// The client has everything up to here, or was told a gap. `None` before the subscription begins.
    pub(crate) position: Option<Place>,
    /// What the client has settled behind `position`, because it does not acknowledge in order.
    settled: BTreeSet<Place>,
    /// What was left out, and has to be told as a gap. It comes behind what is still kept of it.
    left_out: BTreeSet<Place>,
    pub(crate) messages: u64,
    /// What has happened last, for the message of a failure.
    history: VecDeque<String>,
    /// How it is told, for the same.
    pub(crate) reader: String,
}

impl Followed {
    /// Follows destinations: topics, `/topic/…/*`, or `/user/{name}/queue/…`.
    pub(crate) fn new(wants: Vec<String>) -> Self {
        Self {
            wants,
            position: None,
            settled: BTreeSet::new(),
            left_out: BTreeSet::new(),
            messages: 0,
            history: VecDeque::new(),
            reader: String::new(),
        }
    }

    /// Notes what happens, for the message of a failure.
    pub(crate) fn note(&mut self, what: String) {
        self.history.push_back(what);
        if self.history.len() > 30 {
            self.history.pop_front();
        }
    }

    fn is_wanted(&self, destination: &str) -> bool {
        self.wants.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(start) => destination.starts_with(start),
            None => wanted == destination,
        })
    }

    fn wanted<'t>(
        &'t self,
        truth: &'t Truth,
        after: Place,
        upto: Place,
    ) -> impl Iterator<Item = &'t Entry> {
        let entries = truth.between(after, upto).iter();
        entries.filter(|it| self.is_wanted(&it.destination) && !self.settled.contains(&it.place))
    }

    /// The client resumes on another transport, which knows the cursor and nothing else.
    pub(crate) fn resumes(&mut self, cursor: Option<Cursor>) {
        self.note(format!("resumes after {cursor:?}"));
        self.settled.clear();
        match cursor {
            Some(cursor) => self.goes_back(place(cursor)),
            None => {
                self.position = None;
                self.left_out.clear();
            }
        }
    }

    fn leave_out(&mut self, truth: &Truth, after: Place, upto: Place) {
        let places: Vec<_> = self.wanted(truth, after, upto).map(|entry| entry.place).collect();
        self.left_out.extend(places);
    }

    /// Goes back to a place: what is behind it comes again.
    fn goes_back(&mut self, to: Place) {
        self.position = Some(to);
        self.left_out.retain(|place| *place <= to);
    }

    /// The subscription begins, or goes on after a place that may be before the position: what was not
    /// acknowledged comes again.
    pub(crate) fn begins(&mut self, cursor: Cursor, comes_again: bool) {
        let begun = place(cursor);
        self.note(format!("begins at {begun:?}"));
        match self.position {
            None => self.position = Some(begun),
            Some(position) if comes_again && begun < position => self.goes_back(begun),
            Some(_) => {}
        }
    }

    /// The client has acknowledged a message.
    pub(crate) fn settles(&mut self, cursor: Cursor) {
        self.note(format!("acknowledges {cursor}"));
        self.settled.insert(place(cursor));
    }

    pub(crate) fn message(&mut self, truth: &Truth, cursor: Cursor, body: &str) {
        let at = place(cursor);
        self.note(format!("message {at:?}"));
        // A poll or a stream that begins now can have a message before it is told its cursor.
        let position = self.position.unwrap_or((at.0, at.1 - 1));
        assert!(at > position, "{at:?} comes twice or too late: {self:#?}");
        self.leave_out(truth, position, (at.0, at.1 - 1));
        let entries = truth.between((at.0, at.1 - 1), at);
        let entry = entries.first().unwrap_or_else(|| panic!("{at:?} was never published"));
        assert!(self.is_wanted(&entry.destination), "{entry:?} is of another topic");
        assert!(
            !self.settled.contains(&at),
            "{at:?} comes again after its acknowledgement: {self:#?}"
        );
        assert_eq!(entry.body, body, "at {at:?}");
        self.position = Some(at);
        self.messages += 1;
    }

    /// The client is told that it has everything up to here.
    pub(crate) fn advances(&mut self, truth: &Truth, cursor: Cursor) {
        let to = place(cursor);
        if self.position != Some(to) {
            self.note(format!("cursor {to:?}"));
        }
        let Some(position) = self.position else {
            self.position = Some(to);
            return;
        };
        assert!(to >= position, "the cursor goes back to {to:?}: {self:#?}");
        self.leave_out(truth, position, to);
        self.position = Some(to);
    }

    pub(crate) fn gap(&mut self, truth: &mut Truth, from: Cursor, to: Cursor) {
        let (from, to) = (place(from), place(to));
        self.note(format!("gap from {from:?} to {to:?}"));
        let position = self.position.unwrap_or(from);
        assert!(to > position, "a gap that is over: {self:#?}");
        self.leave_out(truth, position, to);
        let behind = self.left_out.split_off(&(to.0, to.1 + 1));
        let covered = std::mem::replace(&mut self.left_out, behind);
        let is_needed = from.0 != to.0 || !covered.is_empty();
        assert!(is_needed, "a gap without a message in it: {self:#?}");
        truth.count("gaps");
        self.position = Some(to);
    }

    /// Checks that the client has everything.
    pub(crate) fn check(&self, truth: &Truth) {
        let position = self.position.unwrap_or_else(|| panic!("never began: {:?}", self.wants));
        let missing: Vec<_> = self.wanted(truth, position, truth.head()).collect();
        assert!(self.left_out.is_empty(), "in silence: {self:#?}");
        assert!(missing.is_empty(), "missing at the end: {missing:?} {self:#?}");
    }
}
