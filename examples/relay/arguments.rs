//! The command line.

use crate::headers::Forwarding;
use crate::opening::Upstream;
use clap::Parser;
use sansocket::{
    client::Stage,
    handshake::Url,
    on_tokio::{Acceptor, Connector},
    server::OriginPolicy,
    tls::{ClientTls, ServerTls},
};
use std::{fs, path::PathBuf, time::Duration};

/// A reverse proxy for WebSocket: passes each connection on to a server.
///
/// Frames are passed on as their bytes arrive, whatever their size, and are not changed: messages keep
/// their fragments, and compressed ones are not decompressed. Pings, pongs and Closes go from end to end.
/// So the relay itself pings nobody, and a silent connection stays: the ends have their own timeouts.
#[derive(Debug, Parser)]
#[command(name = "relay", after_help = NOTES)]
pub(crate) struct Arguments {
    /// The server: ws://HOST or wss://HOST, with a port if it has an unusual one. A path is put before
    /// the path that the client asks for, which may lead out of it again by "..".
    #[arg(value_name = "URL")]
    server: String,

    /// The address to listen on; port 0 takes a free one.
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:9002")]
    pub(crate) listen: String,
    /// The most connections at a time. Further clients wait until one ends.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10_000)]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) connections: usize,
    /// How many threads serve all connections.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: usize,
    /// How long each opening handshake may take: of the client, and then of the server.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// How long both ends may take to close.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    close_timeout: Duration,
    /// How long an end may take none of what waits for it, before it counts as lost.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    write_timeout: Duration,

    /// Tell the server who the client is, in these header fields: X-Forwarded-For, -Host and -Proto, or
    /// Forwarded of RFC 7239. The client's address comes last in X-Forwarded-For and Forwarded: what is
    /// before it is what the client says. The other two are replaced.
    #[arg(short, long, value_enum, value_name = "FIELDS")]
    forward: Option<Forwarding>,
    /// Refuse frames with a payload of more bytes than this. There is no limit by default: the relay
    /// holds no frames, and the ends have limits of their own.
    #[arg(long, value_name = "BYTES")]
    frame_limit: Option<u64>,
    /// Print how each connection ends.
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Speak TLS with the clients, with the certificates in this PEM file.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "TLS")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate", help_heading = "TLS")]
    key: Option<PathBuf>,
    /// Trust only the authorities in this PEM file for the server, instead of those that the system
    /// trusts.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    authority: Option<PathBuf>,
}

const NOTES: &str = "\
Headers and subprotocols go from end to end, except for those of one connection (RFC 9110, section \
7.6.1) and those of the handshake itself. The server sees its own name in Host. If it refuses, the \
client gets its status, header and body (at most 4 KiB of it); if it can't be reached, 502, or 504 \
after a timeout. Requests that are not for a WebSocket are refused by the relay.

If the server is lost, the client gets a Close with 1014. A server that stops in good order sends a \
Close of its own, such as 1001, and the client gets that. If the client is lost, the server sees the \
end of the connection. An end that reads nothing is lost after the write timeout.

Ctrl-C closes all connections with 1001 at both ends, and ends the relay.

Examples:
  relay ws://127.0.0.1:9001
  relay wss://chat.internal/v2 -l 0.0.0.0:443 --certificate site.pem --key site.key -f x-forwarded";

impl Arguments {
    pub(crate) fn is_secure(&self) -> bool {
        self.certificate.is_some()
    }

    /// Returns what to accept clients with.
    pub(crate) fn acceptor(&self) -> Result<Acceptor, String> {
        // The server knows from which pages it wants to be reached.
        let acceptor = Acceptor::new().origin(OriginPolicy::any()).handshake_timeout(self.timeout);
        let (Some(chain), Some(key)) = (&self.certificate, &self.key) else { return Ok(acceptor) };
        let tls = ServerTls::new(read(chain)?, read(key)?)
            .map_err(|error| format!("{}: {error}", chain.display()))?;
        Ok(acceptor.tls(tls))
    }

    /// Returns where the server is and how to reach it.
    pub(crate) fn upstream(&self) -> Result<Upstream, String> {
        let url = Url::parse(&self.server).map_err(|error| format!("{}: {error}", self.server))?;
        if url.authorization().is_some() || url.target().contains('?') {
            return Err(format!("{url}: no user name and no query can be passed on"));
        }
        let mut connector = Connector::new()
            .handshake_timeout(self.timeout)
            .stage_timeout(Stage::Connect, self.timeout);
        if let Some(path) = &self.authority {
            let tls = ClientTls::with_roots(read(path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            connector = connector.tls(tls);
        }
        Ok(Upstream {
            url,
            connector,
            forwarding: self.forward,
            is_secure: self.is_secure(),
            frame_limit: self.frame_limit,
            timeout: self.timeout,
            close_timeout: self.close_timeout,
            write_timeout: self.write_timeout,
        })
    }
}

/// Further in the future, the clocks of some systems overflow.
const MOST_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(1) && time <= MOST_TIME => Ok(time),
        _ => Err("must be from 0.001 seconds to 30 days".to_owned()),
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
    fn times_have_limits() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "1e19", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_of_the_url_would_be_lost_is_refused() {
        let upstream = |url: &str| Arguments::parse_from(["relay", url]).upstream();
        assert!(upstream("ws://h:81/base").is_ok());
        for url in ["ws://user:secret@h/", "ws://h/?a=b", "http://h/", "h"] {
            let error = upstream(url).err().unwrap();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
