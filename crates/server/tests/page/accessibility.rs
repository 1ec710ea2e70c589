//! The page without a mouse, without eyes, and in both themes.

use crate::visit::{NARROW, Running, WIDE, assert_quiet, open, screenshot, wait_until_open};
use sansocket_browser::{Browser, Tab, is_wanted};
use sansocket_server::Options;
use serde_json::{Value, json};

fn press(browser: &mut Browser, tab: &Tab, key: &str, text: &str) {
    let code = match key {
        "Tab" => 9,
        "Enter" => 13,
        _ => 32,
    };
    for kind in ["keyDown", "keyUp"] {
        let text = if kind == "keyDown" { text } else { "" };
        let event =
            json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
        browser.call(Some(tab), "Input.dispatchKeyEvent", &event);
    }
}

/// Goes on with the tabulator until this element has the focus, which has to be visible.
#[track_caller]
fn tab_to(browser: &mut Browser, tab: &Tab, selector: &str) {
    for _ in 0..60 {
        press(browser, tab, "Tab", "");
        let focused = format!("document.activeElement.matches({})", json!(selector));
        if browser.evaluate(tab, &focused) == json!(true) {
            let outline = "getComputedStyle(document.activeElement).outlineStyle";
            assert_eq!(browser.evaluate(tab, outline), json!("solid"), "{selector}");
            return;
        }
    }
    panic!("the keyboard does not reach {selector}");
}

#[test]
fn the_keyboard_is_enough() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("keyboard");
    let tab = open(&mut browser, &running.url(), WIDE, false);
    wait_until_open(&mut browser, &tab);
    // The first stop leads past the head of the page.
    tab_to(&mut browser, &tab, ".skip");
    press(&mut browser, &tab, "Enter", "\r");
    browser.wait(&tab, "document.activeElement.id === 'main'");
    tab_to(&mut browser, &tab, "#place");
    press(&mut browser, &tab, "Enter", "\r");
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 1)");
    tab_to(&mut browser, &tab, "#advance");
    press(&mut browser, &tab, " ", " ");
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 2)");
    browser.wait(&tab, "/ is paid\\.$/.test(document.getElementById('announcements').textContent)");
    tab_to(&mut browser, &tab, "#send-many");
    press(&mut browser, &tab, "Enter", "\r");
    tab_to(&mut browser, &tab, "#cut-all");
    press(&mut browser, &tab, "Enter", "\r");
    browser.wait(&tab, "orders.panes.every(({ feed }) => feed.state === 'cut')");
    browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 1002)");
    for pane in ["websocket", "events", "poll", "sockjs"] {
        tab_to(&mut browser, &tab, &format!("#pane-{pane} [data-part=cut]"));
    }
    tab_to(&mut browser, &tab, "#name");
    browser.call(Some(&tab), "Input.insertText", &json!({ "text": "Ann" }));
    press(&mut browser, &tab, "Enter", "\r");
    browser.wait(&tab, "document.activeElement.id === 'text'");
    browser.wait(&tab, "document.querySelector('#people li')?.textContent === 'Ann'");
    browser.call(Some(&tab), "Input.insertText", &json!({ "text": "Hello" }));
    press(&mut browser, &tab, "Enter", "\r");
    browser.wait(&tab, "document.querySelector('#messages li')?.textContent === 'Ann Hello'");
    tab_to(&mut browser, &tab, "#leave");
    tab_to(&mut browser, &tab, "[data-copy=command-poll]");
    // Behind the last stop, it begins again.
    tab_to(&mut browser, &tab, "#theme");
    press(&mut browser, &tab, "Enter", "\r");
    let scheme = "getComputedStyle(document.documentElement).colorScheme";
    assert_eq!(browser.evaluate(&tab, scheme), json!("dark"));
    assert_quiet(&mut browser, running.address);
}

/// Returns the role and the name of each node of the accessibility tree.
fn tree(browser: &mut Browser, tab: &Tab) -> Vec<(String, String)> {
    let tree = browser.call(Some(tab), "Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap().iter();
    let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
    nodes
        .filter(|node| node["ignored"] != json!(true))
        .map(|node| (text(&node["role"]), text(&node["name"])))
        .collect()
}

#[test]
fn every_control_and_every_landmark_has_a_name() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("names");
    let tab = open(&mut browser, &running.url(), NARROW, true);
    wait_until_open(&mut browser, &tab);
    let join = "document.getElementById('name').value = 'Ann'; \
                document.getElementById('join-form').requestSubmit(); true";
    let mut seen = tree(&mut browser, &tab);
    browser.evaluate(&tab, join);
    browser.evaluate(&tab, "document.getElementById('send-many').click(); true");
    browser.wait(&tab, "document.getElementById('progress').value > 0");
    seen.extend(tree(&mut browser, &tab));
    let named =
        ["button", "link", "textbox", "progressbar", "log", "article", "region", "navigation"];
    for (role, name) in &seen {
        assert!(!named.contains(&&**role) || !name.trim().is_empty(), "a {role} has no name");
    }
    for (role, name) in [
        ("banner", ""),
        ("main", ""),
        ("contentinfo", ""),
        ("navigation", "On this page"),
        ("region", "Chat"),
        ("article", "Long polling"),
        ("button", "Switch to light"),
        ("button", "Cut Server-Sent Events"),
        ("textbox", "Your name"),
        ("textbox", "Message"),
        ("log", "Messages"),
        ("progressbar", "Publishing"),
        ("status", ""),
    ] {
        assert!(seen.contains(&(role.to_owned(), name.to_owned())), "{role} {name}: {seen:#?}");
    }
    // What changes all the time is not read out.
    let live = "document.querySelectorAll('#panes [aria-live], #panes [role=status]').length";
    assert_eq!(browser.evaluate(&tab, live), json!(0));
}

/// Computes the least contrast of a text with what is behind it (WCAG 2.2, 1.4.3), and names the element.
const LEAST_CONTRAST: &str = r"(() => {
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = (color) => parse(color).slice(0, 3)
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if ((parse(color)[3] ?? 1) === 1) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    let least = [99, ''];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.disabled) continue;
        const both = [getComputedStyle(element).color, ground(element)].map(luminance);
        const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        if (contrast < least[0]) least = [contrast, element.outerHTML.slice(0, 120)];
    }
    return least;
})()";

#[test]
fn both_themes_are_readable_on_a_phone_and_on_a_desk() {
    if !is_wanted() {
        return;
    }
    let running = Running::start(Options::default());
    let mut browser = Browser::start("themes");
    for (size, name) in [(NARROW, "narrow"), (WIDE, "wide")] {
        for is_dark in [false, true] {
            let tab = open(&mut browser, &running.url(), size, is_dark);
            wait_until_open(&mut browser, &tab);
            let join = "document.getElementById('name').value = 'Ann'; \
                        document.getElementById('join-form').requestSubmit(); \
                        document.getElementById('place').click(); true";
            browser.evaluate(&tab, join);
            browser.wait(&tab, "orders.panes.every(({ ledger }) => ledger.received === 1)");
            browser.wait(&tab, "document.querySelector('#people li') !== null");
            // The button says what it does.
            let label = "document.getElementById('theme').textContent";
            for theme in ["system", "switched"] {
                let is_dark = is_dark == (theme == "system");
                let other = if is_dark { "light" } else { "dark" };
                assert_eq!(browser.evaluate(&tab, label), json!(format!("Switch to {other}")));
                // What fades is measured once it has faded.
                browser.wait(&tab, "document.getAnimations().length === 0");
                let least = browser.evaluate(&tab, LEAST_CONTRAST);
                assert!(least[0].as_f64().unwrap() >= 4.5, "{name} {theme} {is_dark}: {least}");
                let fits = "document.documentElement.scrollWidth <= innerWidth";
                assert_eq!(browser.evaluate(&tab, fits), json!(true));
                // The head has room for its longest words, each part in one line.
                let heights = "document.getElementById('node-status').textContent = \
                               'Degraded: the broker is away'; \
                               ['.brand', '#node'].map((it) => document.querySelector(it).clientHeight)";
                for height in browser.evaluate(&tab, heights).as_array().unwrap() {
                    assert!(height.as_u64().unwrap() < 40, "{name}: {height}");
                }
                let hue = if is_dark { "dark" } else { "light" };
                if theme == "system" {
                    screenshot(&mut browser, &tab, &format!("placed-{name}-{hue}"));
                }
                browser.evaluate(&tab, "document.getElementById('theme').click(); true");
            }
            // The next visit has no choice of this one.
            browser.evaluate(&tab, "localStorage.clear(); true");
            browser.call(Some(&tab), "Page.close", &json!({}));
        }
    }
    assert_quiet(&mut browser, running.address);
}
