//! The echo servers of the examples, each run as a process, against clients that read and write raw
//! bytes. Every server has to pass the same tests, whatever it is built on.

mod client;
mod endings;
mod hostile;
mod many;
mod server;
mod slow;

/// Makes a module for each server with a test for each function. The functions receive the server's
/// name.
macro_rules! each_server {
    ($($server:ident)* => $tests:tt) => {
        $(mod $server { each_server!(@ $server $tests); })*
    };
    (@ $server:ident { $($module:ident: $($(#[$condition:meta])* $test:ident)*;)* }) => {
        $($(
            $(#[$condition])*
            #[test]
            fn $test() {
                super::$module::$test(concat!("echo_", stringify!($server)));
            }
        )*)*
    };
}

each_server!(blocking tokio mio smol io_uring => {
    endings:
        a_close_is_answered_and_the_server_ends_tcp_at_once
        a_client_that_ends_its_side_still_receives_every_echo
        a_client_that_ends_its_side_after_its_close_receives_ours
        a_client_that_ends_its_side_after_an_error_is_told_why
        the_close_of_a_failure_arrives_despite_megabytes_of_unread_input
        a_reset_harms_no_other_connection
        every_wait_for_a_client_is_bounded
        an_interrupted_server_says_goodbye;
    hostile:
        each_fault_of_the_peer_is_answered_with_its_code
        an_invalid_request_is_refused
        a_refusal_arrives_while_the_client_still_sends
        a_request_may_come_byte_by_byte;
    slow:
        messages_of_all_sizes_come_back
        pings_are_answered_between_fragments
        a_client_that_does_not_read_is_not_read_from
        many_clients_that_do_not_read_use_bounded_memory;
    many:
        many_connections_are_served_at_once
        #[cfg(target_os = "linux")] a_server_without_files_goes_on_later;
});

/// Which driver runs depends on the system: io_uring may be missing or forbidden.
#[cfg(target_os = "linux")]
#[test]
fn io_uring_tells_which_driver_runs() {
    let (server, driver) = server::Server::start_and_read_error("echo_io_uring");
    let mut client = client::Client::open(&server);
    client.echo("hello");
    println!("{driver}");
    assert!(["driver: IoUring", "driver: Poll"].contains(&&*driver), "{driver:?}");
}
