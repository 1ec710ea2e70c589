//! The flags of the program.

use super::layers::Layers;
use super::places::{Place, Problem};
use clap::Parser;
use std::path::PathBuf;

/// A real-time server: topics, queues and replay over STOMP, Server-Sent Events, polling and SockJS.
///
/// Without any flags, it listens on http://127.0.0.1:8080 for everybody on this machine.
/// Open that in a browser.
///
/// Flags count more than variables (such as SANSOCKET_LISTEN, or in a section
/// SANSOCKET_LIMITS__MESSAGE), and variables more than the file. For a file of your own:
///
///     sansocket-server --print-defaults > sansocket.toml
///
///     sansocket-server --config sansocket.toml --check-config
#[derive(Debug, Default, Parser)]
#[command(version, about, verbatim_doc_comment)]
pub(crate) struct Flags {
    /// The configuration file, in TOML
    #[arg(short, long, value_name = "FILE", env = "SANSOCKET_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(short, long, value_name = "IP:PORT")]
    listen: Option<String>,

    /// Pages of other sites that may use the server, such as https://example.com; can be repeated
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,

    /// Accept clients without credentials, also from other machines
    #[arg(long)]
    anonymous: bool,

    /// The broker that joins this node with others
    #[arg(long, value_name = "redis://HOST:PORT")]
    broker: Option<String>,

    /// The MQTT broker to which /mqtt leads
    #[arg(long, value_name = "HOST:PORT")]
    mqtt: Option<String>,

    /// The certificate for TLS, and those above it, in PEM
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,

    /// The private key for TLS, in PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,

    /// What to log: a level, or levels for parts, such as info,sansocket_server=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,

    /// How to log: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,

    /// Any other key, such as limits.message="64 KiB"; can be repeated
    #[arg(short, long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Read everything, keys and certificates too, say what is wrong or odd, and end: with 1 if anything is wrong
    #[arg(long)]
    pub(crate) check_config: bool,

    /// Print the configuration that counts, without secrets, and end
    #[arg(long, conflicts_with = "check_config")]
    pub(crate) print_config: bool,

    /// Print the default configuration with explanations, as a file to begin with, and end
    #[arg(long, conflicts_with_all = ["check_config", "print_config"])]
    pub(crate) print_defaults: bool,
}

impl Flags {
    /// Adds what is set to the layers of the configuration.
    pub(crate) fn add_to(&self, layers: &mut Layers) -> Vec<Problem> {
        let mut problems = Vec::new();
        // A flag of its own counts more than the same key by --set.
        for set in &self.set {
            match set.split_once('=') {
                Some((key, value)) if is_key(key.trim()) => {
                    layers.flag(&format!("--set {}", key.trim()), key.trim(), value.trim());
                }
                _ => {
                    let problem =
                        "write a key and its value, such as limits.message=\"64 KiB\"".into();
                    // What follows could be a secret.
                    let key = set.split('=').next().unwrap_or_default();
                    problems.push(Problem { place: Place::Flag(format!("--set {key}")), problem });
                }
            }
        }
        for (name, path, value) in [
            ("--listen", "listen", &self.listen),
            ("--broker", "broker.url", &self.broker),
            ("--mqtt", "mqtt.broker", &self.mqtt),
            ("--tls-certificate", "tls.certificate", &self.tls_certificate),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--log", "log.filter", &self.log),
            ("--log-format", "log.format", &self.log_format),
        ] {
            if let Some(value) = value {
                layers.flag(name, path, value);
            }
        }
        if self.anonymous {
            layers.flag("--anonymous", "access.anonymous", "true");
        }
        if !self.origin.is_empty() {
            layers.list_flag("--origin", "origins", &self.origin);
        }
        problems
    }
}

fn is_key(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}
