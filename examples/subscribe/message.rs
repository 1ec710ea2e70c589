//! Messages and gaps, as all transports tell them.

use base64::{Engine, prelude::BASE64_STANDARD};
use sansocket_realtime::{Cursor, stomp::client::Delivery};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// What the server tells of its topics. As JSON, it has the form of an event of a poll, and that of the
/// data in an event stream whose form is JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Told {
    Gap { gap: Gap },
    Message(Message),
}

/// Messages that may have been lost: those after one cursor and up to another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Gap {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Message {
    pub(crate) topic: String,
    /// Replies, and lists of who is present, have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(crate) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    /// A body that is UTF-8.
    Data(String),
    /// Another, in Base64.
    Base64(String),
}

impl From<&Delivery<'_>> for Message {
    fn from(delivery: &Delivery<'_>) -> Self {
        let message = delivery.to_message();
        let headers = message.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            topic: delivery.destination().to_owned(),
            cursor: delivery.cursor().map(|cursor| cursor.to_string()),
            content_type: message.get_content_type().map(str::to_owned),
            headers: headers.collect(),
            body: match message.text() {
                Some(text) => Body::Data(text.to_owned()),
                None => Body::Base64(BASE64_STANDARD.encode(message.body())),
            },
        }
    }
}

/// The messages that were printed last. Two subscriptions whose patterns overlap get the same message,
/// and so does who begins anew after a connection that was lost early.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    cursors: HashSet<Cursor>,
    order: VecDeque<Cursor>,
}

/// How many messages are remembered. They take about 3 MiB.
const REMEMBERED: usize = 1 << 16;

impl Seen {
    /// Returns whether the message is a new one, as far as can be told, and remembers it.
    pub(crate) fn is_new(&mut self, message: &Message) -> bool {
        let cursor = message.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let Some(cursor) = cursor else { return true };
        if !self.cursors.insert(cursor) {
            return false;
        }
        self.order.push_back(cursor);
        if self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.cursors.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_and_written_as_the_server_writes_it() {
        for json in [
            r#"{"topic":"/topic/a","cursor":"5f3a-7","type":"text/plain","headers":{"x":"1"},"data":"a\n"}"#,
            r#"{"topic":"/topic/a","data":""}"#,
            r#"{"topic":"/topic/a","cursor":"5f3a-7","base64":"/wA="}"#,
            r#"{"gap":{"from":"5f3a-7","to":"77b0-3"}}"#,
        ] {
            let told: Told = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&told).unwrap(), json);
        }
        // What later servers add is ignored.
        let json = r#"{"topic":"/topic/a","new":[1],"data":"b","other":null}"#;
        let Told::Message(message) = serde_json::from_str(json).unwrap() else { panic!("{json}") };
        assert_eq!(message.body, Body::Data("b".to_owned()));
        assert!(serde_json::from_str::<Told>(r#"{"topic":"/topic/a"}"#).is_err());
    }

    #[test]
    fn the_last_messages_are_remembered() {
        let message = |position: usize| Message {
            topic: "/topic/a".to_owned(),
            cursor: Some(format!("a-{position}")),
            content_type: None,
            headers: BTreeMap::new(),
            body: Body::Data(String::new()),
        };
        let mut seen = Seen::default();
        for position in 0..=REMEMBERED {
            assert!(seen.is_new(&message(position)));
            assert!(!seen.is_new(&message(position)));
        }
        assert!(seen.is_new(&message(0)), "it is too long ago");
        assert_eq!(seen.order.len(), REMEMBERED);
        assert_eq!(seen.cursors.len(), REMEMBERED);
        // What has no cursor can't be told apart.
        let reply = Message { cursor: None, ..message(0) };
        assert!(seen.is_new(&reply) && seen.is_new(&reply));
    }
}
