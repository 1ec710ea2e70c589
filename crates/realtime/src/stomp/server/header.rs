//! Headers of this server's own, and headers that a message can't have.
//!
//! | frame | header | meaning |
//! |---|---|---|
//! | SUBSCRIBE | [`since`](SINCE) | begin with the first message after this cursor, which is the `message-id` of a MESSAGE, or the `cursor` of a RECEIPT |
//! | SUBSCRIBE | [`start`](START) | `now`, `last` or `beginning`: see [`Start`](crate::hub::Start). It is another name of `since`: each takes the values of both, and they can't stand beside each other |
//! | SUBSCRIBE | [`gaps`](GAPS) | `true`: the client understands gaps. With `since` it has to, so that needs no `gaps` |
//! | SUBSCRIBE | [`prefetch-count`](PREFETCH_COUNT), [`activemq.prefetchSize`](ACTIVEMQ_PREFETCH_SIZE) | how many messages can be unacknowledged at a time; 0 leaves it to the server |
//! | MESSAGE | [`redelivered`](header::REDELIVERED) | `true`: the message was delivered before, to this or to another client |
//! | MESSAGE | [`gap-from`](GAP_FROM), [`gap-to`](GAP_TO) | the message is a gap: see the [module](super#gaps) |
//! | RECEIPT | [`cursor`](CURSOR) | of SEND, the place of the message; of SUBSCRIBE, where the subscription begins |
//! | CONNECTED | [`user-name`](USER_NAME) | who the client is, if it was authenticated |
//! | ERROR | [`command`](COMMAND) | the command of the frame that caused it, if that is known |

use crate::stomp::header;

/// `since` of SUBSCRIBE: the cursor after which the subscription begins.
pub const SINCE: &str = "since";
/// `start` of SUBSCRIBE: where the subscription begins.
pub const START: &str = "start";
/// `gaps` of SUBSCRIBE: whether the client understands gaps.
pub const GAPS: &str = "gaps";
/// `prefetch-count` of SUBSCRIBE: how many messages can be unacknowledged.
pub const PREFETCH_COUNT: &str = "prefetch-count";
/// `activemq.prefetchSize` of SUBSCRIBE: another name of `prefetch-count`.
pub const ACTIVEMQ_PREFETCH_SIZE: &str = "activemq.prefetchSize";
/// `selector` of SUBSCRIBE, which is refused: nothing here filters messages by their headers.
pub const SELECTOR: &str = "selector";
/// `gap-from` of MESSAGE: the last message before the gap.
pub const GAP_FROM: &str = "gap-from";
/// `gap-to` of MESSAGE: what follows the gap comes after this.
pub const GAP_TO: &str = "gap-to";
/// `cursor` of RECEIPT.
pub const CURSOR: &str = "cursor";
/// `user-name` of CONNECTED.
pub const USER_NAME: &str = "user-name";
/// `command` of ERROR.
pub const COMMAND: &str = "command";

/// Returns whether a header of this name has a meaning of its own, so that it is no header of the
/// application: a SEND does not pass it on, and a MESSAGE has it from the server alone.
///
/// These are the headers of SEND itself, those that the server writes into MESSAGE and RECEIPT, and
/// those of a login, which are nobody else's business.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 18] = [
        header::DESTINATION,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::RECEIPT,
        header::TRANSACTION,
        header::MESSAGE_ID,
        header::SUBSCRIPTION,
        header::ACK,
        header::RECEIPT_ID,
        header::ACCEPT_VERSION,
        header::HEART_BEAT,
        header::HOST,
        header::LOGIN,
        header::PASSCODE,
        header::SESSION,
        header::SERVER,
        header::REDELIVERED,
        CURSOR,
    ];
    name.starts_with("gap-")
        || name == USER_NAME
        || RESERVED.contains(&name)
        // Clients of browsers, which can't set headers of the handshake, often send it with each frame.
        || name.eq_ignore_ascii_case("authorization")
}
