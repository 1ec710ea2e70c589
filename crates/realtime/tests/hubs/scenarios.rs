//! Steps that failed once.

use crate::{properties::play, steps::Step::*};

#[test]
fn a_question_is_not_answered_by_a_later_one_of_another_topic() {
    play(
        1,
        1,
        1,
        &[
            Events { node: 0, count: 1 },
            Subscribe { client: 0, to: 0, start: 0, acks: 0, gaps: false },
            Subscribe { client: 3, to: 6, start: 0, acks: 0, gaps: false },
            Subscribe { client: 0, to: 9, start: 0, acks: 0, gaps: false },
            Publish { node: 0, to: 0 },
            Subscribe { client: 0, to: 9, start: 0, acks: 0, gaps: false },
            Return { client: 3, node: 0 },
            Return { client: 0, node: 0 },
            Commands { node: 0, count: 5 },
            Cut { node: 0, lost: 0 },
            Subscribe { client: 1, to: 6, start: 2, acks: 0, gaps: false },
        ],
    );
}

#[test]
fn a_message_that_was_confirmed_is_not_published_again_in_the_next_epoch() {
    play(
        1,
        1,
        1,
        &[
            Send { client: 0, to: 0 },
            BeginEpoch,
            Events { node: 0, count: 1 },
            Subscribe { client: 0, to: 0, start: 0, acks: 0, gaps: false },
            Send { client: 0, to: 9 },
            Commands { node: 0, count: 1 },
            BeginEpoch,
        ],
    );
}
