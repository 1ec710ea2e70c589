//! The command line.

use crate::terminal::Color;
use clap::Parser;
use sansocket::{
    Config, DeflateConfig, Limits,
    client::{Proxies, Proxy, Stage},
    connection::Keepalive,
    handshake::Url,
    on_tokio::Connector,
    tls::ClientTls,
};
use std::{env, fs, net::SocketAddr, path::PathBuf, time::Duration};

/// A WebSocket client for the terminal: each line of standard input is sent as a text message, and
/// what arrives is printed on standard output. Everything else goes to standard error.
///
/// At the end of the input, the client closes the connection with 1000 and prints what still arrives
/// until the server has closed it too. So does Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "client", after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Where to connect to: ws://host:port/path, or wss:// for TLS.
    pub(crate) url: String,

    /// Add a header field to the request, as 'Name: value'. Can be repeated.
    #[arg(short = 'H', long, value_name = "FIELD", help_heading = "Request")]
    header: Vec<String>,
    /// Offer a subprotocol. Can be repeated, in order of preference.
    #[arg(short, long, value_name = "NAME", help_heading = "Request")]
    subprotocol: Vec<String>,
    /// Send this user name and password (Basic authentication). They can also be in the URL.
    #[arg(short, long, value_name = "NAME:PASSWORD", help_heading = "Request")]
    user: Option<String>,
    /// Send this Origin, as a browser does.
    #[arg(long, value_name = "ORIGIN", help_heading = "Request")]
    origin: Option<String>,
    /// Do not offer to compress messages.
    #[arg(long, help_heading = "Request")]
    no_compression: bool,

    /// Connect through this proxy: http://, https:// or socks5://, with a user name and password if it
    /// needs them. Without this option, the environment decides: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY
    /// and NO_PROXY.
    #[arg(short = 'x', long, value_name = "URL", help_heading = "Connection")]
    proxy: Option<String>,
    /// Connect without a proxy, whatever the environment says.
    #[arg(long, conflicts_with = "proxy", help_heading = "Connection")]
    no_proxy: bool,
    /// Follow up to this many redirections.
    #[arg(
        short = 'L',
        long,
        value_name = "COUNT",
        default_value_t = 0,
        help_heading = "Connection"
    )]
    redirects: u32,
    /// Trust only the authorities in this PEM file, instead of those that the system trusts.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    authority: Option<PathBuf>,
    /// Present the certificates in this PEM file if the server asks for one.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Connection")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate", help_heading = "Connection")]
    key: Option<PathBuf>,
    /// Give up connecting after this time.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    #[arg(help_heading = "Connection")]
    timeout: Duration,
    /// Connect again when the connection is lost, with growing pauses; at most so many times without a
    /// stable connection, if you give a number. Lines that you enter meanwhile wait for the next
    /// connection; one that was being sent may be lost.
    #[arg(short, long, value_name = "ATTEMPTS", num_args = 0..=1, require_equals = true)]
    #[arg(help_heading = "Connection")]
    reconnect: Option<Option<u32>>,
    /// Ping a server that is silent for so long, and give it up if it stays silent for as long again.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds)]
    #[arg(help_heading = "Connection")]
    keepalive: Duration,

    /// Send these messages instead of standard input. Can be repeated.
    #[arg(short, long, value_name = "TEXT", help_heading = "Messages")]
    pub(crate) message: Vec<String>,
    /// Send standard input as binary messages of up to 64 KiB, as it comes, and print what arrives
    /// without a change.
    #[arg(short, long, conflicts_with = "message", help_heading = "Messages")]
    pub(crate) binary: bool,
    /// Do not read standard input: print what arrives until the server or Ctrl-C closes.
    #[arg(long, help_heading = "Messages")]
    pub(crate) listen: bool,
    /// Close after so many messages have arrived. Before that, the end of the input closes nothing.
    #[arg(short = 'n', long, value_name = "COUNT", help_heading = "Messages")]
    pub(crate) count: Option<u64>,
    /// Stop if the messages of --count have not arrived this long after the start; the exit status is
    /// then 1.
    #[arg(long, value_name = "SECONDS", requires = "count", value_parser = seconds)]
    #[arg(help_heading = "Messages")]
    pub(crate) wait: Option<Duration>,
    /// The longest message to accept, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, help_heading = "Messages")]
    limit: u16,

    /// Send a ping every so many seconds, or every second, and print how long the answer takes.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1", value_parser = seconds, help_heading = "Output")]
    pub(crate) ping: Option<Duration>,
    /// Print the header of the response, and pings and pongs.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) verbose: bool,
    /// Print only messages and errors.
    #[arg(short, long, conflicts_with_all = ["verbose", "ping"], help_heading = "Output")]
    pub(crate) quiet: bool,
    /// When to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: Color,
}

const EXAMPLES: &str = "\
Examples:
  client wss://example.com/chat -H 'Authorization: Bearer 5ca1ab1e'
  echo hello | client ws://127.0.0.1:9001
  client ws://127.0.0.1:9001 -m hello -n 1 -q          one message, one answer
  client wss://example.com/feed --listen --reconnect   print a feed for as long as it takes
  client ws://127.0.0.1:9001 --listen --ping           how long does the way take?
  client wss://example.com/ -x http://proxy:3128       through a proxy

The exit status is 0 after a clean close with 1000, 1001 or no code, and as many messages as --count
asks for. It is 2 if the arguments are wrong, and 1 after anything else.";

impl Arguments {
    /// Returns how often to connect again without a stable connection; `None` means without limit.
    pub(crate) fn attempts(&self) -> Option<u32> {
        self.reconnect.unwrap_or(Some(0))
    }

    /// Returns what to connect with, or what is wrong with the arguments.
    pub(crate) fn connector(&self) -> Result<Connector, String> {
        let mut connector = Connector::new()
            .config(self.config())
            .redirects(self.redirects)
            .handshake_timeout(self.timeout)
            .stage_timeout(Stage::Connect, self.timeout);
        for field in &self.header {
            let (name, value) = field
                .split_once(':')
                // It may be a secret, so the error does not show it.
                .ok_or("a --header is not of the form 'Name: value'")?;
            connector = connector.header(name.trim(), value.trim());
        }
        if let Some(origin) = &self.origin {
            connector = connector.header("Origin", origin);
        }
        if let Some(user) = &self.user {
            connector = connector.header("Authorization", basic(user)?);
        }
        for name in &self.subprotocol {
            connector = connector.subprotocol(name);
        }
        if let Some(tls) = self.tls()? {
            connector = connector.tls(tls);
        }
        Ok(match self.proxies()? {
            Some(proxies) => connector.proxy(proxies),
            None => connector,
        })
    }

    /// Returns the proxies to connect through, unless the user wants none.
    fn proxies(&self) -> Result<Option<Proxies>, String> {
        if self.no_proxy {
            return Ok(None);
        }
        if let Some(url) = &self.proxy {
            let proxy = Proxy::parse(url).map_err(|error| format!("--proxy: {error}"))?;
            return Ok(Some(proxy.into()));
        }
        // A variable that is not Unicode is no URL either.
        let variable =
            |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Proxies::from_variables(variable).map(Some).map_err(|error| {
            format!(
                "the environment names an invalid proxy: {error}; percent-encode its user name and \
                password, or connect without it with --no-proxy"
            )
        })
    }

    /// Returns where the client is connected, given the address that it is connected to.
    pub(crate) fn place(&self, address: SocketAddr) -> String {
        let url = match Url::parse(&self.url) {
            // A redirection may have led elsewhere.
            Ok(url) if self.redirects == 0 => url,
            _ => return address.to_string(),
        };
        let proxies = self.proxies().ok().flatten();
        match proxies.as_ref().and_then(|proxies| proxies.proxy_for(&url)) {
            Some(proxy) => {
                format!("{} through the proxy {} ({address})", url.host(), proxy.host())
            }
            None => format!("{} ({address})", url.host()),
        }
    }

    fn config(&self) -> Config {
        let limits = Limits::default().message(u64::from(self.limit) << 20);
        let keepalive = Keepalive::new(self.keepalive, self.keepalive);
        let config = Config::default().limits(limits).keepalive(keepalive);
        if self.no_compression { config } else { config.deflate(DeflateConfig::new()) }
    }

    fn tls(&self) -> Result<Option<ClientTls>, String> {
        let read =
            |path: &PathBuf| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let tls = match (&self.authority, &self.certificate) {
            (None, None) => return Ok(None),
            (Some(path), _) => ClientTls::with_roots(read(path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?,
            (None, Some(_)) => ClientTls::new().map_err(|error| error.to_string())?,
        };
        let (Some(chain), Some(key)) = (&self.certificate, &self.key) else { return Ok(Some(tls)) };
        let tls = tls.certificate(read(chain)?, read(key)?);
        tls.map(Some).map_err(|error| format!("{}: {error}", chain.display()))
    }
}

/// Returns the credentials of a user as a header value.
fn basic(user: &str) -> Result<String, String> {
    let encode = |byte: u8| format!("%{byte:02x}");
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let [name, password] =
        [name, password].map(|text| text.bytes().map(encode).collect::<String>());
    // A URL encodes its user name and password in the same way.
    let url = format!("ws://{name}:{password}@h/").parse::<Url>();
    let url = url.map_err(|error| format!("--user: {error}"))?;
    url.authorization().map(str::to_owned).ok_or_else(|| "--user is empty".to_owned())
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

    fn parse(line: &str) -> Arguments {
        let line = ["client", "ws://h/"].into_iter().chain(line.split_whitespace());
        Arguments::try_parse_from(line).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_with_and_without_a_value() {
        assert_eq!(parse("").attempts(), Some(0));
        assert_eq!(parse("--reconnect").attempts(), None);
        assert_eq!(parse("-r=3").attempts(), Some(3));
        assert_eq!(parse("").ping, None);
        assert_eq!(parse("--ping").ping, Some(Duration::from_secs(1)));
        assert_eq!(parse("--ping=0.5").ping, Some(Duration::from_millis(500)));
    }

    #[test]
    fn users() {
        assert_eq!(basic("user:pa:s s").as_deref(), Ok("Basic dXNlcjpwYTpzIHM="));
        assert_eq!(basic("user").as_deref(), Ok("Basic dXNlcjo="));
        assert!(basic("a\n:b").is_err());
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["", "x", "-1", "0", "NaN", "inf", "1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
