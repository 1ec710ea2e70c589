//! Proxies of others, as processes on loopback.

use crate::authority::{Identity, TRUSTED, Validity};
use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// The user name and the password that a proxy wants.
pub(crate) const CREDENTIALS: (&str, &str) = ("client", "open-sesame");

/// A running proxy, which ends when this is dropped.
pub(crate) struct Running {
    process: Child,
    pub(crate) port: u16,
    folder: PathBuf,
}

impl Running {
    /// tinyproxy, which speaks HTTP.
    pub(crate) fn tinyproxy(wants_credentials: bool) -> Self {
        Self::start("tinyproxy", |port, folder| {
            let (user, password) = CREDENTIALS;
            let authorization = match wants_credentials {
                true => format!("BasicAuth {user} {password}\n"),
                false => String::new(),
            };
            let config = folder.join("tinyproxy.conf");
            let text = format!("Listen 127.0.0.1\nPort {port}\nTimeout 60\n{authorization}");
            fs::write(&config, text).unwrap();
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(config);
            command
        })
    }

    /// microsocks, which speaks SOCKS 5.
    pub(crate) fn microsocks(wants_credentials: bool) -> Self {
        Self::start("microsocks", |port, _| {
            let mut command = Command::new("microsocks");
            command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
            if wants_credentials {
                command.args(["-u", CREDENTIALS.0, "-P", CREDENTIALS.1]);
            }
            command
        })
    }

    /// haproxy, which ends TLS in front of another proxy. Its certificate is for `proxy.test`.
    pub(crate) fn haproxy(behind: u16) -> Self {
        Self::start("haproxy", |port, folder| {
            let Identity { chain, key, .. } = TRUSTED.issue("proxy.test", Validity::Now);
            let certificate = folder.join("certificate.pem");
            fs::write(&certificate, chain + &key).unwrap();
            let config = folder.join("haproxy.cfg");
            let text = format!(
                "defaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n \
                timeout server 60s\n\
                listen tls\n bind 127.0.0.1:{port} ssl crt {}\n server http 127.0.0.1:{behind}\n",
                certificate.display(),
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(config);
            command
        })
    }

    fn start(name: &str, command: impl Fn(u16, &PathBuf) -> Command) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("sansocket-{name}-{}-{number}", process::id()));
        // Another program may take the port in between.
        for _ in 0..10 {
            fs::create_dir_all(&folder).unwrap();
            let port = free_port();
            let process = command(port, &folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("{name}: {error}. Install it, or set {WITHOUT}=proxies")
                });
            let mut running = Self { process, port, folder: folder.clone() };
            if running.is_up() {
                return running;
            }
        }
        panic!("{name} does not start");
    }

    fn is_up(&mut self) -> bool {
        for _ in 0..500 {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The variable that leaves these tests out.
const WITHOUT: &str = "SANSOCKET_WITHOUT";

/// Returns `true` if these tests are to be left out.
pub(crate) fn are_left_out() -> bool {
    env::var(WITHOUT).is_ok_and(|list| list.split(',').any(|name| name == "proxies"))
}

/// Returns a port on which nobody listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
