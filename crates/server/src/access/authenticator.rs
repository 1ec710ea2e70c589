//! Who a client is.

use super::jwt::Jwt;
use sansocket_realtime::guard::{AuthenticationError, Credentials, TokenTable};
use sansocket_realtime::hub::Principal;
use std::{fmt, sync::Arc};

/// Says whose credentials these are. It is called while a client waits, so it must not block.
pub type Authenticate =
    Arc<dyn Fn(&Credentials<'_>) -> Result<Principal, AuthenticationError> + Send + Sync>;

/// A function that says whose credentials are.
type Method = dyn Fn(&Credentials<'_>) -> Result<Principal, AuthenticationError> + Send + Sync;

/// Decides who a client is, by its credentials.
///
/// It asks its methods in the order in which they were added. The first that does not return
/// [`AuthenticationError::Refused`] decides. Without methods, every client is anonymous, whatever
/// credentials it has. An authenticator without methods accepts anonymous clients; one with methods does
/// not, unless you [say so](Self::anonymous).
///
/// Clones share their methods.
///
/// ```
/// use sansocket_realtime::guard::{AuthenticationError, Credentials, Source};
/// use sansocket_server::access::{Authenticator, Claims};
///
/// let authenticator = Authenticator::new().method(|credentials| {
///     let token = credentials.as_token().ok_or(AuthenticationError::Refused)?;
///     let user = token.strip_prefix("test-").ok_or(AuthenticationError::Refused)?;
///     Ok(Claims::new().of(user))
/// });
///
/// let joe = Credentials::token(Source::Bearer, "test-joe");
/// let joe = authenticator.authenticate(Some(&joe))?;
/// assert_eq!(joe.as_ref().map(|it| it.name()), Some("joe"));
/// assert_eq!(authenticator.authenticate(None), Err(AuthenticationError::Missing));
/// # Ok::<(), AuthenticationError>(())
/// ```
#[derive(Clone, Default)]
pub struct Authenticator {
    methods: Vec<Arc<Method>>,
    anonymous: Option<bool>,
}

impl Authenticator {
    /// Creates an authenticator without methods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function. It returns [`AuthenticationError::Refused`] for credentials that it does not know.
    /// It runs on a thread of the runtime, so it must not block.
    #[must_use]
    pub fn method(
        mut self,
        method: impl Fn(&Credentials<'_>) -> Result<Principal, AuthenticationError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.methods.push(Arc::new(method));
        self
    }

    /// Adds a table of tokens and passwords.
    #[must_use]
    pub fn tokens(self, table: TokenTable) -> Self {
        self.method(move |credentials| table.authenticate(credentials))
    }

    /// Adds JSON Web Tokens.
    #[must_use]
    pub fn jwt(self, jwt: Jwt) -> Self {
        self.method(move |credentials| jwt.authenticate(credentials))
    }

    /// Sets whether clients without credentials are accepted, as anonymous ones. Wrong credentials are
    /// refused in any case.
    #[must_use]
    pub const fn anonymous(mut self, accepted: bool) -> Self {
        self.anonymous = Some(accepted);
        self
    }

    /// Returns whether clients without credentials are accepted.
    #[must_use]
    pub fn accepts_anonymous(&self) -> bool {
        self.anonymous.unwrap_or(self.methods.is_empty())
    }

    /// Returns who a client with these credentials is. `None` is an anonymous client.
    ///
    /// # Errors
    ///
    /// Returns [`AuthenticationError::Missing`] if the client has no credentials and needs some,
    /// [`AuthenticationError::Refused`] if no method knows them, and the error of a method that decides.
    pub fn authenticate(
        &self,
        credentials: Option<&Credentials<'_>>,
    ) -> Result<Option<Principal>, AuthenticationError> {
        // With no method, there is nobody who could know credentials, which some clients always send.
        let Some(credentials) = credentials.filter(|_| !self.methods.is_empty()) else {
            return if self.accepts_anonymous() {
                Ok(None)
            } else {
                Err(AuthenticationError::Missing)
            };
        };
        for method in &self.methods {
            match method(credentials) {
                Err(AuthenticationError::Refused) => {}
                decided => return decided.map(Some),
            }
        }
        Err(AuthenticationError::Refused)
    }

    /// Returns the function for [`Options::authenticate`](crate::Options::authenticate), or `None` if every
    /// client is anonymous.
    ///
    /// ```
    /// use sansocket_realtime::{guard::TokenTable, hub::Principal};
    /// use sansocket_server::{Options, access::Authenticator};
    ///
    /// let tokens = TokenTable::new().token("abc", Principal::new("orders"));
    /// let authenticator = Authenticator::new().tokens(tokens);
    ///
    /// let mut options = Options::default();
    /// options.anonymous = authenticator.accepts_anonymous();
    /// options.authenticate = authenticator.into_authenticate();
    /// ```
    #[must_use]
    pub fn into_authenticate(self) -> Option<Authenticate> {
        if self.methods.is_empty() {
            return None;
        }
        Some(Arc::new(move |credentials| {
            let user = self.authenticate(Some(credentials))?;
            // With credentials and a method, there is a user.
            user.ok_or(AuthenticationError::Refused)
        }))
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("methods", &self.methods.len())
            .field("accepts_anonymous", &self.accepts_anonymous())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::guard::Source;

    fn token(text: &str) -> Credentials<'_> {
        Credentials::token(Source::Bearer, text)
    }

    #[test]
    fn without_methods_everybody_is_anonymous() {
        let open = Authenticator::new();
        assert_eq!(open.authenticate(None), Ok(None));
        // Many STOMP clients send the login of an example.
        let guest = Credentials::password(Source::Login, "guest", "guest");
        assert_eq!(open.authenticate(Some(&guest)), Ok(None));
        assert_eq!(open.anonymous(false).authenticate(None), Err(AuthenticationError::Missing));
    }

    #[test]
    fn with_methods_credentials_are_required_unless_said_otherwise() {
        let table = TokenTable::new().token("abc", Principal::new("joe"));
        let users = Authenticator::new().tokens(table);
        assert_eq!(users.authenticate(None), Err(AuthenticationError::Missing));
        assert_eq!(users.authenticate(Some(&token("abc"))), Ok(Some(Principal::new("joe"))));
        let also_others = users.anonymous(true);
        assert_eq!(also_others.authenticate(None), Ok(None));
        // Whoever has wrong credentials is told so, and is not somebody else.
        let wrong = also_others.authenticate(Some(&token("def")));
        assert_eq!(wrong, Err(AuthenticationError::Refused));
    }

    #[test]
    fn the_first_method_that_knows_credentials_decides() {
        let table = TokenTable::new().token("abc", Principal::new("joe"));
        let users =
            Authenticator::new().tokens(table).method(|credentials| match credentials.as_token() {
                Some("abc") => Ok(Principal::new("eve")),
                Some("def") => Err(AuthenticationError::Forbidden),
                Some("ghi") => Ok(Principal::new("ann")),
                _ => Err(AuthenticationError::Refused),
            });
        let user = |text| users.authenticate(Some(&token(text)));
        assert_eq!(user("abc"), Ok(Some(Principal::new("joe"))));
        assert_eq!(user("def"), Err(AuthenticationError::Forbidden));
        assert_eq!(user("ghi"), Ok(Some(Principal::new("ann"))));
        assert_eq!(user("jkl"), Err(AuthenticationError::Refused));
    }
}
