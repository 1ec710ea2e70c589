//! An authority that issues certificates for the tests.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use sansocket::tls::{ClientTls, ServerTls};
use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

/// The authority that the tests trust.
pub(crate) static TRUSTED: LazyLock<Authority> = LazyLock::new(Authority::new);

pub(crate) struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

/// A certificate with its private key, in PEM, and the certificate in DER.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Validity {
    Now,
    Past,
    Future,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Each has another name: otherwise a certificate looks like one with a bad signature.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Issues a certificate for a name or an IP address.
    pub(crate) fn issue(&self, name: &str, validity: Validity) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = match validity {
            Validity::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2200, 1, 1)),
            Validity::Past => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Validity::Future => (date_time_ymd(2150, 1, 1), date_time_ymd(2200, 1, 1)),
        };
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        let der = certificate.der().to_vec();
        Identity { chain: certificate.pem(), key: key.serialize_pem(), der }
    }
}

impl Identity {
    pub(crate) fn server(&self) -> ServerTls {
        ServerTls::new(&self.chain, &self.key).unwrap()
    }
}

/// A client that trusts only the authority of the tests.
pub(crate) fn client_tls() -> ClientTls {
    ClientTls::with_roots(TRUSTED.pem()).unwrap()
}

/// A server with a certificate for `localhost`.
pub(crate) fn server_tls() -> ServerTls {
    TRUSTED.issue("localhost", Validity::Now).server()
}
