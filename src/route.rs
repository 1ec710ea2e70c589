//! The way from a client to its server: what comes between TCP and the opening handshake.

use crate::client::{Attempt, Connector, Proxies, Proxy, ProxyUrlError};
use crate::error::Error;
#[cfg(feature = "rustls")]
use crate::tls::Session;
#[cfg(feature = "rustls")]
use alloc::boxed::Box;
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// Where to connect to, and what to do then before the opening handshake.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether this is the host of a proxy.
    pub(crate) is_proxy: bool,
    /// In the order in which they are put on top of each other.
    pub(crate) layers: Vec<Layer>,
}

/// A step after which the stream leads closer to the server.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Perform the TLS handshake.
    #[cfg(feature = "rustls")]
    Tls(Box<Session>),
    /// Open a tunnel to the server.
    Tunnel(Proxy),
}

impl<M> Connector<M> {
    /// Returns the way to the host of the next request. Finds what can be refused without a connection.
    pub(crate) fn route(&self, attempt: &Attempt) -> Result<Route, Error> {
        attempt.request(self).check()?;
        let url = attempt.url();
        let mut layers = Vec::new();
        let proxy = self.proxies.proxy_for(url);
        if let Some(proxy) = proxy {
            proxy.check(url)?;
            if proxy.is_secure() {
                #[cfg(feature = "rustls")]
                layers.push(Layer::tls(self.session(proxy.own_tls(), proxy.host())?));
                #[cfg(not(feature = "rustls"))]
                return Err(Error::TlsUnsupported);
            }
            layers.push(Layer::Tunnel(proxy.clone()));
        }
        if url.is_secure() {
            #[cfg(feature = "rustls")]
            layers.push(Layer::tls(self.session(None, url.host())?));
            #[cfg(not(feature = "rustls"))]
            return Err(Error::TlsUnsupported);
        }
        let (host, port) = match proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (url.host(), url.port()),
        };
        Ok(Route { host: host.to_owned(), port, is_proxy: proxy.is_some(), layers })
    }

    /// Uses the proxies that the environment of this process names in `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY`: see
    /// [`Proxies::from_variables`](crate::client::Proxies::from_variables).
    ///
    /// ```no_run
    /// use sansocket::blocking::Connector;
    ///
    /// let connector = Connector::new().proxy_from_environment()?;
    /// let (websocket, _) = connector.connect("ws://example.com/")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a variable is not the URL of a proxy.
    pub fn proxy_from_environment(self) -> Result<Self, ProxyUrlError> {
        // A variable that is not Unicode is no URL either.
        let variable =
            |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Ok(self.proxy(Proxies::from_variables(variable)?))
    }
}

#[cfg(feature = "rustls")]
impl Layer {
    fn tls(session: Session) -> Self {
        Self::Tls(Box::new(session))
    }
}

impl Route {
    /// Completes the error of a connection that could not be made.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Io(error) if self.is_proxy => Error::of_proxy(&self.host, self.port, error),
            error => error,
        }
    }
}
