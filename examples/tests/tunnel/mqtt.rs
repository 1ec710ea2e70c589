//! MQTT through the tunnel: mosquitto as the broker, and paho as a client that is not changed for it.

use crate::running::Running;
use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// The variable that leaves these tests out, if it contains `mqtt`.
const WITHOUT: &str = "SANSOCKET_WITHOUT";

fn are_left_out() -> bool {
    env::var(WITHOUT).is_ok_and(|list| list.split(',').any(|name| name == "mqtt"))
}

/// A broker on loopback, which ends when this is dropped.
struct Broker {
    process: Child,
    address: String,
    folder: PathBuf,
}

impl Broker {
    fn start() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("sansocket-mqtt-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        // Another program may take the port in between.
        for _ in 0..10 {
            let port =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let config = folder.join("mosquitto.conf");
            let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
            fs::write(&config, text).unwrap();
            // Debian installs it outside of the path of users.
            let name = match Path::new("/usr/sbin/mosquitto").exists() {
                true => "/usr/sbin/mosquitto",
                false => "mosquitto",
            };
            let process = Command::new(name)
                .arg("-c")
                .arg(config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("mosquitto: {error}. Install it, or set {WITHOUT}=mqtt")
                });
            let address = format!("127.0.0.1:{port}");
            let mut broker = Self { process, address, folder: folder.clone() };
            if broker.is_up() {
                return broker;
            }
        }
        panic!("mosquitto does not start");
    }

    fn is_up(&mut self) -> bool {
        for _ in 0..500 {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(&self.address).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs the client against an address, which must be `HOST:PORT`.
fn paho(address: &str, transport: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let python = root.join(target).join("interop/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing; `interop/run --set-up` makes it. Or set {WITHOUT}=mqtt",
        python.display()
    );
    let (host, port) = address.split_once(':').unwrap();
    let output = Command::new("timeout")
        .arg("60")
        .arg(python)
        .arg(root.join("examples/tests/tunnel/mqtt.py"))
        .args([host, port, transport])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"ok\n", "{errors}");
}

#[test]
fn an_mqtt_client_that_speaks_tcp_reaches_its_broker_through_both_ends() {
    if are_left_out() {
        return;
    }
    let broker = Broker::start();
    let options = ["--subprotocol", "mqtt"];
    let serve =
        Running::start(&[&["serve", "127.0.0.1:0", &broker.address], &options[..]].concat());
    let url = serve.address();
    let listen = Running::start(&[&["listen", "127.0.0.1:0", &url], &options[..]].concat());
    paho(&listen.address(), "tcp");
}

#[test]
fn an_mqtt_client_that_speaks_websocket_reaches_the_broker() {
    if are_left_out() {
        return;
    }
    let broker = Broker::start();
    // The client names an origin, which is not this host.
    let serve =
        Running::start(&["serve", "127.0.0.1:0", &broker.address, "-s", "mqtt", "--any-origin"]);
    paho(serve.address().strip_prefix("ws://").unwrap(), "websockets");
}
