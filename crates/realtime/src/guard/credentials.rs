//! What a client proves its identity with, and where it was found.

use crate::hub::Principal;
use alloc::{borrow::Cow, sync::Arc};
use core::fmt;

/// What a client proves its identity with: a token, or a user with a password.
///
/// [`Sources`](super::Sources) finds them in a request or in a CONNECT of STOMP. `Debug` shows neither
/// tokens nor passwords.
///
/// ```
/// use sansocket_realtime::guard::{Credentials, Source};
///
/// let credentials = Credentials::password(Source::Login, "joe", "secret");
/// assert_eq!(credentials.as_password(), Some(("joe", "secret")));
/// assert!(!format!("{credentials:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct Credentials<'a> {
    source: Source,
    proof: Proof<'a>,
    /// Who the client says it is, beside a token.
    login: Option<Cow<'a, str>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Proof<'a> {
    Token(Cow<'a, str>),
    Password { user: Cow<'a, str>, password: Cow<'a, str> },
}

impl<'a> Credentials<'a> {
    /// Creates credentials that are a token.
    #[must_use]
    pub fn token(source: Source, token: impl Into<Cow<'a, str>>) -> Self {
        Self { source, proof: Proof::Token(token.into()), login: None }
    }

    /// Creates credentials that are a user and a password.
    #[must_use]
    pub fn password(
        source: Source,
        user: impl Into<Cow<'a, str>>,
        password: impl Into<Cow<'a, str>>,
    ) -> Self {
        let proof = Proof::Password { user: user.into(), password: password.into() };
        Self { source, proof, login: None }
    }

    /// Sets who the client says it is, beside a token.
    #[must_use]
    pub fn with_login(mut self, login: impl Into<Cow<'a, str>>) -> Self {
        self.login = Some(login.into());
        self
    }

    /// Returns where the credentials were found.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the token, if they are one.
    #[must_use]
    pub fn as_token(&self) -> Option<&str> {
        match &self.proof {
            Proof::Token(token) => Some(token),
            Proof::Password { .. } => None,
        }
    }

    /// Returns the user and the password, if they are these.
    #[must_use]
    pub fn as_password(&self) -> Option<(&str, &str)> {
        match &self.proof {
            Proof::Token(_) => None,
            Proof::Password { user, password } => Some((user, password)),
        }
    }

    /// Returns who the client says it is beside its token: the `login` that stands with a
    /// [`Passcode`](Source::Passcode). The token alone says who it is, so check
    /// [`may_be_of`](Self::may_be_of).
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// Returns whether the user whose token this is may be the one that the client says it is: it has the
    /// name of the [`login`](Self::login), or there is none. If not, refuse the client: somebody else who
    /// reads the login, such as a proxy that logs it, would take it for another user.
    #[must_use]
    pub fn may_be_of(&self, user: &Principal) -> bool {
        self.login().is_none_or(|login| login == user.name())
    }

    /// Returns credentials that borrow nothing, to check them elsewhere while the machine that found
    /// them waits.
    #[must_use]
    pub fn into_owned(self) -> Credentials<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        let proof = match self.proof {
            Proof::Token(token) => Proof::Token(owned(token)),
            Proof::Password { user, password } => {
                Proof::Password { user: owned(user), password: owned(password) }
            }
        };
        Credentials { source: self.source, proof, login: self.login.map(owned) }
    }

    /// Returns whether both prove the same, wherever they were found. The client has sent both, so this
    /// need not take the same time for all.
    pub(super) fn is_same_proof(&self, other: &Self) -> bool {
        self.proof == other.proof
    }

    /// Adds what other credentials with the same proof say beside it.
    pub(super) fn add(&mut self, other: Self) {
        self.login = self.login.take().or(other.login);
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Credentials");
        debug.field("source", &self.source);
        if let Some(user) = self.as_password().map(|(user, _)| user).or(self.login()) {
            debug.field("user", &user);
        }
        debug.finish_non_exhaustive()
    }
}

/// A place where credentials can be found.
///
/// | source | in a request of HTTP | in CONNECT |
/// |---|---|---|
/// | [`Bearer`](Self::Bearer), [`Basic`](Self::Basic) | `Authorization`, which must not be repeated | `Authorization` |
/// | [`Cookie`](Self::Cookie) | `Cookie`, in which the name must not be repeated | – |
/// | [`Query`](Self::Query) | the target, in which the name must not be repeated | – |
/// | [`Header`](Self::Header) | the field, which must not be repeated | the header |
/// | [`Login`](Self::Login) | – | `login` and `passcode` |
/// | [`Passcode`](Self::Passcode) | – | `passcode`, and who the client says it is in `login` |
///
/// Of a header that CONNECT repeats, the first counts, as STOMP demands. `Authorization` is found there in
/// any case, and must not stand in two cases with two values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `Authorization: Bearer`, with a token (RFC 6750 §2.1).
    Bearer,
    /// `Authorization: Basic`, with a user and a password in Base64 (RFC 7617). This is what `curl -u`
    /// sends.
    Basic,
    /// The cookie with this name. Its value is the token, without quotes if it has some.
    ///
    /// A browser sends cookies for the pages of every site, so [check the
    /// origin](super#requests-of-other-sites) too.
    Cookie(Arc<str>),
    /// The parameter with this name in the query of the target. Its value is the token. Escapes with
    /// `%` are decoded, and `+` stands for itself, because a token has no spaces.
    ///
    /// It is for `EventSource` and `WebSocket` in browsers, which can't set fields. Targets end up in the
    /// logs of servers and proxies: let such tokens expire within minutes, and keep them out of logs of
    /// your own.
    Query(Arc<str>),
    /// The field of HTTP, or the header of CONNECT, with this name. Its value is the token.
    Header(Arc<str>),
    /// The `login` and `passcode` of CONNECT, a user and a password. If both are empty, a client has none.
    Login,
    /// The `passcode` of CONNECT. Its value is the token, for clients that can set nothing else.
    ///
    /// A `login` beside it has to be the name of the token's user: see
    /// [`may_be_of`](Credentials::may_be_of). It can be empty or missing. If both are empty, a client has no
    /// credentials.
    ///
    /// [`Login`](Self::Login) reads the same headers in another way. If both are among the
    /// [`Sources`](super::Sources), the first of them counts.
    Passcode,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("the Bearer token in Authorization"),
            Self::Basic => f.write_str("the Basic credentials in Authorization"),
            Self::Cookie(name) => write!(f, "the cookie {name:?}"),
            Self::Query(name) => write!(f, "the query parameter {name:?}"),
            Self::Header(name) => write!(f, "the header {name:?}"),
            Self::Login => f.write_str("the login and passcode"),
            Self::Passcode => f.write_str("the passcode"),
        }
    }
}

/// Why no credentials could be read from a request or a CONNECT. It is the client's fault, and the same
/// request fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// Something stands more than once, so it is not clear which counts.
    #[error("{0} must not be repeated")]
    Repeated(Source),
    /// Something is not what it should be.
    #[error("{place} {problem}")]
    Malformed {
        /// What is malformed.
        place: Source,
        /// What is wrong with it, as the rest of a sentence. It contains no secret.
        problem: &'static str,
    },
    /// Credentials stand in two places, and they are not the same.
    #[error("{0} and {1} are not the same")]
    Differ(Source, Source),
}
