//! Long and short polling.

use crate::{
    http_script::{message, poll, response, serve},
    process::run,
};

#[test]
fn a_poll_that_is_cut_is_repeated_without_loss_and_without_doubles() {
    let cut = poll(&message(2), "a-2").replace("Connection", "X-Connection");
    let cut = cut[..cut.len() - 10].to_owned();
    let busy =
        response("503 Service Unavailable", "application/problem+json", r#"{"detail":"full"}"#);
    let last = poll(&format!("{},{},{}", message(2), message(3), message(4)), "a-9");
    let (url, requests) =
        serve([poll(&message(1), "a-1"), cut, busy, poll(&message(2), "a-2"), last]);
    let done = run(&["/topic/a", "-t", "poll", "-s", &url, "-n", "4", "--since", "beginning"]);
    let notes = ["503 Service Unavailable: full; connecting again in", "connected again to"];
    done.assert(0, &["m1", "m2", "m3", "m4"], &notes);
    assert!(done.notes.contains("--since a-9"), "{}", done.notes);
    let asked: Vec<_> = requests
        .try_iter()
        .map(|request| (request.parameter("since").unwrap(), request.parameter("wait").unwrap()))
        .collect();
    // The first poll of a connection finds out whether there is one.
    let expected = [("beginning", "0"), ("a-1", "25"), ("a-1", "0"), ("a-1", "0"), ("a-2", "25")];
    assert_eq!(asked, expected.map(|(since, wait)| (since.to_owned(), wait.to_owned())));
}

#[test]
fn who_stops_amid_an_answer_goes_on_there() {
    let events = format!("{},{},{}", message(1), message(2), message(3));
    let (url, _) = serve([poll(&events, "a-9")]);
    let done = run(&["/topic/a", "-t", "poll", "-s", &url, "-n", "2", "--since", "a-0"]);
    done.assert(0, &["m1", "m2"], &["to go on from here: --since a-2"]);
}

#[test]
fn short_polls_never_wait() {
    let gap = r#"{"gap":{"from":"a-7","to":"b-3"}}"#;
    let reply = r#"{"topic":"/user/queue/a","data":"x"}"#;
    let answers =
        [poll("", "a-7"), poll(&format!("{gap},{reply}"), "b-3"), poll(&message(4), "b-4")];
    let (url, requests) = serve(answers);
    let done = run(&["/topic/a", "-t", "short-poll", "--interval", "0.01", "-s", &url, "-n", "2"]);
    done.assert(0, &["x", "m4"], &["gap: messages after a-7 and up to b-3 may be lost"]);
    let waits: Vec<_> = requests.try_iter().map(|request| request.parameter("wait")).collect();
    assert_eq!(waits, vec![Some("0".to_owned()); 3]);
}

#[test]
fn what_is_no_answer_of_a_poll_is_said_to_be_none() {
    let (url, _) = serve([response("200 OK", "text/html", "hello")]);
    run(&["/topic/a", "-t", "poll", "-s", &url]).assert(
        1,
        &[],
        &["not that of a poll", "--server"],
    );
}
