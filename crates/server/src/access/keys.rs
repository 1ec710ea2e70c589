//! Keys that JSON Web Tokens are signed with.

use jsonwebtoken::{Algorithm, DecodingKey};
use std::{fmt, str::FromStr, sync::Arc};

/// How a JSON Web Token is signed (RFC 7518 §3.1).
///
/// The algorithm belongs to the key, as you configure it. A token that names another one is refused, so
/// nobody can choose a weaker one, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256, and a secret that whoever issues tokens knows too.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, and a public key.
    Rs256,
    /// ECDSA on the curve P-256 with SHA-256, and a public key.
    Es256,
}

impl JwtAlgorithm {
    pub(super) const fn of_library(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        })
    }
}

impl FromStr for JwtAlgorithm {
    type Err = JwtKeyError;

    fn from_str(name: &str) -> Result<Self, JwtKeyError> {
        match name {
            "HS256" => Ok(Self::Hs256),
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            _ => Err(JwtKeyError::Algorithm { name: name.into() }),
        }
    }
}

/// Why something is not a key for JSON Web Tokens. It is the fault of whoever configures it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// There is no such algorithm here.
    #[error("algorithm {name:?} is none of HS256, RS256 and ES256")]
    Algorithm {
        /// What was named.
        name: String,
    },
    /// A secret is too short to be safe (RFC 7518 §3.2).
    #[error("the secret has {bytes} bytes, HS256 needs at least {least}")]
    ShortSecret {
        /// How many bytes it has.
        bytes: usize,
        /// How many it needs.
        least: usize,
    },
    /// A secret is the PEM of a key. With a public key as the secret, everybody could sign tokens.
    #[error("the secret for HS256 is a key in PEM: configure RS256 or ES256 for it")]
    PemAsSecret,
    /// A private key stands where a public key is needed.
    #[error("this is a private key: {algorithm} needs the public key alone")]
    Private {
        /// What the key is for.
        algorithm: JwtAlgorithm,
    },
    /// It is not a public key in PEM for this algorithm.
    #[error("this is not a public key in PEM for {algorithm}")]
    NotPublicKey {
        /// What the key is for.
        algorithm: JwtAlgorithm,
    },
    /// An RSA key is too short to be safe (RFC 7518 §3.3).
    #[error("the RSA key is shorter than 2048 bits")]
    ShortRsaKey,
}

/// A key that JSON Web Tokens are signed with, and its algorithm.
#[derive(Clone)]
pub struct JwtKey {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) id: Option<Arc<str>>,
    pub(super) key: DecodingKey,
}

/// The fewest bytes of a secret: as many as a hash has (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;
/// The bytes of the DER of the shortest RSA key of 2048 bits: its modulus has 257 bytes with its leading
/// zero.
const SHORTEST_RSA_KEY: usize = 268;
/// The bytes of a point on P-256 that is not compressed.
const P256_POINT: usize = 65;

impl JwtKey {
    /// Creates a key: for HS256 the secret, for the other algorithms the public key in PEM.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not a key for this algorithm, or one that is not safe.
    pub fn new(algorithm: JwtAlgorithm, key: &[u8]) -> Result<Self, JwtKeyError> {
        let key = match algorithm {
            JwtAlgorithm::Hs256 => secret(key)?,
            JwtAlgorithm::Rs256 => rsa(key)?,
            JwtAlgorithm::Es256 => p256(key)?,
        };
        Ok(Self { algorithm, id: None, key })
    }

    /// Sets the id of the key: the `kid` of tokens that are signed with it (RFC 7515 §4.1.4). A token with
    /// a `kid` is checked with the keys of that id, or if there is none, with those without an id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// Shows no secrets.
impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("JwtKey");
        debug.field("algorithm", &self.algorithm).field("id", &self.id).finish_non_exhaustive()
    }
}

fn secret(secret: &[u8]) -> Result<DecodingKey, JwtKeyError> {
    if is_pem(secret) {
        return Err(JwtKeyError::PemAsSecret);
    }
    if secret.len() < SHORTEST_SECRET {
        return Err(JwtKeyError::ShortSecret { bytes: secret.len(), least: SHORTEST_SECRET });
    }
    Ok(DecodingKey::from_secret(secret))
}

fn rsa(pem: &[u8]) -> Result<DecodingKey, JwtKeyError> {
    let algorithm = JwtAlgorithm::Rs256;
    check_public(algorithm, pem)?;
    let key = DecodingKey::from_rsa_pem(pem);
    let key = key.map_err(|_| JwtKeyError::NotPublicKey { algorithm })?;
    if key.as_bytes().len() < SHORTEST_RSA_KEY {
        return Err(JwtKeyError::ShortRsaKey);
    }
    Ok(key)
}

fn p256(pem: &[u8]) -> Result<DecodingKey, JwtKeyError> {
    let algorithm = JwtAlgorithm::Es256;
    check_public(algorithm, pem)?;
    let key = DecodingKey::from_ec_pem(pem).ok();
    // The library takes keys of other curves too, and fails with each token then.
    key.filter(|key| key.as_bytes().len() == P256_POINT)
        .ok_or(JwtKeyError::NotPublicKey { algorithm })
}

/// A private key would be taken as well, and then no token would be valid.
fn check_public(algorithm: JwtAlgorithm, pem: &[u8]) -> Result<(), JwtKeyError> {
    let is_private = contains(pem, b"PRIVATE KEY-----");
    if is_private { Err(JwtKeyError::Private { algorithm }) } else { Ok(()) }
}

fn is_pem(text: &[u8]) -> bool {
    contains(text, b"-----BEGIN ")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
