//! Which connections use a proxy.

use super::Proxy;
use super::error::ProxyVariableError;
use crate::handshake::Url;
use crate::handshake::authority::{Authority, without_brackets};
use crate::network::Network;
use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

/// The proxies for `ws://` and `wss://` URLs, and the hosts that need none.
///
/// ```
/// use sansocket::client::{Proxies, Proxy};
/// use sansocket::handshake::Url;
///
/// let proxies = Proxies::from(Proxy::parse("http://proxy.example:3128")?)
///     .except("localhost, .intranet.example, 10.0.0.0/8");
/// let proxy = |url| proxies.proxy_for(&Url::parse(url).unwrap()).map(Proxy::host);
/// assert_eq!(proxy("wss://example.com/"), Some("proxy.example"));
/// assert_eq!(proxy("wss://chat.intranet.example/"), None);
/// assert_eq!(proxy("ws://10.1.2.3:8080/"), None);
/// # Ok::<(), sansocket::client::ProxyUrlError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    secure: Option<Proxy>,
    plain: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    /// The only port that this is for.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// This name and all that end with a dot and it. In lower case, without a dot at either end.
    Domain(String),
    Network(Network),
}

impl Proxies {
    /// Uses this proxy for `wss://` URLs.
    #[must_use]
    pub fn secure(mut self, proxy: Proxy) -> Self {
        self.secure = Some(proxy);
        self
    }

    /// Uses this proxy for `ws://` URLs.
    #[must_use]
    pub fn plain(mut self, proxy: Proxy) -> Self {
        self.plain = Some(proxy);
        self
    }

    /// Reads the variables of an environment that `variable` returns: `HTTPS_PROXY` for `wss://`
    /// URLs, `HTTP_PROXY` for `ws://` URLs, `ALL_PROXY` for both unless they have their own, and
    /// `NO_PROXY`, a list for [`except`](Self::except). Of each, the name in lower case comes first,
    /// and a variable that is empty does not count.
    ///
    /// `HTTP_PROXY` and `http_proxy` do not count if there is a `REQUEST_METHOD`: in a CGI program,
    /// they may be a header field of the request, which anyone can send.
    ///
    /// # Errors
    ///
    /// Returns an error if a variable that is needed is not the URL of a proxy, as
    /// [`Proxy::parse`](Proxy::parse) reads it.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProxyVariableError> {
        let value = |name: &'static str| {
            let value = variable(name).filter(|value| !value.trim().is_empty());
            value.map(|value| (name, value))
        };
        let either = |lower, upper| value(lower).or_else(|| value(upper));
        let is_cgi = value("REQUEST_METHOD").is_some();
        let plain = if is_cgi { None } else { either("http_proxy", "HTTP_PROXY") };
        let secure = either("https_proxy", "HTTPS_PROXY");
        let all = either("all_proxy", "ALL_PROXY");
        let parse = |own: Option<(&'static str, String)>| {
            let Some((name, text)) = own.as_ref().or(all.as_ref()) else { return Ok(None) };
            let parsed = Proxy::parse(text.trim());
            parsed.map(Some).map_err(|error| ProxyVariableError { name, error })
        };
        let proxies = Self { secure: parse(secure)?, plain: parse(plain)?, exceptions: Vec::new() };
        let exceptions = either("no_proxy", "NO_PROXY").map(|(_, list)| list);
        Ok(proxies.except(&exceptions.unwrap_or_default()))
    }

    /// Adds hosts to connect to without a proxy: a list separated by commas or spaces, as in
    /// `NO_PROXY`. An entry is
    ///
    /// - a name, for itself and all names below it. A dot or `*.` in front makes no difference;
    /// - an address, or a network such as `10.0.0.0/8` or `2001:db8::/32`, for URLs that contain an
    ///   address. Names are not looked up;
    /// - one of these with `:` and a port, for this port only. An IPv6 address then needs brackets;
    /// - `*`, for everything.
    ///
    /// An entry that is none of these has no effect. Nothing is exempt by itself, not even `localhost`.
    #[must_use]
    pub fn except(mut self, list: &str) -> Self {
        let entries = list.split(|character: char| character == ',' || character.is_whitespace());
        self.exceptions.extend(entries.filter_map(Exception::parse));
        self
    }

    /// Returns the proxy for a URL, or `None` to connect to its host directly.
    #[must_use]
    pub fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.is_secure() { &self.secure } else { &self.plain };
        let address = address(url.host());
        let is_exception =
            |exception: &Exception| exception.matches(url.host(), address, url.port());
        proxy.as_ref().filter(|_| !self.exceptions.iter().any(is_exception))
    }
}

/// Uses this proxy for every URL.
impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self { secure: Some(proxy.clone()), plain: Some(proxy), exceptions: Vec::new() }
    }
}

/// Uses this proxy for every URL, or none.
impl From<Option<Proxy>> for Proxies {
    fn from(proxy: Option<Proxy>) -> Self {
        proxy.map_or_else(Self::default, Self::from)
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self { hosts: Hosts::All, port: None });
        }
        if let Some(network) = network(entry) {
            return Some(Self { hosts: Hosts::Network(network), port: None });
        }
        let Authority { host, port } = Authority::parse(entry).ok()?;
        let hosts = network(host).map(Hosts::Network).or_else(|| domain(host));
        Some(Self { hosts: hosts?, port })
    }

    fn matches(&self, name: &str, address: Option<IpAddr>, port: u16) -> bool {
        let is_port = self.port.is_none_or(|only| only == port);
        is_port
            && match (&self.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Domain(domain), None) => is_within(name, domain),
                (Hosts::Network(network), Some(address)) => network.contains(address),
                _ => false,
            }
    }
}

/// Returns the address that a host is.
fn address(host: &str) -> Option<IpAddr> {
    let host = host.strip_suffix('.').unwrap_or(host);
    without_brackets(host).parse().ok()
}

fn network(entry: &str) -> Option<Network> {
    match entry.split_once('/') {
        None => address(entry).map(Network::from),
        Some((address, bits)) => format!("{}/{bits}", without_brackets(address)).parse().ok(),
    }
}

fn domain(entry: &str) -> Option<Hosts> {
    let name = entry.strip_prefix("*.").or(entry.strip_prefix('.')).unwrap_or(entry);
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = !name.is_empty() && !name.contains('*');
    is_name.then(|| Hosts::Domain(name.to_ascii_lowercase()))
}

fn is_within(name: &str, domain: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(start) = name.len().checked_sub(domain.len()) else { return false };
    name.is_char_boundary(start)
        && name[start..].eq_ignore_ascii_case(domain)
        && (start == 0 || name[..start].ends_with('.'))
}
