//! What is known of a user beside the name.

use super::permissions::Permissions;
use sansocket_realtime::hub::Principal;
use std::time::SystemTime;

/// What is known of a user beside the name: the details of a [`Principal`].
///
/// ```
/// use sansocket_server::access::{Claims, Permissions};
///
/// let joe = Claims::new().permissions(Permissions::none().subscribe("/topic/a")?).of("joe");
/// assert_eq!(joe.name(), "joe");
/// assert_eq!(Claims::expires_at(&joe), None);
/// # Ok::<(), sansocket_server::access::InvalidDestinationPattern>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// What the user may do. Without, the user may do what all users may.
    pub permissions: Option<Permissions>,
    /// When the credentials stop to be valid. Connections of the user end then.
    pub expires_at: Option<SystemTime>,
}

impl Claims {
    /// Creates claims that say nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { permissions: None, expires_at: None }
    }

    /// Sets [`permissions`](Self::permissions).
    #[must_use]
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// Sets when the credentials stop to be valid.
    #[must_use]
    pub const fn expiring_at(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Returns a principal of this name with these claims.
    #[must_use]
    pub fn of(self, name: impl Into<Box<str>>) -> Principal {
        Principal::with_details(name, self)
    }

    /// Returns when the credentials of a principal stop to be valid: end its connection then. `None` means
    /// never.
    #[must_use]
    pub fn expires_at(principal: &Principal) -> Option<SystemTime> {
        principal.details::<Self>()?.expires_at
    }
}
