//! The example chat as a process: its page in a browser, and guests that misbehave.

use sansocket::{
    CloseCode, Error, Message,
    blocking::{ClientWebSocket, Connector},
    handshake::HandshakeError,
};
use sansocket_browser::{Browser, Link, Tab, is_wanted, wait_for};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The chat as a process of its own.
struct Chat {
    process: Child,
    address: SocketAddr,
}

impl Chat {
    fn start(arguments: &[&str]) -> Self {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.extend(["examples", "chat"]);
        assert!(path.exists(), "{} is missing; `cargo build --examples` builds it", path.display());
        let mut process = Command::new(path)
            .arg("127.0.0.1:0")
            .args(arguments)
            .stdout(Stdio::piped())
            // What it says about guests who leave.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        let address = address.trim_end_matches('/').parse().unwrap();
        Self { process, address }
    }

    fn url(&self, name: &str) -> String {
        format!("ws://{}/enter?room=lobby&name={name}", self.address)
    }

    fn enter(&self, name: &str) -> Guest {
        let (websocket, _) = Connector::new().connect(self.url(name)).unwrap();
        Guest(websocket)
    }

    /// Returns the response to a plain request.
    fn get(&self, target: &str, fields: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: chat\r\n{fields}\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // If this fails, the chat has ended already, and a test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A guest without a browser.
struct Guest(ClientWebSocket);

impl Guest {
    fn event(&mut self) -> Value {
        let message = self.0.next().unwrap().unwrap();
        serde_json::from_str(message.as_text().unwrap()).unwrap()
    }

    /// Returns the next event of this type.
    fn next(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event();
            if event["type"] == json!(kind) {
                return event;
            }
        }
    }
}

#[track_caller]
fn assert_refused(outcome: Result<(ClientWebSocket, impl Sized), Error>, status: u16) {
    match outcome.map(|_| ()) {
        Err(Error::Handshake(HandshakeError::Refused(refusal))) => {
            assert_eq!(refusal.status(), status);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_goes_to_everybody_and_is_kept() {
    let chat = Chat::start(&["--history", "3"]);
    let mut ada = chat.enter("Ada");
    assert_eq!(ada.event()["members"], json!(["Ada"]));
    let mut bob = chat.enter("Bob");
    assert_eq!(ada.event(), json!({ "type": "joined", "name": "Bob" }));
    for text in ["one", "<b>two</b>", "three \u{1f600}", "four"] {
        bob.0.send(text).unwrap();
        let (to_ada, to_bob) = (ada.next("message"), bob.next("message"));
        assert_eq!(to_ada, to_bob);
        assert_eq!((&to_ada["from"], &to_ada["text"]), (&json!("Bob"), &json!(text)));
    }
    drop(bob);
    assert_eq!(ada.event(), json!({ "type": "left", "name": "Bob" }));
    // Those who come back say what they have seen.
    for (since, ids, missed) in [
        (0, vec![2, 3, 4], 1),
        (1, vec![2, 3, 4], 0),
        (3, vec![4], 0),
        (4, vec![], 0),
        (9, vec![2, 3, 4], 1),
    ] {
        let mut again = chat.enter(&format!("Bob&since={since}"));
        let welcome = again.event();
        let history = welcome["history"].as_array().unwrap();
        assert_eq!(
            history.iter().map(|event| event["id"].as_u64().unwrap()).collect::<Vec<_>>(),
            ids
        );
        assert_eq!(welcome["missed"], json!(missed), "{since}");
        drop(again);
        ada.next("left");
    }
}

#[test]
fn guests_are_checked_before_the_upgrade() {
    let chat = Chat::start(&["--passphrase", "open sesame"]);
    let connect = |header: Option<&str>, target: &str| {
        let mut connector = Connector::new();
        if let Some(header) = header {
            connector = connector.header("Authorization", header);
        }
        connector.connect(format!("ws://{}{target}", chat.address))
    };
    // The passphrase in base64.
    let right = Some("Bearer b3BlbiBzZXNhbWU");
    let target = "/enter?room=a&name=b";
    for wrong in [None, Some("Bearer b3Blbg"), Some("Bearer ????"), Some("Basic b3BlbiBzZXNhbWU")] {
        assert_refused(connect(wrong, target), 401);
    }
    assert_refused(connect(right, "/"), 404);
    for bad in [
        "",
        "?room=a",
        "?name=b",
        "?room=a&name=",
        "?room=a&name=%E2%80%AEb",
        "?room=a&name=b%C2%AD",
        "?room=a&name=%E3%85%A4",
        "?room=a&name=b%EF%B8%8F",
        "?room=a&name=%20",
        "?room=a&name=b&since=x",
    ] {
        assert_refused(connect(right, &format!("/enter{bad}")), 400);
    }
    let long = format!("/enter?room=a&name={}", "x".repeat(33));
    assert_refused(connect(right, &long), 400);
    let (mut inside, _) = connect(right, target).unwrap();
    // The welcome comes once the name is taken.
    inside.next().unwrap().unwrap();
    assert_refused(connect(right, target), 409);
    // These look the same, or nearly so.
    for same in ["?room=a&name=B", "?room=a&name=%20b%C2%A0", "?room=%20a&name=b"] {
        assert_refused(connect(right, &format!("/enter{same}")), 409);
    }
    drop(inside);
    // A page of another origin can't use the browser of a guest.
    let foreign = Connector::new().header("Origin", "http://example.com").connect(chat.url("c"));
    assert_refused(foreign, 403);
}

#[test]
fn pages_are_guarded() {
    let chat = Chat::start(&[]);
    for (target, status) in
        [("/", 200), ("/page.css", 200), ("/page.js", 200), ("/no", 404), ("/about", 200)]
    {
        let response = chat.get(target, "");
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(response.contains("\r\nContent-Security-Policy: default-src 'none';"));
    }
    assert!(chat.get("/may-enter?room=a&name=b", "").starts_with("HTTP/1.1 204 "));
    assert!(chat.get("/enter?room=a&name=b", "").starts_with("HTTP/1.1 426 "));
}

#[test]
fn messages_that_do_not_belong_here_end_the_visit() {
    let chat = Chat::start(&[]);
    let mut ada = chat.enter("Ada");
    ada.event();
    for (message, code) in [
        (Message::from(vec![7]), CloseCode::UNSUPPORTED_DATA),
        (Message::text("x".repeat(4097)), CloseCode::MESSAGE_TOO_BIG),
    ] {
        let mut bob = chat.enter("Bob");
        bob.0.send(message).unwrap();
        while bob.0.next().is_some_and(|received| received.is_ok()) {}
        assert_eq!(bob.0.closed().unwrap().code, code);
        ada.next("left");
    }
}

/// The server drops the oldest messages for a guest that does not read. The guest sees that by the
/// numbers, and holds up nobody. Guests that flood the room are slowed down.
#[test]
fn a_guest_who_does_not_read_misses_messages_and_nobody_else_does() {
    let chat = Chat::start(&[]);
    let mut asleep = chat.enter("asleep");
    let mut awake = chat.enter("awake");
    awake.next("welcome");
    let text = "x".repeat(4000);
    let mut last = 0;
    // The buffers of the system take megabytes. More guests from one address would not be let in.
    for number in 0..80 {
        let mut loud = chat.enter(&format!("loud{number}"));
        for _ in 0..20 {
            loud.0.send(&text).unwrap();
        }
        for _ in 0..20 {
            let event = awake.next("message");
            assert_eq!(event["id"], json!(last + 1));
            last += 1;
        }
    }
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        ids.push(asleep.next("message")["id"].as_u64().unwrap());
    }
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(ids.len() < last as usize, "nothing was left out");
    // The flood: of 1,000 messages at once, 20 pass, and then some in each second.
    let mut flood = chat.enter("flood");
    for _ in 0..1000 {
        flood.0.send("!").unwrap();
    }
    for _ in 0..25 {
        awake.next("message");
    }
    let mut slow = chat.enter("witness");
    let welcome = slow.event();
    let newest = welcome["history"].as_array().unwrap().last().unwrap()["id"].as_u64().unwrap();
    assert!(newest < last + 500, "{newest} after {last}");
}

/// A control character takes six bytes in JSON.
#[test]
fn what_a_room_keeps_is_limited_in_bytes() {
    let chat = Chat::start(&[]);
    let mut loud = chat.enter("loud");
    for _ in 0..20 {
        loud.0.send("\u{1}".repeat(4096)).unwrap();
        loud.next("message");
    }
    let mut late = chat.enter("late");
    let welcome = late.0.next().unwrap().unwrap();
    assert!((200_000..=270_000).contains(&welcome.len()), "{}", welcome.len());
    let welcome: Value = serde_json::from_str(welcome.as_text().unwrap()).unwrap();
    let kept = welcome["history"].as_array().unwrap();
    assert_eq!(kept.last().unwrap()["id"], json!(20));
    assert_eq!(welcome["missed"], json!(20 - kept.len()));
}

/// Enters the room by the form.
/// Saves what a tab shows, for those who want to look at it.
fn screenshot(browser: &mut Browser, tab: &Tab, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat");
    browser.screenshot(tab, &folder.join(format!("{name}.png")));
}

fn enter(browser: &mut Browser, tab: &Tab, name: &str, passphrase: &str) {
    browser.wait(tab, "typeof session !== 'undefined'");
    let fill = format!(
        "$('name').value = {}; $('passphrase').value = {}; $('enter').requestSubmit(); true",
        json!(name),
        json!(passphrase)
    );
    browser.evaluate(tab, &fill);
}

fn say(browser: &mut Browser, tab: &Tab, text: &str) {
    browser.wait(tab, "socket?.readyState === WebSocket.OPEN");
    let fill = format!(
        "$('text').value = {}; $('text').dispatchEvent(new Event('input')); $('composer').requestSubmit(); true",
        json!(text)
    );
    browser.evaluate(tab, &fill);
}

const TEXTS: &str = "[...document.querySelectorAll('.bubble')].map((bubble) => bubble.textContent)";

#[test]
fn two_tabs_talk_to_each_other_and_survive_a_cut_connection() {
    if !is_wanted() {
        return;
    }
    let chat = Chat::start(&["--passphrase", "open sesame"]);
    let link = Link::to(chat.address);
    let mut browser = Browser::start("talk");
    let wide = browser.open(&format!("http://{}/", chat.address), 1100, 700, false);
    let narrow = browser.open(&format!("http://{}/", link.address()), 390, 780, true);
    browser.wait(&narrow, "!$('passphrase-label').hidden");
    screenshot(&mut browser, &narrow, "entrance-narrow");

    // Who is refused learns why, without a connection.
    enter(&mut browser, &wide, "Ada", "open says me");
    browser.wait(&wide, "$('refusal').textContent === 'The passphrase is wrong.'");
    screenshot(&mut browser, &wide, "refused-wide");
    enter(&mut browser, &wide, "Ada", "open sesame");
    browser.wait(&wide, "$('status-text').textContent === 'Connected'");
    enter(&mut browser, &narrow, "Ada", "open sesame");
    browser.wait(&narrow, "$('refusal').textContent === 'Somebody in this room has this name.'");
    enter(&mut browser, &narrow, "Bob", "open sesame");
    browser.wait(&narrow, "$('status-text').textContent === 'Connected'");

    // Both see what each says. Markup is text.
    let texts = ["Hello Bob!", "Hi Ada. <img src=x onerror=alert(1)>", "Two\nlines", "\u{1f44b}"];
    for (text, tab) in texts.iter().zip([&wide, &narrow, &wide, &narrow]) {
        say(&mut browser, tab, text);
        for tab in [&wide, &narrow] {
            browser.wait(tab, &format!("{TEXTS}.at(-1) === {}", json!(text)));
        }
    }
    for tab in [&wide, &narrow] {
        assert_eq!(browser.evaluate(tab, TEXTS), json!(texts));
        assert_eq!(
            browser.evaluate(tab, "document.querySelectorAll('#messages img').length"),
            json!(0)
        );
        assert_eq!(browser.evaluate(tab, "members"), json!(["Ada", "Bob"]));
    }
    screenshot(&mut browser, &wide, "talk-wide");
    screenshot(&mut browser, &narrow, "talk-narrow");

    // The connection of one is cut. It says so, comes back, and has missed nothing.
    link.cut();
    browser
        .wait(&narrow, "$('status-text').textContent === 'Not connected' && !$('banner').hidden");
    screenshot(&mut browser, &narrow, "cut-narrow");
    browser.wait(&wide, "members.length === 1");
    say(&mut browser, &wide, "Are you there?");
    say(&mut browser, &wide, "Bob?");
    link.mend();
    browser.evaluate(&narrow, "$('retry').click(); true");
    browser.wait(&narrow, "$('status-text').textContent === 'Connected'");
    browser.wait(&narrow, &format!("{TEXTS}.at(-1) === 'Bob?'"));
    let all: Vec<_> = texts.into_iter().chain(["Are you there?", "Bob?"]).collect();
    assert_eq!(browser.evaluate(&narrow, TEXTS), json!(all));
    assert_eq!(
        browser.evaluate(&narrow, "document.documentElement.scrollWidth <= innerWidth"),
        json!(true)
    );
}

/// The page stays usable while others flood the room, and keeps a bounded number of messages.
#[test]
fn a_tab_survives_a_flood() {
    if !is_wanted() {
        return;
    }
    let chat = Chat::start(&[]);
    let mut browser = Browser::start("flood");
    let tab = browser.open(&format!("http://{}/", chat.address), 1100, 700, true);
    enter(&mut browser, &tab, "Ada", "");
    browser.wait(&tab, "$('status-text').textContent === 'Connected'");
    for number in 0..60 {
        let mut loud = chat.enter(&format!("loud{number}"));
        for message in 0..20 {
            loud.0
                .send(format!("message {message} of guest {number}, and some more words"))
                .unwrap();
        }
        // Its own messages come back once they are said.
        (0..20).for_each(|_| drop(loud.next("message")));
    }
    browser.wait(&tab, "lastId === 1200");
    let shown = browser.evaluate(&tab, "document.querySelectorAll('#messages > li').length");
    assert_eq!(shown, json!(500));
    say(&mut browser, &tab, "That was a lot.");
    browser.wait(&tab, &format!("{TEXTS}.at(-1) === 'That was a lot.'"));
    screenshot(&mut browser, &tab, "flood-wide");
    wait_for("the end of the flood", || {
        (browser.evaluate(&tab, "members.length") == json!(1)).then_some(())
    });
}
