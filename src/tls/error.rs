//! Why TLS failed.

use alloc::{boxed::Box, sync::Arc};
use core::{error, fmt};
use rustls::{AlertDescription, CertificateError};
use std::io;

/// TLS failed: the handshake, or a configuration for it.
///
/// ```
/// use sansocket::{Error, tls::TlsFault};
///
/// fn advise(error: &Error) {
///     if let Error::Tls(error) = error {
///         match error.fault() {
///             TlsFault::WrongHost => println!("is the name in the URL right?"),
///             TlsFault::UnknownIssuer => println!("pass the root certificate to ClientTls"),
///             _ => println!("{error}"),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TlsError {
    fault: TlsFault,
    source: Arc<dyn error::Error + Send + Sync>,
}

/// What is wrong if TLS fails. Trying again without a change does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The peer's certificate is not for the host of the URL.
    WrongHost,
    /// The peer's certificate has expired. Also check the clock of this machine.
    Expired,
    /// The peer's certificate is not valid yet. Also check the clock of this machine.
    NotYetValid,
    /// The peer's certificate was not issued by an authority that you trust.
    UnknownIssuer,
    /// The peer's certificate was revoked.
    Revoked,
    /// The peer's certificate is not acceptable for another reason.
    InvalidCertificate,
    /// The peer ended the handshake with an alert: it does not accept something that this endpoint
    /// sent, such as its certificate.
    RefusedByPeer,
    /// The endpoints have no version, cipher suite or protocol in common.
    Incompatible,
    /// The peer broke the TLS protocol, or does not speak TLS.
    InvalidData,
    /// A configuration is invalid, for example because a file has no certificate.
    Configuration,
}

impl TlsError {
    /// Returns what is wrong.
    #[must_use]
    pub const fn fault(&self) -> TlsFault {
        self.fault
    }

    pub(super) fn configuration(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self { fault: TlsFault::Configuration, source: Arc::from(source.into()) }
    }

    /// The error of a connection.
    pub(super) fn of_connection(error: rustls::Error) -> Self {
        Self { fault: fault_of(&error), source: Arc::new(error) }
    }

    /// The error of a buffer of rustls that the peer has overfilled.
    pub(super) fn of_buffer(error: io::Error) -> Self {
        Self { fault: TlsFault::InvalidData, source: Arc::new(error) }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            TlsFault::WrongHost => "the certificate is for another host",
            TlsFault::Expired => "the certificate has expired",
            TlsFault::NotYetValid => "the certificate is not valid yet",
            TlsFault::UnknownIssuer => "the certificate is not from a trusted authority",
            TlsFault::Revoked => "the certificate was revoked",
            TlsFault::InvalidCertificate => "the certificate is invalid",
            TlsFault::RefusedByPeer => "the peer refused the TLS handshake",
            TlsFault::Incompatible => "the peer supports no common form of TLS",
            TlsFault::InvalidData => "the peer does not speak TLS correctly",
            TlsFault::Configuration => "the TLS configuration is invalid",
        };
        write!(f, "{what}: {}", self.source)
    }
}

impl error::Error for TlsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<TlsError> for io::Error {
    /// Returns an error of the kind [`InvalidData`](io::ErrorKind::InvalidData), or
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a configuration.
    fn from(error: TlsError) -> Self {
        let kind = match error.fault {
            TlsFault::Configuration => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// What is wrong according to an error of a connection.
fn fault_of(error: &rustls::Error) -> TlsFault {
    use rustls::Error::{
        AlertReceived, InvalidCertificate, NoApplicationProtocol, NoCertificatesPresented,
        PeerIncompatible,
    };
    match error {
        InvalidCertificate(error) => fault_of_certificate(error),
        NoCertificatesPresented => TlsFault::InvalidCertificate,
        AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::NoApplicationProtocol,
        )
        | PeerIncompatible(_)
        | NoApplicationProtocol => TlsFault::Incompatible,
        AlertReceived(_) => TlsFault::RefusedByPeer,
        _ => TlsFault::InvalidData,
    }
}

fn fault_of_certificate(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongHost
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFault::NotYetValid
        }
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Revoked => TlsFault::Revoked,
        _ => TlsFault::InvalidCertificate,
    }
}
