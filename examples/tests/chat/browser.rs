//! A headless Chromium, driven over its DevTools protocol with the crate's own client.

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

pub(crate) struct Browser {
    process: Child,
    profile: PathBuf,
    devtools: ClientWebSocket,
    last_id: u64,
}

/// A tab. Its methods take the browser.
#[derive(Clone, Debug)]
pub(crate) struct Tab {
    session: String,
}

/// Returns `false` if the tests in a browser are to be left out.
pub(crate) fn is_wanted() -> bool {
    !env::var("SANSOCKET_WITHOUT").is_ok_and(|names| names.split(',').any(|name| name == "browser"))
}

impl Browser {
    pub(crate) fn start(name: &str) -> Self {
        let profile = env::temp_dir().join(format!("sansocket-chat-{}-{name}", std::process::id()));
        fs::create_dir_all(&profile).unwrap();
        let process = Command::new("chromium")
            // Root, as in containers, has no sandbox.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.display()))
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
        Self { process, profile, devtools, last_id: 0 }
    }

    /// Opens a page in a new tab of this size.
    pub(crate) fn open(&mut self, url: &str, width: u32, height: u32, is_dark: bool) -> Tab {
        let target = self.call(None, "Target.createTarget", &json!({ "url": "about:blank" }));
        let parameters = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", &parameters);
        let tab = Tab { session: attached["sessionId"].as_str().unwrap().to_owned() };
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call(Some(&tab), "Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call(Some(&tab), "Emulation.setEmulatedMedia", &media);
        self.call(Some(&tab), "Page.navigate", &json!({ "url": url }));
        self.wait(&tab, "document.readyState === 'complete'");
        tab
    }

    /// Returns the value of an expression in a page.
    #[track_caller]
    pub(crate) fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let outcome = self.call(Some(tab), "Runtime.evaluate", &parameters);
        assert!(outcome.get("exceptionDetails").is_none(), "{expression}: {outcome}");
        outcome["result"]["value"].clone()
    }

    /// Waits until an expression in a page is true.
    #[track_caller]
    pub(crate) fn wait(&mut self, tab: &Tab, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.evaluate(tab, expression) != json!(true) {
            let text = "document.body.innerText";
            assert!(Instant::now() < until, "{expression}\n{}", self.evaluate(tab, text));
            sleep(Duration::from_millis(20));
        }
    }

    /// Saves what the tab shows, for those who want to look at it.
    pub(crate) fn screenshot(&mut self, tab: &Tab, name: &str) {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let shot = self.call(Some(tab), "Page.captureScreenshot", &json!({ "format": "png" }));
        let png = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    #[track_caller]
    fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: &Value) -> Value {
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
            // What else arrives are events that nobody asked for.
            if answer["id"] == json!(self.last_id) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
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

pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} is missing");
        sleep(Duration::from_millis(20));
    }
}
