//! The command line.

use crate::{
    http_script::{message, poll, serve},
    process::{client, run},
};
use std::process::Stdio;

#[test]
fn help_has_examples() {
    let output = client(&["--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for text in ["Examples:\n  subscribe /topic/orders/42", "--since", "SUBSCRIBE_TOKEN"] {
        assert!(help.contains(text), "{text:?} is not in {help}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    run(&[]).assert(2, &[], &["<TOPIC>"]);
    run(&["/topic/a", "--since", "7"]).assert(2, &[], &["a cursor such as 5f3a-1042"]);
    run(&["/topic/a", "--authority", "/no/such"]).assert(2, &[], &["/no/such: "]);
}

#[test]
fn the_token_can_be_in_the_environment() {
    let (url, requests) = serve([poll(&message(1), "a-1")]);
    let mut command = client(&["/topic/a", "-t", "poll", "-s", &url, "-n", "1"]);
    assert_eq!(command.env("SUBSCRIBE_TOKEN", "t").output().unwrap().status.code(), Some(0));
    assert_eq!(requests.recv().unwrap().field("authorization"), Some("Bearer t"));
}

#[test]
fn a_count_that_is_not_reached_in_time_is_an_error() {
    let (url, _) = serve([poll(&message(1), "a-1")]);
    let arguments = ["/topic/a", "-t", "poll", "-s", &url, "--count", "2", "--timeout", "0.5"];
    run(&arguments).assert(1, &["m1"], &["subscribe: 1 of 2 messages have come", "--since a-1"]);
}

#[test]
fn quiet_prints_no_notes() {
    let (url, _) = serve([poll(&message(1), "a-1")]);
    let done = run(&["/topic/a", "-t", "poll", "-s", &url, "--count", "1", "-q"]);
    done.assert(0, &["m1"], &[]);
    assert_eq!(done.notes, "");
}

#[test]
fn it_ends_when_nobody_reads_its_output() {
    let many = (1..100).map(message).collect::<Vec<_>>().join(",");
    let (url, _) = serve([poll(&many, "a-99")]);
    let mut process = client(&["/topic/a", "-t", "poll", "-s", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
