//! STOMP over WebSocket.

use crate::{
    process::{Client, run},
    stomp_script::{Connection, header, serve},
};
use sansocket::CloseCode;
use std::sync::mpsc::channel;

#[test]
fn a_connection_that_is_cut_goes_on_without_loss_and_without_doubles() {
    let (seen, subscribed) = channel();
    let url = serve(move |mut connection: Connection, number| {
        let subscribe = connection.begin();
        seen.send(header(&subscribe, "since").map(str::to_owned)).unwrap();
        connection.receipt(&subscribe, "a-0");
        match number {
            // Dropped, the connection ends without a Close.
            0 => [1, 2].into_iter().for_each(|position| connection.message(0, position)),
            // What the client has, it gets again.
            1 => {
                [2, 3].into_iter().for_each(|position| connection.message(0, position));
                connection.close(CloseCode::SERVICE_RESTART);
            }
            _ => {
                connection.message(0, 4);
                connection.disconnect();
            }
        }
    });
    let done = run(&["/topic/a", "-s", &url, "-n", "4"]);
    let notes = ["connecting again in", "1012", "connected again to", "--since a-4"];
    done.assert(0, &["m1", "m2", "m3", "m4"], &notes);
    assert_eq!(done.notes.matches("subscribed to /topic/a").count(), 3);
    let since = [None, Some("a-2".to_owned()), Some("a-3".to_owned())];
    assert_eq!(subscribed.try_iter().collect::<Vec<_>>(), since);
}

#[test]
fn a_gap_is_told_as_such() {
    let url = serve(|mut connection: Connection, _| {
        let subscribe = connection.begin();
        assert_eq!(header(&subscribe, "since"), Some("a-7"));
        connection.receipt(&subscribe, "b-3");
        connection.send(
            "MESSAGE\nsubscription:0\nmessage-id:b-3\ndestination:/topic/a\n\
             gap-from:a-7\ngap-to:b-3\n\n",
        );
        connection.send(
            "MESSAGE\nsubscription:0\nmessage-id:b-4\ndestination:/topic/a\nx:1\n\
             content-type:text/plain\n\nnew",
        );
        connection.disconnect();
    });
    let gap = "gap: messages of /topic/a after a-7 and up to b-3 may be lost";
    let arguments = ["/topic/a", "-s", &url, "-n", "1", "--since", "a-7"];
    run(&arguments).assert(0, &["new"], &[gap, "--since b-4"]);
    let message = r#"{"topic":"/topic/a","cursor":"b-4","type":"text/plain","headers":{"x":"1"},"data":"new"}"#;
    let lines = [r#"{"gap":{"from":"a-7","to":"b-3"}}"#, message];
    run(&[&arguments[..], &["--json"]].concat()).assert(0, &lines, &[]);
}

#[test]
fn patterns_that_overlap_print_a_message_once() {
    let url = serve(|mut connection: Connection, _| {
        let first = connection.begin();
        let second = connection.expect("SUBSCRIBE");
        connection.receipt(&first, "a-0");
        connection.receipt(&second, "a-0");
        for (subscription, position) in [(0, 1), (1, 1), (0, 2), (1, 2), (1, 3)] {
            connection.message(subscription, position);
        }
        connection.disconnect();
    });
    let done = run(&["/topic/a", "/topic/*", "-s", &url, "-n", "3"]);
    // The first subscription may still get what is after its last message.
    let lines = ["/topic/a m1", "/topic/a m2", "/topic/a m3"];
    done.assert(0, &lines, &["subscribed to /topic/a, /topic/*", "--since a-2"]);
}

#[test]
fn ctrl_c_says_goodbye_and_tells_where_to_go_on() {
    let (ended, end) = channel();
    let url = serve(move |mut connection: Connection, _| {
        let subscribe = connection.begin();
        connection.receipt(&subscribe, "a-6");
        connection.message(0, 7);
        ended.send(connection.disconnect()).unwrap();
    });
    let client = Client::start(&["/topic/a", "-s", &url]);
    client.wait_for_lines(1);
    client.interrupt().assert(0, &["m7"], &["to go on from here: --since a-7"]);
    assert_eq!(end.recv().unwrap(), CloseCode::NORMAL);
}

#[test]
fn what_comes_after_the_count_is_left_to_the_next_run() {
    let (ended, end) = channel();
    let url = serve(move |mut connection: Connection, _| {
        let subscribe = connection.begin();
        connection.receipt(&subscribe, "a-0");
        // Frames need not align with messages of WebSocket.
        let frame = |position| {
            format!("MESSAGE\nsubscription:0\nmessage-id:a-{position}\ndestination:/topic/a\n\nm\0")
        };
        let rest = "MESSAGE\nsubscription:0\nmessage-id:a-4\ndestination:/topic/a\n\nm";
        connection.send(&format!("{}{}{}{rest}", frame(1), frame(2), frame(3)));
        connection.message(0, 5);
        ended.send(connection.disconnect()).unwrap();
    });
    run(&["/topic/a", "-s", &url, "-n", "2"]).assert(0, &["m", "m"], &["--since a-2"]);
    assert_eq!(end.recv().unwrap(), CloseCode::NORMAL);
}

#[test]
fn before_all_topics_are_subscribed_there_is_no_place_to_go_on_from() {
    let url = serve(|mut connection: Connection, _| {
        let first = connection.begin();
        connection.expect("SUBSCRIBE");
        connection.receipt(&first, "a-0");
        connection.message(0, 1);
        connection.disconnect();
    });
    let arguments = ["/topic/a", "/topic/b", "-s", &url, "-n", "1", "--since", "beginning"];
    let done = run(&arguments);
    done.assert(0, &["/topic/a m1"], &[]);
    assert!(!done.notes.contains("--since"), "{}", done.notes);
}

#[test]
fn a_topic_that_is_refused_ends_the_client() {
    let url = serve(|mut connection: Connection, _| {
        connection.begin();
        connection.send("ERROR\nreceipt-id:0\nmessage:not for you\n\n");
        connection.close(CloseCode::POLICY_VIOLATION);
    });
    let done = run(&["/topic/a", "-s", &url]);
    done.assert(1, &[], &["subscribe: the server refuses /topic/a: not for you", "--token"]);
}

#[test]
fn the_code_of_the_close_says_whether_to_come_back_after_an_error() {
    let url = serve(|mut connection: Connection, number| {
        let subscribe = connection.begin();
        connection.receipt(&subscribe, "a-0");
        connection.send(&format!("ERROR\nmessage:reason {number}\n\n"));
        let codes = [CloseCode::TRY_AGAIN_LATER, CloseCode::POLICY_VIOLATION];
        connection.close(codes[number]);
    });
    let done = run(&["/topic/a", "-s", &url]);
    let notes = ["reason 0; connecting again in", "subscribe: the server has failed: reason 1"];
    done.assert(1, &[], &notes);
}
