//! What a client or a server brings to the TLS handshake.

use super::error::TlsError;
use alloc::{format, sync::Arc, vec::Vec};
use core::fmt;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::sync::OnceLock;

/// The TLS configuration of a client. Clones are cheap and share the memory of past sessions, with
/// which new connections to the same server are faster.
///
/// ```no_run
/// use sansocket::{blocking::Connector, tls::ClientTls};
///
/// // A private authority.
/// let tls = ClientTls::with_roots(std::fs::read("authority.pem")?)?;
/// let (websocket, _) = Connector::new().tls(tls).connect("wss://intranet.example/")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// The TLS configuration of a server. Clones are cheap.
///
/// ```no_run
/// use sansocket::{Error, blocking::{Acceptor, serve}, tls::ServerTls};
/// use std::{fs, net::TcpListener};
///
/// let tls = ServerTls::new(fs::read("chain.pem")?, fs::read("key.pem")?)?;
/// let listener = TcpListener::bind("0.0.0.0:443")?;
/// let server = serve(listener, |mut websocket, _request| {
///     assert!(websocket.get_ref().is_secure());
///     websocket.send("hello")
/// });
/// server.acceptor(Acceptor::new().tls(tls)).run();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    /// Whether the configuration was made here.
    is_ours: bool,
}

impl ClientTls {
    /// Trusts the authorities that the operating system trusts. This is what a
    /// [`Connector`](crate::client::Connector) uses by default.
    ///
    /// The process loads them once, at the first call that succeeds.
    ///
    /// # Errors
    ///
    /// Returns an error if the system has no trusted certificates, as in a minimal container.
    ///
    /// # Panics
    ///
    /// Panics on Android unless your app has initialized the crate `rustls-platform-verifier`, as its
    /// documentation describes.
    pub fn new() -> Result<Self, TlsError> {
        static SYSTEM: OnceLock<ClientTls> = OnceLock::new();
        if let Some(tls) = SYSTEM.get() {
            return Ok(tls.clone());
        }
        let verifier = Verifier::new(provider()).map_err(TlsError::configuration)?;
        let tls = Self::verified_by(Arc::new(verifier))?;
        Ok(SYSTEM.get_or_init(|| tls).clone())
    }

    /// Trusts the authorities that Mozilla trusts, as of the release of the crate `webpki-roots`
    /// that your program contains. It then works without certificates from the system, and does not
    /// learn of authorities that are added or distrusted later.
    ///
    /// # Errors
    ///
    /// Never fails today.
    #[cfg(feature = "webpki-roots")]
    pub fn with_webpki_roots() -> Result<Self, TlsError> {
        Self::trusting(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    /// Trusts only the authorities whose certificates are in `pem`, and nobody that the system
    /// trusts. A self-signed certificate can be its own authority.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no valid certificate in `pem`.
    pub fn with_roots(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::trusting(roots(pem.as_ref())?)
    }

    /// Presents a certificate to servers that ask for one. `chain` has the certificate and those of
    /// the authorities between it and the root, and `key` its private key, all in PEM.
    ///
    /// # Errors
    ///
    /// Returns an error if `chain` has no valid certificate, if `key` has no private key of a kind
    /// that is supported, or if the two do not belong together.
    pub fn certificate(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let certified = SingleCertAndKey::from(certified(chain.as_ref(), key.as_ref())?);
        Arc::make_mut(&mut self.0).client_auth_cert_resolver = Arc::new(certified);
        Ok(self)
    }

    fn trusting(roots: RootCertStore) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::configuration)?
            .with_root_certificates(roots);
        Ok(Self::of(builder.with_no_client_auth()))
    }

    fn verified_by(verifier: Arc<dyn ServerCertVerifier>) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::configuration)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(Self::of(builder.with_no_client_auth()))
    }

    fn of(mut config: ClientConfig) -> Self {
        config.alpn_protocols = alpn();
        Self(Arc::new(config))
    }

    /// Presents no certificate, for a server that the user has not chosen. A session that was begun
    /// with a certificate is not resumed.
    pub(crate) fn without_certificate(mut self) -> Self {
        if self.0.client_auth_cert_resolver.has_certs() {
            let config = Arc::make_mut(&mut self.0);
            config.client_auth_cert_resolver = Arc::new(NoCertificate);
            config.resumption = Resumption::disabled();
        }
        self
    }

    pub(super) fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }
}

impl ServerTls {
    /// Presents this certificate to clients. `chain` has the certificate and those of the
    /// authorities between it and the root, and `key` its private key, all in PEM.
    ///
    /// # Errors
    ///
    /// Returns an error if `chain` has no valid certificate, if `key` has no private key of a kind
    /// that is supported, or if the two do not belong together.
    pub fn new(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let certified = SingleCertAndKey::from(certified(chain.as_ref(), key.as_ref())?);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::configuration)?
            .with_no_client_auth();
        Ok(Self::of(builder.with_cert_resolver(Arc::new(certified)), true))
    }

    /// Accepts only clients that present a certificate of one of the authorities in `pem`. The
    /// stream of a connection then has the client's `peer_certificates`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no valid certificate in `pem`, or if this was made from your own
    /// configuration of rustls: set its verifier of client certificates there.
    pub fn require_client_certificates(self, pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        if !self.is_ours {
            return Err(TlsError::configuration(
                "a configuration of rustls brings its own verifier of client certificates",
            ));
        }
        let roots = Arc::new(roots(pem.as_ref())?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(TlsError::configuration)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::configuration)?
            .with_client_cert_verifier(verifier);
        let resolver = Arc::clone(&self.config.cert_resolver);
        Ok(Self::of(builder.with_cert_resolver(resolver), true))
    }

    fn of(mut config: ServerConfig, is_ours: bool) -> Self {
        config.alpn_protocols = alpn();
        config.max_early_data_size = 0;
        Self { config: Arc::new(config), is_ours }
    }

    pub(super) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

/// Uses your configuration, except that ALPN offers `http/1.1` only.
#[cfg(feature = "rustls-0_23")]
impl From<ClientConfig> for ClientTls {
    fn from(config: ClientConfig) -> Self {
        Self::of(config)
    }
}

/// Uses your configuration, except that ALPN accepts `http/1.1` only, and that no early data (0-RTT)
/// is accepted: it could be replayed.
#[cfg(feature = "rustls-0_23")]
impl From<ServerConfig> for ServerTls {
    fn from(config: ServerConfig) -> Self {
        Self::of(config, false)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerTls {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn alpn() -> Vec<Vec<u8>> {
    Vec::from([b"http/1.1".to_vec()])
}

/// Chosen explicitly: rustls panics if its process-wide default is missing or ambiguous.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(TlsError::configuration)?;
    }
    Ok(roots)
}

/// Returns the certificates in `pem`: at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| TlsError::configuration(format!("bad PEM: {error}")))?;
    if found.is_empty() {
        return Err(TlsError::configuration("there is no certificate in the PEM data"));
    }
    Ok(found)
}

fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| TlsError::configuration(format!("no private key in PEM: {error}")))?;
    CertifiedKey::from_der(certificates(chain)?, key, &provider()).map_err(TlsError::configuration)
}
