//! The clients of the page, each with a server that a script plays, and in browsers that lack something.

use crate::visit::{NARROW, Running, click, open, open_with, wait_until_complete, wait_until_open};
use sansocket_browser::{Browser, is_wanted};
use sansocket_server::Options;
use serde_json::{Value, json};

/// Runs a script in a page of its own, and returns what it returns.
fn run(name: &str, script: &str) -> Value {
    let running = Running::start(Options::default());
    let mut browser = Browser::start(name);
    let tab = open(&mut browser, &running.url(), NARROW, false);
    wait_until_open(&mut browser, &tab);
    browser.evaluate(&tab, script)
}

/// In a tab that nobody sees, a timer goes off once a minute, and the server would end the connection.
#[test]
fn heart_beats_need_no_timer() {
    if !is_wanted() {
        return;
    }
    let script = "(() => {
        const clock = performance.now;
        let time = 0;
        performance.now = () => time;
        const sent = [];
        const socket = { send: (text) => sent.push(text), close() {} };
        const connection = new StompConnection(socket, {}, { connected() {}, closed() {} });
        const receive = (at, data) => {
            time = at;
            socket.onmessage({ data });
        };
        receive(0, 'CONNECTED\\nversion:1.2\\nheart-beat:25000,25000\\n\\n\\0');
        for (const at of [12000, 13000, 14000, 25000, 26000]) receive(at, '\\n');
        connection.abandon('done');
        performance.now = clock;
        return sent;
    })()";
    assert_eq!(run("beats", script), json!(["\n", "\n"]));
}

#[test]
fn nothing_is_sent_before_the_server_has_let_the_client_in() {
    if !is_wanted() {
        return;
    }
    let script = "(async () => {
        const sent = [];
        const socket = { send: (text) => sent.push(text), close() {} };
        const connection = new StompConnection(socket, {}, { connected() {}, closed() {} });
        const outcome = await connection.send('/app/a', 'a').catch((error) => error.message);
        connection.abandon('done');
        return [outcome, sent];
    })()";
    assert_eq!(run("early", script), json!(["there is no connection", []]));
}

/// A load balancer can lead the next request to a node that begins a session with the same name.
#[test]
fn a_session_that_begins_twice_is_given_up() {
    if !is_wanted() {
        return;
    }
    let script = "new Promise((resolve) => {
        const ask = fetch;
        globalThis.fetch = async () => new Response('o\\n');
        const told = [];
        const socket = new SockJsSocket('/ws');
        socket.onopen = () => told.push('open');
        socket.onclose = ({ reason }) => {
            globalThis.fetch = ask;
            resolve([...told, reason]);
        };
    })";
    assert_eq!(run("twice", script), json!(["open", "the session is lost"]));
}

/// A server that lets a client in and refuses what it asks for must not be asked without a pause.
#[test]
fn pauses_grow_until_a_connection_has_lasted() {
    if !is_wanted() {
        return;
    }
    let script = "(() => {
        const { random } = Math;
        const clock = performance.now;
        let time = 0;
        Math.random = () => 1;
        performance.now = () => time;
        const later = globalThis.setTimeout;
        const pauses = [];
        globalThis.setTimeout = (_, pause) => pauses.push(pause);
        const feed = new Feed('/topic/a', { changed() {} });
        feed.connect = feed.disconnect = () => {};
        for (const lasts of [0, 4999, 0, 5000, null, null]) {
            feed.start();
            if (lasts !== null) feed.opened();
            time += lasts;
            feed.lost('');
        }
        Math.random = random;
        performance.now = clock;
        globalThis.setTimeout = later;
        return pauses;
    })()";
    assert_eq!(run("pauses", script), json!([500, 1000, 2000, 500, 1000, 2000]));
}

#[test]
fn what_a_gap_explains_is_not_missing() {
    if !is_wanted() {
        return;
    }
    let script = "(() => {
        const ledger = new Ledger();
        const own = (...numbers) => numbers.forEach((number) => ledger.note({ from: 'own', number }, true));
        const counts = () => [ledger.missing, ledger.doubles, ledger.verdict(10).text];
        own(1, 2);
        ledger.noteGap();
        const all = [counts()];
        // The gap explains one jump, and nothing that comes twice.
        own(7);
        ledger.note({ from: 'own, after a reconnect', number: 3 }, true);
        all.push(counts());
        own(7);
        all.push(counts());
        own(9);
        all.push(counts());
        return all;
    })()";
    let expected = json!([
        [0, 0, "2 of 10, a gap told"],
        [0, 0, "4 of 10, a gap told"],
        [0, 1, "0 missing, 1 double"],
        [1, 1, "1 missing, 1 double"],
    ]);
    assert_eq!(run("gaps", script), expected);
}

#[test]
fn the_names_of_others_push_out_none_of_the_page() {
    if !is_wanted() {
        return;
    }
    let script = "(() => {
        const ledger = new Ledger();
        ledger.note({ from: 'own', number: 1 }, true);
        for (let other = 0; other < 2000; other += 1) ledger.note({ from: `other ${other}`, number: 1 }, false);
        ledger.note({ from: 'own', number: 2 }, true);
        return [ledger.missing, ledger.doubles, ledger.own];
    })()";
    assert_eq!(run("flood", script), json!([0, 0, 2]));
}

/// EventSource alone does not notice a network that drops everything.
#[test]
fn a_stream_begins_anew_after_the_server_could_not_be_reached() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("dropped");
    let tab = open(&mut browser, &running.url(), NARROW, false);
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    let status = "document.getElementById('node-status').textContent";
    let drop = "globalThis.ask = fetch; globalThis.fetch = (url, ...more) => \
                url.endsWith('/readyz') ? Promise.reject(new Error('dropped')) : ask(url, ...more); true";
    browser.evaluate(&tab, drop);
    browser.wait(&tab, &format!("{status} === 'Unreachable'"));
    browser.evaluate(&tab, "globalThis.fetch = ask; true");
    let reconnects = "orders.panes.map(({ feed }) => feed.reconnects).join()";
    browser.wait(&tab, &format!("{reconnects} === '0,1,0,0'"));
    wait_until_open(&mut browser, &tab);
    click(&mut browser, &tab, "advance");
    for pane in wait_until_complete(&mut browser, &tab, 2) {
        assert_eq!((&pane[0], &pane[1], &pane[2]), (&json!(2), &json!(0), &json!(0)));
    }
}

#[test]
fn a_browser_that_keeps_nothing_for_pages_shows_all_of_it() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("storage");
    let script = "const refuse = () => { throw new DOMException('', 'SecurityError'); };
        Object.defineProperty(globalThis, 'localStorage', { get: refuse });
        globalThis.BroadcastChannel = class { constructor() { refuse(); } };";
    let tab = open_with(&mut browser, &running.url(), NARROW, false, script);
    wait_until_open(&mut browser, &tab);
    browser.wait(&tab, "document.getElementById('node-status').textContent === 'Ready'");
    click(&mut browser, &tab, "place");
    wait_until_complete(&mut browser, &tab, 1);
    click(&mut browser, &tab, "theme");
    browser.wait(&tab, "document.documentElement.dataset.theme === 'dark'");
    assert!(browser.take_events("Runtime.exceptionThrown").is_empty());
}
