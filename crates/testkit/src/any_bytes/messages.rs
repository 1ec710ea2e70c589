//! Arbitrary bytes, received as frames.

use super::{reference::judge, scenario::Scenario};
use crate::vectors::{
    drive::{Outcome, Way, outcome},
    format::Ending,
};

/// Reads a scenario from the bytes and checks it, if there are enough bytes for one.
pub fn check_bytes(data: &[u8]) {
    if let Some(scenario) = Scenario::read(data) {
        check(&scenario);
    }
}

/// Checks that nothing panics, that neither the cuts nor the method of receiving changes the
/// outcome, and that the outcome follows RFC 6455.
pub fn check(scenario: &Scenario) {
    let Scenario { vector, closes_at, cuts } = scenario;
    let whole = outcome(vector, &[], Way::Borrowed).unwrap();

    let verdict =
        judge(vector.is_client, vector.mask, &vector.limits, &scenario.input(), *closes_at);
    assert_eq!(whole.events, verdict.events);
    assert_eq!(whole.output, verdict.output);
    let failure = if let Ending::Failed(code) = whole.end { Some(code) } else { None };
    assert_eq!(failure, verdict.failure);

    for way in [Way::Borrowed, Way::Owned, Way::Halves, Way::Chunks] {
        if way == Way::Chunks && is_limit(&whole) {
            continue;
        }
        for cuts in [&[][..], cuts] {
            assert_eq!(outcome(vector, cuts, way).unwrap(), whole, "{way:?}, cut at {cuts:?}");
        }
    }
}

/// Returns `true` if a limit was exceeded. Messages in chunks have no limit.
fn is_limit(outcome: &Outcome) -> bool {
    matches!(&outcome.end, Ending::Failed(code) if [1008, 1009].contains(&code.number()))
}
