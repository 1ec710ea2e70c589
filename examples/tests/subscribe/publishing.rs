//! Publishing.

use crate::{
    http_script::{event, response, serve, stream},
    process::run,
    stomp_script::{self, Connection, header},
};
use sansocket::CloseCode;

const JSON: &str = "application/json";

#[test]
fn a_post_is_answered_with_the_cursor() {
    let (url, requests) = serve([
        response("200 OK", JSON, r#"{"cursor":"a-7"}"#),
        response("202 Accepted", JSON, ""),
    ]);
    let arguments = ["-t", "poll", "-s", &url, "--send", "/topic/a", "-p", "1 \"", "-p", "2"];
    let done = run(&[&arguments[..], &["--content-type", "text/x", "--token", "t"]].concat());
    done.assert(0, &[], &["published as a-7\npublished"]);
    let request = requests.recv().unwrap();
    assert_eq!(request.line, "POST /publish HTTP/1.1");
    assert_eq!(request.field("content-type"), Some(JSON));
    assert_eq!(request.field("authorization"), Some("Bearer t"));
    let body = r#"{"destination":"/topic/a","body":"1 \"","content-type":"text/x"}"#;
    assert_eq!(request.body, body);
}

#[test]
fn who_subscribes_and_publishes_sees_it_come_back() {
    let begin = "retry: 10\n\nid: a-0\n\n";
    let (url, requests) =
        serve([stream(begin), response("200 OK", JSON, r#"{"cursor":"a-1"}"#), stream(&event(1))]);
    let done = run(&["/topic/a", "-t", "sse", "-s", &url, "-p", "x", "-n", "1"]);
    done.assert(0, &["m1"], &["subscribed to /topic/a", "published as a-1", "--since a-1"]);
    assert!(requests.recv().unwrap().line.starts_with("GET /events?"));
    assert!(requests.recv().unwrap().body.contains(r#""destination":"/topic/a""#));
}

#[test]
fn a_send_waits_for_its_receipt() {
    let url = stomp_script::serve(|mut connection: Connection, _| {
        connection.expect("CONNECT");
        connection.send("CONNECTED\nversion:1.2\n\n");
        let send = connection.expect("SEND");
        assert_eq!(header(&send, "destination"), Some("/app/a"));
        assert_eq!(header(&send, "content-type"), Some("text/plain"));
        assert!(send.ends_with("\n\nhello"), "{send}");
        connection.receipt(&send, "a-7");
        connection.disconnect();
    });
    let done = run(&["-s", &url, "--send", "/app/a", "--publish", "hello"]);
    done.assert(0, &[], &["published as a-7"]);
}

#[test]
fn what_the_server_does_not_take_is_an_error() {
    let url = stomp_script::serve(|mut connection: Connection, number| {
        connection.expect("CONNECT");
        connection.send("CONNECTED\nversion:1.2\n\n");
        connection.expect("SEND");
        if number == 0 {
            connection.send("ERROR\nreceipt-id:0\nmessage:no such place\n\n");
            connection.close(CloseCode::POLICY_VIOLATION);
        }
    });
    let arguments = ["-s", &url, "--send", "/app/a", "--publish", "hello"];
    let note = "subscribe: the server does not take the message: no such place";
    run(&arguments).assert(1, &[], &[note]);
    // Nobody knows whether it was taken, so it is not sent again.
    run(&arguments).assert(1, &[], &["the message to /app/a may have been published or not"]);
    let (url, _) = serve([response("404 Not Found", JSON, r#"{"detail":"no such place"}"#)]);
    let arguments = ["-s", &url, "-t", "sse", "--send", "/app/a", "--publish", "hello"];
    run(&arguments).assert(1, &[], &["/publish answers with status 404 Not Found: no such place"]);
}

#[test]
fn a_pattern_is_no_place_to_publish() {
    run(&["/topic/*", "--publish", "x"]).assert(2, &[], &["say where to publish, with --send"]);
    run(&["/topic/a", "/topic/b", "--publish", "x"]).assert(2, &[], &["--send DESTINATION"]);
}
