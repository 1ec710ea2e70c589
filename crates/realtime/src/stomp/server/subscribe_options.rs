//! The options in a SUBSCRIBE.

use super::{
    error::{SessionError, invalid},
    header as own_header,
};
use crate::{
    hub::{Acknowledgement, Start, SubscribeOptions},
    stomp::{Frame, header::AckMode},
};
use core::num::NonZeroU32;

/// Reads where a subscription begins, and how its messages are acknowledged.
pub(super) fn subscribe_options(
    frame: &Frame<'_>,
    ack: AckMode,
) -> Result<SubscribeOptions, SessionError> {
    let [since, start, gaps, prefetch, activemq_prefetch] = frame.pick([
        own_header::SINCE,
        own_header::START,
        own_header::GAPS,
        own_header::PREFETCH_COUNT,
        own_header::ACTIVEMQ_PREFETCH_SIZE,
    ]);
    let begins = match (since, start) {
        (Some(_), Some(_)) => {
            return Err(invalid(frame, own_header::START, "can't stand beside \"since\""));
        }
        (since, start) => since
            .map(|since| (own_header::SINCE, since))
            .or(start.map(|start| (own_header::START, start))),
    };
    let start = match begins {
        None => Start::Now,
        Some((name, text)) => Start::parse(&text)
            .ok_or_else(|| invalid(frame, name, "is not a cursor, now, last or beginning"))?,
    };
    let gaps = match gaps.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid(frame, own_header::GAPS, "is not true or false")),
    };
    let acknowledgement = match ack {
        AckMode::Auto => Acknowledgement::Automatic,
        AckMode::Client => Acknowledgement::Cumulative,
        AckMode::ClientIndividual => Acknowledgement::Individual,
    };
    let window = match prefetch {
        Some(text) => window(frame, own_header::PREFETCH_COUNT, &text)?,
        None => match activemq_prefetch {
            Some(text) => window(frame, own_header::ACTIVEMQ_PREFETCH_SIZE, &text)?,
            None => None,
        },
    };
    let options = SubscribeOptions::default().start(start).gaps(gaps).window(window);
    Ok(options.acknowledgement(acknowledgement))
}

/// Reads a number of messages. 0 means that the client has no wish.
fn window(
    frame: &Frame<'_>,
    header: &'static str,
    text: &str,
) -> Result<Option<NonZeroU32>, SessionError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(count) if is_number => Ok(NonZeroU32::new(count)),
        _ => Err(invalid(frame, header, "is not a number of messages")),
    }
}
