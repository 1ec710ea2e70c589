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

#[test]
fn who_subscribes_to_what_is_stale_is_not_cut_off() {
    play(
        2,
        1,
        1,
        &[
            Send { client: 7, to: 126 },
            Send { client: 44, to: 223 },
            Events { node: 84, count: 1 },
            Send { client: 182, to: 97 },
            Subscribe { client: 14, to: 6, start: 0, acks: 0, gaps: false },
            Commands { node: 14, count: 3 },
            Events { node: 6, count: 3 },
            Cut { node: 74, lost: 0 },
            Events { node: 223, count: 1 },
            Commands { node: 61, count: 1 },
            Connect { node: 92 },
            Subscribe { client: 181, to: 216, start: 2, acks: 0, gaps: false },
            Events { node: 20, count: 2 },
            Return { client: 125, node: 44 },
        ],
    );
}

#[test]
fn what_is_here_is_continued_after_an_outage() {
    play(
        3,
        2,
        2,
        &[
            Subscribe { client: 66, to: 0, start: 0, acks: 0, gaps: false },
            Subscribe { client: 115, to: 181, start: 0, acks: 0, gaps: false },
            Subscribe { client: 213, to: 138, start: 0, acks: 0, gaps: false },
            Return { client: 3, node: 109 },
            Events { node: 11, count: 1 },
            Cursor { client: 0, subscription: 0 },
            Return { client: 181, node: 42 },
            Events { node: 79, count: 1 },
            Commands { node: 19, count: 1 },
            Events { node: 67, count: 1 },
            Subscribe { client: 0, to: 0, start: 0, acks: 0, gaps: false },
            Return { client: 84, node: 0 },
            Cut { node: 82, lost: 0 },
            Return { client: 69, node: 136 },
            Leave { client: 3 },
            Publish { node: 188, to: 0 },
            Commands { node: 8, count: 2 },
            Connect { node: 79 },
            Events { node: 94, count: 2 },
            Return { client: 115, node: 82 },
        ],
    );
}
