//! Settings that can't both have their effect.

use super::authentication;
use super::checks::Checks;
use super::sections::Config;
use super::units::{Frequency, Size, Time};
use sansocket_realtime::guard::Source;
use std::borrow::Cow;
use toml::Value;

/// A setting that bounds what others can be.
struct Bound<'a> {
    /// The settings that are bounded, all together.
    parts: &'a [&'a str],
    /// How large the bound has to be for so much.
    needed: fn(u64) -> u64,
    bound: &'a str,
    refused: Refused,
    /// What happens if it is too small.
    otherwise: &'a str,
}

/// Whose change from its default is refused. Other changes are told as a warning.
enum Refused {
    /// That of a part, which asks for more than there is. A smaller bound does what it says.
    Part,
    /// That of a part and that of the bound, because clients or nodes are cut off.
    Either,
    Neither,
}

use Refused::{Either, Neither, Part};

const BOUNDS: &[Bound<'_>] = &[
    bound(&["limits.message"], "queues.bytes", Part, "no queue takes the largest messages"),
    bound(&["limits.message"], "limits.user.bytes", Part, "no user may send the largest messages"),
    bound(
        &["limits.message"],
        "limits.address.bytes",
        Part,
        "nobody may send the largest messages",
    ),
    bound(
        &["limits.message"],
        "limits.slow-consumer.unsent",
        Part,
        "whoever is sent one of the largest messages is cut off by whatever follows",
    ),
    bound(
        &["limits.message"],
        "topics.bytes",
        Neither,
        "topics keep none of the largest messages for clients that come back",
    ),
    bound(
        &["limits.message"],
        "broker.redis.message",
        Part,
        "the largest messages are refused before they reach Redis",
    ),
    bound(
        &["limits.message"],
        "broker.outbox-bytes",
        Part,
        "the largest messages are refused before they reach the broker",
    ),
    Bound {
        needed: queued_by_sockjs,
        ..bound(
            &["limits.message", "stomp.head"],
            "sockjs.queued-bytes",
            // Few messages consist of control characters.
            Neither,
            "in the JSON of SockJS, a control character has six bytes, and a session ends if its next message has \
             no room",
        )
    },
    bound(
        &["limits.slow-consumer.low-water"],
        "limits.slow-consumer.high-water",
        Part,
        "a client that is paused goes on at high-water already",
    ),
    bound(
        &["limits.slow-consumer.high-water", "limits.replay-portion"],
        "limits.slow-consumer.unsent",
        Either,
        "a client is cut off before the server learns that it is to pause",
    ),
    bound(&["poll.wait"], "poll.longest-wait", Part, "no poll waits for so long"),
    bound(
        &["shutdown.spread"],
        "shutdown.deadline",
        Part,
        "the last clients are all cut off at once",
    ),
    bound(
        &["broker.redis.message"],
        "broker.redis.received",
        Part,
        "the largest messages have the node connect again instead of being delivered",
    ),
    bound(
        &["broker.redis.messages"],
        "broker.redis.history-messages",
        Part,
        "Redis keeps messages that nobody ever gets",
    ),
    bound(
        &["broker.redis.first-pause"],
        "broker.redis.longest-pause",
        Part,
        "no pause is as long as the first one",
    ),
    Bound {
        needed: |both| both.saturating_add(1),
        ..bound(
            &["broker.redis.ping", "broker.redis.deadline"],
            "broker.redis.absence",
            Either,
            "a node counts as dead before it can know that its connection is lost",
        )
    },
];

const fn bound<'a>(
    parts: &'a [&'a str],
    bound: &'a str,
    refused: Refused,
    otherwise: &'a str,
) -> Bound<'a> {
    Bound { parts, needed: |parts| parts, bound, refused, otherwise }
}

/// Returns how much can wait for a client of SockJS that is sent so many bytes: a control character has six in
/// JSON, and up to 16 KiB wait before the server keeps a message back.
fn queued_by_sockjs(bytes: u64) -> u64 {
    bytes.saturating_mul(6).saturating_add(16 << 10)
}

/// Checks all settings against each other.
pub(crate) fn check(checks: &mut Checks<'_>, config: &Config) {
    let values = [Value::try_from(config), Value::try_from(Config::default())];
    let [Some(values), Some(defaults)] = values.map(|it| checks.check(0..0, it)) else { return };
    let values = Values { values, defaults };
    let has_broker = config.broker.url.is_some() || config.broker.url_file.is_some();
    for bound in BOUNDS.iter().filter(|it| has_broker || !it.bound.starts_with("broker.")) {
        values.check_bound(checks, bound);
    }
    for index in 0..config.topic.len() {
        let bytes = format!("topic.{index}.bytes");
        let otherwise = "the topic keeps none of the largest messages for clients that come back";
        values.check_bound(checks, &bound(&["limits.message"], &bytes, Neither, otherwise));
    }
    for need in needs(config, has_broker).iter().filter(|need| !need.is_met) {
        for (path, value) in values.changed(need.setting) {
            let problem =
                format!("{}, but {}, or remove this", shown(&path, value), need.otherwise);
            checks.problem(checks.span_of(&path), problem);
        }
    }
}

/// A setting, or a section, that has no effect without another one.
struct Need {
    setting: &'static str,
    is_met: bool,
    otherwise: &'static str,
}

fn needs(config: &Config, has_broker: bool) -> [Need; 7] {
    let access = &config.access;
    let reads = |is_read: fn(&Source) -> bool| {
        access.sources.iter().any(|source| is_read(&source.get_ref().0))
    };
    let reads_tokens = reads(|source| !has_password(source));
    let no_tokens = "access.sources has nothing that reads tokens. Add \"bearer\" or another one";
    [
        Need {
            setting: "access.anonymous-clients",
            is_met: authentication::lets_anonymous_in(access),
            otherwise: "clients without credentials are not let in. Set access.anonymous = true",
        },
        Need {
            setting: "access.jwt",
            is_met: !access.jwt.key.is_empty(),
            otherwise: "there is no [[access.jwt.key]]. Add one",
        },
        Need { setting: "access.jwt.key", is_met: reads_tokens, otherwise: no_tokens },
        Need { setting: "access.token", is_met: reads_tokens, otherwise: no_tokens },
        Need {
            setting: "access.password",
            is_met: reads(has_password),
            otherwise: "access.sources has nothing that reads passwords. Add \"login\" or \"basic\"",
        },
        Need {
            setting: "broker",
            is_met: has_broker,
            otherwise: "there is no broker.url, so this node is alone. Set it",
        },
        Need {
            setting: "trusted-proxies.header",
            is_met: !config.trusted_proxies.networks.is_empty(),
            otherwise: "trusted-proxies.networks is empty, so no header is read. Name your proxies there",
        },
    ]
}

fn has_password(source: &Source) -> bool {
    matches!(source, Source::Basic | Source::Login)
}

/// A configuration and the defaults, by the names of the settings.
struct Values {
    values: Value,
    defaults: Value,
}

impl Values {
    fn check_bound(&self, checks: &mut Checks<'_>, rule: &Bound<'_>) {
        let figures: Option<Vec<u64>> =
            rule.parts.iter().map(|path| figure(at(&self.values, path)?)).collect();
        let bound = at(&self.values, rule.bound).and_then(figure);
        // What is unlimited bounds nothing, and a topic need not have a bound of its own.
        let (Some(figures), Some(bound)) = (figures, bound) else { return };
        if (rule.needed)(figures.iter().fold(0, |sum, it| sum.saturating_add(*it))) <= bound {
            return;
        }
        let part = rule.parts.iter().find(|part| !self.changed(part).is_empty());
        let is_refused = match rule.refused {
            Part => part.is_some(),
            Either => true,
            Neither => false,
        };
        let of_both = rule.parts.iter().chain([&rule.bound]);
        let of_both = of_both.filter_map(|path| Some(shown(path, at(&self.values, path)?)));
        let problem = format!(
            "{}: {}. Raise {}, or lower {}",
            of_both.collect::<Vec<_>>().join(", and "),
            rule.otherwise,
            name(rule.bound),
            rule.parts.join(" or ")
        );
        let span = checks.span_of(part.unwrap_or(&rule.bound));
        if is_refused {
            checks.problem(span, problem);
        } else {
            checks.warning(span, problem);
        }
    }

    /// Returns those settings of a section that differ from their defaults, or the one with this name.
    fn changed(&self, path: &str) -> Vec<(String, &Value)> {
        let value = at(&self.values, path);
        value.map_or_else(Vec::new, |value| changed(path, value, at(&self.defaults, path)))
    }
}

fn changed<'v>(path: &str, value: &'v Value, default: Option<&Value>) -> Vec<(String, &'v Value)> {
    if let Value::Table(table) = value {
        let below = |(key, value): (&String, &'v Value)| {
            changed(&format!("{path}.{key}"), value, default.and_then(|it| it.get(key)))
        };
        return table.iter().flat_map(below).collect();
    }
    // The same can be written in several ways.
    let is_same = default
        .is_some_and(|it| it == value || figure(it).is_some_and(|it| Some(it) == figure(value)));
    if is_same { Vec::new() } else { vec![(path.to_owned(), value)] }
}

fn at<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(values, |value, key| match key.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(key),
    })
}

/// Returns a number, bytes, milliseconds, or what a rate allows at once.
fn figure(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => {
            let size = text.parse::<Size>().ok().map(|it| it.0 as u64);
            let time = || text.parse::<Time>().ok().and_then(|it| it.0.as_millis().try_into().ok());
            let rate = || text.parse::<Frequency>().ok().map(|it| it.0.at_once().into());
            size.or_else(time).or_else(rate)
        }
        _ => None,
    }
}

/// Returns a setting and its value. Those of lists can be long, and have secrets.
fn shown(path: &str, value: &Value) -> String {
    match value {
        Value::Array(_) => format!("{} is set", name(path)),
        _ => format!("{} is {value}", name(path)),
    }
}

/// Returns the name of a setting, for a reader who does not count entries.
fn name(path: &str) -> Cow<'_, str> {
    match path.strip_prefix("topic.").and_then(|rest| rest.split_once('.')) {
        Some((_, key)) => format!("{key} of this [[topic]]").into(),
        None => path.into(),
    }
}
