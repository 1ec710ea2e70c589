//! Properties of the client of STOMP: arbitrary scripts, and resumption against a model of a server.

use crate::any_bytes::check_stomp_client;
use crate::model::{Model, Step};
use proptest::{collection::vec, prelude::*, sample::select};
use sansocket_realtime::stomp::header::AckMode;

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..4).prop_map(Step::Publish),
        4 => (0_usize..300).prop_map(Step::Arrive),
        3 => any::<usize>().prop_map(Step::Acknowledge),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_script_keeps_the_properties(data in vec(any::<u8>(), 0..200)) {
        check_stomp_client(&data);
    }

    /// Connected, with subscriptions, so that most actions have an effect.
    #[test]
    fn any_script_of_a_connected_client_keeps_the_properties(
        choice: u8,
        modes in vec(0_u8..3, 1..4),
        actions in vec((2_u8..24, any::<u8>()), 0..100),
    ) {
        let mut data = vec![choice, 0];
        data.extend(modes.into_iter().flat_map(|mode| [3, mode]));
        data.extend(actions.into_iter().flat_map(|(action, argument)| {
            if action == 23 { [0, argument % 2] } else { [action, argument] }
        }));
        check_stomp_client(&data);
    }

    /// However often the connection is lost, each message of a topic is settled once, or in a gap that
    /// was told.
    #[test]
    fn a_subscription_resumes_without_loss_and_duplicates(
        mode in select(vec![AckMode::Auto, AckMode::Client, AckMode::ClientIndividual]),
        keeps in select(vec![0_usize, 1, 3, 100]),
        steps in vec(steps(), 0..100),
    ) {
        let mut model = Model::new(mode, keeps);
        for step in steps {
            model.step(step);
        }
        model.finish();
    }
}
