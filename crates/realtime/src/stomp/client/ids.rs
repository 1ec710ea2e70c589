//! The names that a client gives: numbers that are never used again.

use core::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// Names a subscription of a [`Client`](super::Client). It is not used again, and stays the same
    /// when the client connects again.
    SubscriptionId,
    /// Names a frame whose receipt was asked for. It is not used again.
    ReceiptId,
    /// Names a transaction of a [`Client`](super::Client). It is not used again.
    TransactionId,
}

/// Reads a number that the client has written. Each number has one text.
pub(super) fn own_number(text: &str) -> Option<u64> {
    if text.starts_with('0') {
        return (text == "0").then_some(0);
    }
    crate::stomp::header::digits(text.as_bytes())
}
