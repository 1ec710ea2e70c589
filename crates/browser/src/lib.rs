//! A headless Chromium, driven over its DevTools protocol with the crate's own client.

mod link;

pub use link::Link;

use sansocket::{
    Config, Limits, Message,
    blocking::{ClientWebSocket, Connector},
};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long something on a page may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with a profile of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    profile: PathBuf,
    devtools: ClientWebSocket,
    last_id: u64,
    events: Vec<Value>,
}

/// A tab. The methods for it are those of [`Browser`].
#[derive(Clone, Debug)]
pub struct Tab {
    session: String,
}

/// Returns `false` if the tests in a browser are to be left out.
#[must_use]
pub fn is_wanted() -> bool {
    !env::var("SANSOCKET_WITHOUT").is_ok_and(|names| names.split(',').any(|name| name == "browser"))
}

/// Every method panics if the browser does not do what it is told.
impl Browser {
    /// Starts a browser. The name tells it from others of this process.
    #[must_use]
    pub fn start(name: &str) -> Self {
        Self::start_with(name, |_| {})
    }

    /// Starts a browser, once `prepare` has seen the directory that is its home and its profile.
    pub fn start_with(name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let profile = env::temp_dir().join(format!("sansocket-{}-{name}", std::process::id()));
        fs::create_dir_all(&profile).unwrap();
        prepare(&profile);
        let process = Command::new("chromium")
            // Root, as in containers, has no sandbox.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.display()))
            // It looks there for the authorities that its user trusts.
            .env("HOME", &profile)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium starts; leave it out with SANSOCKET_WITHOUT=browser");
        let address = profile.join("DevToolsActivePort");
        let address = wait_for("the address of the browser", || {
            let text = fs::read_to_string(&address).ok()?;
            let (port, path) = text.split_once('\n')?;
            Some(format!("ws://127.0.0.1:{port}{}", path.trim()))
        });
        let config = Config::default().limits(Limits::default().message(64 << 20));
        let (devtools, _) = Connector::new().config(config).connect(address).unwrap();
        Self { process, profile, devtools, last_id: 0, events: Vec::new() }
    }

    /// Opens a page in a new tab of this size.
    pub fn open(&mut self, url: &str, width: u32, height: u32, is_dark: bool) -> Tab {
        let target = self.call(None, "Target.createTarget", &json!({ "url": "about:blank" }));
        let parameters = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", &parameters);
        let tab = Tab { session: attached["sessionId"].as_str().unwrap().to_owned() };
        self.look(&tab, width, height, is_dark);
        self.call(Some(&tab), "Page.navigate", &json!({ "url": url }));
        self.wait(&tab, "document.readyState === 'complete'");
        tab
    }

    /// Gives the tab this size, and its system this theme.
    pub fn look(&mut self, tab: &Tab, width: u32, height: u32, is_dark: bool) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call(Some(tab), "Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call(Some(tab), "Emulation.setEmulatedMedia", &media);
    }

    /// Returns the value of an expression in a page.
    #[track_caller]
    pub fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let outcome = self.call(Some(tab), "Runtime.evaluate", &parameters);
        assert!(outcome.get("exceptionDetails").is_none(), "{expression}: {outcome}");
        outcome["result"]["value"].clone()
    }

    /// Waits until an expression in a page is true.
    #[track_caller]
    pub fn wait(&mut self, tab: &Tab, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.evaluate(tab, expression) != json!(true) {
            let text = "document.body.innerText";
            assert!(Instant::now() < until, "{expression}\n{}", self.evaluate(tab, text));
            sleep(Duration::from_millis(20));
        }
    }

    /// Saves what the tab shows as a PNG, for those who want to look at it.
    pub fn screenshot(&mut self, tab: &Tab, file: &Path) {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let shot = self.call(Some(tab), "Page.captureScreenshot", &json!({ "format": "png" }));
        let png = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, png).unwrap();
    }

    /// Has the browser tell of what happens on the tab's network.
    pub fn watch_network(&mut self, tab: &Tab) {
        self.call(Some(tab), "Network.enable", &json!({}));
    }

    /// Has the browser tell of what goes to the tab's console: errors of its scripts, what they log, and
    /// what the browser refuses to load.
    pub fn watch_console(&mut self, tab: &Tab) {
        self.call(Some(tab), "Runtime.enable", &json!({}));
        self.call(Some(tab), "Log.enable", &json!({}));
    }

    /// Returns the events with this name that have come since the last call.
    pub fn take_events(&mut self, method: &str) -> Vec<Value> {
        let (taken, kept) =
            std::mem::take(&mut self.events).into_iter().partition(|it| it["method"] == method);
        self.events = kept;
        taken
    }

    /// Calls a method of the DevTools protocol.
    #[track_caller]
    pub fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(tab) = tab {
            command["sessionId"] = json!(tab.session);
        }
        self.devtools.send(command.to_string()).unwrap();
        loop {
            let Some(Ok(Message::Text(text))) = self.devtools.next() else {
                panic!("the browser is gone")
            };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == json!(self.last_id) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
            if answer["method"].as_str().is_some_and(is_kept) {
                self.events.push(answer);
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // If this fails, the browser has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The other events are those that nobody asked for.
fn is_kept(method: &str) -> bool {
    const KEPT: [&str; 4] = [
        "Network.requestWillBeSent",
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Log.entryAdded",
    ];
    method.starts_with("Network.webSocket") || KEPT.contains(&method)
}

/// Looks until there is something, and panics if there is nothing for half a minute.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} is missing");
        sleep(Duration::from_millis(20));
    }
}
