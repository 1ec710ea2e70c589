//! The client, and its connections.

use super::{
    Event, LostTransaction, Unconfirmed,
    config::{ClientConfig, ConnectOptions},
    endpoint::{Endpoint, Offer, RESERVED_IN_CONNECT, TransactionState, reserved},
    error::{ClientError, OpenError},
    state::State,
};
use crate::stomp::{
    Command, Decoder, EncodedFrame, Encoder, Version,
    header::{self, AckMode},
    heartbeat::Heartbeat,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{mem, time::Duration};

/// A client of STOMP that outlives its connections. The [module](super) describes how to drive it.
#[derive(Debug)]
pub struct Client {
    decoder: Decoder,
    pub(super) endpoint: Endpoint,
}

/// What the end of a connection leaves behind. See [`Client::connection_lost`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Lost {
    /// When to open the next transport. `None` means that there is no use in it: the application has
    /// disconnected, the server and the client have no common version, or the attempts of the
    /// [backoff](ClientConfig::backoff) are used up.
    pub reconnect_at: Option<Duration>,
    /// The messages whose receipts have not come, in the order in which they were sent. Those that were
    /// sent without a receipt are not known.
    pub unconfirmed: Vec<Unconfirmed>,
    /// The transactions that were open, or whose COMMIT was not answered.
    pub transactions: Vec<LostTransaction>,
}

/// Connections.
impl Client {
    /// Creates a client that has no connection.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self { decoder: Decoder::client(config.limits.frame), endpoint: Endpoint::new(config) }
    }

    /// Returns where the connection stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.endpoint.state
    }

    /// Returns the version of the connection, once the server has told it.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        let is_known = matches!(self.endpoint.state, State::Connected | State::Disconnecting);
        is_known.then_some(self.endpoint.version)
    }

    /// Replaces what the client says of itself when it connects the next time, such as a passcode that
    /// has expired.
    pub fn set_connect_options(&mut self, options: ConnectOptions) {
        self.endpoint.config.connect = options;
    }

    /// Begins a connection, after you have opened a transport: queues CONNECT.
    ///
    /// # Errors
    ///
    /// Returns an error if there is a connection already, or if CONNECT can't be sent as the options say.
    pub fn connection_opened(&mut self, now: Duration) -> Result<(), OpenError> {
        let endpoint = &mut self.endpoint;
        if endpoint.state != State::Disconnected {
            return Err(OpenError::NotDisconnected { state: endpoint.state });
        }
        let offered = offered(endpoint);
        if offered.is_empty() {
            return Err(OpenError::NoVersion);
        }
        let options = &endpoint.config.connect;
        let names = options.headers.iter().map(|(name, _)| &**name);
        if let Some(name) = reserved(names, &RESERVED_IN_CONNECT) {
            return Err(OpenError::ReservedHeader { name });
        }
        let mut bytes = Vec::new();
        let command = if options.stomp_frame { Command::Stomp } else { Command::Connect };
        Encoder::new(Version::V1_2).encode(
            command,
            connect_headers(options, &offered),
            &[],
            &mut bytes,
        )?;
        endpoint.output.push(EncodedFrame::text(bytes));
        endpoint.offer = Offer { versions: offered, heart_beat: options.heart_beat };
        endpoint.state = State::Connecting;
        endpoint.may_reconnect = true;
        endpoint.heartbeat = Heartbeat::NONE;
        endpoint.answer_by = Some(now.saturating_add(endpoint.config.connect_timeout));
        self.decoder = Decoder::client(endpoint.config.limits.frame);
        Ok(())
    }

    /// Receives bytes: the payload of a WebSocket message, text or binary, or any part of a stream.
    /// Consumes them up to the end of a frame, and returns what that frame says. `None` means that all
    /// are consumed. Call it until then.
    ///
    /// What arrives without a connection, or after its [end](State::Over), is dropped.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection has failed, also if a deadline has found that. It is
    /// [over](State::Over) then, and each call returns the same error.
    pub fn receive<'a, 'input: 'a>(
        &'a mut self,
        input: &mut &'input [u8],
        now: Duration,
    ) -> Result<Option<Event<'a>>, ClientError> {
        let Self { decoder, endpoint } = self;
        if matches!(endpoint.state, State::Disconnected | State::Over) {
            *input = &[];
            return endpoint.failure.clone().map_or(Ok(None), Err);
        }
        if !input.is_empty() {
            // 1.2 §Heart-beating: any new data is a sign of life.
            endpoint.heartbeat.received(now);
        }
        // The frame before, which has told the version, was still borrowed from the decoder.
        if endpoint.state != State::Connecting {
            decoder.set_version(endpoint.version);
        }
        let handled = match decoder.decode(input) {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => endpoint.handle(frame, now),
            Err(error) => Err(error.into()),
        };
        handled.map(Some).map_err(|error| endpoint.fail(error))
    }

    /// Takes the next output, which you write to the transport: over WebSocket as one message of its
    /// [kind](EncodedFrame::kind). Call it
    /// when something can be written. `None` means that there is nothing to write.
    pub fn next_output(&mut self, now: Duration) -> Option<EncodedFrame> {
        let output = self.endpoint.output.pop()?;
        self.endpoint.heartbeat.sent(now);
        Some(output)
    }

    /// Returns how many bytes of output wait to be taken.
    #[must_use]
    pub fn queued_output(&self) -> usize {
        self.endpoint.output.bytes()
    }

    /// Returns when to call [`time_passed`](Self::time_passed), if nothing happens before. Any other call
    /// can change it. When to connect again is [told](Lost::reconnect_at) apart.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let Endpoint { state, heartbeat, answer_by, output, .. } = &self.endpoint;
        if matches!(state, State::Disconnected | State::Over) {
            return None;
        }
        // What is queued and not taken yet is as good as a heart-beat.
        let beat = heartbeat.next_beat().filter(|_| output.is_empty());
        [beat, heartbeat.silent_at(NO_MARGIN), *answer_by].into_iter().flatten().min()
    }

    /// Tells the client that its [deadline](Self::next_deadline) has passed. It queues a heart-beat, or
    /// finds that the server is dead or has not answered in time. A call that comes early does nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection has failed. It is [over](State::Over) then.
    pub fn time_passed(&mut self, now: Duration) -> Result<(), ClientError> {
        let endpoint = &mut self.endpoint;
        if matches!(endpoint.state, State::Disconnected | State::Over) {
            return Ok(());
        }
        if let Some(error) = late(endpoint, now) {
            return Err(endpoint.fail(error));
        }
        let is_due = endpoint.heartbeat.next_beat().is_some_and(|deadline| deadline <= now);
        if is_due && endpoint.output.is_empty() {
            endpoint.output.push(EncodedFrame::text(Encoder::HEART_BEAT.to_vec()));
        }
        Ok(())
    }

    /// Ends the connection gracefully: sends DISCONNECT behind all that is queued, and waits for its
    /// receipt. Then [`Event::Disconnected`] comes, or the
    /// [deadline](ClientConfig::disconnect_timeout) passes. Meanwhile messages arrive, and nothing can
    /// be sent or acknowledged (1.2 §DISCONNECT). Transactions that are open are aborted.
    ///
    /// Before CONNECTED, the connection is [over](State::Over) at once. Without a connection, or if it
    /// ends already, nothing happens.
    pub fn disconnect(&mut self, now: Duration) {
        let endpoint = &mut self.endpoint;
        endpoint.may_reconnect = false;
        // DISCONNECT has only a number in its headers, which each version can write.
        if endpoint.state == State::Connected && endpoint.push_disconnect().is_ok() {
            endpoint.answer_by = Some(now.saturating_add(endpoint.config.disconnect_timeout));
        } else if endpoint.state == State::Connecting {
            endpoint.end();
        }
    }

    /// Reports that the connection has ended, or that the transport could not be opened. Returns when to
    /// open the next one, and what is uncertain. What is queued is dropped.
    ///
    /// `random` is a random number, uniformly distributed over its whole range: clients that have lost
    /// the same server must not return at the same moment.
    pub fn connection_lost(&mut self, now: Duration, random: u64) -> Lost {
        let endpoint = &mut self.endpoint;
        endpoint.output.clear();
        endpoint.failure = None;
        endpoint.state = State::Disconnected;
        endpoint.connection = endpoint.connection.wrapping_add(1);
        for subscription in endpoint.subscriptions.values_mut() {
            subscription.receipt = None;
            subscription.has_begun = false;
            subscription.progress.connection_lost();
        }
        let transactions = mem::take(&mut endpoint.transactions).into_iter();
        let transactions =
            transactions.map(|(transaction, TransactionState { is_committing, .. })| {
                LostTransaction { transaction, is_committing }
            });
        let transactions = transactions.collect();
        let unconfirmed = endpoint.receipts.connection_lost();
        if let Some(connected_at) = endpoint.connected_at.take() {
            endpoint.config.backoff.lasted(now.saturating_sub(connected_at));
        }
        let pause = endpoint.may_reconnect.then(|| endpoint.config.backoff.next(random)).flatten();
        let reconnect_at = pause.map(|pause| now.saturating_add(pause));
        self.decoder = Decoder::client(endpoint.config.limits.frame);
        Lost { reconnect_at, unconfirmed, transactions }
    }
}

/// How long a server may be silent beyond twice the agreed interval.
const NO_MARGIN: Duration = Duration::ZERO;

/// Returns for what the server is late, if a deadline has passed.
fn late(endpoint: &Endpoint, now: Duration) -> Option<ClientError> {
    let has_passed = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
    let Endpoint { state, heartbeat, answer_by, config, .. } = endpoint;
    if has_passed(*answer_by) {
        return Some(match state {
            State::Connecting => ClientError::ConnectTimeout { limit: config.connect_timeout },
            _ => ClientError::DisconnectTimeout { limit: config.disconnect_timeout },
        });
    }
    has_passed(heartbeat.silent_at(NO_MARGIN)).then(|| ClientError::HeartBeatTimeout {
        silent: heartbeat.silent_for(now),
        interval: heartbeat.receives_every(),
    })
}

/// Returns the versions to offer, the lowest first. 1.0 can't acknowledge individually.
fn offered(endpoint: &Endpoint) -> Vec<Version> {
    let mut modes = endpoint.subscriptions.values().map(|subscription| subscription.options.ack);
    let needs_1_1 = modes.any(|mode| mode == AckMode::ClientIndividual);
    let versions = Version::ALL.into_iter().rev();
    let accepted = versions.filter(|version| endpoint.config.connect.accepts(*version));
    accepted.filter(|version| !needs_1_1 || *version > Version::V1_0).collect()
}

fn connect_headers<'a>(options: &'a ConnectOptions, offered: &[Version]) -> Vec<(&'a str, String)> {
    // 1.2 §Protocol Negotiation: the versions are listed in increasing order.
    let versions: Vec<&str> = offered.iter().map(|version| version.as_str()).collect();
    let mut headers = Vec::from([
        (header::ACCEPT_VERSION, versions.join(",")),
        (header::HOST, options.host.clone()),
    ]);
    headers.extend(options.login.clone().map(|login| (header::LOGIN, login)));
    headers.extend(options.passcode.clone().map(|passcode| (header::PASSCODE, passcode)));
    headers.push((header::HEART_BEAT, options.heart_beat.to_string()));
    headers.extend(options.headers.iter().map(|(name, value)| (&**name, value.clone())));
    headers
}
