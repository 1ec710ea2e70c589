//! The echo servers of the examples, each as a process of its own, and clients that speak bytes: so
//! each server has to pass the same tests, whatever it is built on.

mod client;
mod endings;
mod hostile;
mod many;
mod server;
mod slow;

/// Makes a module of tests for each server, of functions that are given its name.
macro_rules! each_server {
    ($($server:ident)* => $tests:tt) => {
        $(mod $server { each_server!(@ $server $tests); })*
    };
    (@ $server:ident { $($module:ident: $($test:ident)*;)* }) => {
        $($(
            #[test]
            fn $test() {
                super::$module::$test(concat!("echo_", stringify!($server)));
            }
        )*)*
    };
}

each_server!(blocking tokio mio => {
    endings:
        a_close_is_answered_and_the_server_ends_tcp_at_once
        a_client_that_ends_its_side_gets_back_all_that_it_sent
        a_client_that_ends_its_side_behind_its_close_gets_ours
        a_client_that_ends_its_side_behind_an_error_is_told_why
        the_close_of_a_failure_arrives_although_megabytes_lie_unread
        a_reset_harms_nobody_else
        nobody_is_waited_for_too_long
        an_interrupted_server_says_goodbye;
    hostile:
        what_the_peer_does_wrong_is_answered_with_its_code
        a_request_that_opens_nothing_is_refused
        a_refusal_arrives_although_more_is_sent
        a_request_may_come_byte_by_byte;
    slow:
        messages_of_all_sizes_come_back
        pings_are_answered_between_fragments
        a_client_that_does_not_read_is_not_read_from
        many_that_do_not_read_fill_no_memory;
    many:
        many_connections_are_served_at_once;
});
