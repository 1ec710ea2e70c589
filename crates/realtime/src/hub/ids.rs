//! Names of what comes and goes in a hub.

use core::num::NonZeroU64;

/// Names a connection: a WebSocket, an event stream, or a request that waits for events. You choose
/// the number. No two connections have the same at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Names a subscription among those of its connection. The session of the connection chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u32);

/// Names a command in its answer. The session of the connection chooses it, and gets it back in
/// [`Effect::Processed`](super::Effect::Processed) or [`Effect::Refused`](super::Effect::Refused).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names a message that was delivered on a subscription and is to be acknowledged. The numbers of a
/// subscription grow, and are not used again: a message that is delivered again has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// Names a [call](super::Call) when it is finished. Keep it instead of the whole call if the answer
/// takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId {
    pub(super) requester: Requester,
    /// The subscription that has made the call, and the number of the call: the name can be that of
    /// another subscription later.
    pub(super) subscription: Option<(SubscriptionId, NonZeroU64)>,
}

/// Where the answer to a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Requester {
    pub(super) connection: Option<ConnectionId>,
    /// The [generation](Connection::generation) of the connection. An answer is not for a connection
    /// that has taken the name since.
    pub(super) generation: u32,
    pub(super) request: Option<RequestId>,
    /// The number under which the connection lists the command while it waits for its answer.
    pub(super) number: Option<NonZeroU64>,
    /// Whether the answer is that of a transaction or a call, which has no cursor of one message.
    pub(super) has_parts: bool,
}

impl Requester {
    /// Nobody waits for an answer.
    pub(super) const NOBODY: Self = Self::application(None);

    /// The application itself waits for the answer.
    pub(super) const fn application(request: Option<RequestId>) -> Self {
        Self { connection: None, generation: 0, request, number: None, has_parts: false }
    }
}
