//! Where Redis is.

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsMode,
    aio::MultiplexedConnection,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
    sentinel::{Sentinel, SentinelNodeConnectionInfo},
};
use std::{fmt, str::FromStr, time::Duration};

/// The port of a Sentinel whose address names none.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is, and how to log in.
///
/// | address | |
/// |---|---|
/// | `redis://host:6379/0` | one server; the port and the number of the database can be left out |
/// | `rediss://host:6379` | with TLS: the certificate has to be one that the system trusts |
/// | `unix:///run/redis.sock?db=0` | a socket of this machine |
/// | `redis+sentinel://first:26379,second:26379/service/0` | the master of a service, which Sentinels name |
/// | `rediss+sentinel://…` | the same, with TLS to the master and to the Sentinels |
///
/// A user and a password stand before the host: `redis://user:password@host`, `redis://:password@host`.
/// Those of `unix` are parameters: `?user=…&pass=…`. With Sentinels, they are for the master: the
/// Sentinels themselves are asked without a password.
///
/// ```
/// use sansocket_server::broker::redis::Address;
///
/// let address: Address = "redis://:secret@cache.example.com/1".parse()?;
/// assert_eq!(address.to_string(), "redis://cache.example.com:6379/1");
/// assert!("http://cache.example.com".parse::<Address>().is_err());
/// # Ok::<(), sansocket_server::broker::redis::InvalidAddress>(())
/// ```
#[derive(Clone)]
pub struct Address(Place);

#[derive(Clone)]
enum Place {
    Server(Box<ConnectionInfo>),
    Sentinels { sentinels: Vec<ConnectionInfo>, service: String, master: Box<ConnectionInfo> },
}

impl Address {
    /// Returns whether Sentinels say where the server is.
    #[must_use]
    pub fn is_of_sentinels(&self) -> bool {
        matches!(self.0, Place::Sentinels { .. })
    }

    /// Connects to the server, or to the master that the first Sentinel that answers names. `deadline` is
    /// that of answers.
    pub(super) async fn connect(
        &self,
        config: redis::AsyncConnectionConfig,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let client = match &self.0 {
            Place::Server(info) => {
                let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
                let info = (**info).clone().set_redis_settings(redis);
                Client::open(info.set_tcp_settings(tcp_settings()))?
            }
            Place::Sentinels { sentinels, service, master } => {
                find_master(sentinels, service, master).await?
            }
        };
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Returns whether connections need TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        let (Place::Server(info) | Place::Sentinels { master: info, .. }) = &self.0;
        matches!(info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

async fn find_master(
    sentinels: &[ConnectionInfo],
    service: &str,
    master: &ConnectionInfo,
) -> redis::RedisResult<Client> {
    let redis = master.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let mut info = SentinelNodeConnectionInfo::default()
        .set_redis_connection_info(redis)
        .set_tcp_settings(tcp_settings());
    if let ConnectionAddr::TcpTls { insecure, .. } = master.addr() {
        info = info.set_tls_mode(if *insecure { TlsMode::Insecure } else { TlsMode::Secure });
    }
    Sentinel::build(sentinels.to_vec())?.async_master_for(service, Some(&info)).await
}

/// Without delays, and with probes, so that a peer that is gone is noticed although nothing is sent.
fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15));
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive)
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "redis" | "rediss" | "unix" => Ok(Self(Place::Server(Box::new(server(text)?)))),
            "redis+sentinel" | "rediss+sentinel" => sentinels(text),
            "redis+cluster" | "rediss+cluster" => Err(InvalidAddress::Cluster),
            _ => Err(InvalidAddress::Scheme),
        }
    }
}

fn server(text: &str) -> Result<ConnectionInfo, InvalidAddress> {
    text.into_connection_info().map_err(|error| InvalidAddress::Malformed(error.to_string()))
}

/// Reads `scheme+sentinel://user:password@host:port,host:port/service/database`.
fn sentinels(text: &str) -> Result<Address, InvalidAddress> {
    let (scheme, rest) = text.split_once("+sentinel://").ok_or(InvalidAddress::Scheme)?;
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (format!("{login}@"), rest),
        None => (String::new(), rest),
    };
    let (hosts, path) = rest.split_once('/').ok_or(InvalidAddress::Service)?;
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(InvalidAddress::Service);
    }
    let hosts: Vec<&str> = hosts.split(',').collect();
    let master = server(&format!("{scheme}://{login}{}/{database}", hosts[0]))?;
    let sentinels = hosts.into_iter().map(|host| {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
        server(&format!("{scheme}://{host}{port}"))
    });
    let sentinels = sentinels.collect::<Result<_, _>>()?;
    let (service, master) = (service.into(), Box::new(master));
    Ok(Address(Place::Sentinels { sentinels, service, master }))
}

impl Default for Address {
    /// `redis://127.0.0.1:6379/0`.
    fn default() -> Self {
        let addr = ConnectionAddr::Tcp("127.0.0.1".into(), 6379);
        // Without a name of a host to look up, there is nothing that can be wrong with it.
        let info = addr.into_connection_info().expect("an address of IP is complete");
        Self(Place::Server(Box::new(info)))
    }
}

impl fmt::Display for Address {
    /// Writes the address without the user and the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Server(info) => {
                let database = info.redis_settings().db();
                if let ConnectionAddr::Unix(path) = info.addr() {
                    return write!(f, "unix://{}?db={database}", path.display());
                }
                let scheme = if self.is_encrypted() { "rediss" } else { "redis" };
                write!(f, "{scheme}://{}/{database}", host_and_port(info.addr()))
            }
            Place::Sentinels { sentinels, service, master } => {
                f.write_str(if self.is_encrypted() { "rediss" } else { "redis" })?;
                for (index, sentinel) in sentinels.iter().enumerate() {
                    let separator = if index == 0 { "+sentinel://" } else { "," };
                    write!(f, "{separator}{}", host_and_port(sentinel.addr()))?;
                }
                write!(f, "/{service}/{}", master.redis_settings().db())
            }
        }
    }
}

fn host_and_port(addr: &ConnectionAddr) -> String {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }
            if host.contains(':') =>
        {
            format!("[{host}]:{port}")
        }
        _ => addr.to_string(),
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// A text is not an [`Address`] of Redis. It does not help to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It does not begin with a known scheme.
    #[error(
        "an address of Redis begins with redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://"
    )]
    Scheme,
    /// Sentinels are named, but not the service whose master they know.
    #[error(
        "an address of Sentinels ends with the name of the service: redis+sentinel://host:26379/service"
    )]
    Service,
    /// It is that of a cluster.
    #[error(
        "a cluster has no use here, since all messages share one sequence, which one of its servers would have: name a single server, or Sentinels"
    )]
    Cluster,
    /// A part of it is wrong.
    #[error("not an address of Redis: {0}")]
    Malformed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, InvalidAddress> {
        let address: Address = text.parse()?;
        assert_eq!(format!("{address:?}"), format!("{:?}", address.to_string()));
        Ok(address.to_string())
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, expected) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://joe:secret@localhost:7000/3", "redis://localhost:7000/3"),
            ("redis://[::1]:7000", "redis://[::1]:7000/0"),
            ("rediss://:secret@localhost", "rediss://localhost:6379/0"),
            ("unix:///run/redis.sock?db=2&pass=secret", "unix:///run/redis.sock?db=2"),
            ("redis+sentinel://a,b:7/orders", "redis+sentinel://a:26379,b:7/orders/0"),
            (
                "rediss+sentinel://joe:sec%40ret@a:1,b:2/orders/3",
                "rediss+sentinel://a:1,b:2/orders/3",
            ),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(Address::default().to_string(), "redis://127.0.0.1:6379/0");
    }

    #[test]
    fn the_password_of_sentinels_is_for_the_master() {
        let address: Address = "redis+sentinel://joe:sec%40ret@a:1,b:2/orders/3".parse().unwrap();
        let Place::Sentinels { sentinels, service, master } = address.0 else { panic!() };
        assert_eq!(service, "orders");
        let login = master.redis_settings();
        let expected = (Some("joe"), Some("sec@ret"), 3);
        assert_eq!((login.username(), login.password(), login.db()), expected);
        for sentinel in sentinels {
            let login = sentinel.redis_settings();
            assert_eq!((login.username(), login.password(), login.db()), (None, None, 0));
        }
    }

    #[test]
    fn wrong_addresses_are_refused_with_what_is_right() {
        for (text, expected) in [
            ("", InvalidAddress::Scheme),
            ("localhost:6379", InvalidAddress::Scheme),
            ("http://localhost", InvalidAddress::Scheme),
            ("redis+sentinel://a:1", InvalidAddress::Service),
            ("redis+sentinel://a:1/", InvalidAddress::Service),
            ("redis+cluster://a:1", InvalidAddress::Cluster),
        ] {
            assert_eq!(shown(text), Err(expected), "{text}");
        }
        for text in [
            "redis://",
            "redis://a/b",
            "redis://a:b",
            "redis+sentinel://,/a",
            "redis+sentinel://a/b/c",
        ] {
            let error = shown(text).unwrap_err();
            assert!(matches!(error, InvalidAddress::Malformed(_)), "{text}: {error}");
        }
    }
}
