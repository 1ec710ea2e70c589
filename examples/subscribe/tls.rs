//! Whom the client trusts.

use crate::arguments::Arguments;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// Returns the configuration of TLS that the arguments ask for. `None` is the system's.
pub(crate) fn config(arguments: &Arguments) -> Result<Option<ClientConfig>, String> {
    let roots = match &arguments.authority {
        Some(path) => authorities(path).map_err(|error| format!("{}: {error}", path.display()))?,
        // Nobody has to be trusted. So the system need not have any certificates.
        None if !arguments.server.is_secure() => RootCertStore::empty(),
        None => return Ok(None),
    };
    // Chosen here, so that no default of the process can be missing.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder =
        builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Some(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Reads the authorities in a PEM file.
fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in PEM".to_owned());
    }
    Ok(roots)
}
