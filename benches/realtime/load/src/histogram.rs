//! A histogram of nanoseconds, with buckets that are at most 1 % wide.

/// How many buckets there are between a power of two and the next.
const STEPS: u64 = 128;

pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    largest: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0, largest: 0 }
    }

    pub(crate) fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.largest = self.largest.max(value);
    }

    pub(crate) fn largest(&self) -> u64 {
        self.largest
    }

    /// Returns the value that a share `part` of all values does not exceed, to within a bucket.
    pub(crate) fn quantile(&self, part: f64) -> u64 {
        let rank = ((self.total as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(0, middle).min(self.largest)
    }
}

fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((bucket - shift * STEPS) << shift) + ((1 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_near_the_middle_of_its_bucket() {
        for value in (0..20_000).chain((1..1_000).map(|step| step * 1_234_567)) {
            let bucket = bucket(value);
            assert!(bucket <= self::bucket(value + 1));
            assert!(middle(bucket).abs_diff(value) as f64 <= value as f64 / 128.0, "{value}");
        }
    }

    #[test]
    fn quantiles_match_the_recorded_values() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), 0);
        for value in 1..=1_000 {
            histogram.record(value * 1_000);
        }
        for (part, expected) in [(0.5, 500_000), (0.99, 990_000), (1.0, 1_000_000)] {
            let value = histogram.quantile(part);
            assert!(value.abs_diff(expected) < expected / 100, "{value}");
        }
        assert_eq!(histogram.largest(), 1_000_000);
    }
}
