//! The certificate and the key of the server.

use super::checks::Checks;
use super::sections::Tls;
use std::{path::PathBuf, sync::Arc};
use tokio_rustls::rustls::{
    self,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use toml::Spanned;

/// Reads the certificate and the key, and checks that they belong together.
pub(crate) fn server(checks: &mut Checks<'_>, tls: &Tls) -> Option<Arc<rustls::ServerConfig>> {
    let (certificate, key) = match (&tls.certificate, &tls.key) {
        (None, None) => return None,
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(one), None) | (None, Some(one)) => {
            checks.problem(one.span(), "TLS needs both, a certificate and a key");
            return None;
        }
    };
    let certificates = certificates(checks, certificate);
    let private_key = private_key(checks, key);
    let config = config(certificates?, private_key?);
    let config = config.map_err(|error| format!("the certificate can't be used: {error}"));
    checks.check(certificate.span(), config).map(Arc::new)
}

fn certificates(
    checks: &mut Checks<'_>,
    file: &Spanned<PathBuf>,
) -> Option<Vec<CertificateDer<'static>>> {
    let pem = checks.file(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let path = file.get_ref().display();
    let certificates = match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("there is no certificate in {path}"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{path} is not PEM: {error}")),
    };
    checks.check(file.span(), certificates)
}

fn private_key(checks: &mut Checks<'_>, file: &Spanned<PathBuf>) -> Option<PrivateKeyDer<'static>> {
    let pem = checks.file(file)?;
    let path = file.get_ref().display();
    let key = PrivateKeyDer::from_pem_slice(&pem);
    let key = key.map_err(|error| format!("there is no private key in {path}: {error}"));
    checks.check(file.span(), key)
}

fn config(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
