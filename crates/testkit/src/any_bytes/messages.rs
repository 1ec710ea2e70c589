//! Any bytes, received as frames.

use super::{reference::judge, scenario::Scenario};
use crate::vectors::{
    drive::{Outcome, Way, outcome},
    format::Ending,
};

/// Checks the scenario that these bytes are read as, if they are enough for one.
pub fn check_bytes(data: &[u8]) {
    if let Some(scenario) = Scenario::read(data) {
        check(&scenario);
    }
}

/// Checks that nothing panics, that neither cuts nor the way to receive change the outcome, and
/// that it is what RFC 6455 says.
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

/// Whether it failed for a limit, which messages in chunks don't have.
fn is_limit(outcome: &Outcome) -> bool {
    matches!(&outcome.end, Ending::Failed(code) if [1008, 1009].contains(&code.number()))
}
