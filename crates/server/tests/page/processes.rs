//! The page on two nodes that are processes, over a real Redis: one of them is killed in mid-stream.

use crate::{
    redis_server::{Server as Redis, is_left_out},
    served::Served,
    visit::{WIDE, click, open, screenshots, wait_until_complete, wait_until_open},
};
use sansocket_browser::{Browser, Link, Tab, is_wanted};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Starts a node with these settings, which the program is told with `--set`.
fn start(redis: &Redis, settings: &[&str]) -> (Served, SocketAddr) {
    let broker = redis.address();
    let mut arguments = vec!["--broker", &broker];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let mut node = Served::start(&arguments);
    let address = node.address().parse().unwrap();
    (node, address)
}

/// Somebody else who publishes about an order, with a number in each message, until it is to stop.
struct Another {
    shall_stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Another {
    fn start(node: SocketAddr, order: &str) -> Self {
        let topic = format!("/topic/orders/{order}");
        let shall_stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&shall_stop);
        let thread = thread::spawn(move || {
            let mut published = 0;
            while !is_over.load(Ordering::Relaxed) {
                let numbers = published + 1..published + 11;
                let news =
                    |number| json!({ "status": "paid", "from": "another", "number": number });
                let messages =
                    numbers.map(|it| json!({ "destination": topic, "body": news(it).to_string() }));
                publish(node, &messages.collect::<Value>());
                published += 10;
                thread::sleep(Duration::from_millis(50));
            }
            published
        });
        Self { shall_stop, thread }
    }

    /// Returns how many messages are published.
    fn stop(self) -> u64 {
        self.shall_stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Publishes messages. While Redis is away, the node keeps them, and says so.
fn publish(node: SocketAddr, messages: &Value) {
    let mut stream = TcpStream::connect(node).unwrap();
    let body = messages.to_string();
    write!(
        stream,
        "POST /publish HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let is_taken = ["HTTP/1.1 200 ", "HTTP/1.1 202 "].iter().any(|it| answer.starts_with(it));
    assert!(is_taken && !answer.contains("error"), "{answer}");
}

fn join(browser: &mut Browser, tab: &Tab, name: &str) {
    let join = format!(
        "document.getElementById('name').value = '{name}'; \
         document.getElementById('join-form').requestSubmit(); true"
    );
    browser.evaluate(tab, &join);
}

/// Places an order, and waits until all panes know of it. Returns its number.
fn place(browser: &mut Browser, tab: &Tab) -> String {
    wait_until_open(browser, tab);
    browser.wait(tab, &format!("{NODE} === 'Ready'"));
    click(browser, tab, "place");
    wait_until_complete(browser, tab, 1);
    browser.evaluate(tab, "orders.order").as_str().unwrap().to_owned()
}

/// Waits until each pane has so many messages of others, and all that the page has published, and says so.
/// Returns what the panes have of gaps and reconnects.
#[track_caller]
fn wait_until_each_once(browser: &mut Browser, tab: &Tab, others: u64) -> Vec<(u64, u64)> {
    let all = format!(
        "orders.panes.every(({{ ledger }}) => ledger.received - ledger.own === {others} && \
         ledger.own === orders.published)"
    );
    browser.wait(tab, &all);
    browser.wait(tab, "new Set(orders.panes.map(({ feed }) => feed.cursor)).size === 1");
    let says = "[...document.querySelectorAll('.check')].every((it) => it.textContent === \
                `all ${orders.panes[0].ledger.received.toLocaleString('en')}, each once`)";
    browser.wait(tab, says);
    let told = "orders.panes.map(({ ledger, feed }) => \
                [ledger.missing + ledger.doubles, ledger.gaps, feed.reconnects])";
    let told = browser.evaluate(tab, told);
    let number = |value: &Value| value.as_u64().unwrap();
    let panes = told.as_array().unwrap().iter().map(|pane| {
        assert_eq!(pane[0], json!(0));
        (number(&pane[1]), number(&pane[2]))
    });
    panes.collect()
}

const NODE: &str = "document.getElementById('node-status').textContent";
const EPOCH: &str = "orders.cursor.split('-')[0]";
const PEOPLE: &str =
    "[...document.querySelectorAll('#people li')].map((it) => it.textContent).join()";
const SAID: &str =
    "[...document.querySelectorAll('#messages li')].map((it) => it.textContent).join('|')";

#[test]
fn a_page_whose_node_is_killed_goes_on_with_the_other() {
    if !is_wanted() || is_left_out() {
        return;
    }
    let redis = Redis::start(&[]);
    let settings = [
        // A page that is away for long misses more than Redis keeps and tells at once by default.
        "broker.redis.messages=10000",
        "broker.redis.history-messages=10000",
        "broker.redis.ping=500 ms",
        "broker.redis.deadline=2 s",
        "broker.redis.absence=3 s",
    ];
    let ((one, first), (_two, second)) = (start(&redis, &settings), start(&redis, &settings));
    let link = Link::to(first);
    let mut browser = Browser::start("killed");
    let ann = open(&mut browser, &format!("http://{}/", link.address()), WIDE, true);
    let order = place(&mut browser, &ann);
    let epoch = browser.evaluate(&ann, EPOCH);
    let ben = open(&mut browser, &format!("http://{second}/"), WIDE, false);
    join(&mut browser, &ann, "Ann");
    join(&mut browser, &ben, "Ben");
    for tab in [&ann, &ben] {
        browser.wait(tab, &format!("{PEOPLE} === 'Ann,Ben'"));
    }

    let another = Another::start(second, &order);
    // A tab that nobody sees draws nothing.
    browser.call(Some(&ann), "Page.bringToFront", &json!({}));
    click(&mut browser, &ann, "send-many");
    browser.wait(&ann, "orders.panes.every(({ ledger }) => ledger.own > 200)");
    // By SIGKILL. What the node has confirmed is not lost with it.
    drop(one);
    browser.wait(&ann, &format!("{NODE} === 'Unreachable'"));
    browser.wait(&ann, "orders.panes.every(({ feed }) => feed.state !== 'open')");
    browser
        .wait(&ann, "document.getElementById('problem').textContent.startsWith('Not connected')");
    screenshots(&mut browser, &ann, "killed");
    browser.wait(&ben, &format!("{PEOPLE} === 'Ben' && {SAID}.endsWith('Ann has left.')"));

    link.lead_to(second);
    wait_until_open(&mut browser, &ann);
    browser.wait(&ann, &format!("{NODE} === 'Ready'"));
    let others = another.stop();
    for (gaps, reconnects) in wait_until_each_once(&mut browser, &ann, others) {
        assert_eq!(gaps, 0);
        assert!(reconnects >= 1);
    }
    click(&mut browser, &ann, "advance");
    browser.wait(&ann, "document.querySelector('[aria-current=step]').textContent === 'Packed'");
    wait_until_each_once(&mut browser, &ann, others);
    assert_eq!(browser.evaluate(&ann, EPOCH), epoch);
    screenshots(&mut browser, &ann, "resumed");

    browser.wait(&ben, &format!("{SAID}.endsWith('Ann has left.|Ann has joined.')"));
    for tab in [&ann, &ben] {
        browser.wait(tab, &format!("{PEOPLE} === 'Ann,Ben'"));
    }
    assert_eq!(browser.take_events("Runtime.exceptionThrown"), [] as [Value; 0]);
}

#[test]
fn a_page_goes_on_after_redis_is_killed_and_comes_back_with_what_it_had() {
    if !is_wanted() || is_left_out() {
        return;
    }
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let settings = ["broker.redis.durable=true"];
    let ((_one, first), (_two, second)) = (start(&redis, &settings), start(&redis, &settings));
    let mut browser = Browser::start("durable");
    let tab = open(&mut browser, &format!("http://{first}/"), WIDE, true);
    let order = place(&mut browser, &tab);
    let epoch = browser.evaluate(&tab, EPOCH);
    join(&mut browser, &tab, "Ann");
    browser.wait(&tab, &format!("{PEOPLE} === 'Ann'"));

    let another = Another::start(second, &order);
    click(&mut browser, &tab, "send-many");
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.own > 200)");
    redis.kill();
    browser.wait(&tab, &format!("{NODE}.startsWith('Degraded')"));
    // What is published waits, and the page says so.
    let waits =
        "[...document.querySelectorAll('.check')].every((it) => it.dataset.kind === 'wait')";
    browser.wait(&tab, waits);
    screenshots(&mut browser, &tab, "degraded");
    redis.start_again();
    browser.wait(&tab, &format!("{NODE} === 'Ready'"));
    browser.wait(&tab, "orders.published === 1001");
    let others = another.stop();
    for pane in wait_until_each_once(&mut browser, &tab, others) {
        assert_eq!(pane, (0, 0));
    }
    assert_eq!(browser.evaluate(&tab, "orders.published"), json!(1001));
    assert_eq!(browser.evaluate(&tab, EPOCH), epoch);
    browser.wait(&tab, &format!("{PEOPLE} === 'Ann'"));
    assert_eq!(browser.take_events("Runtime.exceptionThrown"), [] as [Value; 0]);
}

#[test]
fn a_redis_that_comes_back_empty_is_a_gap_in_each_pane() {
    if !is_wanted() || is_left_out() {
        return;
    }
    let mut redis = Redis::start(&[]);
    let (_node, address) = start(&redis, &[]);
    let mut browser = Browser::start("empty");
    let tab = open(&mut browser, &format!("http://{address}/"), WIDE, false);
    place(&mut browser, &tab);
    let epoch = browser.evaluate(&tab, EPOCH);
    redis.kill();
    browser.wait(&tab, &format!("{NODE}.startsWith('Degraded')"));
    redis.start_again();
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.gaps === 1)");
    browser.wait(&tab, &format!("{NODE} === 'Ready'"));
    click(&mut browser, &tab, "advance");
    let says = "[...document.querySelectorAll('.check')].every((it) => \
                it.textContent === 'each once, a gap told')";
    browser.wait(&tab, says);
    for pane in wait_until_complete(&mut browser, &tab, 2) {
        assert_eq!(pane, json!([2, 0, 0, 0]));
    }
    assert_ne!(browser.evaluate(&tab, EPOCH), epoch);
    screenshots(&mut browser, &tab, "gap");
    assert_eq!(browser.take_events("Runtime.exceptionThrown"), [] as [Value; 0]);
}
