//! Users.

use alloc::{boxed::Box, sync::Arc};
use core::{
    any::Any,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// A user, as it was authenticated. A user can have many connections.
///
/// A principal is its name: two of one name are equal, whatever they were authenticated with. Beside the
/// name it can have [details](Self::with_details), such as the claims of the token of this connection.
#[derive(Clone)]
#[doc(alias = "claims")]
#[doc(alias = "Authentication")]
pub struct Principal(Arc<Inner>);

struct Inner {
    name: Box<str>,
    details: Option<Box<dyn Any + Send + Sync>>,
}

impl Principal {
    /// Creates a principal.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(Arc::new(Inner { name: name.into(), details: None }))
    }

    /// Creates a principal with what else is known of it: for your [`Authorization`], which gets the
    /// principal of the connection that it decides about.
    ///
    /// ```
    /// use sansocket_realtime::hub::{Authorization, Principal};
    ///
    /// struct Claims { may_send: bool }
    ///
    /// struct Rules;
    ///
    /// impl Authorization for Rules {
    ///     fn may_subscribe_pattern(&self, _: Option<&Principal>, _: &str) -> bool {
    ///         true
    ///     }
    ///
    ///     fn may_send(&self, user: Option<&Principal>, _: &str) -> bool {
    ///         user.and_then(Principal::details).is_some_and(|claims: &Claims| claims.may_send)
    ///     }
    /// }
    ///
    /// let joe = Principal::with_details("joe", Claims { may_send: true });
    /// assert!(Rules.may_send(Some(&joe), "/topic/a"));
    /// assert!(!Rules.may_send(Some(&Principal::new("joe")), "/topic/a"));
    /// ```
    ///
    /// [`Authorization`]: super::Authorization
    #[must_use]
    pub fn with_details<T: Send + Sync + 'static>(name: impl Into<Box<str>>, details: T) -> Self {
        Self(Arc::new(Inner { name: name.into(), details: Some(Box::new(details)) }))
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the details, if it was created with some of this type.
    #[must_use]
    pub fn details<T: 'static>(&self) -> Option<&T> {
        self.0.details.as_ref()?.downcast_ref()
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Principal {}

impl PartialOrd for Principal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Principal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// The details can be secrets, so it shows the name alone.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Principal").field(&self.name()).finish()
    }
}
