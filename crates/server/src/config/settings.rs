//! What the configuration means: the options of the library, and what the program itself needs.

use super::app;
use super::checks::Checks;
use super::places::Problem;
use super::read::Loaded;
use super::sections::{Config, ForwardingField, Log, TrustedProxies};
use super::{authentication, contradictions, tls};
use crate::app::Route;
use sansocket::server::{self, ForwardingHeader, OriginPolicy};
use sansocket_realtime::{guard, hub, sockjs};
use sansocket_server::{ListenOptions, Options, access::DestinationPattern, broker::redis::Redis};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use toml::Spanned;
use tracing_subscriber::EnvFilter;

/// What the configuration means. Files are read and keys are checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) connections: ListenOptions,
    pub(crate) options: Options,
    pub(crate) routes: Vec<Route>,
    /// The connection to the broker.
    pub(crate) broker: Option<Redis>,
    /// How long the end may take.
    pub(crate) deadline: Duration,
    /// Over which time clients are told that they come back.
    pub(crate) spread: Duration,
    /// Whether everybody is let in because the server is for this machine alone, and nobody has said so.
    pub(crate) is_private: bool,
    /// What is odd, though it works.
    pub(crate) warnings: Vec<Problem>,
}

impl Settings {
    /// Checks a configuration, and returns everything that is wrong with it.
    pub(crate) fn new(loaded: &Loaded) -> Result<Self, Vec<Problem>> {
        let Config { listen, shutdown, log, .. } = &loaded.config;
        let mut checks = Checks::new(&loaded.places);
        filter(&mut checks, log);
        let is_private = authentication::is_private(&loaded.config);
        let connections = connections(&mut checks, &loaded.config);
        let options = options(&mut checks, &loaded.config);
        let routes = app::routes(&mut checks, &loaded.config.app);
        let broker = loaded.config.broker.connection(&mut checks);
        contradictions::check(&mut checks, &loaded.config);
        let warnings = checks.finish()?;
        Ok(Self {
            listen: listen.get_ref().0,
            connections,
            options,
            routes,
            broker,
            deadline: shutdown.deadline.0,
            spread: shutdown.spread.0,
            is_private,
            warnings,
        })
    }
}

/// Makes the options of the library.
fn options(checks: &mut Checks<'_>, config: &Config) -> Options {
    let mut options = Options::default();
    options.hub = hub_config(checks, config);
    options.guard = guard_limits(checks, config);
    options.stomp = Arc::new(config.stomp.config(config.limits.message.0));
    options.event_streams = config.events.apply_to(options.event_streams);
    options.polls = config.poll.apply_to(options.polls);
    options.sockjs = Arc::new(config.sockjs.apply_to(sockjs::Config::default()));
    options.slow_consumer = config.limits.slow_consumer.apply_to(options.slow_consumer);
    // A frame of STOMP has its message, and its head.
    let frame = config.limits.message.0.saturating_add(config.stomp.head.0);
    options.websocket.limits.message = frame as u64;
    options.origins = origins(checks, &config.origins);
    options.trusted_proxies = trusted_proxies(checks, &config.trusted_proxies);
    options.publish_body = config.publish.body.0;
    options.body_timeout = config.limits.body_timeout.0;
    options.publish_timeout = config.publish.timeout.0;
    options.mqtt = config.mqtt.broker.as_ref().and_then(|address| host_and_port(checks, address));
    let access = authentication::access(checks, config);
    options.sources = access.sources;
    options.authenticator = access.authenticator;
    options.page = config.page;
    options.authorization = Arc::new(access.rules);
    options
}

fn hub_config(checks: &mut Checks<'_>, config: &Config) -> hub::Config {
    let others = config.topics.apply_to(hub::TopicConfig::default());
    let mut hub = config.limits.hub(hub::Config::default()).other_topics(others);
    for topic in &config.topic {
        hub = hub.topic((*topic.pattern).clone(), topic.config(others));
    }
    for pattern in &config.broker.local {
        hub = hub.local((**pattern).clone());
    }
    if let Some(destination) = &config.queues.dead_letters {
        check_dead_letters(checks, destination);
    }
    hub.queues(config.queues.config()).outbox(config.broker.outbox())
}

fn check_dead_letters(checks: &mut Checks<'_>, destination: &Spanned<String>) {
    let text = destination.get_ref();
    let pattern = checks.check(destination.span(), text.parse::<DestinationPattern>());
    let is_one =
        !text.contains(['*', '>']) && (text.starts_with("/queue/") || text.starts_with("/topic/"));
    if pattern.is_some() && !is_one {
        let problem =
            "dead letters go to one queue or topic: /queue/… or /topic/…, without wildcards";
        checks.problem(destination.span(), problem);
    }
}

fn guard_limits(checks: &mut Checks<'_>, config: &Config) -> guard::Limits {
    let mut limits = config.limits.guard().exempt(networks(checks, &config.limits.exempt));
    for rule in &config.limits.destination_rule {
        let added = limits.clone().destination(rule.pattern.get_ref(), rule.limits());
        if let Some(added) = checks.check(rule.pattern.span(), added) {
            limits = added;
        }
    }
    limits
}

/// Makes the policy of origins: the server's own pages, and those of other origins.
fn origins(checks: &mut Checks<'_>, origins: &[Spanned<String>]) -> OriginPolicy {
    if origins.iter().any(|origin| origin.get_ref() == "*") {
        if origins.len() > 1 {
            checks.problem(origins[0].span(), "\"*\" is every origin, so it stands alone");
        }
        return OriginPolicy::any();
    }
    origins.iter().fold(OriginPolicy::same_origin(), |policy, origin| {
        let added = policy.clone().also_allow([origin.get_ref()]);
        let added = added.map_err(|error| format!("{:?}: {error}", origin.get_ref()));
        checks.check(origin.span(), added).unwrap_or(policy)
    })
}

fn networks(checks: &mut Checks<'_>, networks: &[Spanned<String>]) -> Vec<server::Network> {
    let network = |network: &Spanned<String>| {
        let parsed = network.get_ref().parse();
        let parsed = parsed.map_err(|error: server::NetworkError| {
            format!("{:?} is not a network: {error}", network.get_ref())
        });
        checks.check(network.span(), parsed)
    };
    networks.iter().filter_map(network).collect()
}

fn trusted_proxies(checks: &mut Checks<'_>, proxies: &TrustedProxies) -> server::TrustedProxies {
    let networks = networks(checks, &proxies.networks);
    let header = match proxies.header {
        ForwardingField::Forwarded => ForwardingHeader::Forwarded,
        ForwardingField::XForwardedFor => ForwardingHeader::XForwardedFor,
    };
    server::TrustedProxies::new().header(header, networks)
}

fn connections(checks: &mut Checks<'_>, config: &Config) -> ListenOptions {
    let mut options = ListenOptions::default();
    options.connections = config.limits.connections.0.get() as usize;
    options.head_timeout = config.limits.head_timeout.0;
    options.write_timeout = config.limits.write_timeout.0;
    options.tls = tls::server(checks, &config.tls);
    options
}

fn host_and_port(checks: &mut Checks<'_>, address: &Spanned<String>) -> Option<String> {
    let parts = address.get_ref().rsplit_once(':');
    let is_valid = parts.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if !is_valid {
        let problem =
            format!("{:?} is not a host and a port, such as localhost:1883", address.get_ref());
        checks.problem(address.span(), problem);
    }
    is_valid.then(|| address.get_ref().clone())
}

fn filter(checks: &mut Checks<'_>, log: &Log) {
    let filter = EnvFilter::try_new(log.filter.get_ref());
    let filter =
        filter.map_err(|error| format!("{:?} is not a filter: {error}", log.filter.get_ref()));
    checks.check(log.filter.span(), filter);
}

#[cfg(test)]
mod tests;
