//! Who a client is.

use super::jwt::Jwt;
use sansocket_realtime::guard::{AuthenticationError, Credentials, TokenTable};
use sansocket_realtime::hub::Principal;
use std::{
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{sync::Semaphore, time};

/// What a function says of credentials.
type Answer = Result<Principal, AuthenticationError>;

/// A function that says whose credentials are.
#[derive(Clone)]
enum Method {
    Sync(Arc<dyn Fn(&Credentials<'_>) -> Answer + Send + Sync>),
    Async(Arc<dyn Fn(Credentials<'static>) -> Lookup + Send + Sync>),
}

type Lookup = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Decides who a client is, by its credentials.
///
/// It asks its methods in the order in which they were added. The first that does not return
/// [`AuthenticationError::Refused`] decides. Without methods, every client is anonymous, whatever
/// credentials it has. An authenticator without methods accepts anonymous clients; one with methods does
/// not, unless you [say so](Self::anonymous).
///
/// If a client tells a [login](Credentials::login) beside its token, the user has to be of that name.
///
/// Clones share their methods, and how many [lookups](Self::lookups) there are at a time.
///
/// ```
/// use sansocket_realtime::guard::{AuthenticationError, Credentials};
/// use sansocket_realtime::hub::Principal;
/// use sansocket_server::{Options, access::{Authenticator, Claims}};
///
/// /// Knows users without asking anybody.
/// fn tester(credentials: &Credentials<'_>) -> Result<Principal, AuthenticationError> {
///     let token = credentials.as_token().ok_or(AuthenticationError::Refused)?;
///     let user = token.strip_prefix("test-").ok_or(AuthenticationError::Refused)?;
///     Ok(Claims::new().of(user))
/// }
///
/// # async fn query(token: &str) -> Result<Option<String>, std::io::Error> {
/// #     Ok((token == "abc").then(|| "joe".to_owned()))
/// # }
/// #
/// /// Asks a database.
/// async fn user(credentials: Credentials<'static>) -> Result<Principal, AuthenticationError> {
///     let token = credentials.as_token().ok_or(AuthenticationError::Refused)?;
///     match query(token).await {
///         Ok(Some(name)) => Ok(Principal::new(name)),
///         Ok(None) => Err(AuthenticationError::Refused),
///         // It is not the client's fault: it is told to try again.
///         Err(_) => Err(AuthenticationError::Unavailable { retry_after: None }),
///     }
/// }
///
/// let mut options = Options::default();
/// options.authenticator = Authenticator::new().method(tester).method_async(user);
/// # use sansocket_realtime::guard::Source;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn name(authenticator: Authenticator, token: &str) -> Result<String, AuthenticationError> {
/// #     let credentials = Credentials::token(Source::Bearer, token);
/// #     let user = authenticator.authenticate(Some(&credentials)).await?;
/// #     Ok(user.unwrap().name().to_owned())
/// # }
/// # assert_eq!(name(options.authenticator.clone(), "test-ann").as_deref(), Ok("ann"));
/// # assert_eq!(name(options.authenticator.clone(), "abc").as_deref(), Ok("joe"));
/// # assert_eq!(name(options.authenticator, "def"), Err(AuthenticationError::Refused));
/// ```
#[derive(Clone)]
pub struct Authenticator {
    methods: Vec<Method>,
    anonymous: Option<bool>,
    timeout: Duration,
    lookups: Arc<Semaphore>,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            anonymous: None,
            timeout: Duration::from_secs(5),
            lookups: Arc::new(Semaphore::new(100)),
        }
    }
}

impl Authenticator {
    /// Creates an authenticator without methods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function. It returns [`AuthenticationError::Refused`] for credentials that it does not know.
    /// It runs on a thread of the runtime, so it must not block: what takes time is for
    /// [`method_async`](Self::method_async).
    ///
    /// If the function panics, the log says so, and the client is refused with
    /// [`AuthenticationError::Unavailable`].
    #[must_use]
    pub fn method(
        mut self,
        method: impl Fn(&Credentials<'_>) -> Result<Principal, AuthenticationError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.methods.push(Method::Sync(Arc::new(method)));
        self
    }

    /// Adds an async function, which may take its time, for instance to ask a database. Like one of
    /// [`method`](Self::method), it returns [`AuthenticationError::Refused`] for credentials that it does not
    /// know.
    ///
    /// The client waits for the answer. It is refused with [`AuthenticationError::Unavailable`], which tells
    /// it that trying again can help, if the answer takes longer than the [timeout](Self::timeout), if the
    /// function panics, which the log says, or if the server shuts down. In all these cases, and if the
    /// client goes away, the future is dropped.
    ///
    /// The function is asked by each request over HTTP and each CONNECT that has credentials. A client that
    /// polls, or uses SockJS over HTTP, makes many requests, so remember answers for some time if they are
    /// costly.
    #[must_use]
    pub fn method_async<F>(
        mut self,
        method: impl Fn(Credentials<'static>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Principal, AuthenticationError>> + Send + 'static,
    {
        let method = Arc::new(move |credentials| -> Lookup { Box::pin(method(credentials)) });
        self.methods.push(Method::Async(method));
        self
    }

    /// Sets how long a function of [`method_async`](Self::method_async) may take, with the time that a client
    /// waits for its turn. By default 5 seconds.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many credentials the functions of [`method_async`](Self::method_async) look up at a time, for
    /// all clients together; at least 1, and 100 by default.
    ///
    /// Further clients wait for their turn, in the order in which they came, until the
    /// [timeout](Self::timeout). To refuse them at once would have all clients of a server that has just
    /// started come back again and again. What waits is bounded by the limits for connections.
    #[must_use]
    pub fn lookups(mut self, lookups: usize) -> Self {
        self.lookups = Arc::new(Semaphore::new(lookups.clamp(1, Semaphore::MAX_PERMITS)));
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
        self.anonymous.unwrap_or(!self.has_methods())
    }

    /// Returns whether there is a method: somebody who knows users.
    #[must_use]
    pub fn has_methods(&self) -> bool {
        !self.methods.is_empty()
    }

    /// Returns who a client with these credentials is. `None` is an anonymous client.
    ///
    /// Cancel safe: dropping the future drops that of the function that is asked.
    ///
    /// # Errors
    ///
    /// Returns [`AuthenticationError::Missing`] if the client has no credentials and needs some,
    /// [`AuthenticationError::Refused`] if no method knows them or if the user has another name than the
    /// client tells, [`AuthenticationError::Unavailable`] if a method panics or takes too long, and the error
    /// of a method that decides.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with timers, if a function of [`method_async`](Self::method_async) is
    /// asked.
    pub async fn authenticate(
        &self,
        credentials: Option<&Credentials<'_>>,
    ) -> Result<Option<Principal>, AuthenticationError> {
        // With no method, there is nobody who could know credentials, which some clients always send.
        let Some(credentials) = credentials.filter(|_| self.has_methods()) else {
            return if self.accepts_anonymous() {
                Ok(None)
            } else {
                Err(AuthenticationError::Missing)
            };
        };
        for method in &self.methods {
            let answer = match method {
                Method::Sync(method) => {
                    let answer = catch_unwind(AssertUnwindSafe(|| method(credentials)));
                    answer.unwrap_or_else(|_| Err(panicked()))
                }
                Method::Async(method) => {
                    let credentials = credentials.clone().into_owned();
                    self.look_up(async { method(credentials).await }).await
                }
            };
            match answer {
                Err(AuthenticationError::Refused) => {}
                Ok(user) if !credentials.may_be_of(&user) => {
                    tracing::debug!(source = %credentials.source(), "the login is of another user");
                    return Err(AuthenticationError::Refused);
                }
                decided => return decided.map(Some),
            }
        }
        Err(AuthenticationError::Refused)
    }

    /// Waits for the turn of a lookup, and then for its answer.
    async fn look_up(&self, lookup: impl Future<Output = Answer>) -> Answer {
        let in_turn = async {
            // It is never closed.
            let _turn = self.lookups.acquire().await;
            let mut lookup = pin!(lookup);
            poll_fn(|cx| {
                let polled = catch_unwind(AssertUnwindSafe(|| lookup.as_mut().poll(cx)));
                polled.unwrap_or_else(|_| Poll::Ready(Err(panicked())))
            })
            .await
        };
        time::timeout(self.timeout, in_turn).await.unwrap_or_else(|_| {
            // Clients can bring this about as often as they like. Their refusal is logged.
            tracing::debug!(timeout = ?self.timeout, "nobody has said in time who a client is");
            Err(AuthenticationError::Unavailable { retry_after: None })
        })
    }
}

fn panicked() -> AuthenticationError {
    tracing::error!("an authenticator has panicked");
    AuthenticationError::Unavailable { retry_after: None }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("methods", &self.methods.len())
            .field("accepts_anonymous", &self.accepts_anonymous())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::guard::Source;

    fn token(text: &str) -> Credentials<'_> {
        Credentials::token(Source::Bearer, text)
    }

    /// Returns the name of the user with this token.
    async fn name(of: &Authenticator, token: &str) -> Result<String, AuthenticationError> {
        let credentials = Credentials::token(Source::Bearer, token);
        let user = of.authenticate(Some(&credentials)).await?;
        Ok(user.map_or_else(String::new, |user| user.name().to_owned()))
    }

    #[tokio::test]
    async fn without_methods_everybody_is_anonymous() {
        let open = Authenticator::new();
        assert_eq!(open.authenticate(None).await, Ok(None));
        // Many STOMP clients send the login of an example.
        let guest = Credentials::password(Source::Login, "guest", "guest");
        assert_eq!(open.authenticate(Some(&guest)).await, Ok(None));
        let closed = open.anonymous(false);
        assert_eq!(closed.authenticate(None).await, Err(AuthenticationError::Missing));
    }

    #[tokio::test]
    async fn with_methods_credentials_are_required_unless_said_otherwise() {
        let table = TokenTable::new().token("abc", Principal::new("joe"));
        let users = Authenticator::new().tokens(table);
        assert_eq!(users.authenticate(None).await, Err(AuthenticationError::Missing));
        assert_eq!(name(&users, "abc").await.as_deref(), Ok("joe"));
        let also_others = users.anonymous(true);
        assert_eq!(also_others.authenticate(None).await, Ok(None));
        // Whoever has wrong credentials is told so, and is not somebody else.
        assert_eq!(name(&also_others, "def").await, Err(AuthenticationError::Refused));
    }

    #[tokio::test]
    async fn the_first_method_that_knows_credentials_decides() {
        let table = TokenTable::new().token("abc", Principal::new("joe"));
        let late = |credentials: Credentials<'static>| async move {
            tokio::task::yield_now().await;
            match credentials.as_token() {
                Some("abc") => Ok(Principal::new("eve")),
                Some("def") => Err(AuthenticationError::Forbidden),
                Some("ghi") => Ok(Principal::new("ann")),
                _ => Err(AuthenticationError::Refused),
            }
        };
        let last = |credentials: &Credentials<'_>| match credentials.as_token() {
            Some("def" | "jkl") => Ok(Principal::new("bob")),
            _ => Err(AuthenticationError::Refused),
        };
        let users = Authenticator::new().tokens(table).method_async(late).method(last);
        assert_eq!(name(&users, "abc").await.as_deref(), Ok("joe"));
        assert_eq!(name(&users, "def").await, Err(AuthenticationError::Forbidden));
        assert_eq!(name(&users, "ghi").await.as_deref(), Ok("ann"));
        assert_eq!(name(&users, "jkl").await.as_deref(), Ok("bob"));
        assert_eq!(name(&users, "mno").await, Err(AuthenticationError::Refused));
    }

    #[tokio::test]
    async fn a_method_that_panics_refuses() {
        let panics = |text: &str| assert_ne!(text, "panic", "this is the fault of a method");
        let sync = Authenticator::new().method(move |credentials| {
            panics(credentials.as_token().unwrap_or_default());
            Ok(Principal::new("joe"))
        });
        let before = Authenticator::new().method_async(move |credentials| {
            panics(credentials.as_token().unwrap_or_default());
            async { Ok(Principal::new("joe")) }
        });
        let after = Authenticator::new().lookups(1).method_async(move |credentials| async move {
            tokio::task::yield_now().await;
            panics(credentials.as_token().unwrap_or_default());
            Ok(Principal::new("joe"))
        });
        for users in [sync, before, after] {
            let refused = AuthenticationError::Unavailable { retry_after: None };
            assert_eq!(name(&users, "panic").await, Err(refused));
            assert_eq!(name(&users, "x").await.as_deref(), Ok("joe"));
        }
    }

    #[tokio::test]
    async fn a_login_beside_a_token_is_the_name_of_its_user() {
        let table = TokenTable::new().token("abc", Principal::new("joe"));
        let in_table = Authenticator::new().tokens(table);
        let sync = Authenticator::new().method(|_| Ok(Principal::new("joe")));
        let late = Authenticator::new().method_async(|_| async { Ok(Principal::new("joe")) });
        for users in [in_table, sync, late] {
            for (login, is_right) in
                [("joe", true), ("ann", false), ("JOE", false), ("joe ", false)]
            {
                let credentials = token("abc").with_login(login);
                let user = users.authenticate(Some(&credentials)).await;
                assert_eq!(user.is_ok(), is_right, "{login}: {user:?}");
            }
        }
    }
}
