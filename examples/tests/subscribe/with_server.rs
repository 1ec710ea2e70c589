//! The client with the server of this repository.

use crate::{
    file::File,
    process::{Client, Done, run},
    server::{Server, Way},
};
use std::ops::RangeInclusive;

const TRANSPORTS: [&str; 4] = ["stomp", "sse", "poll", "short-poll"];

/// Starts a client of each transport, and waits until all are subscribed.
fn clients(arguments: &[&str]) -> Vec<Client> {
    let start = |transport| {
        let arguments = [arguments, &["-t", transport, "--interval", "0.05"]].concat();
        Client::start(&arguments)
    };
    let clients: Vec<Client> = TRANSPORTS.into_iter().map(start).collect();
    clients.iter().for_each(|client| client.wait_for_note("subscribed to"));
    clients
}

/// Publishes numbers to /topic/a. Returns the cursors.
fn publish(url: &str, transport: &str, numbers: RangeInclusive<u32>) -> Vec<String> {
    let mut arguments = vec!["-s", url, "-t", transport, "--send", "/topic/a"];
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    arguments.extend(numbers.iter().flat_map(|number| ["-p", number]));
    let done = run(&arguments);
    assert_eq!(done.status, Some(0), "{}", done.notes);
    let cursors = done.notes.lines().filter_map(|line| line.strip_prefix("published as "));
    cursors.map(str::to_owned).collect()
}

fn numbers(numbers: RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[test]
fn all_transports_print_the_same() {
    let server = Server::start(&[]);
    let url = server.url();
    let clients = clients(&["/topic/a", "/topic/b/*", "-s", &url, "-n", "4", "--json"]);
    assert_eq!(publish(&url, "stomp", 1..=2).len(), 2);
    assert_eq!(publish(&url, "poll", 3..=3).len(), 1);
    let json = ["-p", "{}", "--content-type", "application/json"];
    run(&[&["-s", &url, "--send", "/topic/b/c"], &json[..]].concat()).assert(
        0,
        &[],
        &["published as "],
    );
    let outputs: Vec<Done> = clients.into_iter().map(Client::wait).collect();
    for Done { status, output, notes } in &outputs {
        assert_eq!(*status, Some(0), "{notes}");
        assert_eq!(*output, outputs[0].output, "{notes}");
    }
    let output = &outputs[0].output;
    assert!(output[0].starts_with(r#"{"topic":"/topic/a","cursor":""#), "{output:?}");
    assert!(output[3].ends_with(r#","type":"application/json","data":"{}"}"#), "{output:?}");
}

#[test]
fn each_transport_begins_where_the_user_says() {
    let server = Server::start(&[]);
    let url = server.url();
    let cursors = publish(&url, "stomp", 1..=4);
    for transport in TRANSPORTS {
        let from = |since: &str, count: &str| {
            let arguments =
                ["/topic/a", "-s", &url, "-t", transport, "-n", count, "--since", since];
            run(&arguments)
        };
        from("beginning", "4").assert(0, &["1", "2", "3", "4"], &[]);
        let done = from(&cursors[1], "1");
        done.assert(0, &["3"], &["to go on from here: --since "]);
        // With what a run has printed, the next one goes on.
        let next = done.notes.split("--since ").nth(1).unwrap().trim();
        assert_eq!(next, cursors[2], "{transport}");
        from(next, "1").assert(0, &["4"], &[]);
    }
}

#[test]
fn connections_that_are_cut_go_on_without_loss_and_without_doubles() {
    let server = Server::start(&[]);
    let way = Way::to(server.address);
    let clients = clients(&["/topic/a", "-s", &way.url]);
    let mut count = 0;
    for _ in 0..3 {
        publish(&server.url(), "poll", count + 1..=count + 10);
        way.cut();
        publish(&server.url(), "poll", count + 11..=count + 20);
        count += 20;
        clients.iter().for_each(|client| client.wait_for_lines(count as usize));
    }
    for client in clients {
        let done = client.interrupt();
        let expected = numbers(1..=count);
        assert_eq!((done.status, &done.output), (Some(0), &expected), "{}", done.notes);
        assert!(!done.notes.contains("gap"), "{}", done.notes);
    }
}

#[test]
fn a_server_that_is_killed_and_started_again_leaves_a_gap() {
    let server = Server::start(&[]);
    let way = Way::to(server.address);
    let clients = clients(&["/topic/a", "-s", &way.url]);
    publish(&server.url(), "poll", 1..=2);
    clients.iter().for_each(|client| client.wait_for_lines(2));
    drop(server);
    let server = Server::start(&[]);
    way.lead_to(server.address);
    // A client of short polls may not even notice that the server was away.
    clients.iter().for_each(|client| client.wait_for_note("may be lost"));
    publish(&server.url(), "poll", 3..=4);
    for client in clients {
        client.wait_for_lines(4);
        let done = client.interrupt();
        done.assert(0, &["1", "2", "3", "4"], &[]);
        assert_eq!(done.notes.matches("gap: ").count(), 1, "{}", done.notes);
    }
}

#[test]
fn a_server_that_stops_in_order_is_left_and_found_again() {
    let server = Server::start(&[]);
    let way = Way::to(server.address);
    let clients = clients(&["/topic/a", "-s", &way.url]);
    publish(&server.url(), "poll", 1..=1);
    clients.iter().for_each(|client| client.wait_for_lines(1));
    server.stop();
    clients.iter().for_each(|client| client.wait_for_note("connecting again in"));
    let server = Server::start(&[]);
    way.lead_to(server.address);
    clients.iter().for_each(|client| client.wait_for_notes("subscribed to", 2));
    publish(&server.url(), "poll", 2..=2);
    for client in clients {
        client.wait_for_lines(2);
        client.interrupt().assert(0, &["1", "2"], &["gap: messages"]);
    }
}

const ACCESS: &str = r#"
[access]
sources = ["bearer", "basic", "login"]

[[access.token]]
user = "ann"
token = "right"
subscribe = ["/topic/a"]
publish = ["/topic/a"]

[[access.password]]
user = "joe"
password = "also right"
subscribe = ["/topic/a"]
"#;

#[test]
fn only_who_may_gets_anything() {
    let config = File::new("sansocket-subscribe-access.toml", ACCESS);
    let server = Server::start(&["--config", config.path()]);
    let url = server.url();
    for transport in TRANSPORTS {
        let get = |topic: &str, login: &[&str]| {
            let arguments = [topic, "-s", &url, "-t", transport, "-n", "1", "--since", "beginning"];
            run(&[&arguments[..], login].concat())
        };
        get("/topic/a", &[]).assert(1, &[], &["--token"]);
        get("/topic/a", &["--token", "wrong"]).assert(1, &[], &["--token"]);
        get("/topic/b", &["--token", "right"]).assert(1, &[], &["/topic/b", "--token"]);
        let publish = ["-s", &url, "-t", transport, "--send", "/topic/a", "--publish", transport];
        run(&[&publish[..], &["--token", "right"]].concat()).assert(0, &[], &["published as "]);
        get("/topic/a", &["--token", "right"]).assert(0, &[TRANSPORTS[0]], &[]);
    }
    // Over STOMP, a password is in CONNECT.
    for transport in &TRANSPORTS[1..] {
        let arguments = ["-s", &url, "-t", transport, "--user"];
        let get = ["/topic/a", "-n", "1", "--since", "beginning"];
        let run_as = |user, what: &[&str]| run(&[&arguments[..], &[user], what].concat());
        run_as("joe:wrong", &get).assert(1, &[], &["--user"]);
        run_as("joe:also right", &get).assert(0, &[TRANSPORTS[0]], &[]);
        let publish = ["--send", "/topic/a", "--publish", transport];
        run_as("joe:also right", &publish).assert(1, &[], &["/topic/a", "--user"]);
    }
}
