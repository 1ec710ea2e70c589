//! Lines with an effect of the hub.

use super::read_message;
use sansocket_realtime::{
    Message, Published,
    hub::{ConnectionId, DeliveryId, Effect, Gap, Refusal, RequestId, SubscriptionId},
};
use sansocket_testkit::vectors::words::Words;
use std::{str::FromStr, sync::Arc};

/// Reads the rest of an `effect` line.
pub(crate) fn read_effect(words: &mut Words<'_>) -> Effect {
    let is_elsewhere = take(words, "elsewhere");
    let connection = ConnectionId(if is_elsewhere { 2 } else { 1 });
    match words.word() {
        "subscribed" => {
            let subscription = SubscriptionId(words.number());
            let request = value(words, "request").map(RequestId);
            let cursor = value(words, "cursor");
            Effect::Subscribed { connection, subscription, request, cursor }
        }
        "processed" => {
            let request = RequestId(words.number());
            let cursor = value(words, "cursor");
            Effect::Processed { connection: Some(connection), request, cursor }
        }
        "deliver" => read_delivery(words, connection),
        "gap" => {
            let subscription = SubscriptionId(words.number());
            let from = value(words, "from").expect(words.place);
            let to = value(words, "to").expect(words.place);
            Effect::Gap { connection, subscription, gap: Gap { from, to } }
        }
        "refused" => {
            let request = value(words, "request").map(RequestId);
            let subscription = value(words, "subscription").map(SubscriptionId);
            let is_temporary = take(words, "temporary");
            let text = words.rest.replace("\\n", "\n");
            let refusal = match is_temporary {
                true => Refusal::Broker(text),
                false => Refusal::Application(text),
            };
            let refusal = Box::new(refusal);
            Effect::Refused { connection: Some(connection), request, subscription, refusal }
        }
        other => panic!("{}: unknown effect {other}", words.place),
    }
}

fn read_delivery(words: &mut Words<'_>, connection: ConnectionId) -> Effect {
    let subscription = SubscriptionId(words.number());
    let destination = words.word();
    let cursor = value(words, "cursor");
    let delivery = value(words, "delivery").map(DeliveryId);
    let is_redelivered = take(words, "redelivered");
    let (headers, body) = read_message(words.rest, words.place);
    let mut message = Message::new(body);
    for (name, value) in headers {
        message = match name.as_str() {
            "content-type" => message.content_type(value),
            _ => message.header(&name, &value),
        };
    }
    let message = Arc::new(Published::new(cursor, destination.into(), message));
    Effect::Deliver { connection, subscription, delivery, is_redelivered, message }
}

/// Takes a word if it is the next one.
fn take(words: &mut Words<'_>, word: &str) -> bool {
    let is_next = words.rest.split(' ').next() == Some(word);
    if is_next {
        words.word();
    }
    is_next
}

/// Takes a word and the value behind it, if it is the next one.
fn value<T: FromStr>(words: &mut Words<'_>, word: &str) -> Option<T> {
    take(words, word).then(|| words.number())
}
