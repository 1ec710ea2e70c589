//! Why a client is not accepted as a user, and a table of a few users.

use super::credentials::{Credentials, CredentialsError};
use crate::hub::Principal;
use alloc::{string::String, vec::Vec};
use core::{fmt, hint::black_box, time::Duration};

/// Why a client is not accepted as a user. What it gets for that is an [`Answer`](super::Answer).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The client has no credentials, and anonymous clients are not accepted.
    #[error("credentials are required")]
    Missing,
    /// The credentials can't be read. It is the client's fault.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The credentials are wrong, or no longer valid. It is the client's fault, or a login that has
    /// expired. Trying again needs other credentials.
    #[error("the credentials are wrong or have expired")]
    Refused,
    /// The user is known, and may not connect. Trying again does not help.
    #[error("you may not connect")]
    Forbidden,
    /// Whoever knows the users can't be asked now. It is not the client's fault, and trying again helps.
    #[error("credentials can't be checked at the moment: try again later")]
    Unavailable {
        /// When to try again, if you know it.
        retry_after: Option<Duration>,
    },
}

/// A table of tokens and passwords, for a few clients such as the services of one company.
///
/// All entries are compared, each in a time that does not depend on how much of a secret is right. So a
/// lookup takes longer the more entries there are. `Debug` shows no secrets.
///
/// ```
/// use sansocket_realtime::guard::{AuthenticationError, Credentials, Source, TokenTable};
/// use sansocket_realtime::hub::Principal;
///
/// let table = TokenTable::new()
///     .token("mF_9.B5f-4.1JqM", Principal::new("orders"))
///     .password("joe", "secret");
///
/// let found = table.authenticate(&Credentials::token(Source::Bearer, "mF_9.B5f-4.1JqM"))?;
/// assert_eq!(found.name(), "orders");
/// # Ok::<(), AuthenticationError>(())
/// ```
#[derive(Clone, Default)]
pub struct TokenTable {
    tokens: Vec<(String, Principal)>,
    passwords: Vec<(String, Principal)>,
}

impl TokenTable {
    /// Creates an empty table, which refuses everybody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token and whose it is. A principal can have several. An empty token is nobody's.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>, principal: Principal) -> Self {
        self.tokens.push((token.into(), principal));
        self
    }

    /// Adds a user with a password.
    #[must_use]
    pub fn password(mut self, user: &str, password: impl Into<String>) -> Self {
        self.passwords.push((password.into(), Principal::new(user)));
        self
    }

    /// Returns the user with these credentials.
    ///
    /// # Errors
    ///
    /// Returns [`AuthenticationError::Refused`] if they are nobody's, or of
    /// [another user](Credentials::may_be_of) than the client tells.
    pub fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Principal, AuthenticationError> {
        let mut found = None;
        if let Some(token) = credentials.as_token() {
            for (secret, principal) in &self.tokens {
                if is_same_secret(secret.as_bytes(), token.as_bytes()) && !token.is_empty() {
                    found = Some(principal);
                }
            }
        }
        if let Some((user, password)) = credentials.as_password() {
            for (secret, principal) in &self.passwords {
                let is_same = is_same_secret(secret.as_bytes(), password.as_bytes());
                if is_same && principal.name() == user {
                    found = Some(principal);
                }
            }
        }
        let found = found.filter(|user| credentials.may_be_of(user));
        found.cloned().ok_or(AuthenticationError::Refused)
    }
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTable")
            .field("tokens", &self.tokens.len())
            .field("passwords", &self.passwords.len())
            .finish()
    }
}

/// Compares secrets in a time that depends on their lengths only.
fn is_same_secret(expected: &[u8], offered: &[u8]) -> bool {
    // Without the barrier, the compiler could stop at the first byte that differs.
    let difference = expected
        .iter()
        .zip(offered)
        .fold(0, |difference, (left, right)| black_box(difference | (left ^ right)));
    expected.len() == offered.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Source;

    #[test]
    fn a_table_knows_tokens_and_passwords() {
        let [ann, joe] = ["ann", "joe"].map(Principal::new);
        let table = TokenTable::new()
            .token("abc", ann.clone())
            .token("abd", joe.clone())
            .token("", joe.clone())
            .password("joe", "abc")
            .password("eve", "");
        let token = |token: &str| table.authenticate(&Credentials::token(Source::Bearer, token));
        let password = |user: &str, password: &str| {
            table.authenticate(&Credentials::password(Source::Login, user, password))
        };
        assert_eq!((token("abc"), token("abd")), (Ok(ann), Ok(joe.clone())));
        assert_eq!(password("joe", "abc"), Ok(joe));
        for wrong in ["", "ab", "abcd", "Abc", "abe"] {
            assert_eq!(token(wrong), Err(AuthenticationError::Refused), "{wrong}");
            assert_eq!(password("joe", wrong), Err(AuthenticationError::Refused), "{wrong}");
        }
        assert_eq!(password("ann", "abc"), Err(AuthenticationError::Refused));
        let passcode = |login: &str| {
            let credentials = Credentials::token(Source::Passcode, "abc").with_login(login);
            table.authenticate(&credentials).map(|user| user.name().into())
        };
        assert_eq!(passcode("ann"), Ok(String::from("ann")));
        assert_eq!(passcode("joe"), Err(AuthenticationError::Refused));
        assert_eq!(password("eve", "").map(|it| it.name().len()), Ok(3));
        assert!(!alloc::format!("{table:?}").contains("abc"));
    }
}
