//! What the configuration means: the options of the library, and what the program itself needs.

use super::app;
use super::checks::Checks;
use super::places::Problem;
use super::read::Loaded;
use super::sections::{Config, ForwardingField, Log, TrustedProxies};
use super::{authentication, contradictions, tls};
use crate::app::Route;
use sansocket::server::{self, ForwardingHeader, OriginPolicy};
use sansocket_realtime::{guard, hub};
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
    options.event_streams = config.events.config();
    options.polls = config.poll.config();
    options.sockjs = Arc::new(config.sockjs.config());
    options.slow_consumer = config.limits.slow_consumer.config();
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
    let others = config.topics.config();
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
    let mut limits = config.limits.guard();
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

fn trusted_proxies(checks: &mut Checks<'_>, proxies: &TrustedProxies) -> server::TrustedProxies {
    let network = |network: &Spanned<String>| {
        let parsed = network.get_ref().parse();
        let parsed = parsed.map_err(|error: server::NetworkError| {
            format!("{:?} is not a network: {error}", network.get_ref())
        });
        checks.check(network.span(), parsed)
    };
    let networks: Vec<_> = proxies.networks.iter().filter_map(network).collect();
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
mod tests {
    use super::*;
    use crate::config::places::Places;
    use sansocket_realtime::hub::Principal;
    use toml::{Table, Value};

    fn settings(text: &str) -> Settings {
        let config = toml::from_str(text).unwrap();
        Settings::new(&Loaded { config, places: Places::default() }).unwrap()
    }

    /// The program has no defaults of its own.
    #[test]
    fn the_defaults_are_those_of_the_library() {
        let Settings { options, connections, .. } = settings("");
        let library = Options::default();
        assert_eq!(format!("{:?}", options.hub), format!("{:?}", library.hub));
        assert_eq!(format!("{:?}", options.guard), format!("{:?}", library.guard));
        assert_eq!(options.stomp, library.stomp);
        assert_eq!(options.event_streams, library.event_streams);
        assert_eq!(options.polls, library.polls);
        assert_eq!(options.sockjs, library.sockjs);
        assert_eq!(options.slow_consumer, library.slow_consumer);
        assert_eq!(options.origins, library.origins);
        assert_eq!(options.sources, library.sources);
        assert_eq!(options.trusted_proxies, library.trusted_proxies);
        let authenticator = |it: &Options| format!("{:?}", it.authenticator);
        assert_eq!(authenticator(&options), authenticator(&library));
        let times = |it: &Options| (it.body_timeout, it.publish_timeout);
        assert_eq!(times(&options), times(&library));
        let others = |it: &Options| (it.publish_body, it.page, it.mqtt.clone());
        assert_eq!(others(&options), others(&library));
        assert_eq!(format!("{connections:?}"), format!("{:?}", ListenOptions::default()));
        // The largest message fits into a frame, with its head.
        assert!(options.websocket.limits.message > options.hub.message as u64);
    }

    #[test]
    fn anonymous_clients_publish_to_topics_on_this_machine_alone() {
        let may = |text: &str, destination: &str| {
            let settings = settings(text);
            assert!(settings.options.authenticator.accepts_anonymous());
            settings.options.authorization.may_send(None, destination)
        };
        assert!(may("", "/topic/a") && may("", "/app/a") && !may("", "/queue/a"));
        for text in [
            "listen = '0.0.0.0:1'\naccess.anonymous = true",
            "trusted-proxies.networks = ['127.0.0.1']\naccess.anonymous = true",
            "access = { anonymous = true, token = [{ user = 'joe', token = 'a' }] }",
        ] {
            assert!(!may(text, "/topic/a") && may(text, "/app/a"), "{text}");
        }
        let text = "listen = '0.0.0.0:1'\naccess.anonymous = true\n\
                    access.anonymous-clients = { subscribe = ['/topic/a'], publish = ['/topic/b'] }";
        assert!(may(text, "/topic/b") && !may(text, "/app/a"));
        assert!(!settings(text).options.authorization.may_subscribe(None, "/topic/b"));
    }

    #[test]
    fn the_page_is_as_it_is_said() {
        for (text, page) in [("", None), ("page = true", Some(true)), ("page = false", Some(false))]
        {
            assert_eq!(settings(text).options.page, page, "{text}");
        }
    }

    #[tokio::test]
    async fn users_have_their_permissions() {
        use sansocket_realtime::guard::{AuthenticationError, Credentials, Source};
        let text = "access.token = [{ user = 'orders', token = 'abc', publish = ['/topic/orders/*'] }]\n\
                    access.password = [{ user = 'joe', password = 'def', subscribe = ['/queue/a'] },\n\
                    { user = 'ann', password = 'ghi' }]\n\
                    access.users.publish = ['/topic/chat']";
        let options = settings(text).options;
        assert!(!options.authenticator.accepts_anonymous());
        let login = async |user, password| {
            let credentials = Credentials::password(Source::Login, user, password);
            options.authenticator.authenticate(Some(&credentials)).await
        };
        let orders = Credentials::token(Source::Bearer, "abc");
        let orders = options.authenticator.authenticate(Some(&orders)).await.unwrap().unwrap();
        let joe = login("joe", "def").await.unwrap().unwrap();
        let ann = login("ann", "ghi").await.unwrap().unwrap();
        assert_eq!(login("ann", "def").await, Err(AuthenticationError::Refused));
        let rules = options.authorization;
        let may_send = |user: &Principal, to: &str| rules.may_send(Some(user), to);
        assert!(may_send(&orders, "/topic/orders/1") && !may_send(&orders, "/topic/chat"));
        assert!(!may_send(&joe, "/topic/chat") && rules.may_subscribe(Some(&joe), "/queue/a"));
        assert!(may_send(&ann, "/topic/chat") && !may_send(&ann, "/app/a"));
    }

    #[test]
    fn sources_are_those_that_are_named() {
        use sansocket_realtime::guard::{Source, Sources};
        let text = "access.sources = ['bearer', 'passcode', 'cookie:id', 'query:a', 'header:b']";
        let named = [
            Source::Bearer,
            Source::Passcode,
            Source::Cookie("id".into()),
            Source::Query("a".into()),
            Source::Header("b".into()),
        ];
        assert_eq!(settings(text).options.sources, Sources::new(named));
    }

    #[tokio::test]
    async fn secrets_come_from_files_too() {
        use sansocket_realtime::guard::{Credentials, Source};
        let file = std::env::temp_dir().join(format!("sansocket-secret-{}", std::process::id()));
        // Editors put a line end at the end of a file.
        std::fs::write(&file, "abc\r\n").unwrap();
        let text = format!(
            "access.token = [{{ user = 'joe', token-file = {:?} }}]",
            file.display().to_string()
        );
        let authenticator = settings(&text).options.authenticator;
        let credentials = Credentials::token(Source::Bearer, "abc");
        assert!(authenticator.authenticate(Some(&credentials)).await.is_ok());
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn topics_keep_what_others_do_unless_said_otherwise() {
        let text = "topics = { messages = 7, retain = true }\n\
                    topic = [{ pattern = '/topic/a', age = '1 h' }]\n\
                    queues.dead-letters = '/queue/dead'\n\
                    broker = { url = 'redis://a', local = ['/topic/here/*'], outbox-messages = 5 }";
        let hub = settings(text).options.hub;
        let (pattern, topic) = &hub.topics[0];
        assert_eq!((pattern.as_str(), topic.messages, topic.retain), ("/topic/a", 7, true));
        assert_eq!((topic.age.as_secs(), hub.other_topics.age.as_secs()), (3600, 300));
        assert_eq!(hub.queues.dead_letters.as_deref(), Some("/queue/dead"));
        assert_eq!((hub.local[0].as_str(), hub.outbox.messages), ("/topic/here/*", 5));
    }

    /// A key that is read and then forgotten would pass all tests of defaults.
    #[test]
    fn every_key_with_a_default_changes_something() {
        let all = |table: &Table| {
            let text = format!("{table}\n[access]\nanonymous = true");
            let Settings { options: it, connections, broker, deadline, spread, listen, .. } =
                settings(&text);
            let hub = (&it.hub, &it.guard, &it.stomp, &it.event_streams, &it.polls, &it.sockjs);
            let others = (&it.slow_consumer, &it.websocket, &it.origins, &it.trusted_proxies);
            let http = (it.publish_body, it.body_timeout, it.publish_timeout);
            format!(
                "{hub:?}{others:?}{http:?}{connections:?}{broker:?}{deadline:?}{spread:?}{listen}"
            )
        };
        let mut defaults: Table = crate::config::DEFAULTS.parse().unwrap();
        // Some settings have no effect without others. Other tests are about two of the sections.
        defaults["broker"].as_table_mut().unwrap().insert("url".into(), "redis://a".into());
        defaults["trusted-proxies"]["networks"] = vec!["192.0.2.0/24"].into();
        // There is room for what is larger.
        defaults["broker"]["redis"]["history-messages"] = 2000.into();
        defaults["sockjs"]["queued-bytes"] = "16 MiB".into();
        let (_, _) = (defaults.remove("access"), defaults.remove("log"));
        let before = all(&defaults);
        let mut unchanged = Vec::new();
        for path in paths(&defaults) {
            let mut changed = defaults.clone();
            let (key, sections) = path.split_last().unwrap();
            let section = sections
                .iter()
                .fold(&mut changed, |table, name| table[name].as_table_mut().unwrap());
            section[key] = another(key, &section[key]);
            if all(&changed) == before {
                unchanged.push(path.join("."));
            }
        }
        assert!(unchanged.is_empty(), "{unchanged:?}");
    }

    /// Returns the keys of a table, each with its sections.
    fn paths(table: &Table) -> Vec<Vec<String>> {
        let of_entry = |(key, value): (&String, &Value)| match value {
            Value::Table(table) => {
                let below = paths(table).into_iter();
                below.map(|path| [vec![key.clone()], path].concat()).collect()
            }
            _ => vec![vec![key.clone()]],
        };
        table.iter().flat_map(of_entry).collect()
    }

    /// Returns another value of the same kind.
    fn another(key: &str, value: &Value) -> Value {
        match (key, value) {
            ("listen", _) => "127.0.0.1:1".into(),
            ("header", _) => "forwarded".into(),
            ("prefix", _) => "other".into(),
            ("url", _) => "redis://b".into(),
            ("origins", _) => vec!["https://a.example"].into(),
            ("networks", _) => vec!["10.0.0.0/8"].into(),
            ("local", _) => vec!["/topic/a"].into(),
            (_, Value::Boolean(it)) => (!it).into(),
            (_, Value::Integer(it)) => (it + 1).into(),
            (_, Value::String(text)) => {
                let (number, rest) = text.split_once(' ').unwrap();
                format!("{} {rest}", number.parse::<u32>().unwrap() + 1).into()
            }
            _ => panic!("{key} = {value}"),
        }
    }

    #[test]
    fn limits_can_be_lifted_and_have_rules() {
        let text = "limits.user.connections = 'unlimited'\n\
                    limits.address.messages = '5 per minute'\n\
                    limits.destination-rule = [{ pattern = '/app/**', message = '4 KiB' }]";
        let guard = settings(text).options.guard;
        assert_eq!(guard.principal.connections, None);
        assert_eq!(guard.address.messages, Some(server::Rate::per_minute(5)));
        assert_eq!(guard.destinations[0].1.message_size, Some(4096));
    }
}
