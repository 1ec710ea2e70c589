//! The rules that the hub asks.

use super::{claims::Claims, permissions::Permissions};
use sansocket_realtime::hub::{Authorization, Principal};

/// The rules by which the hub decides who may use which destination.
///
/// A user whose [`Claims`] have permissions has these and no others. Other users have those of
/// [`users`](Self::users), and clients that are nobody have those of [`anonymous`](Self::anonymous).
///
/// | by default | may subscribe to | may publish to |
/// |---|---|---|
/// | users | `/topic/**`, `/app/**` | `/app/**` |
/// | anonymous clients | – | – |
///
/// So a message of a user reaches a topic through the application alone, unless a token says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// What users may do whose claims have no permissions.
    pub users: Permissions,
    /// What clients may do that were not authenticated.
    pub anonymous: Permissions,
}

impl Default for Rules {
    fn default() -> Self {
        let users = Permissions::of(&["/topic/**", "/app/**"], &["/app/**"]);
        Self { users, anonymous: Permissions::none() }
    }
}

impl Rules {
    /// Creates rules by which everybody may subscribe and publish to all topics and to the application: for
    /// development, and for networks in which you trust everybody.
    #[must_use]
    pub fn open() -> Self {
        let everything = Permissions::of(&["/topic/**", "/app/**"], &["/topic/**", "/app/**"]);
        Self { users: everything.clone(), anonymous: everything }
    }

    /// Sets [`users`](Self::users).
    #[must_use]
    pub fn users(mut self, users: Permissions) -> Self {
        self.users = users;
        self
    }

    /// Sets [`anonymous`](Self::anonymous).
    #[must_use]
    pub fn anonymous(mut self, anonymous: Permissions) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Returns the permissions of a user.
    #[must_use]
    pub fn permissions<'a>(&'a self, user: Option<&'a Principal>) -> &'a Permissions {
        let Some(user) = user else { return &self.anonymous };
        user.details::<Claims>()
            .and_then(|claims| claims.permissions.as_ref())
            .unwrap_or(&self.users)
    }
}

impl Authorization for Rules {
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        // Nobody but its owner can subscribe to the queue of a user.
        if destination.starts_with("/user/queue/") {
            return true;
        }
        let topic = destination.strip_prefix("/presence").unwrap_or(destination);
        self.permissions(user).may_subscribe(topic)
    }

    fn may_subscribe_pattern(&self, user: Option<&Principal>, pattern: &str) -> bool {
        self.permissions(user).may_subscribe(pattern)
    }

    fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
        self.permissions(user).may_publish(destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_users_publish_through_the_application_alone() {
        let (rules, joe) = (Rules::default(), Principal::new("joe"));
        let joe = Some(&joe);
        assert!(rules.may_subscribe(joe, "/topic/a") && rules.may_subscribe(joe, "/app/a"));
        assert!(rules.may_subscribe_pattern(joe, "/topic/**") && rules.may_send(joe, "/app/a"));
        for destination in ["/topic/a", "/queue/a", "/user/ann/queue/a"] {
            assert!(!rules.may_send(joe, destination), "{destination}");
        }
        assert!(!rules.may_subscribe(joe, "/queue/a"));
        assert!(!rules.may_subscribe(None, "/topic/a") && !rules.may_send(None, "/app/a"));
        assert!(!rules.may_subscribe_pattern(None, "/topic/*"));
    }

    #[test]
    fn everybody_has_their_own_user_queues() {
        let rules = Rules::default();
        assert!(rules.may_subscribe(None, "/user/queue/replies"));
        assert!(rules.may_subscribe(Some(&Principal::new("joe")), "/user/queue/replies"));
        // This is the queue of another user.
        assert!(!rules.may_subscribe(None, "/user/joe/queue/replies"));
    }

    #[test]
    fn permissions_of_claims_replace_those_of_users() {
        let rules = Rules::open();
        let permissions = Permissions::none().subscribe("/topic/a").unwrap();
        let joe = Claims::new().permissions(permissions).of("joe");
        assert!(rules.may_subscribe(Some(&joe), "/topic/a"));
        assert!(
            !rules.may_subscribe(Some(&joe), "/topic/b") && !rules.may_send(Some(&joe), "/app/a")
        );
        let ann = Claims::new().of("ann");
        assert!(
            rules.may_subscribe(Some(&ann), "/topic/b") && rules.may_send(Some(&ann), "/app/a")
        );
        // Permissions for nothing are not the same as none of one's own.
        let eve = Claims::new().permissions(Permissions::none()).of("eve");
        assert!(!rules.may_subscribe(Some(&eve), "/topic/a"));
    }

    #[test]
    fn a_pattern_is_allowed_if_all_of_its_topics_are() {
        let permissions = Permissions::none().subscribe("/topic/orders/*").unwrap();
        let rules = Rules::default().anonymous(permissions);
        assert!(rules.may_subscribe_pattern(None, "/topic/orders/*"));
        for pattern in ["/topic/orders/**", "/topic/*", "/topic/**", "/topic/*/42"] {
            assert!(!rules.may_subscribe_pattern(None, pattern), "{pattern}");
        }
    }

    #[test]
    fn presence_needs_the_permission_of_the_topic() {
        let permissions = Permissions::none().subscribe("/topic/room/*").unwrap();
        let rules = Rules::default().anonymous(permissions);
        assert!(rules.may_subscribe(None, "/presence/topic/room/a"));
        assert!(!rules.may_subscribe(None, "/presence/topic/other"));
    }

    #[test]
    fn open_rules_have_no_queues() {
        let rules = Rules::open();
        assert!(rules.may_send(None, "/topic/a") && rules.may_subscribe_pattern(None, "/topic/**"));
        assert!(!rules.may_send(None, "/queue/a") && !rules.may_subscribe(None, "/queue/a"));
        assert!(!rules.may_send(None, "/user/joe/queue/a"));
    }
}
