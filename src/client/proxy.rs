//! A proxy between a client and its server.

mod error;
mod proxies;
mod socks5;
#[cfg(test)]
mod tests;
mod tunneling;

pub use error::{ProxyError, ProxyUrlError, ProxyVariableError, SocksReply};
pub use proxies::Proxies;
pub use tunneling::Tunneling;

use crate::buffer::WriteBuffer;
use crate::handshake::authority::{Authority, AuthorityError, without_brackets};
use crate::handshake::{HANDSHAKE_TIMEOUT, Url, basic_credentials, url_userinfo};
use crate::headers::{check_header, put_header};
use crate::limits::Limits;
use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::{fmt, str::FromStr, time::Duration};
use socks5::Socks5;
use tunneling::Protocol;

#[cfg(feature = "rustls")]
use crate::tls::ClientTls;

/// A proxy that opens a tunnel to the server: HTTP with `CONNECT` (RFC 9110 §9.3.6), also over TLS,
/// or SOCKS 5 (RFC 1928).
///
/// The proxy finds the addresses of the server. Every connection goes through a tunnel, also that to
/// a `ws://` URL (RFC 6455 §4.1).
///
/// ```
/// use sansocket::client::{Connector, Proxy};
///
/// let proxy = Proxy::parse("http://127.0.0.1:3128")?.credentials("user", "password");
/// let connector: Connector = Connector::new().proxy(proxy);
/// # Ok::<(), sansocket::client::ProxyUrlError>(())
/// ```
///
/// To do the IO yourself, see [`Tunneling`].
///
/// Its `Debug` output shows neither the user name nor the password.
#[derive(Clone)]
pub struct Proxy {
    scheme: Scheme,
    /// Without brackets.
    host: String,
    port: u16,
    credentials: Option<Credentials>,
    headers: Vec<(String, String)>,
    #[cfg(feature = "rustls")]
    tls: Option<ClientTls>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Socks5,
}

/// User name and password. They may be any bytes in SOCKS.
#[derive(Clone)]
struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

/// The fields that describe the tunnel.
const RESERVED: [&str; 4] = ["Connection", "Content-Length", "Host", "Transfer-Encoding"];

impl Proxy {
    /// Parses the URL of a proxy, such as `http://user:password@proxy.example:3128`.
    ///
    /// The schemes are `http`, `https`, and `socks5` or `socks5h`, which mean the same: the proxy
    /// finds the addresses of the server. Without a scheme it is `http`. The default ports are 80,
    /// 443 and 1080. The user name and the password are percent-decoded.
    ///
    /// # Errors
    ///
    /// Returns an error if this is not the URL of a proxy.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let scheme = match () {
            () if is("http") => Scheme::Http,
            () if is("https") => Scheme::Https,
            () if is("socks5") || is("socks5h") => Scheme::Socks5,
            () => return Err(ProxyUrlError::UnknownScheme),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(ProxyUrlError::Path);
        }
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (userinfo, authority),
            None => ("", authority),
        };
        let credentials = match userinfo {
            "" => None,
            _ => {
                let (user, password) =
                    url_userinfo(userinfo).ok_or(ProxyUrlError::InvalidUserinfo)?;
                Some(Credentials { user, password })
            }
        };
        let Authority { host, port } =
            Authority::parse(authority).map_err(|error| match error {
                AuthorityError::EmptyHost | AuthorityError::InvalidHost => {
                    ProxyUrlError::InvalidHost
                }
                AuthorityError::InvalidPort => ProxyUrlError::InvalidPort,
            })?;
        let port = match (port, scheme) {
            (Some(0), _) => return Err(ProxyUrlError::InvalidPort),
            (Some(port), _) => port,
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
            (None, Scheme::Socks5) => 1080,
        };
        Ok(Self {
            scheme,
            host: without_brackets(host).to_owned(),
            port,
            credentials,
            headers: Vec::new(),
            #[cfg(feature = "rustls")]
            tls: None,
        })
    }

    /// Sets the user name and the password, which replace those in the URL. An HTTP proxy gets them
    /// with its first request (`Basic`, RFC 7617). Both protocols send them as they are, so only TLS
    /// to the proxy keeps them secret.
    ///
    /// SOCKS allows from 1 to 255 bytes for each. HTTP allows no colon in the user name, and no
    /// control characters. Anything else is [`ProxyError::InvalidCredentials`] when you connect.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        let (user, password) = (user.into().into_bytes(), password.into().into_bytes());
        self.credentials = Some(Credentials { user, password });
        self
    }

    /// Adds a header field to the request for a tunnel, such as `Proxy-Authorization` for a scheme
    /// other than `Basic`. SOCKS does not use it.
    ///
    /// If you add `Host` or a field that describes the connection or a body, connecting fails with
    /// [`ProxyError::Header`].
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how to connect to an `https` proxy. By default the authorities that the `Connector` trusts
    /// count for the proxy too, and the client presents no certificate.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Returns the host to connect to: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns `true` if the connection to the proxy itself must use TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Begins to open a tunnel to the host of a URL by queuing the first request. You do the IO,
    /// over a connection to the proxy. The proxy has 10 seconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the request can't be sent. Nothing is queued then.
    pub fn begin(&self, url: &Url, output: &mut WriteBuffer) -> Result<Tunneling, ProxyError> {
        self.begin_within(Some(HANDSHAKE_TIMEOUT), url, &Limits::default(), output)
    }

    pub(crate) fn begin_within(
        &self,
        timeout: Option<Duration>,
        url: &Url,
        limits: &Limits,
        output: &mut WriteBuffer,
    ) -> Result<Tunneling, ProxyError> {
        let protocol = match self.scheme {
            Scheme::Http | Scheme::Https => {
                self.request(url, output)?;
                Protocol::http(limits)
            }
            Scheme::Socks5 => {
                let credentials = self.credentials.as_ref();
                let credentials = credentials.map(|of| (&*of.user, &*of.password));
                let mut socks5 = Socks5::new(url.host(), url.port(), credentials)?;
                socks5.begin(output);
                Protocol::Socks5(socks5)
            }
        };
        Ok(Tunneling::new(protocol, timeout))
    }

    /// Checks the request before anything is connected for it.
    #[cfg(feature = "std")]
    pub(crate) fn check(&self, url: &Url) -> Result<(), ProxyError> {
        self.begin(url, &mut WriteBuffer::new()).map(drop)
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn own_tls(&self) -> Option<&ClientTls> {
        self.tls.as_ref()
    }

    /// Appends the request for a tunnel (RFC 9110 §9.3.6). Appends nothing if it is invalid.
    fn request(&self, url: &Url, output: &mut WriteBuffer) -> Result<(), ProxyError> {
        for (name, value) in &self.headers {
            check_header(name, value, &RESERVED)?;
        }
        let is_authorization = |name: &str| name.eq_ignore_ascii_case("Proxy-Authorization");
        let is_given = self.headers.iter().any(|(name, _)| is_authorization(name));
        let basic = match &self.credentials {
            Some(Credentials { user, password }) if !is_given => {
                let basic = basic_credentials(user, password);
                Some(basic.ok_or(ProxyError::InvalidCredentials)?)
            }
            _ => None,
        };
        // The port is not optional here.
        let host = url.host();
        let port = url.port();
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        output.extend_from_slice(format!("CONNECT {authority} HTTP/1.1\r\n").as_bytes());
        put_header(output, "Host", authority.as_bytes());
        if let Some(basic) = basic {
            put_header(output, "Proxy-Authorization", basic.as_bytes());
        }
        for (name, value) in &self.headers {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(())
    }
}

impl FromStr for Proxy {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be credentials.
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Proxy")
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("has_credentials", &self.credentials.is_some())
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}
