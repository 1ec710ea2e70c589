//! Runs the scenarios of `interop/browser/scenarios.mjs` in a headless Chromium, and those that need a
//! page. Prints a line for each.
//!
//! ```text
//! interop_chromium URL
//! ```
//!
//! The URL is that of any server that answers as README.md describes and has a page at `/page`, on
//! 127.0.0.1. With `wss`, `SSL_CERT_FILE` names the certificate of its authority. It goes into a database
//! of Chromium's own user, so that Chromium checks the chain and the name as for any other server.

use sansocket_browser::{Browser, Tab};
use serde_json::{Value, json};
use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

const SCENARIOS: &str = include_str!("../../browser/scenarios.mjs");

/// Opens a connection to the URL in `URL`, and closes it. Returns `open`, or `error`.
const TRY: &str = "new Promise((resolve) => {
    const socket = new WebSocket(URL);
    socket.onopen = () => { socket.close(); resolve('open'); };
    socket.onerror = () => resolve('error');
})";

fn main() -> ExitCode {
    let Some(url) = env::args().nth(1) else {
        eprintln!("usage: interop_chromium URL");
        return ExitCode::from(2);
    };
    let is_secure = url.starts_with("wss:");
    let mut lines = Vec::new();
    let mut browser = Browser::start_with("interop", |home| trust(home, is_secure));
    let page = format!("{}/page", url.replacen("ws", "http", 1));
    let tab = browser.open(&page, 800, 600, false);
    browser.evaluate(&tab, &SCENARIOS.replace("export async function", "async function"));
    let passed = browser.evaluate(&tab, &format!("runScenarios({})", json!(url)));
    let passed = passed.as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.extend(passed.map(str::to_owned));
    lines.push(over_http_2(&mut browser, &tab, &url));

    // The same server by another name is another origin.
    let elsewhere = browser.open(&page.replace("127.0.0.1", "localhost"), 800, 600, false);
    let outcome = attempt(&mut browser, &elsewhere, &url);
    lines.push(line("a page of another origin is refused", "error", &outcome));
    if is_secure {
        let mut stranger = Browser::start("interop-stranger");
        let tab = stranger.open(&page, 800, 600, false);
        // The page of the server does not open either.
        let scheme = stranger.evaluate(&tab, "location.protocol");
        let scheme = scheme.as_str().unwrap_or_default();
        lines.push(line(
            "a certificate of an unknown authority is refused",
            "chrome-error:",
            scheme,
        ));
    }
    for line in &lines {
        println!("{line}");
    }
    let has_failed = lines.iter().any(|line| line.starts_with("not ok "));
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Adds the authority to the database of certificates in the user's home.
fn trust(home: &Path, is_secure: bool) {
    if !is_secure {
        return;
    }
    let authority = env::var("SSL_CERT_FILE").expect("SSL_CERT_FILE names the authority");
    let database = home.join(".pki/nssdb");
    std::fs::create_dir_all(&database).expect("a directory in the home");
    let database = format!("sql:{}", database.display());
    for arguments in [
        &["-N", "--empty-password"][..],
        &["-A", "-n", "interop authority", "-t", "C,,", "-i", &authority],
    ] {
        let status = Command::new("certutil").args(["-d", &database]).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "certutil, of libnss3-tools, failed");
    }
}

/// Over HTTP/2 there is no key: what has been asked for is a stream (RFC 8441 §5).
fn over_http_2(browser: &mut Browser, tab: &Tab, url: &str) -> String {
    const NAME: &str = "over HTTP/2";
    browser.watch_network(tab);
    let outcome = attempt(browser, tab, url);
    let requests = browser.take_events("Network.webSocketWillSendHandshakeRequest");
    let responses = browser.take_events("Network.webSocketHandshakeResponseReceived");
    let (Some(request), Some(response)) = (requests.first(), responses.first()) else {
        return format!("not ok {NAME}: {outcome}, and the browser told of no handshake");
    };
    let has_key = |headers: &Value| {
        let names = headers.as_object().into_iter().flatten().map(|(name, _)| name);
        names.into_iter().any(|name| name.eq_ignore_ascii_case("Sec-WebSocket-Key"))
    };
    let response = &response["params"]["response"];
    if has_key(&request["params"]["request"]["headers"]) || has_key(&response["requestHeaders"]) {
        return format!("skip {NAME}: the server has no WebSocket over HTTP/2");
    }
    line(NAME, "open", &outcome)
}

fn attempt(browser: &mut Browser, tab: &Tab, url: &str) -> String {
    let outcome = browser.evaluate(tab, &TRY.replace("URL", &json!(url).to_string()));
    outcome.as_str().unwrap_or_default().into()
}

fn line(name: &str, expected: &str, got: &str) -> String {
    if expected == got {
        format!("ok {name}")
    } else {
        format!("not ok {name}: expected {expected}, got {got}")
    }
}
