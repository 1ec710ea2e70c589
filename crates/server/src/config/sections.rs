//! The sections of the configuration.
//!
//! `defaults.toml` explains each key.

use super::access::Access;
use super::app::App;
use super::broker::Broker;
use super::limits::{Limits, Queues, Topic, Topics};
use super::setting::{Setting, of};
use super::transports::{Events, Poll, Publish, SockJs, Stomp};
use super::units::{Address, Time};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::Spanned;

section! {
    /// Everything that an operator can set.
    Config {
        listen: Spanned<Setting<Address>> = default(of("127.0.0.1:8080")),
        origins: Vec<Spanned<String>> = Vec::new(),
        page: Option<bool> = None,
        tls: Tls = Tls::default(),
        trusted_proxies: TrustedProxies = TrustedProxies::default(),
        access: Access = Access::default(),
        topics: Topics = Topics::default(),
        topic: Vec<Topic> = Vec::new(),
        queues: Queues = Queues::default(),
        app: Vec<Spanned<App>> = Vec::new(),
        limits: Limits = Limits::default(),
        stomp: Stomp = Stomp::default(),
        events: Events = Events::default(),
        poll: Poll = Poll::default(),
        sockjs: SockJs = SockJs::default(),
        publish: Publish = Publish::default(),
        broker: Broker = Broker::default(),
        mqtt: Mqtt = Mqtt::default(),
        shutdown: Shutdown = Shutdown::default(),
        log: Log = Log::default(),
    }
}

section! {
    Tls {
        certificate: Option<Spanned<PathBuf>> = None,
        key: Option<Spanned<PathBuf>> = None,
    }
}

section! {
    TrustedProxies {
        networks: Vec<Spanned<String>> = Vec::new(),
        header: ForwardingField = ForwardingField::XForwardedFor,
    }
}

section! {
    Mqtt {
        broker: Option<Spanned<String>> = None,
    }
}

section! {
    Shutdown {
        deadline: Setting<Time> = of("20 s"),
        spread: Setting<Time> = of("5 s"),
    }
}

section! {
    Log {
        format: LogFormat = LogFormat::Text,
        filter: Spanned<String> = default("info".into()),
    }
}

/// The field of HTTP in which a proxy notes whose requests it forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ForwardingField {
    Forwarded,
    XForwardedFor,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Returns a value that stands nowhere.
pub(crate) fn default<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
