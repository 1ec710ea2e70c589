//! Names of headers, and the headers whose values have a grammar.

use core::{fmt, str::FromStr, time::Duration};

/// `accept-version` of CONNECT: see [`Version::highest_common`](super::Version::highest_common).
pub const ACCEPT_VERSION: &str = "accept-version";
/// `ack`: of SUBSCRIBE, see [`AckMode`]; of MESSAGE, what the ACK has to name as its `id` (1.2).
pub const ACK: &str = "ack";
/// `content-length`: the length of the body in bytes.
pub const CONTENT_LENGTH: &str = "content-length";
/// `content-type`: the MIME type of the body.
pub const CONTENT_TYPE: &str = "content-type";
/// `destination` of SEND, SUBSCRIBE and MESSAGE.
pub const DESTINATION: &str = "destination";
/// `heart-beat` of CONNECT and CONNECTED: see [`HeartBeat`].
pub const HEART_BEAT: &str = "heart-beat";
/// `host` of CONNECT: the virtual host.
pub const HOST: &str = "host";
/// `id`: of SUBSCRIBE and UNSUBSCRIBE, the subscription; of ACK and NACK, the message (1.2).
pub const ID: &str = "id";
/// `login` of CONNECT: the user.
pub const LOGIN: &str = "login";
/// `message` of ERROR: a short description.
pub const MESSAGE: &str = "message";
/// `message-id` of MESSAGE, and of ACK and NACK before 1.2.
pub const MESSAGE_ID: &str = "message-id";
/// `passcode` of CONNECT: the user's password.
pub const PASSCODE: &str = "passcode";
/// `receipt` of any frame of a client but CONNECT: asks for a RECEIPT.
pub const RECEIPT: &str = "receipt";
/// `receipt-id` of RECEIPT and ERROR: the `receipt` that it answers.
pub const RECEIPT_ID: &str = "receipt-id";
/// `redelivered` of MESSAGE: `true` if it was delivered before and not acknowledged. It is not in the
/// specifications, and several brokers send it.
pub const REDELIVERED: &str = "redelivered";
/// `server` of CONNECTED: the name of the server, and its version.
pub const SERVER: &str = "server";
/// `session` of CONNECTED: identifies the session.
pub const SESSION: &str = "session";
/// `subscription` of MESSAGE, and of ACK and NACK in 1.1.
pub const SUBSCRIPTION: &str = "subscription";
/// `transaction` of BEGIN, COMMIT and ABORT, and of what belongs to a transaction.
pub const TRANSACTION: &str = "transaction";
/// `version` of CONNECTED: the version of the session. Of ERROR: the versions of the server.
pub const VERSION: &str = "version";

/// No headers, for [`Encoder::encode`](super::Encoder::encode) and its like.
pub const NONE: [(&str, &str); 0] = [];

/// The value of a `heart-beat` header (1.2 §Heart-beating): two numbers of milliseconds.
///
/// ```
/// use sansocket_realtime::stomp::header::HeartBeat;
/// use core::time::Duration;
///
/// let client: HeartBeat = "10000,0".parse()?;
/// let server = HeartBeat::new(Duration::from_secs(25), Duration::from_secs(25));
/// // The server beats never, and expects a beat every 25 seconds.
/// let agreed = server.agree(client);
/// assert_eq!(agreed.to_string(), "0,25000");
/// # Ok::<(), sansocket_realtime::stomp::header::InvalidHeartBeat>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeartBeat {
    /// How often the endpoint can send something, at the most often. Zero means that it can't.
    pub outgoing: Duration,
    /// How often the endpoint wants to receive something. Zero means that it does not want to.
    pub incoming: Duration,
}

impl HeartBeat {
    /// Creates a value from how often an endpoint can send, and how often it wants to receive.
    #[must_use]
    pub const fn new(outgoing: Duration, incoming: Duration) -> Self {
        Self { outgoing, incoming }
    }

    /// Returns how often this endpoint has to send and may expect something, given what the peer
    /// says. In each direction that is the larger of both wishes, or never (zero) if either is zero.
    ///
    /// A missing header means the default, `0,0`.
    #[must_use]
    pub fn agree(self, peer: Self) -> Self {
        let agree = |one: Duration, other: Duration| {
            if one.is_zero() || other.is_zero() { Duration::ZERO } else { one.max(other) }
        };
        Self {
            outgoing: agree(self.outgoing, peer.incoming),
            incoming: agree(self.incoming, peer.outgoing),
        }
    }
}

/// Writes whole milliseconds. A shorter time than a millisecond becomes 1, since 0 means never.
impl fmt::Display for HeartBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", milliseconds(self.outgoing), milliseconds(self.incoming))
    }
}

impl FromStr for HeartBeat {
    type Err = InvalidHeartBeat;

    fn from_str(text: &str) -> Result<Self, InvalidHeartBeat> {
        let (outgoing, incoming) = text.split_once(',').ok_or(InvalidHeartBeat)?;
        let duration =
            |text: &str| digits(text.as_bytes()).map(Duration::from_millis).ok_or(InvalidHeartBeat);
        Ok(Self { outgoing: duration(outgoing)?, incoming: duration(incoming)? })
    }
}

/// A text is not a [`HeartBeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a heart-beat: it has to be two numbers of milliseconds with a comma between them")]
pub struct InvalidHeartBeat;

/// How a subscription acknowledges its messages: the `ack` header of SUBSCRIBE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AckMode {
    /// `auto`, also without the header: a message counts as consumed once it is sent.
    #[default]
    Auto,
    /// `client`: an ACK covers a message and all before it in the subscription.
    Client,
    /// `client-individual`: an ACK covers one message (since 1.1).
    ClientIndividual,
}

impl AckMode {
    /// Returns the value of the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Client => "client",
            Self::ClientIndividual => "client-individual",
        }
    }
}

impl fmt::Display for AckMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AckMode {
    type Err = InvalidAckMode;

    fn from_str(text: &str) -> Result<Self, InvalidAckMode> {
        [Self::Auto, Self::Client, Self::ClientIndividual]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(InvalidAckMode)
    }
}

/// A text is not an [`AckMode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mode of acknowledgment: it has to be auto, client or client-individual")]
pub struct InvalidAckMode;

/// Reads a number that has only digits, or `None` if it has none, other bytes, or exceeds 64 bits.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn milliseconds(duration: Duration) -> u128 {
    if duration.is_zero() { 0 } else { duration.as_millis().max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heart_beat_is_two_numbers() {
        let beat = |outgoing, incoming| {
            HeartBeat::new(Duration::from_millis(outgoing), Duration::from_millis(incoming))
        };
        assert_eq!("0,0".parse(), Ok(HeartBeat::default()));
        assert_eq!("10000,020".parse(), Ok(beat(10_000, 20)));
        for text in [
            "", ",", "1", "1,", ",1", "1,2,3", "-1,1", "+1,1", "1, 1", " 1,1", "1,1.5", "1,x",
            "1;1",
        ] {
            assert_eq!(text.parse::<HeartBeat>(), Err(InvalidHeartBeat), "{text:?}");
        }
        let largest = HeartBeat::new(Duration::MAX, Duration::from_millis(u64::MAX));
        assert!(largest.to_string().parse::<HeartBeat>().is_err());
        assert_eq!("0,18446744073709551615".parse(), Ok(beat(0, u64::MAX)));
        assert_eq!(HeartBeat::new(Duration::from_nanos(1), Duration::ZERO).to_string(), "1,0");
    }

    #[test]
    fn the_larger_wish_counts_in_each_direction() {
        let agree = |one: &str, other: &str| {
            one.parse::<HeartBeat>().unwrap().agree(other.parse().unwrap()).to_string()
        };
        assert_eq!(agree("1,2", "3,4"), "4,3");
        assert_eq!(agree("9,2", "1,4"), "9,2");
        assert_eq!(agree("0,2", "3,4"), "0,3");
        assert_eq!(agree("1,2", "0,4"), "4,0");
        assert_eq!(agree("1,2", "0,0"), "0,0");
    }

    #[test]
    fn numbers_have_digits_alone() {
        for text in ["", "+1", "-1", " 1", "1 ", "0x1", "1e3", "१", "18446744073709551616"] {
            assert_eq!(digits(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(digits(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(digits(b"007"), Some(7));
    }

    #[test]
    fn modes_of_acknowledgment_are_exact() {
        for mode in [AckMode::Auto, AckMode::Client, AckMode::ClientIndividual] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for text in ["", "Auto", "client ", "individual"] {
            assert_eq!(text.parse::<AckMode>(), Err(InvalidAckMode), "{text:?}");
        }
    }
}
