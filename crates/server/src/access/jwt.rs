//! JSON Web Tokens (RFC 7519).

use super::claims::Claims;
use super::keys::JwtKey;
use super::permissions::Permissions;
use jsonwebtoken::{Header, Validation, crypto::rust_crypto, decode, decode_header};
use sansocket_realtime::guard::{AuthenticationError, Credentials};
use sansocket_realtime::hub::Principal;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};

/// What a JSON Web Token needs, and what its claims are called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwtOptions {
    /// Whether a token without `exp` is refused. By default it is, because such a token never expires.
    pub require_expiry: bool,
    /// By how much the clocks of this server and of who issues tokens may differ. What is more than
    /// [`MOST_LEEWAY`](Self::MOST_LEEWAY) counts as that. By default a minute.
    pub leeway: Duration,
    /// Whom tokens have to be for: one of these is in their `aud`. Without any, a token that has an `aud`
    /// is refused, since it is for somebody else (RFC 7519 §4.1.3).
    pub audiences: Vec<String>,
    /// Who may issue tokens: one of these is their `iss`. Without any, `iss` is not looked at.
    pub issuers: Vec<String>,
    /// The claim with the name of the user. By default `sub`.
    pub user_claim: String,
    /// The claim with an array of what the user may [subscribe](Permissions::subscribe) to. By default
    /// `subscribe`.
    pub subscribe_claim: String,
    /// The claim with an array of what the user may [publish](Permissions::publish) to. By default
    /// `publish`.
    pub publish_claim: String,
    /// The largest token in bytes. By default 8 KiB.
    pub token: usize,
    /// The longest name of a user in bytes. By default 255.
    pub user: usize,
}

impl JwtOptions {
    /// The most [`leeway`](Self::leeway): an hour.
    // A leeway of centuries would overflow in the arithmetic of the library.
    pub const MOST_LEEWAY: Duration = Duration::from_secs(3600);
}

impl Default for JwtOptions {
    fn default() -> Self {
        Self {
            require_expiry: true,
            leeway: Duration::from_secs(60),
            audiences: Vec::new(),
            issuers: Vec::new(),
            user_claim: "sub".into(),
            subscribe_claim: "subscribe".into(),
            publish_claim: "publish".into(),
            token: 8 << 10,
            user: 255,
        }
    }
}

/// Checks JSON Web Tokens, and makes principals of them.
///
/// A token is valid if one of the keys has signed it with the key's own algorithm, if it is valid now by
/// `exp` and `nbf`, and if it names the right `aud` and `iss`. A header `crit` is refused, since no
/// extension is understood (RFC 7515 §4.1.11).
///
/// A token with a claim of permissions says all that its user may do: without the other claim, nothing of
/// that kind. A token with neither leaves it to [`Rules::users`](super::Rules::users). The user's session
/// [ends](Claims::expires_at) when the token does, which is `exp` plus the leeway.
///
/// Why a token is refused is told to `tracing` at the level of debug, without the token.
#[derive(Clone, Debug)]
pub struct Jwt {
    keys: Vec<(JwtKey, Validation)>,
    options: JwtOptions,
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("it has {bytes} bytes, at most {limit} are allowed")]
    TooLarge { bytes: usize, limit: usize },
    #[error(transparent)]
    Library(#[from] jsonwebtoken::errors::Error),
    #[error("it has the header `crit`")]
    Critical,
    #[error("no key has its `kid` and `alg`")]
    NoKey,
    #[error("claim {0:?} is not a text of the right length")]
    User(String),
    #[error("claim {0:?} is not an array of patterns")]
    Patterns(String),
}

impl Jwt {
    /// Creates a checker of tokens that one of these keys has signed.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = JwtKey>, mut options: JwtOptions) -> Self {
        // With two providers in the program, the library would panic unless one is chosen. If the program has
        // chosen one already, that stays.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        options.leeway = options.leeway.min(JwtOptions::MOST_LEEWAY);
        let validated = |key: JwtKey| {
            let validation = validation(&key, &options);
            (key, validation)
        };
        Self { keys: keys.into_iter().map(validated).collect(), options }
    }

    /// Returns the user whose token this is, with [`Claims`].
    ///
    /// # Errors
    ///
    /// Returns [`AuthenticationError::Refused`] if it is not a valid token, or no token.
    pub fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Principal, AuthenticationError> {
        let token = credentials.as_token().ok_or(AuthenticationError::Refused)?;
        self.check(token).map_err(|problem| {
            tracing::debug!(source = %credentials.source(), %problem, "a JSON Web Token is refused");
            AuthenticationError::Refused
        })
    }

    fn check(&self, token: &str) -> Result<Principal, Problem> {
        let (bytes, limit) = (token.len(), self.options.token);
        if bytes > limit {
            return Err(Problem::TooLarge { bytes, limit });
        }
        let header = decode_header(token)?;
        if header.crit.is_some() {
            return Err(Problem::Critical);
        }
        let mut problem = Problem::NoKey;
        for (key, validation) in self.keys_for(&header) {
            match decode(token, &key.key, validation) {
                Ok(decoded) => return self.principal(&decoded.claims),
                Err(error) => problem = error.into(),
            }
        }
        Err(problem)
    }

    /// Returns the keys that can have signed a token.
    fn keys_for(&self, header: &Header) -> impl Iterator<Item = &(JwtKey, Validation)> {
        let id = header.kid.as_deref();
        let is_known =
            id.is_some_and(|id| self.keys.iter().any(|(it, _)| it.id.as_deref() == Some(id)));
        let algorithm = header.alg;
        self.keys.iter().filter(move |(key, _)| {
            let has_id = match id {
                None => true,
                Some(_) if is_known => key.id.as_deref() == id,
                Some(_) => key.id.is_none(),
            };
            has_id && key.algorithm.of_library() == algorithm
        })
    }

    fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, Problem> {
        let JwtOptions { user_claim, subscribe_claim, publish_claim, .. } = &self.options;
        let name = claims.get(user_claim).and_then(Value::as_str);
        let name = name.filter(|name| !name.is_empty() && name.len() <= self.options.user);
        let name = name.ok_or_else(|| Problem::User(user_claim.clone()))?;
        let subscribe = patterns(claims, subscribe_claim)?;
        let publish = patterns(claims, publish_claim)?;
        let mut known = Claims::new();
        if subscribe.is_some() || publish.is_some() {
            let (subscribe, publish) = (subscribe.unwrap_or_default(), publish.unwrap_or_default());
            known = known.permissions(Permissions { subscribe, publish });
        }
        known.expires_at = self.expires_at(claims);
        Ok(known.of(name))
    }

    /// Returns when the session of a token ends. A time that the system can't represent never comes.
    fn expires_at(&self, claims: &Map<String, Value>) -> Option<SystemTime> {
        let expiry = claims.get("exp")?;
        // The library has checked that it is a number, and not negative.
        let seconds = expiry.as_u64().or_else(|| expiry.as_f64().map(|it| it.round() as u64))?;
        let after_epoch = Duration::from_secs(seconds).checked_add(self.options.leeway)?;
        SystemTime::UNIX_EPOCH.checked_add(after_epoch)
    }
}

fn validation(key: &JwtKey, options: &JwtOptions) -> Validation {
    let mut validation = Validation::new(key.algorithm.of_library());
    let required = [
        ("exp", options.require_expiry),
        ("aud", !options.audiences.is_empty()),
        ("iss", !options.issuers.is_empty()),
    ];
    validation.required_spec_claims = required
        .iter()
        .filter(|(_, is_required)| *is_required)
        .map(|(name, _)| (*name).into())
        .collect();
    validation.leeway = options.leeway.as_secs();
    validation.validate_nbf = true;
    if !options.audiences.is_empty() {
        validation.set_audience(&options.audiences);
    }
    if !options.issuers.is_empty() {
        validation.set_issuer(&options.issuers);
    }
    validation
}

/// Returns the patterns of a claim, if the token has it.
fn patterns<T: std::str::FromStr>(
    claims: &Map<String, Value>,
    name: &str,
) -> Result<Option<Vec<T>>, Problem> {
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let parse = |pattern: &Value| pattern.as_str()?.parse().ok();
    let patterns = claim.as_array().and_then(|texts| texts.iter().map(parse).collect());
    patterns.map(Some).ok_or_else(|| Problem::Patterns(name.into()))
}
