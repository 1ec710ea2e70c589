//! The `ack` header of a MESSAGE of STOMP 1.2, which an ACK or NACK names as its `id`.

use crate::hub::{DeliveryId, SubscriptionId};
use core::{fmt, str::FromStr};

/// What an ACK or NACK is about: `3-17` is delivery 17 of subscription 3, and `3-gap` is a gap in
/// subscription 3.
///
/// Both numbers are those of one connection, and an ACK reaches only deliveries of its own connection.
/// So a client that makes up a text can acknowledge nothing that was not delivered to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AckId {
    pub(super) subscription: SubscriptionId,
    /// `None` for a gap, which needs no acknowledgement.
    pub(super) delivery: Option<DeliveryId>,
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.delivery {
            Some(delivery) => write!(f, "{}-{}", self.subscription.0, delivery.0),
            None => write!(f, "{}-gap", self.subscription.0),
        }
    }
}

impl FromStr for AckId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (subscription, delivery) = text.split_once('-').ok_or(())?;
        let delivery = if delivery == "gap" { None } else { Some(DeliveryId(number(delivery)?)) };
        Ok(Self { subscription: SubscriptionId(number(subscription)?), delivery })
    }
}

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
        for text in ["0-0", "3-17", "4294967295-18446744073709551615", "7-gap"] {
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
            "1-gaps",
            "gap-gap",
            " 1-1",
            "1\u{2212}1",
        ] {
            assert_eq!(text.parse::<AckId>(), Err(()), "{text:?}");
        }
    }
}
