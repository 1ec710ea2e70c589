//! TLS of both ends, with the certificates that `interop_certificates` made.

use crate::Error;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{env, net::IpAddr, path::PathBuf, sync::Arc};

/// The address of all servers.
///
/// # Panics
///
/// Does not panic: the address is valid.
#[must_use]
pub fn server_name() -> ServerName<'static> {
    let address: IpAddr = [127, 0, 0, 1].into();
    ServerName::IpAddress(address.into())
}

/// Trusts the authority in the file that `SSL_CERT_FILE` names.
///
/// # Errors
///
/// Returns an error if there is no such file, or no certificate in it.
pub fn client() -> Result<Arc<ClientConfig>, Error> {
    let file = env::var_os("SSL_CERT_FILE").ok_or("SSL_CERT_FILE is not set")?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file)?)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Returns the server's configuration, if `INTEROP_TLS` names the directory of the certificates.
///
/// # Errors
///
/// Returns an error if they are not there.
pub fn server() -> Result<Option<Arc<ServerConfig>>, Error> {
    let Some(directory) = env::var_os("INTEROP_TLS").map(PathBuf::from) else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(directory.join("chain.pem"))?;
    let chain = chain.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem"))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    Ok(Some(Arc::new(builder.with_single_cert(chain, key)?)))
}
