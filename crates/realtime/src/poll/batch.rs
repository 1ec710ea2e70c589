//! What an answer contains.

use super::config::Config;
use crate::{
    cursor::Cursor,
    guard::Answer,
    http::{Response, event},
    hub::{Gap, Refusal, Start},
    message::Published,
};
use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::time::Duration;

/// What is known of a poll that is not parked.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The subscription has not begun.
    pub(super) waiting: Option<Waiting>,
    pub(super) refusal: Option<Box<Refusal>>,
    items: Vec<Item>,
    /// How many bytes the items have in the answer.
    bytes: usize,
    /// There was an event that had no room.
    is_full: bool,
    /// The cursor of the last event that has one.
    last: Option<Cursor>,
}

/// A poll whose subscription has not begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// When the poll is to be answered once its subscription has begun.
    pub(super) park_until: Duration,
    pub(super) start: Start,
}

#[derive(Debug)]
enum Item {
    Message(Arc<Published>),
    Gap(Gap),
}

/// The body of an answer with one message, which all polls get that wait for it.
#[derive(Debug)]
pub(super) struct Shared {
    message: Arc<Published>,
    body: Bytes,
}

impl Batch {
    /// Creates what is known of a poll at first.
    pub(super) fn of(waiting: Waiting) -> Self {
        Self { waiting: Some(waiting), ..Self::default() }
    }

    pub(super) fn add_message(&mut self, message: &Arc<Published>, config: &Config) {
        let Some(cursor) = message.cursor() else {
            // A reply can't be got by the next poll, so there is always room for it.
            let size = event::of_message(message).len();
            return self.push(Item::Message(message.clone()), size);
        };
        if self.is_full {
            return;
        }
        let size = event::of_message(message).len();
        if self.has_room(size, config) {
            self.push(Item::Message(message.clone()), size);
            self.last = Some(cursor);
        }
    }

    /// Adds a gap. One that has no room is told again to the poll that gets what follows.
    pub(super) fn add_gap(&mut self, gap: Gap, config: &Config) {
        if self.has_room(GAP_SIZE, config) {
            self.push(Item::Gap(gap), GAP_SIZE);
            self.last = Some(gap.to);
        }
    }

    /// Returns the answer. `through` is where the subscription has got everything, if it has begun.
    pub(super) fn into_response(
        self,
        through: Option<Cursor>,
        shared: &mut Option<Shared>,
    ) -> Response {
        if self.items.is_empty() {
            if let Some(refusal) = &self.refusal {
                return Response::from(&Answer::from(&**refusal));
            }
        }
        let cursor = self.cursor(through);
        let cursor = cursor.or(match self.waiting.map(|waiting| waiting.start) {
            Some(Start::After(cursor)) => Some(cursor),
            _ => None,
        });
        match (&self.items[..], cursor) {
            ([], None) => Response::later("the topics can't be reached now", AWAY),
            ([], Some(cursor)) => without_events(cursor),
            ([Item::Message(message)], Some(cursor)) if message.cursor() == Some(cursor) => {
                Response::json(shared_body(message, cursor, shared))
            }
            (items, cursor) => Response::json(body(items, self.bytes, cursor)),
        }
    }

    /// Returns where the next poll begins: behind the events of the answer, or further if there is
    /// nothing between them and the place of the subscription.
    fn cursor(&self, through: Option<Cursor>) -> Option<Cursor> {
        let Some(last) = self.last else { return through };
        // If the sequence is another and the subscription has no room, its place can still be one of the
        // old sequence, before the events.
        let is_further = |through: &Cursor| {
            !self.is_full && through.epoch == last.epoch && through.position > last.position
        };
        Some(through.filter(is_further).unwrap_or(last))
    }

    /// Returns whether there is room for an event that the next poll can get too. If there is none, there
    /// is none for those after it either.
    fn has_room(&mut self, size: usize, config: &Config) -> bool {
        let events = usize::try_from(config.events.get()).unwrap_or(usize::MAX);
        let bytes = self.bytes.saturating_add(size);
        let fits = self.items.len() < events && bytes <= config.bytes;
        self.is_full |= !fits && !self.items.is_empty();
        !self.is_full
    }

    fn push(&mut self, item: Item, size: usize) {
        self.items.push(item);
        self.bytes = self.bytes.saturating_add(size);
    }
}

/// Returns the answer to a poll that has waited in vain.
pub(super) fn without_events(cursor: Cursor) -> Response {
    Response::json(body(&[], 0, Some(cursor)))
}

/// When to poll again if the hub has no cursor to tell.
const AWAY: Duration = Duration::from_secs(5);

/// The most bytes that a gap has in an answer.
const GAP_SIZE: usize = r#"{"gap":{"from":"","to":""}}"#.len() + 2 * 37;

fn shared_body(message: &Arc<Published>, cursor: Cursor, shared: &mut Option<Shared>) -> Bytes {
    if let Some(shared) = shared {
        if Arc::ptr_eq(&shared.message, message) {
            return shared.body.clone();
        }
    }
    let size = event::of_message(message).len();
    let body = body(&[Item::Message(message.clone())], size, Some(cursor));
    *shared = Some(Shared { message: message.clone(), body: body.clone() });
    body
}

fn body(items: &[Item], size: usize, cursor: Option<Cursor>) -> Bytes {
    let around = r#"{"events":[],"cursor":""}"#.len() + 37;
    let mut out = Vec::with_capacity(size.saturating_add(items.len()).saturating_add(around));
    out.extend_from_slice(b"{\"events\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match item {
            Item::Message(message) => out.extend_from_slice(event::of_message(message)),
            Item::Gap(gap) => {
                let mut text = String::from("{\"gap\":");
                event::write_gap(gap, &mut text);
                text.push('}');
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out.push(b']');
    if let Some(cursor) = cursor {
        out.extend_from_slice(format!(",\"cursor\":\"{cursor}\"").as_bytes());
    }
    out.push(b'}');
    out.into()
}
