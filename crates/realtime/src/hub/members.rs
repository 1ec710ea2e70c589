//! The members of a topic.

use super::{ids::ConnectionId, principal::Principal};
use crate::json::{Escape, write_string};
use alloc::{collections::BTreeMap, string::String};

/// Who is subscribed to a topic, and by how many subscriptions.
pub(super) type Members = BTreeMap<Member, u32>;

/// A user, or a connection without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    User(Principal),
    Anonymous(ConnectionId),
}

impl Member {
    /// Appends the JSON of the member: the name of the user, or `null`.
    pub(super) fn write(&self, json: &mut String) {
        match self {
            Self::User(user) => write_string(user.name(), Escape::Required, json),
            Self::Anonymous(_) => json.push_str("null"),
        }
    }
}
