//! Settings that can't both have their effect.

use crate::served::{Folder, Served, run, stderr, stdout};

/// Returns the status of the check of a file, and its lines, without the name of the file.
fn check(file: &str) -> (Option<i32>, Vec<String>) {
    // Tests run at the same time.
    let folder = Folder::new(&format!("contradictions-{:?}", std::thread::current().id()));
    let path = folder.write("a.toml", file);
    let output = run(&["--config", &path, "--check-config"]);
    let lines = stderr(&output).lines().map(|line| line.replace(&format!("{path}:"), ""));
    (output.status.code(), lines.collect())
}

const KEY: &str =
    "access.jwt.key = [{ algorithm = 'HS256', secret = 'at least thirty-two bytes of a secret' }]";

#[test]
fn a_setting_above_its_bound_is_refused() {
    let redis = "broker.url = 'redis://a'\n";
    for (file, problem) in [
        (
            "queues.bytes = '2 MiB'\nlimits.message = '3 MiB'\nsockjs.queued-bytes = '1 GiB'\n",
            "2:18: limits.message is \"3 MiB\", and queues.bytes is \"2 MiB\": no queue takes the largest messages. \
             Raise queues.bytes, or lower limits.message",
        ),
        (
            "limits.user.bytes = '2 MiB per second'\nlimits.message = '3 MiB'\nsockjs.queued-bytes = '1 GiB'",
            "2:18: limits.message is \"3 MiB\", and limits.user.bytes is \"2 MiB per second\": no user may send",
        ),
        (
            "limits.address.bytes = '1 MiB per second, 2 MiB at once'\nlimits.message = '3 MiB'\n\
             sockjs.queued-bytes = '1 GiB'",
            "2:18: limits.message is \"3 MiB\", and limits.address.bytes is \"1 MiB per second, 2 MiB at once\"",
        ),
        (
            "limits.message = '5 MiB'\nsockjs.queued-bytes = '1 GiB'",
            "1:18: limits.message is \"5 MiB\", and limits.slow-consumer.unsent is \"4 MiB\"",
        ),
        (
            "limits.slow-consumer = { high-water = '1 MiB', low-water = '2 MiB' }",
            "1:60: limits.slow-consumer.low-water is \"2 MiB\", and limits.slow-consumer.high-water is \"1 MiB\"",
        ),
        (
            "limits.replay-portion = '2 MiB'\nlimits.slow-consumer.high-water = '3 MiB'",
            "2:35: limits.slow-consumer.high-water is \"3 MiB\", and limits.replay-portion is \"2 MiB\", and \
             limits.slow-consumer.unsent is \"4 MiB\": a client is cut off before",
        ),
        (
            "limits.slow-consumer.unsent = 700000\nlimits.message = 1000",
            "1:31: limits.slow-consumer.high-water is \"512 KiB\", and limits.replay-portion is \"256 KiB\", and \
             limits.slow-consumer.unsent is 700000: ",
        ),
        (
            "poll = { wait = '1 min', longest-wait = '59 s' }",
            "1:17: poll.wait is \"1 min\", and poll.longest-wait is \"59 s\": no poll waits for so long",
        ),
        (
            "shutdown.spread = '1 min'",
            "1:19: shutdown.spread is \"1 min\", and shutdown.deadline is \"20 s\"",
        ),
        (
            "broker.redis.message = '900 KiB'\nlimits.message = '1025 KiB'",
            "2:18: limits.message is \"1025 KiB\", and broker.redis.message is \"900 KiB\"",
        ),
        (
            "broker.outbox-bytes = '900 KiB'\nlimits.message = '1025 KiB'",
            "2:18: limits.message is \"1025 KiB\", and broker.outbox-bytes is \"900 KiB\"",
        ),
        (
            "broker.redis = { message = '65 MiB' }",
            "1:28: broker.redis.message is \"65 MiB\", and broker.redis.received is \"64 MiB\"",
        ),
        (
            "broker.redis.messages = 1001",
            "1:25: broker.redis.messages is 1001, and broker.redis.history-messages is 1000: Redis keeps",
        ),
        (
            "broker.redis.first-pause = '6 s'",
            "1:28: broker.redis.first-pause is \"6 s\", and broker.redis.longest-pause is \"5 s\"",
        ),
        (
            "broker.redis.absence = '13 s'",
            "1:24: broker.redis.ping is \"3 s\", and broker.redis.deadline is \"10 s\", and broker.redis.absence is \
             \"13 s\": a node counts as dead",
        ),
        (
            "broker.redis.deadline = '27 s'",
            "1:25: broker.redis.ping is \"3 s\", and broker.redis.deadline is \"27 s\", and broker.redis.absence is",
        ),
    ] {
        let file =
            if file.starts_with("broker") { format!("{file}\n{redis}") } else { file.into() };
        let (status, lines) = check(&file);
        assert_eq!((status, lines.len()), (Some(1), 1), "{file}: {lines:#?}");
        assert!(lines[0].starts_with(problem), "{file}: {lines:#?}");
    }
}

/// Each is what it says, and a default is not refused for it.
#[test]
fn what_is_merely_odd_is_a_warning() {
    let redis = "\nbroker.url = 'redis://a'";
    for (file, warning) in [
        (
            "limits.message = '1025 KiB'",
            "warning: 1:18: limits.message is \"1025 KiB\", and topics.bytes is \"1 MiB\": topics keep none",
        ),
        (
            "topics.bytes = '1 KiB'",
            "warning: 1:16: limits.message is \"1 MiB\", and topics.bytes is",
        ),
        (
            "topic = [{ pattern = '/topic/a' }, { pattern = '/topic/b', bytes = 1024 }]",
            "warning: 1:68: limits.message is \"1 MiB\", and bytes of this [[topic]] is 1024: the topic keeps none",
        ),
        (
            "limits.message = '2 MiB'\ntopics.bytes = '2 MiB'",
            "warning: 1:18: limits.message is \"2 MiB\", and stomp.head is \"32 KiB\", and sockjs.queued-bytes is \
             \"8 MiB\": in the JSON of SockJS, a control character has six bytes, and",
        ),
        (
            "sockjs.queued-bytes = 6504447",
            "warning: 1:23: limits.message is \"1 MiB\", and stomp.head is \"32 KiB\", and sockjs.queued-bytes is 6504447",
        ),
        ("queues.bytes = '1 KiB'", "warning: 1:16: limits.message is"),
        ("limits.user.bytes = '1 KiB per second'", "warning: 1:21: limits.message is"),
        ("limits.address.bytes = '1 KiB per second'", "warning: 1:24: limits.message is"),
        ("limits.slow-consumer.unsent = '1000 KiB'", "warning: 1:31: limits.message is"),
        (
            "limits.slow-consumer.high-water = '1 KiB'",
            "warning: 1:35: limits.slow-consumer.low-water is",
        ),
        ("poll.longest-wait = '1 s'", "warning: 1:21: poll.wait is"),
        ("shutdown.deadline = '1 s'", "warning: 1:21: shutdown.spread is"),
        ("broker.redis.message = '1 KiB'", "warning: 1:24: limits.message is"),
        ("broker.outbox-bytes = '1 KiB'", "warning: 1:23: limits.message is"),
        ("broker.redis.received = '1 MiB'", "warning: 1:25: broker.redis.message is"),
        ("broker.redis.history-messages = 10", "warning: 1:33: broker.redis.messages is"),
        ("broker.redis.longest-pause = '1 ms'", "warning: 1:30: broker.redis.first-pause is"),
    ] {
        let file = if file.starts_with("broker") { format!("{file}{redis}") } else { file.into() };
        let (status, lines) = check(&file);
        assert_eq!((status, lines.len()), (Some(0), 1), "{file}: {lines:#?}");
        assert!(lines[0].starts_with(warning), "{file}: {lines:#?}");
    }
}

#[test]
fn a_setting_without_another_one_is_refused() {
    let token = "\naccess.token = [{ user = 'joe', token = 'a' }]";
    let password = "access.password = [{ user = 'joe', password = 'hidden' }]";
    for (file, problem) in [
        (
            format!("access.anonymous-clients.publish = []{token}"),
            "1:36: access.anonymous-clients.publish is set, but clients without credentials are not let in. Set \
             access.anonymous = true, or remove this",
        ),
        (
            format!(
                "access.anonymous = false\naccess.anonymous-clients.subscribe = ['/topic/a']{token}"
            ),
            "2:38: access.anonymous-clients.subscribe is set",
        ),
        (
            "[access.jwt]\nuser-claim = 'user'".into(),
            "2:14: access.jwt.user-claim is \"user\", but there is no [[access.jwt.key]]",
        ),
        (
            format!("access.sources = ['login']\n{KEY}"),
            "2:18: access.jwt.key is set, but access.sources has nothing that reads tokens",
        ),
        (
            format!("access.sources = ['basic']{token}"),
            "2:16: access.token is set, but access.sources has nothing that reads tokens",
        ),
        (
            format!("access.sources = ['bearer']\n{password}"),
            "2:19: access.password is set, but access.sources has nothing that reads passwords",
        ),
        (
            "[broker.redis]\nage = '2 h'".into(),
            "2:7: broker.redis.age is \"2 h\", but there is no broker.url",
        ),
        (
            "broker.local = ['/topic/a']".into(),
            "1:16: broker.local is set, but there is no broker.url",
        ),
        (
            "trusted-proxies.header = 'forwarded'".into(),
            "1:26: trusted-proxies.header is \"forwarded\", but trusted-proxies.networks is empty",
        ),
    ] {
        let (status, lines) = check(&file);
        assert_eq!((status, lines.len()), (Some(1), 1), "{file}: {lines:#?}");
        assert!(lines[0].starts_with(problem), "{file}: {lines:#?}");
        assert!(!lines[0].contains("hidden"), "{file}: {lines:#?}");
    }
}

#[test]
fn what_fits_together_is_fine() {
    let token = "access.token = [{ user = 'joe', token = 'a' }]";
    for file in [
        // Exactly as much as is needed.
        "limits.message = '1 MiB'\nstomp.head = '32 KiB'\nsockjs.queued-bytes = 6504448".into(),
        "limits.slow-consumer.unsent = '4 MiB'\nlimits.slow-consumer.high-water = '3840 KiB'".into(),
        "limits.user.bytes = 'unlimited'\nlimits.address.bytes = 'unlimited'".into(),
        "broker.url = 'redis://a'\nbroker.redis = { absence = '13001 ms', messages = 10, history-messages = 10 }".into(),
        "poll = { wait = '1 min', longest-wait = '60 s' }".into(),
        // Nothing of Redis counts without a broker.
        "limits = { message = '5 MiB', slow-consumer.unsent = '6 MiB' }\n\
         sockjs.queued-bytes = '1 GiB'\ntopics.bytes = '5 MiB'"
            .into(),
        // The default, written in another way.
        "broker.redis.age = '60 min'\nbroker.outbox-bytes = 67108864\naccess.jwt.leeway = '1 min'".into(),
        "broker.redis.age = '2 h'\nbroker.url = 'redis://a'".into(),
        format!("access.anonymous = true\naccess.anonymous-clients.publish = []\n{token}"),
        "access.anonymous-clients.publish = []".into(),
        format!("access.jwt.user-claim = 'user'\n{KEY}"),
        "access.sources = ['basic']\naccess.password = [{ user = 'joe', password = 'a' }]".into(),
        format!("access.sources = ['cookie:id']\n{token}"),
        "listen = '127.0.0.1:1'\naccess.anonymous = true\n\
         trusted-proxies = { header = 'forwarded', networks = ['10.0.0.0/8'] }"
            .into(),
    ] {
        let file: String = file;
        assert_eq!(check(&file), (Some(0), vec![]), "{file}");
    }
}

#[test]
fn a_contradiction_has_the_place_of_its_variable_or_flag() {
    let output = run(&["--set=poll.wait=1 h", "--check-config"]);
    assert!(
        stderr(&output).starts_with("flag --set poll.wait: poll.wait is"),
        "{}",
        stderr(&output)
    );
    // All of a list is one variable.
    let output = crate::served::program()
        .arg("--check-config")
        .env("SANSOCKET_TOPIC", "[{ pattern = \"/topic/a\", bytes = 1 }]")
        .output()
        .unwrap();
    assert!(
        stderr(&output).starts_with("warning: variable SANSOCKET_TOPIC: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "the configuration is fine\n");
}

#[test]
fn warnings_are_logged_at_the_start() {
    let mut server = Served::start(&["--set=topics.bytes=1 KiB"]);
    let line = server.line("topics.bytes is");
    assert!(line.contains(" WARN ") && line.contains("flag --set topics.bytes: "), "{line}");
    server.address();
}
