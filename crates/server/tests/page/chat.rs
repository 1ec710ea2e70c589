//! The chat in two tabs.

use crate::visit::{NARROW, Running, WIDE, assert_quiet, open, screenshot};
use sansocket_browser::{Browser, Tab, is_wanted};
use sansocket_realtime::hub::{Authorization, Principal};
use sansocket_server::Options;
use serde_json::json;
use std::sync::Arc;

fn fill(browser: &mut Browser, tab: &Tab, field: &str, form: &str, text: &str) {
    let fill = format!(
        "document.getElementById('{field}').value = {}; document.getElementById('{form}').requestSubmit(); true",
        json!(text)
    );
    browser.evaluate(tab, &fill);
}

const PEOPLE: &str =
    "[...document.querySelectorAll('#people li')].map((it) => it.textContent).join()";
const SAID: &str =
    "[...document.querySelectorAll('#messages li')].map((it) => it.textContent).join('|')";

#[test]
fn two_tabs_talk_and_see_each_other_come_and_go() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("chat");
    let ann = open(&mut browser, &running.url(), WIDE, false);
    fill(&mut browser, &ann, "name", "join-form", "Ann");
    browser.wait(&ann, &format!("{PEOPLE} === 'Ann'"));
    fill(&mut browser, &ann, "text", "say-form", "Is anybody here?");
    browser.wait(&ann, &format!("{SAID} === 'Ann Is anybody here?'"));

    // Who comes later gets what was said before.
    let ben = open(&mut browser, &running.url(), NARROW, true);
    fill(&mut browser, &ben, "name", "join-form", "Ben");
    for tab in [&ann, &ben] {
        browser.wait(tab, &format!("{PEOPLE} === 'Ann,Ben'"));
    }
    let text = "Yes. <b>I</b> am: \\ \u{1f44b}";
    fill(&mut browser, &ben, "text", "say-form", text);
    browser
        .wait(&ben, &format!("{SAID} === {}", json!(format!("Ann Is anybody here?|Ben {text}"))));
    let all = format!("Ann Is anybody here?|Ben has joined.|Ben {text}");
    browser.wait(&ann, &format!("{SAID} === {}", json!(all)));
    screenshot(&mut browser, &ann, "chat-wide-light");
    screenshot(&mut browser, &ben, "chat-narrow-dark");

    // The tab that came last has the connections of the panes, until the other one wants them.
    browser.wait(&ann, "!document.getElementById('paused').hidden");
    browser.wait(&ben, "orders.panes.every(({ feed }) => feed.state === 'open')");
    browser.evaluate(&ann, "document.getElementById('resume').click(); true");
    browser.wait(&ann, "orders.panes.every(({ feed }) => feed.state === 'open')");
    browser.wait(&ben, "orders.panes.every(({ feed }) => feed.state === 'paused')");
    // They stay there, also if this tab follows another order meanwhile.
    browser.evaluate(&ben, "location.hash = 'order=7'; true");
    browser.wait(&ben, "orders.order === '7'");
    let paused = "orders.panes.every(({ feed }) => feed.state === 'paused')";
    assert_eq!(browser.evaluate(&ben, paused), json!(true));

    browser.call(Some(&ben), "Page.close", &json!({}));
    browser.wait(&ann, &format!("{PEOPLE} === 'Ann' && {SAID}.endsWith('|Ben has left.')"));
    browser.evaluate(&ann, "document.getElementById('leave').click(); true");
    browser.wait(&ann, "!document.getElementById('join-form').hidden");
    assert_quiet(&mut browser, running.address);
}

/// Lets only users chat.
struct UsersChat;

impl Authorization for UsersChat {
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        user.is_some() || !destination.contains("/chat/")
    }

    fn may_subscribe_pattern(&self, user: Option<&Principal>, _: &str) -> bool {
        user.is_some()
    }
}

#[test]
fn a_name_that_nobody_checks_gives_no_rights() {
    if !is_wanted() {
        return;
    }
    let mut options = Options::default();
    options.authorization = Arc::new(UsersChat);
    let running = Running::start(options);
    let mut browser = Browser::start("guests");
    let tab = open(&mut browser, &running.url(), NARROW, false);
    fill(&mut browser, &tab, "name", "join-form", "Ann");
    let state = "document.getElementById('chat-state').textContent";
    browser.wait(&tab, &format!("{state}.startsWith('Not connected: ')"));
    browser.wait(&tab, "orders.panes.every(({ feed }) => feed.state === 'open')");
}
