//! The page on one of two nodes.

use crate::{
    memory_broker::Shared,
    visit::{ANY, Running, WIDE, click, open, screenshot, wait_until_complete, wait_until_open},
};
use sansocket_browser::{Browser, Link, is_wanted};
use sansocket_realtime::{Message, bridge::Node};
use sansocket_server::{Options, Server};
use serde_json::json;

fn start(shared: &Shared) -> (Running, Node) {
    let link = shared.join();
    let node = link.node;
    let running =
        Running::start_at(ANY, Server::builder(Options::default()).broker(link), |routes| routes);
    shared.change(|memory| memory.connect(node));
    (running, node)
}

const NODE: &str = "document.getElementById('node-status').textContent";

#[test]
fn a_page_whose_node_is_gone_goes_on_with_another() {
    if !is_wanted() {
        return;
    }
    let shared = Shared::new(5_000);
    let ((one, _), (two, node)) = (start(&shared), start(&shared));
    let link = Link::to(one.address);
    let mut browser = Browser::start("nodes");
    let tab = open(&mut browser, &format!("http://{}/", link.address()), WIDE, true);
    wait_until_open(&mut browser, &tab);
    browser.wait(&tab, &format!("{NODE} === 'Ready'"));
    click(&mut browser, &tab, "place");
    click(&mut browser, &tab, "send-many");
    wait_until_complete(&mut browser, &tab, 1001);

    // Meanwhile, there is more to tell than what one answer of a poll has room for.
    one.crash();
    link.cut();
    let topic = browser.evaluate(&tab, "`/topic/orders/${orders.order}`");
    for number in 1..=300 {
        let missed = json!({ "status": "paid", "from": "another", "number": number });
        two.server.publish(topic.as_str().unwrap(), Message::new(missed.to_string()));
    }
    link.lead_to(two.address);
    link.mend();
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 1301)");
    wait_until_open(&mut browser, &tab);
    for pane in wait_until_complete(&mut browser, &tab, 1001) {
        assert_eq!((&pane[0], &pane[1], &pane[2]), (&json!(1301), &json!(0), &json!(0)));
    }
    let gaps =
        "[...document.querySelectorAll('[data-part=gaps]')].map((it) => it.textContent).join()";
    assert_eq!(browser.evaluate(&tab, gaps), json!("0,0,0,0"));

    // While the broker is away, the page says so, and what it publishes waits.
    shared.change(|memory| memory.disconnect(node));
    browser.wait(&tab, &format!("{NODE}.startsWith('Degraded')"));
    click(&mut browser, &tab, "advance");
    browser.wait(&tab, "orders.published === 1002");
    browser.wait(
        &tab,
        "[...document.querySelectorAll('.check')].every((it) => it.dataset.kind === 'wait')",
    );
    screenshot(&mut browser, &tab, "degraded-wide-dark");
    shared.change(|memory| memory.connect(node));
    browser.wait(&tab, &format!("{NODE} === 'Ready'"));
    for pane in wait_until_complete(&mut browser, &tab, 1002) {
        assert_eq!((&pane[0], &pane[1], &pane[2]), (&json!(1302), &json!(0), &json!(0)));
    }
}

#[test]
fn a_chat_shows_who_is_on_both_nodes() {
    const PEOPLE: &str =
        "[...document.querySelectorAll('#people li')].map((it) => it.textContent).join()";
    if !is_wanted() {
        return;
    }
    let shared = Shared::new(100);
    let ((one, first), (two, _)) = (start(&shared), start(&shared));
    let mut browser = Browser::start("people");
    let tabs = [("Ann", &one), ("Ben", &two)].map(|(name, running)| {
        let tab = open(&mut browser, &running.url(), WIDE, false);
        let join = format!(
            "document.getElementById('name').value = '{name}'; document.getElementById('join-form').requestSubmit(); true"
        );
        browser.evaluate(&tab, &join);
        tab
    });
    for tab in &tabs {
        browser.wait(tab, &format!("{PEOPLE} === 'Ann,Ben'"));
    }
    // A node that dies takes its own with it.
    one.crash();
    shared.change(|memory| memory.count_as_dead(first));
    browser.wait(&tabs[1], &format!("{PEOPLE} === 'Ben'"));
}
