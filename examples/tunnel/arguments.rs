//! The command line.

use clap::{Args, Parser, Subcommand};
use sansocket::{
    Config,
    client::Stage,
    connection::Keepalive,
    on_tokio::{Acceptor, Connector},
    server::OriginPolicy,
    tls::{ClientTls, ServerTls},
};
use std::{fs, path::PathBuf, time::Duration};

/// Carries TCP connections through WebSocket, where only HTTP gets through. One end of the tunnel
/// listens for TCP, the other connects to the TCP server. Each end also works alone, with any program
/// that carries a stream of bytes in binary messages, such as an MQTT client in a browser.
///
/// When one side of a TCP connection ends, WebSocket can only end both directions, since it has no
/// half-close: what the other side has sent by then still arrives, and what it sends later is lost.
/// The side that has ended first sees an ordinary end, whether anything was lost or not. So a program
/// that ends its side as soon as it has sent its request, as 'nc -N' does, may miss the answer, or the
/// rest of it. A connection that is cut is reset at the other end.
///
/// Ctrl-C ends the tunnel with all connections.
#[derive(Debug, Parser)]
#[command(name = "tunnel", after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) mode: Mode,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Accept TCP connections, and connect a WebSocket for each.
    Listen(Listen),
    /// Accept WebSockets, and connect to a TCP server for each.
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// The address to listen on for TCP, such as 127.0.0.1:1883; port 0 takes a free one.
    pub(crate) address: String,
    /// Where to connect to: ws://host:port/path, or wss:// for TLS.
    pub(crate) url: String,
    /// Trust only the authorities in this PEM file, instead of those that the system trusts.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Give up connecting after this time, which the opening handshake has again.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    connect_timeout: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on for WebSockets, such as 127.0.0.1:8080; port 0 takes a free one.
    pub(crate) address: String,
    /// The TCP server to connect to, such as 127.0.0.1:1883.
    pub(crate) target: String,
    /// Serve wss:// with the certificates in this PEM file.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Accept browsers on web pages of any origin, and not only on those of this host. Such a page can
    /// then reach the TCP server of everyone who visits it.
    #[arg(long)]
    any_origin: bool,
    /// Give up connecting to the TCP server after this time.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) connect_timeout: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The subprotocol, such as mqtt or binary. Can be repeated, in order of preference. A server
    /// refuses clients that offer none of them; without this option, it accepts all and chooses none.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// The most connections at a time. Others wait until one ends.
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = count)]
    pub(crate) connections: usize,
    /// Ping a peer that is silent for so long. This also keeps proxies from dropping the connection.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds)]
    keepalive: Duration,
    /// Give up a peer that does not answer a ping or a Close for so long. Both wait behind the bytes
    /// before them, so a peer whose TCP side does not read does not answer.
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = seconds)]
    give_up: Duration,
}

const EXAMPLES: &str = "\
Examples:
  tunnel serve 127.0.0.1:8080 127.0.0.1:1883 -s mqtt   MQTT for browsers, in front of a broker
  tunnel listen 127.0.0.1:1883 wss://example.com/mqtt -s mqtt
                                       for a client that speaks only TCP
  tunnel serve 0.0.0.0:443 127.0.0.1:22 --certificate chain.pem --key key.pem
  tunnel listen 127.0.0.1:2222 wss://example.com/      SSH, where only HTTPS gets through

The exit status is 2 if the arguments are wrong, and 1 if the tunnel can't listen.";

impl Listen {
    /// Returns what to connect with, or what is wrong with the arguments.
    pub(crate) fn connector(&self) -> Result<Connector, String> {
        let mut connector = Connector::new()
            .config(self.common.config())
            .handshake_timeout(self.connect_timeout)
            .stage_timeout(Stage::Connect, self.connect_timeout);
        for name in &self.common.subprotocol {
            connector = connector.subprotocol(name);
        }
        let Some(path) = &self.authority else { return Ok(connector) };
        let tls = ClientTls::with_roots(read(path)?);
        Ok(connector.tls(tls.map_err(|error| format!("{}: {error}", path.display()))?))
    }
}

impl Serve {
    /// Returns what to accept with, or what is wrong with the arguments.
    pub(crate) fn acceptor(&self) -> Result<Acceptor, String> {
        let mut acceptor = Acceptor::new().config(self.common.config());
        if self.any_origin {
            acceptor = acceptor.origin(OriginPolicy::any());
        }
        let (Some(chain), Some(key)) = (&self.certificate, &self.key) else { return Ok(acceptor) };
        let tls = ServerTls::new(read(chain)?, read(key)?);
        Ok(acceptor.tls(tls.map_err(|error| format!("{}: {error}", chain.display()))?))
    }
}

impl Common {
    fn config(&self) -> Config {
        Config::default()
            .keepalive(Keepalive::new(self.keepalive, self.give_up))
            // A Close, too, waits behind the bytes before it.
            .close_timeout(self.give_up)
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn count(text: &str) -> Result<usize, String> {
    // More than a semaphore counts is no limit.
    match text.parse() {
        Ok(count) if (1..=1 << 30).contains(&count) => Ok(count),
        _ => Err("not a number of connections".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(1) => Ok(time),
        _ => Err("must be at least 0.001 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in [
            "listen 127.0.0.1:0",
            "serve 127.0.0.1:0",
            "serve 127.0.0.1:0 127.0.0.1:1 --connections 0",
            "serve 127.0.0.1:0 127.0.0.1:1 --keepalive 0",
            "serve 127.0.0.1:0 127.0.0.1:1 --give-up 0",
            "serve 127.0.0.1:0 127.0.0.1:1 --certificate chain.pem",
            "listen 127.0.0.1:0 ws://h/ --connect-timeout x",
        ] {
            let line = ["tunnel"].into_iter().chain(line.split_whitespace());
            assert!(Arguments::try_parse_from(line).is_err());
        }
    }
}
