//! Server-Sent Events.

use crate::{
    http_script::{cut_stream, event, message, response, serve, stream},
    process::{Client, run},
};

const BEGIN: &str = "retry: 10\n\nid: a-0\n\n";

#[test]
fn a_stream_that_is_cut_goes_on_without_loss_and_without_doubles() {
    let first = format!("{BEGIN}{}{}id: a-3\ndata: {{\"top", event(1), event(2));
    // A server that sends again what the client has.
    let second = format!("{}{}{}", event(2), event(3), event(4));
    let (url, requests) = serve([cut_stream(&first), stream(&second), stream(&event(5))]);
    let arguments = ["/topic/a", "-t", "sse", "-s", &url, "-n", "5", "--since", "beginning"];
    let done = run(&arguments);
    let notes = ["connected to http://", "connecting again in", "connected again to http://"];
    done.assert(0, &["m1", "m2", "m3", "m4", "m5"], &notes);
    assert!(done.notes.contains("to go on from here: --since a-5"), "{}", done.notes);
    let first = requests.recv().unwrap();
    assert!(first.line.starts_with("GET /events?topic=%2Ftopic%2Fa&since=beginning&form=json "));
    assert_eq!(first.field("last-event-id"), None);
    assert_eq!(requests.recv().unwrap().field("last-event-id"), Some("a-2"));
    assert_eq!(requests.recv().unwrap().field("last-event-id"), Some("a-4"));
}

#[test]
fn a_gap_is_told_as_such() {
    let gap = "event: gap\nid: b-3\ndata: {\"from\":\"a-7\",\"to\":\"b-3\"}\n\n";
    let events =
        format!("{BEGIN}{gap}id: b-4\ndata: {{\"topic\":\"/topic/a\",\"data\":\"x\"}}\n\n");
    let (url, _) = serve([stream(&events), stream(&events)]);
    let arguments = ["/topic/a", "-t", "sse", "-s", &url, "-n", "1", "--since", "a-7"];
    let note = "gap: messages after a-7 and up to b-3 may be lost";
    run(&arguments).assert(0, &["x"], &[note, "--since b-4"]);
    let done = run(&[&arguments[..], &["--json", "-q"]].concat());
    let lines = [r#"{"gap":{"from":"a-7","to":"b-3"}}"#, r#"{"topic":"/topic/a","data":"x"}"#];
    done.assert(0, &lines, &[note]);
}

#[test]
fn the_end_of_a_proxy_s_server_is_no_end() {
    let bad_gateway = response("502 Bad Gateway", "text/html", "<html>");
    let gone = response("204 No Content", "text/plain", "");
    let begin = format!("{BEGIN}{}", event(1));
    let (url, _) = serve([stream(&begin), bad_gateway, stream(&event(2)), gone]);
    // The stream tells the pace, so that this does not take long.
    let done = run(&["/topic/a", "-t", "sse", "-s", &url]);
    let notes =
        ["status 502 Bad Gateway; connecting again in", "the server asks the client to stop"];
    done.assert(1, &["m1", "m2"], &notes);
}

#[test]
fn all_that_is_known_of_a_message_is_printed_as_json() {
    let full = r#"{"topic":"/topic/a","cursor":"a-1","type":"text/plain","headers":{"x":"1"},"data":"ä\n"}"#;
    let binary = r#"{"topic":"/topic/b","cursor":"a-2","base64":"/wA="}"#;
    let events = format!("{BEGIN}id: a-1\ndata: {full}\n\nid: a-2\ndata: {binary}\n\n");
    let (url, requests) = serve([stream(&events), stream(&events)]);
    let arguments = ["/topic/a", "/topic/b", "-t", "sse", "-s", &url, "-n", "2"];
    run(&[&arguments[..], &["--json"]].concat()).assert(0, &[full, binary], &[]);
    // As text, the topic is told if there are several.
    let lines = ["a-1 /topic/a ä", "", "a-2 /topic/b base64: /wA="];
    run(&[&arguments[..], &["--cursors"]].concat()).assert(0, &lines, &[]);
    assert!(requests.recv().unwrap().line.contains("topic=%2Ftopic%2Fa&topic=%2Ftopic%2Fb&"));
}

#[test]
fn ctrl_c_tells_where_to_go_on() {
    let (url, _) = serve([format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n{BEGIN}{}",
        event(1),
    )]);
    let client = Client::start(&["/topic/a", "-t", "sse", "-s", &url]);
    client.wait_for_lines(1);
    client.interrupt().assert(0, &["m1"], &["to go on from here: --since a-1"]);
}

#[test]
fn what_is_no_stream_of_this_server_is_said_to_be_none() {
    let (url, _) = serve([response("200 OK", "text/html", "hello"), stream("data: hello\n\n")]);
    let arguments = ["/topic/a", "-t", "sse", "-s", &url];
    run(&arguments).assert(1, &[], &["no event stream", "Check --server"]);
    run(&arguments).assert(1, &[], &["not as this server's", "Check --server"]);
    let unknown = format!("{BEGIN}event: other\ndata: x\n\n: comment\n\ndata: {}\n\n", message(1));
    let (url, _) = serve([stream(&unknown)]);
    run(&["/topic/a", "-t", "sse", "-s", &url, "-n", "1"]).assert(0, &["m1"], &[]);
}
