//! Who may subscribe and send to which destination.

use super::Principal;

/// Decides who may subscribe and send to which destination. The hub asks it for every command of a
/// client that subscribes or sends.
///
/// The provided methods allow everything except sending to the queues of users. The application itself
/// is never asked about.
///
/// ```
/// use sansocket_realtime::hub::{Authorization, Principal};
///
/// /// Only users who are logged in may send, and nobody sees the topics below `/topic/internal`.
/// struct Rules;
///
/// impl Authorization for Rules {
///     fn may_subscribe(&self, _: Option<&Principal>, destination: &str) -> bool {
///         !destination.starts_with("/topic/internal/")
///     }
///
///     fn may_subscribe_pattern(&self, user: Option<&Principal>, pattern: &str) -> bool {
///         pattern.starts_with("/topic/orders/") && user.is_some()
///     }
///
///     fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
///         user.is_some() && destination.starts_with("/app/")
///     }
/// }
/// ```
#[doc(alias = "ChannelInterceptor")]
pub trait Authorization {
    /// Returns whether a user may subscribe to a destination without wildcards. A user queue is
    /// `/user/queue/…`: each user subscribes only to their own. For `/presence/topic/…`, the hub asks
    /// about the topic too.
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        let _ = (user, destination);
        true
    }

    /// Returns whether a user may subscribe to all topics that a pattern matches.
    /// [`may_subscribe`](Self::may_subscribe) is not asked about these topics. So allow a pattern only
    /// if the user may see every topic that it can match.
    fn may_subscribe_pattern(&self, user: Option<&Principal>, pattern: &str) -> bool;

    /// Returns whether a user may send to a destination.
    fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
        let _ = user;
        !destination.starts_with("/user/")
    }
}

/// Allows every user everything except sending to the queues of other users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open;

impl Authorization for Open {
    fn may_subscribe_pattern(&self, _: Option<&Principal>, _: &str) -> bool {
        true
    }
}
