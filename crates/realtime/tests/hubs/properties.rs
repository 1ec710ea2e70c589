//! Random steps.

use crate::{
    steps::{Step, steps},
    world::World,
};
use proptest::prelude::*;

fn cases(otherwise: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    // What has failed becomes a test in `scenarios`.
    let failure_persistence = None;
    let cases = cases.unwrap_or(otherwise);
    ProptestConfig { cases, failure_persistence, ..ProptestConfig::default() }
}

/// Takes the steps, and then lets everything work until nothing happens any more.
pub(crate) fn play(nodes: usize, kept: usize, history: usize, steps: &[Step]) {
    let mut world = World::new(nodes, kept, history);
    for &step in steps {
        world.take(step);
    }
    world.settle();
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn two_hubs(kept in 1..5_usize, history in 1..8_usize, steps in steps(160)) {
        play(2, kept, history, &steps);
    }

    #[test]
    fn three_hubs(kept in 1..4_usize, history in 1..8_usize, steps in steps(250)) {
        play(3, kept, history, &steps);
    }

    #[test]
    fn one_hub(kept in 1..5_usize, history in 1..8_usize, steps in steps(120)) {
        play(1, kept, history, &steps);
    }
}
