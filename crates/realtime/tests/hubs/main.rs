//! Hubs that a bridge joins, on virtual time.
//!
//! `properties` lets random clients use random hubs while random things fail, and compares what they
//! get with a model. `PROPTEST_CASES=10000 cargo test --release --test hubs` runs more cases, and
//! `PROPTEST_RNG_SEED` other ones. A failure prints the steps that lead to it: `play` in `scenarios`
//! runs them again.

mod alone;
mod calls;
mod clients;
mod effects;
mod jobs;
mod matching;
mod nodes;
mod outages;
mod presence;
mod presence_model;
mod properties;
mod queues;
mod record;
mod rules;
mod scenarios;
mod steps;
mod users;
mod world;
