//! What was published, and whether a client that resumes by cursors learns of all of it: each message
//! once, in order, or a gap.

use sansocket_realtime::Cursor;
use std::collections::BTreeSet;

/// All messages of one run of the hub. The body of each is its position.
#[derive(Debug, Default)]
pub(crate) struct Published {
    topics: Vec<&'static str>,
}

impl Published {
    /// Adds a message, and returns its body.
    pub(crate) fn add(&mut self, topic: &'static str) -> String {
        self.topics.push(topic);
        self.head().to_string()
    }

    pub(crate) fn head(&self) -> u64 {
        self.topics.len() as u64
    }

    fn wanted(&self, after: u64, before: u64, wants: fn(&str) -> bool) -> BTreeSet<u64> {
        let positions = (after + 1)..before.min(self.head() + 1);
        positions.filter(|position| wants(self.topics[*position as usize - 1])).collect()
    }
}

/// A client that subscribes to some topics.
#[derive(Debug)]
pub(crate) struct Client {
    wants: fn(&str) -> bool,
    /// Where the client is in the current run.
    position: u64,
    /// What was left out, and has to be told as a gap.
    left_out: BTreeSet<u64>,
    /// The hub has started again, which has to be told as a gap.
    has_missed_restart: bool,
}

impl Client {
    pub(crate) fn new(wants: fn(&str) -> bool) -> Self {
        Self { wants, position: 0, left_out: BTreeSet::new(), has_missed_restart: false }
    }

    /// The client begins after this position, and knows nothing before it.
    pub(crate) fn begins(&mut self, position: u64) {
        *self = Self { position, ..Self::new(self.wants) };
    }

    /// The hub has started again.
    pub(crate) fn restart(&mut self) {
        self.begins(0);
        self.has_missed_restart = true;
    }

    pub(crate) fn message(&mut self, published: &Published, body: &str) {
        let position: u64 = body.parse().expect("a position");
        assert!(position > self.position, "{position} comes twice or too late: {self:?}");
        assert!((self.wants)(published.topics[position as usize - 1]), "of another topic");
        self.left_out.extend(published.wanted(self.position, position, self.wants));
        self.position = position;
    }

    pub(crate) fn gap(&mut self, to: Cursor) {
        self.left_out.retain(|position| *position > to.position);
        self.position = self.position.max(to.position);
        self.has_missed_restart = false;
    }

    /// The client resumes after this cursor next time.
    pub(crate) fn cursor(&mut self, published: &Published, cursor: Cursor) {
        assert!(cursor.position >= self.position, "the cursor goes back: {cursor} {self:?}");
        let after = published.wanted(self.position, cursor.position + 1, self.wants);
        self.left_out.extend(after);
        self.position = cursor.position;
    }

    /// Checks that the client has everything, or knows what it does not have.
    pub(crate) fn check(&self, published: &Published) {
        assert_eq!(published.wanted(self.position, u64::MAX, self.wants), BTreeSet::new());
        assert!(self.left_out.is_empty() && !self.has_missed_restart, "in silence: {self:?}");
    }
}
