//! The way from a client to its server: what comes between TCP and the opening handshake.

use crate::client::{Attempt, Connector, NextRequest, Proxy};
use crate::error::Error;
use crate::handshake::HandshakeError;
use crate::limits::Limits;
#[cfg(feature = "rustls")]
use crate::tls::{ClientTls, Session};
#[cfg(feature = "rustls")]
use alloc::boxed::Box;
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// Where to connect to, and what to do then before the opening handshake.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) host: String,
    pub(crate) port: u16,
    is_through_proxy: bool,
    /// What leads through the proxy, in the order in which it is put on top of each other.
    pub(crate) to_proxy: Vec<Layer>,
    /// What comes on top of that for the server.
    pub(crate) to_server: Vec<Layer>,
}

/// A step after which the stream leads closer to the server.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Perform the TLS handshake.
    #[cfg(feature = "rustls")]
    Tls(Box<Session>),
    /// Open a tunnel to the server, with these limits for the proxy's response.
    Tunnel(Proxy, Limits),
}

/// A request that opened no WebSocket.
#[derive(Debug)]
pub(crate) struct FailedRequest<S> {
    pub(crate) error: Error,
    pub(crate) transport: S,
    /// The number of bytes that arrived behind the response.
    pub(crate) unread: usize,
}

/// Where the request after a failed one goes.
#[derive(Debug)]
pub(crate) enum Again<S> {
    /// Over the same connection. The error is that of the request before, for those who can't make
    /// another connection if the server ends this one.
    Same(S, Error),
    /// Over a new connection. The error is for those who can't make one.
    New(Error),
}

impl<M> Connector<M> {
    /// Returns the way to the host of the next request. Finds what can be refused without a
    /// connection.
    pub(crate) fn route(&self, attempt: &Attempt) -> Result<Route, Error> {
        attempt.request(self).check()?;
        let url = attempt.url();
        let mut to_proxy = Vec::new();
        #[cfg_attr(not(feature = "rustls"), expect(unused_mut, reason = "nothing is added"))]
        let mut to_server = Vec::new();
        let proxy = self.proxies.proxy_for(url);
        if let Some(proxy) = proxy {
            proxy.check(url)?;
            if proxy.is_secure() {
                #[cfg(feature = "rustls")]
                to_proxy.push(Layer::tls(&self.tls_to_proxy(proxy)?, proxy.host())?);
                #[cfg(not(feature = "rustls"))]
                return Err(Error::TlsUnsupported);
            }
            to_proxy.push(Layer::Tunnel(proxy.clone(), self.config.limits));
        }
        if url.is_secure() {
            #[cfg(feature = "rustls")]
            to_server.push(Layer::tls(&self.tls_to_server(attempt)?, url.host())?);
            #[cfg(not(feature = "rustls"))]
            return Err(Error::TlsUnsupported);
        }
        let (host, port) = match proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (url.host(), url.port()),
        };
        let is_through_proxy = proxy.is_some();
        Ok(Route { host: host.to_owned(), port, is_through_proxy, to_proxy, to_server })
    }

    #[cfg(feature = "rustls")]
    fn tls_to_proxy(&self, proxy: &Proxy) -> Result<ClientTls, Error> {
        match proxy.own_tls() {
            Some(tls) => Ok(tls.clone()),
            // The certificate is for the server.
            None => Ok(self.client_tls()?.without_certificate()),
        }
    }

    #[cfg(feature = "rustls")]
    fn tls_to_server(&self, attempt: &Attempt) -> Result<ClientTls, Error> {
        let tls = self.client_tls()?;
        Ok(if attempt.is_at_first_origin() { tls } else { tls.without_certificate() })
    }
}

#[cfg(feature = "rustls")]
impl Layer {
    fn tls(tls: &ClientTls, host: &str) -> Result<Self, Error> {
        Ok(Self::Tls(Box::new(Session::client(tls, host)?)))
    }
}

impl Route {
    /// Completes the error of a connection that does not even lead through the proxy.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Io(error) if self.is_through_proxy => {
                Error::of_proxy(&self.host, self.port, error)
            }
            error => error,
        }
    }
}

/// Returns what a client that has only one connection fails with, given the error of its last request
/// and that of the one before: if there was no response, the server has ended the connection.
pub(crate) fn final_error(last: Error, before: Option<Error>) -> Error {
    let is_no_response = matches!(
        last,
        Error::Io(_) | Error::Handshake(HandshakeError::TransportEnded { received: 0 })
    );
    before.filter(|_| is_no_response).unwrap_or(last)
}

impl<S> FailedRequest<S> {
    /// Returns where the next request of an attempt goes, or the error that it ends with.
    pub(crate) fn next<M>(
        self,
        attempt: &mut Attempt,
        connector: &Connector<M>,
    ) -> Result<Again<S>, Error> {
        let failed = match &self.error {
            Error::Handshake(error) => Some(error),
            Error::Io(_) => None,
            _ => return Err(self.error),
        };
        match attempt.after(failed, self.unread, connector)? {
            NextRequest::SameConnection => Ok(Again::Same(self.transport, self.error)),
            NextRequest::NewConnection => Ok(Again::New(self.error)),
            NextRequest::None => Err(self.error),
        }
    }
}
