//! Counts of what clients can bring about as often as they like, and how much of it the log gets.

use std::{mem, time::Duration};

/// How many lines the log gets in one [`PERIOD`].
const LINES: u32 = 10;

const PERIOD: Duration = Duration::from_secs(60);

/// What has happened for one reason.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    count: u64,
    /// When the period began whose lines are counted.
    began: Duration,
    lines: u32,
    /// How often there was no line since the last line.
    left_out: u64,
}

impl Tally {
    /// Counts once more. Returns whether that gets a line, and how often there was none since the last, if that
    /// happened.
    pub(crate) fn add(&mut self, now: Duration) -> Option<Option<u64>> {
        self.count += 1;
        if now.saturating_sub(self.began) >= PERIOD {
            self.began = now;
            self.lines = 0;
        }
        if self.lines == LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(Some(mem::take(&mut self.left_out)).filter(|left_out| *left_out > 0))
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_so_many_lines_and_the_next_tells_how_many_were_left_out() {
        let (mut tally, second) = (Tally::default(), Duration::from_secs(1));
        let mut add = |at: Duration, times: u32| -> Vec<Option<u64>> {
            (0..times).filter_map(|_| tally.add(at)).collect()
        };
        let after = |left_out| [&[Some(left_out)][..], &[None; LINES as usize - 1]].concat();
        assert_eq!(add(10 * second, LINES - 1), [None; LINES as usize - 1]);
        assert_eq!(add(59 * second, 1_000), [None]);
        assert_eq!(add(60 * second, 1_000), after(999));
        // The period begins with its first line.
        assert!(add(119 * second, 1).is_empty());
        assert_eq!(add(500 * second, LINES), after(991));
        assert!(add(559 * second, 1).is_empty());
        assert_eq!(tally.count(), u64::from(LINES) + 999 + 1_000 + 1 + u64::from(LINES) + 1);
    }
}
