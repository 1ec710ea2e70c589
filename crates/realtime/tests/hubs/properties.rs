//! Random steps.

use crate::{
    jobs::number,
    steps::{Step, steps, steps_of_one_worker},
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
    play_in(World::new(nodes, kept, history, false), steps);
}

fn play_in(mut world: World, steps: &[Step]) -> World {
    for &step in steps {
        world.take(step);
    }
    world.settle();
    world
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

    #[test]
    fn one_worker_gets_everything_once_and_in_order(
        nodes in 1..4_usize,
        steps in steps_of_one_worker(120),
    ) {
        let world = play_in(World::new(nodes, 1, 1, false), &steps);
        let expected: Vec<_> = world.record.of(world.broker.epoch).iter().map(|it| number(&it.body)).collect();
        prop_assert_eq!(&world.broker.jobs.delivered, &expected);
        prop_assert_eq!(world.broker.jobs.len(), expected.len());
    }

    #[test]
    fn two_hubs_with_dead_letters(steps in steps(160)) {
        play_in(World::new(2, 3, 5, true), &steps);
    }
}
