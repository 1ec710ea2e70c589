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
    for (text, page) in [("", None), ("page = true", Some(true)), ("page = false", Some(false))] {
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
        format!("{hub:?}{others:?}{http:?}{connections:?}{broker:?}{deadline:?}{spread:?}{listen}")
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
        let section =
            sections.iter().fold(&mut changed, |table, name| table[name].as_table_mut().unwrap());
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
        ("networks" | "exempt", _) => vec!["10.0.0.0/8"].into(),
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
