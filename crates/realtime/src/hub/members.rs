//! The members of a topic.

use super::{effect::Presence, ids::ConnectionId, principal::Principal};
use crate::{
    bridge,
    cursor::Epoch,
    json::{Escape, write_string},
    message::Message,
};
use alloc::{collections::BTreeMap, format, string::ToString};

/// Who is subscribed to a topic of this hub.
pub(super) type Members = BTreeMap<Member, Membership>;

/// How a member is in a topic.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// By how many subscriptions.
    pub(super) subscriptions: u32,
    /// Whether the bridge was told that the member is here. It can know it until it is told otherwise.
    pub(super) is_entered: bool,
}

/// A user, or a connection without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    User(Principal),
    Anonymous(ConnectionId),
}

impl Member {
    /// Returns the message that the member has come or gone.
    pub(super) fn event(&self, event: &str, node: Epoch) -> Message {
        let mut json = format!(r#"{{"event":"{event}","user":"#);
        match self {
            Self::User(user) => write_string(user.name(), Escape::Required, &mut json),
            Self::Anonymous(_) => json.push_str("null"),
        }
        json.push_str(&format!(r#","node":"{node}"}}"#));
        Message::new(json).content_type("application/json")
    }

    /// Returns the member as the nodes call it among each other.
    pub(super) fn of_node(&self, node: Epoch) -> bridge::Member {
        match self {
            Self::User(user) => bridge::Member::User(user.name().into()),
            Self::Anonymous(ConnectionId(connection)) => {
                bridge::Member::Anonymous { node, connection: *connection }
            }
        }
    }
}

/// Returns the message that lists members.
pub(super) fn list(presence: &Presence) -> Message {
    let mut json = r#"{"event":"members","users":["#.to_string();
    for user in &presence.users {
        write_string(user, Escape::Required, &mut json);
        json.push(',');
    }
    for _ in 0..presence.anonymous {
        json.push_str("null,");
    }
    if json.ends_with(',') {
        json.pop();
    }
    json.push_str(if presence.is_partial { r#"],"partial":true}"# } else { "]}" });
    Message::new(json).content_type("application/json")
}
