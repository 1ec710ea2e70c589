//! One order in four panes.

use crate::visit::{
    ANY, NARROW, Running, WIDE, assert_quiet, click, open, screenshot, wait_until_complete,
    wait_until_open,
};
use axum::Router;
use sansocket_browser::{Browser, Link, is_wanted};
use sansocket_realtime::Message;
use sansocket_server::{Options, Server};
use serde_json::json;
use std::process::Command;

const STATUSES: &str =
    "[...document.querySelectorAll('[data-part=status]')].map((it) => it.textContent).join()";

#[test]
fn an_update_arrives_in_all_panes_and_nothing_leaves_the_host() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("orders");
    let tab = open(&mut browser, &running.url(), WIDE, false);
    wait_until_open(&mut browser, &tab);
    screenshot(&mut browser, &tab, "empty-wide-light");
    click(&mut browser, &tab, "place");
    browser.wait(&tab, &format!("{STATUSES} === 'placed,placed,placed,placed'"));
    click(&mut browser, &tab, "advance");
    browser.wait(&tab, &format!("{STATUSES} === 'paid,paid,paid,paid'"));
    browser.wait(&tab, "document.getElementById('confirmation').textContent !== ''");
    let current = "document.querySelector('[aria-current=step]').textContent";
    assert_eq!(browser.evaluate(&tab, current), json!("Paid"));
    for pane in wait_until_complete(&mut browser, &tab, 2) {
        assert_eq!(pane, json!([2, 0, 0, 0]));
    }
    // All panes have the same cursor, and each has a latency.
    browser.wait(&tab, "new Set(orders.panes.map(({ feed }) => feed.cursor)).size === 1");
    let latencies = "[...document.querySelectorAll('[data-part=latency]')]\
                     .every((it) => / ms$/.test(it.textContent))";
    browser.wait(&tab, latencies);

    // What others publish is shown too, even if it is no update.
    let order = browser.evaluate(&tab, "orders.order");
    let topic = format!("/topic/orders/{}", order.as_str().unwrap());
    running.server.publish(&*topic, Message::new("{\"status\":\"shipped\"}"));
    running.server.publish(&*topic, Message::new("<img src=x onerror=alert(1)> \u{1f44b}"));
    browser.wait(&tab, &format!("{STATUSES} === 'shipped,shipped,shipped,shipped'"));
    let newest = "[...document.querySelectorAll('[data-part=last] li:first-child')]\
                  .every((it) => it.textContent.startsWith('<img') && !it.querySelector('img'))";
    browser.wait(&tab, newest);
    let odd = [
        "",
        "null",
        "7",
        "[1]",
        "{\"status\":{}}",
        "{\"from\":{},\"number\":1}",
        "{\"number\":1e999}",
    ];
    let long = format!("{{\"status\":\"{0}\",\"from\":\"{0}\",\"number\":1}}", "x".repeat(100_000));
    for text in odd.into_iter().chain([&*long]) {
        running.server.publish(&*topic, Message::new(text.to_owned()));
    }
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 12)");
    browser.wait(&tab, "document.body.textContent.includes('1: xxx')");
    assert_eq!(
        browser.evaluate(&tab, "document.documentElement.scrollWidth <= innerWidth"),
        json!(true)
    );

    // Another order begins anew.
    click(&mut browser, &tab, "place");
    browser.wait(&tab, &format!("{STATUSES} === 'placed,placed,placed,placed'"));
    assert_ne!(browser.evaluate(&tab, "orders.order"), order);
    for pane in wait_until_complete(&mut browser, &tab, 1) {
        assert_eq!(pane, json!([1, 0, 0, 0]));
    }
    assert_quiet(&mut browser, running.address);
}

#[test]
fn a_pane_that_was_cut_catches_up_exactly_once() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("cut");
    let tab = open(&mut browser, &running.url(), NARROW, true);
    wait_until_open(&mut browser, &tab);
    screenshot(&mut browser, &tab, "empty-narrow-dark");
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    let mut total = 1;
    for (index, pane) in ["websocket", "events", "poll", "sockjs"].iter().enumerate() {
        let cut = format!("document.querySelector('#pane-{pane} [data-part=cut]').click(); true");
        browser.evaluate(&tab, &cut);
        let state = format!("orders.panes[{index}].feed.state");
        assert_eq!(browser.evaluate(&tab, &state), json!("cut"));
        let update =
            "orders.panes[0].feed.state && document.getElementById('advance').click(); true";
        browser.evaluate(&tab, update);
        total += 1;
        browser
            .wait(&tab, &format!("orders.panes[{}].ledger.received === {total}", (index + 1) % 4));
        // It gets nothing while it is away.
        let received = browser.evaluate(&tab, &format!("orders.panes[{index}].ledger.received"));
        assert_eq!(received, json!(total - 1), "{pane}");
        wait_until_complete(&mut browser, &tab, total);
    }
    // SockJS without streams, for networks that hold responses back.
    browser.evaluate(&tab, "SockJsSocket.transport = 'xhr'; true");
    click(&mut browser, &tab, "cut-all");
    screenshot(&mut browser, &tab, "cut-narrow-dark");
    for pane in wait_until_complete(&mut browser, &tab, total) {
        assert_eq!(pane[0], json!(total));
    }
    wait_until_open(&mut browser, &tab);
    for pane in wait_until_complete(&mut browser, &tab, total) {
        assert_eq!(pane, json!([total, 0, 0, 2]));
    }
    assert_quiet(&mut browser, running.address);
}

#[test]
fn a_thousand_messages_are_all_there_even_if_everything_is_cut_meanwhile() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("many");
    let tab = open(&mut browser, &running.url(), WIDE, true);
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    // The page draws a few times a second, and not for each message.
    let watch = "globalThis.drawn = 0; \
                 new MutationObserver((all) => (drawn += all.length))\
                 .observe(document.querySelector('[data-part=last]'), { childList: true }); true";
    browser.evaluate(&tab, watch);
    click(&mut browser, &tab, "send-many");
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received > 300)");
    screenshot(&mut browser, &tab, "load-wide-dark");
    for pane in wait_until_complete(&mut browser, &tab, 1001) {
        assert_eq!(pane, json!([1001, 0, 0, 0]));
    }
    let drawn = browser.evaluate(&tab, "drawn").as_u64().unwrap();
    assert!((1..500).contains(&drawn), "drawn {drawn} times");
    click(&mut browser, &tab, "send-many");
    browser.wait(&tab, "orders.panes.some(({ ledger }) => ledger.received > 1200)");
    click(&mut browser, &tab, "cut-all");
    for pane in wait_until_complete(&mut browser, &tab, 2001) {
        assert_eq!(pane, json!([2001, 0, 0, 1]));
    }
    let lines = browser.evaluate(&tab, "document.querySelectorAll('[data-part=last] li').length");
    assert_eq!(lines, json!(16));
    let caught_up = "[...document.querySelectorAll('[data-part=caught]')]\
                     .every((it) => it.textContent !== '0')";
    browser.wait(&tab, caught_up);
    screenshot(&mut browser, &tab, "caught-up-wide-dark");
    assert_quiet(&mut browser, running.address);
}

/// Without a word, as networks do. EventSource comes back by itself, with the ID of the last event.
#[test]
fn what_a_network_cuts_comes_back_by_itself() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let link = Link::to(running.address);
    let mut browser = Browser::start("network");
    let tab = open(&mut browser, &format!("http://{}/", link.address()), WIDE, false);
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    let topic = browser.evaluate(&tab, "`/topic/orders/${orders.order}`");
    let topic = topic.as_str().unwrap().to_owned();
    link.cut();
    browser.wait(&tab, "document.getElementById('node-status').textContent === 'Unreachable'");
    browser.wait(&tab, "orders.panes.every(({ feed }) => feed.state !== 'open')");
    browser
        .wait(&tab, "document.getElementById('problem').textContent.startsWith('Not connected')");
    screenshot(&mut browser, &tab, "network-wide-light");
    for number in 1..=300 {
        let missed = json!({ "status": "paid", "from": "another", "number": number });
        running.server.publish(&*topic, Message::new(missed.to_string()));
    }
    link.mend();
    wait_until_open(&mut browser, &tab);
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 301)");
    for pane in wait_until_complete(&mut browser, &tab, 1) {
        assert_eq!((&pane[1], &pane[2]), (&json!(0), &json!(0)));
        assert!(pane[3].as_u64().unwrap() >= 1);
    }
    browser.wait(&tab, "document.getElementById('problem').textContent === ''");
    click(&mut browser, &tab, "advance");
    wait_until_complete(&mut browser, &tab, 2);
}

/// Its cursors are of another epoch, so nobody can tell what was missed.
#[test]
fn a_server_that_starts_anew_is_a_gap_in_each_pane() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("anew");
    let tab = open(&mut browser, &running.url(), WIDE, false);
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    let epoch = "orders.cursor.split('-')[0]";
    let before = browser.evaluate(&tab, epoch);
    let address = running.address;
    running.crash();
    let running = Running::start_at(address, Server::builder(Options::default()), |routes| routes);
    let gaps =
        "[...document.querySelectorAll('[data-part=gaps]')].map((it) => it.textContent).join()";
    browser.wait(&tab, &format!("{gaps} === '1,1,1,1'"));
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "advance");
    for pane in wait_until_complete(&mut browser, &tab, 2) {
        assert_eq!((&pane[0], &pane[1], &pane[2]), (&json!(2), &json!(0), &json!(0)));
    }
    assert_ne!(browser.evaluate(&tab, epoch), before);
    drop(running);
}

/// As behind a proxy that has the server below a path.
#[test]
fn the_page_works_below_a_path() {
    if !is_wanted() {
        return;
    }
    let place = |routes| Router::new().nest_service("/live", routes);
    let running = Running::start_at(ANY, Server::builder(Options::default()), place);
    let mut browser = Browser::start("path");
    let tab = open(&mut browser, &format!("{}live/", running.url()), NARROW, false);
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    browser.wait(&tab, "document.getElementById('node-status').textContent === 'Ready'");
    let command = browser.evaluate(&tab, "document.getElementById('command-poll').textContent");
    assert!(command.as_str().unwrap().starts_with(&format!("curl '{}live/poll?", running.url())));
    assert_quiet(&mut browser, running.address);
}

#[test]
fn the_commands_on_the_page_work_as_they_stand() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("commands");
    let tab = open(&mut browser, &format!("{}#order=42", running.url()), WIDE, false);
    wait_until_open(&mut browser, &tab);
    assert_eq!(browser.evaluate(&tab, "orders.order"), json!("42"));
    let mut run = |id: &str, options: &str| {
        let command =
            browser.evaluate(&tab, &format!("document.getElementById('{id}').textContent"));
        let command = format!("{} {options}", command.as_str().unwrap());
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let published = run("command-publish", "--silent");
    assert!(published.starts_with("{\"cursor\":\""), "{published}");
    assert!(run("command-poll", "--silent").contains("shipped"));
    // A stream of events does not end by itself.
    assert!(run("command-events", "--silent --max-time 2").contains("shipped"));
    browser.wait(&tab, &format!("{STATUSES} === 'shipped,shipped,shipped,shipped'"));
}
