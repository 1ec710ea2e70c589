//! Makes the certificates of the interop tests with TLS, and writes them as PEM.
//!
//! ```text
//! interop_certificates DIRECTORY
//! ```
//!
//! `authority.pem` is for the clients; `chain.pem` and `key.pem` are for the servers, which listen on
//! 127.0.0.1 and are called localhost too.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let directory: PathBuf = env::args_os().nth(1).ok_or("name a directory")?.into();
    let authority_key = KeyPair::generate()?;
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "interop authority");
    let authority = params.self_signed(&authority_key)?;

    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "interop server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python 3.13 and later refuse certificates that do not name their issuer's key.
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &authority, &authority_key)?;

    fs::write(directory.join("authority.pem"), authority.pem())?;
    fs::write(directory.join("chain.pem"), certificate.pem())?;
    fs::write(directory.join("key.pem"), key.serialize_pem())?;
    Ok(())
}
