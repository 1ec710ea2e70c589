//! The settings of a server, for programs that embed it.

use crate::access::Authenticator;
use sansocket::connection::Keepalive;
use sansocket::server::{OriginPolicy, TrustedProxies};
use sansocket_realtime::{
    guard::{self, SlowConsumerConfig, Sources},
    hub::{self, Authorization},
    poll, sockjs, sse, stomp,
};
use std::{fmt, sync::Arc, time::Duration};

/// The settings of a [`Server`](crate::Server).
///
/// ```
/// use sansocket_realtime::hub::TopicConfig;
/// use sansocket_server::{Options, Server};
///
/// let mut options = Options::default();
/// let rooms = TopicConfig::default().messages(50).presence(true);
/// options.hub = options.hub.topic("/topic/room/*".parse()?, rooms);
/// let server = Server::builder(options).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// What topics and queues keep, and the limits of the hub.
    pub hub: hub::Config,
    /// How much a user, an address, and all clients at a destination may do.
    pub guard: guard::Limits,
    /// The sessions of STOMP.
    pub stomp: Arc<stomp::server::Config>,
    /// The event streams.
    pub event_streams: sse::EventStreamConfig,
    /// The polls.
    pub polls: poll::Config,
    /// The sessions of SockJS.
    pub sockjs: Arc<sockjs::Config>,
    /// When a client counts as slow.
    pub slow_consumer: SlowConsumerConfig,
    /// The WebSockets. The largest message of a client, in bytes, is a STOMP frame or a part of one. By
    /// default it is 1 MiB, and a little for the headers.
    pub websocket: sansocket::Config,
    /// Of which web pages requests are accepted, and who may read the answers. By default, these are those of
    /// the same origin.
    pub origins: OriginPolicy,
    /// Where clients have their credentials.
    pub sources: Sources,
    /// Says who a client is, and whether clients without credentials are accepted. By default it has no
    /// methods, and every client is anonymous.
    pub authenticator: Authenticator,
    /// Says who may use which destinations. By default everybody may use all, except the queues of other
    /// users.
    pub authorization: Arc<dyn Authorization + Send + Sync>,
    /// Which proxies are believed when they say whose requests they forward. By default none.
    pub trusted_proxies: TrustedProxies,
    /// The longest body of a request that publishes, in bytes; 1 MiB by default, and some for a batch.
    pub publish_body: usize,
    /// How long the body of a request may take to arrive. By default 30 seconds.
    pub body_timeout: Duration,
    /// How long a request that publishes waits for its answer. By default 10 seconds. It takes that long
    /// only if the broker is away or a handler is slow.
    pub publish_timeout: Duration,
    /// How much of one client can wait for [`on_async`](crate::Builder::on_async), in bytes: the calls that are
    /// not answered, each with its message and 512 bytes more. By default 1 MiB. Calls beyond that are refused.
    /// One call may be larger if nothing else of the client waits.
    pub calls_of_client: usize,
    /// The same for all clients together. By default 64 MiB.
    pub calls: usize,
    /// Whether the page at `/` is served. By default it is, unless the
    /// [`authenticator`](Self::authenticator) has methods.
    ///
    /// It brings handlers for `/app/orders/{order}`, `/app/orders/{order}/position` and `/app/chat/{room}`,
    /// unless the application has its own, and what `/topic/orders/*` and `/topic/chat/*` keep, unless
    /// [`hub`](Self::hub) says so. If the [`authenticator`](Self::authenticator) has no methods, a client of
    /// STOMP that tells a login and an empty passcode is the user `guest:` and its login, who may do what a
    /// client without a user may.
    ///
    /// Whoever may publish to these `/app/…` reaches these topics by them, whatever
    /// [`authorization`](Self::authorization) says of the topics. So turn the page on for your users only if
    /// these topics are for all of them.
    pub page: Option<bool>,
    /// The address of an MQTT broker, `host:port`, to which `/mqtt` leads. By default there is none, and
    /// `/mqtt` is not found.
    pub mqtt: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        let keepalive = Keepalive::default();
        let mut websocket = sansocket::Config::default().keepalive(keepalive);
        websocket.limits.message = (1 << 20) + (64 << 10);
        Self {
            hub: hub::Config::default(),
            guard: guard::Limits::default(),
            stomp: Arc::default(),
            event_streams: sse::EventStreamConfig::default(),
            polls: poll::Config::default(),
            // The largest message of a client of STOMP fits, with all that is escaped in it.
            sockjs: Arc::new(sockjs::Config::default().queued_bytes(8 << 20)),
            slow_consumer: SlowConsumerConfig::default(),
            websocket,
            origins: OriginPolicy::same_origin(),
            sources: Sources::default(),
            authenticator: Authenticator::new(),
            authorization: Arc::new(hub::Open),
            trusted_proxies: TrustedProxies::new(),
            publish_body: 4 << 20,
            body_timeout: Duration::from_secs(30),
            publish_timeout: Duration::from_secs(10),
            calls_of_client: 1 << 20,
            calls: 64 << 20,
            page: None,
            mqtt: None,
        }
    }
}

impl Options {
    /// Returns whether the page at `/` is served.
    pub(crate) fn has_page(&self) -> bool {
        self.page.unwrap_or(!self.authenticator.has_methods())
    }
}

/// Shows what is no function.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("hub", &self.hub)
            .field("guard", &self.guard)
            .field("origins", &self.origins)
            .field("sources", &self.sources)
            .field("authenticator", &self.authenticator)
            .field("trusted_proxies", &self.trusted_proxies)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::guard::AuthenticationError;

    #[test]
    fn the_page_is_off_where_users_are_named_unless_it_is_said() {
        for (page, has_users, is_on) in [
            (None, false, true),
            (None, true, false),
            (Some(true), true, true),
            (Some(false), false, false),
        ] {
            let mut authenticator = Authenticator::new();
            if has_users {
                authenticator = authenticator.method(|_| Err(AuthenticationError::Refused));
            }
            let options = Options { page, authenticator, ..Options::default() };
            assert_eq!(options.has_page(), is_on, "{page:?}, {has_users}");
        }
    }
}
