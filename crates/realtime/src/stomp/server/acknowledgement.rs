//! The `ack` header of a MESSAGE of STOMP 1.2, which an ACK or NACK names as its `id`.

use crate::hub::{DeliveryId, SubscriptionId};
use core::{fmt, str::FromStr};

/// What an ACK or NACK is about: `3-17` is delivery 17 of subscription 3, and `3-17-gap` is the gap that
/// follows it. `3-0-gap` follows none.
///
/// Both numbers are those of one connection, and an ACK reaches only deliveries of its own connection.
/// So a client that makes up a text can acknowledge nothing that was not delivered to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AckId {
    pub(super) subscription: SubscriptionId,
    pub(super) delivery: DeliveryId,
    pub(super) is_gap: bool,
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.is_gap { GAP } else { "" };
        write!(f, "{}-{}{suffix}", self.subscription.0, self.delivery.0)
    }
}

impl FromStr for AckId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (subscription, rest) = text.split_once('-').ok_or(())?;
        let (delivery, is_gap) = match rest.strip_suffix(GAP) {
            Some(delivery) => (delivery, true),
            None => (rest, false),
        };
        let subscription = SubscriptionId(number(subscription)?);
        Ok(Self { subscription, delivery: DeliveryId(number(delivery)?), is_gap })
    }
}

const GAP: &str = "-gap";

/// Reads a number in the form in which it was written, so that each `AckId` has one text.
fn number<Number: FromStr>(text: &str) -> Result<Number, ()> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_canonical { text.parse().map_err(|_| ()) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_id_has_one_text() {
        for text in ["0-0", "3-17", "4294967295-18446744073709551615", "7-0-gap"] {
            assert_eq!(text.parse::<AckId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "01-1",
            "1-01",
            "+1-1",
            "1-+1",
            "1-1-1",
            "4294967296-1",
            "1-18446744073709551616",
            "a-1",
            "1-gap",
            "1-1-gaps",
            "1-1-gap-gap",
            "1--gap",
            "gap-gap",
            " 1-1",
            "1\u{2212}1",
        ] {
            assert_eq!(text.parse::<AckId>(), Err(()), "{text:?}");
        }
    }
}
