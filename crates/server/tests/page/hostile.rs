//! Publishers that mean harm, and networks that answer nothing.

use crate::visit::{NARROW, Running, open};
use sansocket_browser::{Browser, is_wanted};
use sansocket_realtime::Message;
use sansocket_server::Options;
use serde_json::json;

#[test]
fn what_others_publish_takes_little_room_in_the_page() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("hostile");
    let tab = open(&mut browser, &running.url(), NARROW, false);
    let join = "document.getElementById('name').value = 'Ann';
                document.getElementById('join-form').requestSubmit(); true";
    browser.evaluate(&tab, join);
    let long = Message::new("x".repeat(500_000)).header("from", &"y".repeat(5_000));
    running.server.publish("/topic/chat/lobby", long);
    let line = "document.querySelector('#messages li:last-child')?.textContent";
    browser.wait(&tab, &format!("{line}?.endsWith('x…')"));
    assert_eq!(browser.evaluate(&tab, &format!("{line}.length < 5000")), json!(true));

    // A name that is too long is not remembered, so its number does not count as there twice.
    let counts = "(() => {
        const ledger = new Ledger();
        const note = (from, number) => ledger.note({ from, number }, false);
        for (const from of ['x'.repeat(65), 'x'.repeat(64)]) [1, 1].forEach((it) => note(from, it));
        for (const number of [1, 1e300]) note('a', number);
        return [ledger.received, ledger.missing, ledger.doubles];
    })()";
    assert_eq!(browser.evaluate(&tab, counts), json!([6, 0, 1]));
}

#[test]
fn a_server_that_answers_nothing_is_given_up() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("silent");
    let tab = open(&mut browser, &running.url(), NARROW, false);
    // The timers of the page go off at once, and requests are never answered.
    let outcome = "(async () => {
        const { setTimeout: later, fetch: ask } = globalThis;
        globalThis.fetch = (_, { signal }) => new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
        });
        globalThis.setTimeout = (act, wait) => later(act, wait > 10000 ? 0 : wait);
        const stomp = new Promise((closed) => {
            new StompConnection({ send() {}, close() {} }, {}, { closed, connected() {} });
        });
        const feed = new PollFeed('/topic/a', { changed() {} });
        feed.start();
        const reasons = [await stomp];
        await new Promise((done) => later(done, 100));
        reasons.push(feed.state, feed.reason);
        feed.pause();
        Object.assign(globalThis, { setTimeout: later, fetch: ask });
        globalThis.outcome = reasons;
    })(); true";
    browser.evaluate(&tab, outcome);
    browser.wait(&tab, "globalThis.outcome !== undefined");
    let reason = "the server does not answer";
    assert_eq!(browser.evaluate(&tab, "outcome"), json!([reason, "waiting", reason]));
}
