//! A server of its own for each test, and tabs that show its page.

use axum::Router;
use sansocket_browser::{Browser, Tab};
use sansocket_server::{Builder, ListenOptions, Options, Server, serve};
use serde_json::{Value, json};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime};

/// A server on loopback, for as long as this lives.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    runtime: Runtime,
}

impl Running {
    pub(crate) fn start(options: Options) -> Self {
        Self::start_at(ANY, Server::builder(options), |routes| routes)
    }

    /// Starts it at an address, with routes that `place` has put somewhere.
    pub(crate) fn start_at(
        address: SocketAddr,
        builder: Builder,
        place: impl FnOnce(Router) -> Router,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = builder.build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = {
            let _guard = runtime.enter();
            place(server.router())
        };
        let listen = ListenOptions::default();
        runtime.spawn(serve(listener, routes, listen, std::future::pending()));
        Self { address, server, runtime }
    }

    /// Ends it as a crash would.
    pub(crate) fn crash(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(10));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// An address on loopback, whose port the system chooses.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) const WIDE: (u32, u32) = (1280, 900);
pub(crate) const NARROW: (u32, u32) = (360, 740);

/// Opens the page, with an eye on its console and its requests from the beginning.
pub(crate) fn open(browser: &mut Browser, url: &str, size: (u32, u32), is_dark: bool) -> Tab {
    open_with(browser, url, size, is_dark, "")
}

/// Opens the page once this script has run, which can take away what some browsers don't have.
pub(crate) fn open_with(
    browser: &mut Browser,
    url: &str,
    size: (u32, u32),
    is_dark: bool,
    script: &str,
) -> Tab {
    let tab = browser.open("about:blank", size.0, size.1, is_dark);
    browser.call(Some(&tab), "Page.enable", &json!({}));
    let source = json!({ "source": script });
    browser.call(Some(&tab), "Page.addScriptToEvaluateOnNewDocument", &source);
    browser.watch_console(&tab);
    browser.watch_network(&tab);
    browser.call(Some(&tab), "Page.navigate", &json!({ "url": url }));
    browser.wait(&tab, "typeof orders === 'object' && document.readyState === 'complete'");
    tab
}

pub(crate) fn wait_until_open(browser: &mut Browser, tab: &Tab) {
    browser.wait(tab, "orders.panes.every(({ feed }) => feed.state === 'open')");
    browser.wait(tab, "!document.getElementById('send-many').disabled");
}

pub(crate) fn click(browser: &mut Browser, tab: &Tab, id: &str) {
    browser.wait(tab, &format!("!document.getElementById('{id}').disabled"));
    browser.evaluate(tab, &format!("document.getElementById('{id}').click(); true"));
}

/// Waits until the page finds that each pane has each message, and returns what the panes say.
#[track_caller]
pub(crate) fn wait_until_complete(browser: &mut Browser, tab: &Tab, total: u64) -> Vec<Value> {
    let complete = format!(
        "orders.panes.every(({{ ledger }}) => ledger.received >= {total}) && orders.published >= {total}"
    );
    browser.wait(tab, &complete);
    browser.wait(
        tab,
        "[...document.querySelectorAll('.check')].every((it) => it.dataset.kind !== 'wait')",
    );
    let told = "orders.panes.map(({ ledger, feed }) => [ledger.received, ledger.missing, ledger.doubles, \
                feed.reconnects])";
    let told = browser.evaluate(tab, told);
    told.as_array().unwrap().clone()
}

/// Checks that nothing went wrong without being shown, and that nothing left the host.
pub(crate) fn assert_quiet(browser: &mut Browser, address: SocketAddr) {
    for method in ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"] {
        let told = browser.take_events(method);
        assert!(told.is_empty(), "{told:#?}");
    }
    let host = address.to_string();
    let requests = browser.take_events("Network.requestWillBeSent");
    let sockets = browser.take_events("Network.webSocketCreated");
    assert!(!requests.is_empty() && !sockets.is_empty());
    let urls = requests.iter().map(|it| &it["params"]["request"]["url"]);
    for url in urls.chain(sockets.iter().map(|it| &it["params"]["url"])) {
        let url = url.as_str().unwrap();
        let rest = url.split_once("://").map(|(_, rest)| rest);
        let is_here = rest.is_some_and(|rest| rest.starts_with(&host));
        assert!(is_here || url.starts_with("data:"), "{url}");
    }
}

/// Saves what the page looks like now on a desk and on a phone, in both themes.
pub(crate) fn screenshots(browser: &mut Browser, tab: &Tab, name: &str) {
    for (size, width) in [(NARROW, "narrow"), (WIDE, "wide")] {
        for theme in ["dark", "light"] {
            browser.look(tab, size.0, size.1, theme == "dark");
            browser.wait(tab, "document.getAnimations().length === 0");
            screenshot(browser, tab, &format!("{name}-{width}-{theme}"));
        }
    }
}

/// Saves all of the page as a picture, for those who want to look at it.
pub(crate) fn screenshot(browser: &mut Browser, tab: &Tab, name: &str) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    browser.call(Some(tab), "Page.bringToFront", &json!({}));
    let size = browser.evaluate(
        tab,
        "scrollTo({ top: 0, behavior: 'instant' }); \
         [document.documentElement.clientWidth, document.documentElement.scrollHeight]",
    );
    let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
    let parameters = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
    let shot = browser.call(Some(tab), "Page.captureScreenshot", &parameters);
    let png = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.png")), png).unwrap();
}
