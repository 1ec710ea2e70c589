use super::*;
use crate::config::Settings;
use clap::Parser;
use std::path::PathBuf;

/// Reads a configuration. `file` is the text of a file.
fn read(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Config, Vec<String>> {
    let path = (!file.is_empty()).then(|| Scratch::new(file));
    let mut flags = Flags::try_parse_from([&["sansocket-server"], flags].concat()).unwrap();
    flags.config = path.as_ref().map(|path| path.0.clone());
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    load(&flags, variables).map(|loaded| loaded.config).map_err(|problems| {
        let directory = std::env::temp_dir().display().to_string();
        let shown = |problem: &Problem| problem.to_string().replace(&directory, "");
        problems.iter().map(shown).collect()
    })
}

/// A file that goes with its test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(text: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("sansocket-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn problems(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
    read(file, variables, flags).unwrap_err()
}

/// Returns the problems of a file, without its name.
fn in_file(file: &str) -> Vec<String> {
    let line = |problem: String| problem.split_once(':').unwrap().1.to_owned();
    problems(file, &[], &[]).into_iter().map(line).collect()
}

#[test]
fn flags_count_more_than_variables_and_these_more_than_the_file() {
    let file = "limits.window = 1\nlimits.receipts = 1";
    assert_eq!(in_file(file).len(), 1);
    let file = "poll.events = 1\nlimits.window = 1\nstomp.receipts = 1\n";
    let variables = [("SANSOCKET_LIMITS__WINDOW", "2"), ("SANSOCKET_STOMP__RECEIPTS", "2")];
    let config = read(file, &variables, &["--set", "stomp.receipts=3"]).unwrap();
    let numbers =
        (config.poll.events.0.get(), config.limits.window.0.get(), config.stomp.receipts.0);
    assert_eq!(numbers, (1, 2, 3));
    // A flag of its own counts more than --set.
    let flags = ["--listen", "127.0.0.1:1", "--set", "listen=127.0.0.1:2"];
    assert_eq!(read("", &[], &flags).unwrap().listen.get_ref().0.port(), 1);
}

#[test]
fn every_flag_sets_its_key() {
    let flags = [
        "--listen=[::1]:1",
        "--origin=https://a.example",
        "--origin=https://b.example",
        "--anonymous",
        "--broker=redis://host",
        "--mqtt=host:1",
        "--tls-certificate=a",
        "--tls-key=b",
        "--log=debug",
        "--log-format=json",
        "--set=page=false",
    ];
    let config = read("", &[], &flags).unwrap();
    let expected = r#"
        listen = "[::1]:1"
        origins = ["https://a.example", "https://b.example"]
        page = false
        access.anonymous = true
        broker.url = "redis://host"
        mqtt.broker = "host:1"
        tls = { certificate = "a", key = "b" }
        log = { filter = "debug", format = "json" }
    "#;
    assert_eq!(config, toml::from_str(expected).unwrap());
}

#[test]
fn words_are_texts_where_texts_are_expected_and_toml_elsewhere() {
    let variables = [
        ("SANSOCKET_ACCESS__REALM", "1234"),
        ("SANSOCKET_PAGE", "false"),
        ("SANSOCKET_ACCESS__JWT__AUDIENCES", r#"["a", "b"]"#),
        ("SANSOCKET_ACCESS__TOKEN", r#"[{ user = "joe", token = "1234" }]"#),
        ("SANSOCKET_LIMITS__MESSAGE", "1 KiB"),
        ("SANSOCKET_LIMITS__REPLAY", "1024"),
    ];
    let config = read("", &variables, &["--set", "access.jwt.issuers=[\"c\"]"]).unwrap();
    assert_eq!((config.access.realm.as_str(), config.page), ("1234", Some(false)));
    assert_eq!(config.access.jwt.audiences, ["a", "b"]);
    assert_eq!(config.access.jwt.issuers, ["c"]);
    assert_eq!(config.access.token[0].get_ref().user.get_ref(), "joe");
    assert_eq!((config.limits.message.0, config.limits.replay.0), (1024, 1024));
}

#[test]
fn a_typing_error_is_told_with_its_place() {
    assert_eq!(
        in_file("page = true\n\n[limits.slow-consumer]\nhigh_water = 1\n"),
        [
            "4:1: unknown field `high_water`, expected one of `high-water`, `low-water`, `unsent`, `stalled`"
        ]
    );
    assert_eq!(
        problems("", &[("SANSOCKET_LOG__FORMT", "json")], &[]),
        ["variable SANSOCKET_LOG__FORMT: unknown field `formt`, expected `format` or `filter`"]
    );
    assert_eq!(
        problems("", &[], &["--set", "log.formt=json"]),
        ["flag --set log.formt: unknown field `formt`, expected `format` or `filter`"]
    );
    assert_eq!(
        problems("", &[], &["--set", "log.format", "--set", "=json"]),
        ["log.format", ""].map(|key| {
            format!(
                "flag --set {key}: write a key and its value, such as limits.message=\"64 KiB\""
            )
        })
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let problems = in_file("page = true\nlisten = 127.0.0.1\n[[\n");
    assert!(problems.len() > 1 && problems[0].starts_with("2:"), "{problems:?}");
    assert!(in_file("page = true\npage = false\n")[0].starts_with("2:1: "));
}

#[test]
fn every_problem_is_told_once_and_in_its_order() {
    let file = r#"
        page = "yes"
        [[topic]]
        messages = 1
        [[topic]]
        pattern = "topic/a"
        age = 5
        [[topic]]
        pattern = "/topic/a"
        colour = "red"
        [limits]
        window = 0
        message = "1 MB"
        [limits.user]
        bytes = "much"
        [access]
        sources = ["cookie"]
        users.publish = ["/presence/topic/a"]
    "#;
    let places: Vec<_> = in_file(file)
        .iter()
        .map(|problem| problem.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"))
        .collect();
    assert_eq!(
        places,
        ["2:16", "3:9", "6:19", "7:15", "10:9", "12:18", "13:19", "15:17", "17:20", "18:26"]
    );
}

#[test]
fn an_endless_number_of_problems_is_told_in_part() {
    let file: String = (0..1000).map(|number| format!("unknown-{number} = 1\n")).collect();
    assert_eq!(in_file(&file).len(), MOST_PROBLEMS);
}

#[test]
fn a_secret_that_is_wrong_is_not_told() {
    for file in [
        "[[access.token]]\nuser = \"joe\"\ntoken = 31415926\n",
        "[[access.token]]\nuser = \"joe\"\ntoken = [\"31415926\"]\n",
        "broker.url = 31415926\n",
        "[[access.jwt.key]]\nalgorithm = \"HS256\"\nsecret = { a = 31415926 }\n",
        "[[access.token]]\nuser = \"joe\"\ntoken = 31415926.5\n",
        "[access]\ntoken = \"31415926\"\n",
        "[access]\ntoken = [\"31415926, expected 31415926\"]\n",
    ] {
        let problems = in_file(file);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(!problems[0].contains("31415926"), "{problems:?}");
    }
    let problems =
        problems("", &[("SANSOCKET_BROKER__URL__X", "31415926")], &["--set", "31415926"]);
    assert_eq!(problems.len(), 2);
    assert!(!problems[1].contains("31415926"), "{problems:?}");
    // A bracket is missing at the end.
    let tokens = [("SANSOCKET_ACCESS__TOKEN", r#"[{ user = "joe", token = "31415926" }"#)];
    assert_eq!(
        read("", &tokens, &[]).unwrap_err(),
        ["variable SANSOCKET_ACCESS__TOKEN: invalid type: string, expected a sequence"]
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables = [
        ("SANSOCKET_CONFIG", "a.toml"),
        ("SANSOCKET_PORT", "tcp://10.0.0.1:80"),
        ("SANSOCKET_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("SANSOCKET_SERVICE_HOST", "10.0.0.1"),
        ("SANSOCKET_SERVICE_PORT", "80"),
        ("LISTEN", "a"),
    ];
    assert_eq!(read("", &variables, &[]).unwrap(), Config::default());
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStringExt;
    let variables = [("SANSOCKET_LISTEN".into(), OsString::from_vec(vec![255]))];
    let problems = load(&Flags::default(), variables).unwrap_err();
    assert_eq!(problems[0].to_string(), "variable SANSOCKET_LISTEN: it is not UTF-8");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let mut flags = Flags::default();
    flags.config = Some("/nonexistent/sansocket.toml".into());
    let problems = load(&flags, []).unwrap_err();
    assert!(problems[0].to_string().starts_with("/nonexistent/sansocket.toml: "), "{problems:?}");
}

/// Returns what is wrong with what a file means, without its name.
fn meaning(file: &str) -> Vec<String> {
    let path = Scratch::new(file);
    let mut flags = Flags::default();
    flags.config = Some(path.0.clone());
    let loaded = load(&flags, []).unwrap();
    let problems = Settings::new(&loaded).err().unwrap_or_default();
    let name = format!("{}:", path.0.display());
    problems.iter().map(|problem| problem.to_string().replace(&name, "")).collect()
}

#[test]
fn an_open_server_is_for_this_machine_unless_it_is_said() {
    for (file, is_fine) in [
        ("", true),
        ("listen = '[::1]:8080'", true),
        ("listen = '0.0.0.0:8080'", false),
        ("listen = '192.0.2.1:8080'", false),
        ("listen = '[::]:8080'", false),
        ("trusted-proxies.networks = ['127.0.0.1']", false),
        ("listen = '0.0.0.0:8080'\naccess.anonymous = true", true),
        ("listen = '0.0.0.0:8080'\naccess.token = [{ user = 'joe', token = 'abc' }]", true),
        ("access.anonymous = false", false),
        ("access.anonymous = false\naccess.password = [{ user = 'joe', password = 'abc' }]", true),
    ] {
        let problems = meaning(file);
        assert_eq!(problems.is_empty(), is_fine, "{file}: {problems:?}");
    }
    assert!(meaning("origins = ['*']").is_empty());
    let problem = &meaning("listen = '0.0.0.0:8080'")[0];
    assert!(problem.starts_with("1:10: everybody who reaches 0.0.0.0:8080"), "{problem}");
    assert!(problem.contains("--anonymous"), "{problem}");
}

#[test]
fn values_that_contradict_each_other_are_told() {
    for (file, problem) in [
        (
            "origins = ['*']\naccess.sources = ['bearer', 'cookie:session']",
            "1:12: browsers send the cookie \"session\" for pages of every site",
        ),
        (
            "origins = ['*']\naccess.sources = ['basic']",
            "1:12: browsers send the Basic credentials in Authorization for pages of every site",
        ),
        (
            "access.sources = ['passcode', 'bearer', 'login']",
            "1:41: login and passcode read the same headers of CONNECT",
        ),
        ("origins = ['example.com']", "1:12: \"example.com\": an origin must begin with a scheme"),
        ("origins = ['*', 'https://a.example']", "1:12: \"*\" is every origin"),
        (
            "trusted-proxies.networks = ['10.0.0.0/33']\naccess.anonymous = true",
            "1:29: \"10.0.0.0/33\"",
        ),
        ("log.filter = 'a=b'", "1:14: \"a=b\" is not a filter"),
        ("mqtt.broker = 'localhost'", "1:15: \"localhost\" is not a host and a port"),
        ("mqtt.broker = 'tcp://localhost:1883'", "1:15: "),
        ("broker.url = 'kafka://a:hidden@b'", "1:14: an address of Redis begins with redis://"),
        ("broker = { url = 'redis://a', url-file = 'b' }", "1:42: there are both url and url-file"),
        ("broker.url-file = '/nonexistent'", "1:19: can't read /nonexistent: "),
        ("queues.dead-letters = '/app/a'", "1:23: dead letters go to one queue or topic"),
        ("queues.dead-letters = '/topic/**'", "1:23: dead letters go to one queue or topic"),
        ("limits.destination-rule = [{ pattern = '/a' }]", "1:40: pattern \"/a\" is not below"),
        ("tls.key = 'a'", "1:11: TLS needs both"),
        (
            "tls = { certificate = '/nonexistent', key = '/dev/null' }",
            "1:23: can't read /nonexistent",
        ),
    ] {
        let problems = meaning(file);
        assert!(problems[0].starts_with(problem), "{file}: {problems:?}");
        assert!(!problems[0].contains("hidden"), "{problems:?}");
    }
}

#[test]
fn tokens_and_keys_are_checked() {
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/keys");
    for (file, problem) in [
        ("access.token = [{ user = 'joe' }]", "1:17: there is neither token nor token-file"),
        ("access.token = [{ user = 'joe', token = '' }]", "1:41: it is empty"),
        ("access.token = [{ user = '', token = 'a' }]", "1:26: the name of the user is empty"),
        (
            "access.password = [{ user = '', password = 'a' }]",
            "1:29: the name of the user is empty",
        ),
        (
            "access.token = [{ user = 'joe', token = 'a', token-file = 'b' }]",
            "1:59: there are both token",
        ),
        (
            "access.token = [{ user = 'joe', token-file = '/nonexistent' }]",
            "1:46: can't read /nonexistent",
        ),
        (
            "access.token = [{ user = 'a', token = 'a' }, { user = 'b', token = 'a' }]",
            "1:68: this token is",
        ),
        (
            "access.password = [{ user = 'a', password = 'a' }, { user = 'a', password = 'b' }]",
            "1:61: user \"a\" has a password already",
        ),
        (
            "access.jwt.key = [{ algorithm = 'HS256', secret = 'short' }]",
            "1:51: the secret has 5 bytes",
        ),
        (
            "access.jwt.key = [{ algorithm = 'HS256' }]",
            "1:19: there is neither secret nor secret-file",
        ),
        (
            "access.jwt.key = [{ algorithm = 'HS256', public-key-file = 'KEYS/rsa.public.pem' }]",
            "1:60: HS256",
        ),
        (
            "access.jwt.key = [{ algorithm = 'HS256', secret-file = 'KEYS/rsa.public.pem' }]",
            "1:56: the secret",
        ),
        (
            "access.jwt.key = [{ algorithm = 'RS256', secret = 'a' }]",
            "1:19: RS256 needs public-key-file",
        ),
        (
            "access.jwt.key = [{ algorithm = 'RS256', public-key-file = 'KEYS/rsa.private.pem' }]",
            "1:60: this is a private key",
        ),
        (
            "access.jwt.key = [{ algorithm = 'ES256', public-key-file = 'KEYS/rsa.public.pem' }]",
            "1:60: this is not a public key in PEM for ES256",
        ),
    ] {
        let problems = meaning(&file.replace("KEYS", keys));
        assert_eq!(problems.len(), 1, "{file}: {problems:?}");
        assert!(problems[0].starts_with(problem), "{file}: {problems:?}");
    }
    for file in [
        "access.jwt.key = [{ algorithm = 'RS256', public-key-file = 'KEYS/rsa.public.pem' }]",
        "access.jwt.key = [{ algorithm = 'ES256', public-key-file = 'KEYS/p256.public.pem' }]",
        "access.jwt.key = [{ algorithm = 'HS256', secret = 'at least thirty-two bytes of a secret' }]",
    ] {
        assert!(meaning(&file.replace("KEYS", keys)).is_empty(), "{file}");
    }
    let leeway = "access.jwt.leeway = '2 h'\n\
                  access.jwt.key = [{ algorithm = 'ES256', public-key-file = 'KEYS/p256.public.pem' }]";
    let problems = meaning(&leeway.replace("KEYS", keys));
    assert_eq!(problems, ["1:21: clocks can differ by an hour at most"]);
    let unknown = in_file("access.jwt.key = [{ algorithm = 'none', secret = 'a' }]");
    assert_eq!(unknown, ["1:33: algorithm \"none\" is none of HS256, RS256 and ES256"]);
}

#[test]
fn the_table_of_the_application_is_checked() {
    for (app, problem) in [
        ("destination = '/topic/a', publish = '/topic/b'", "route \"/topic/a\" is not below /app"),
        ("destination = '/app/a'", "an [[app]] has one of publish, send-to-user and reply"),
        (
            "destination = '/app/a', publish = '/topic/a', reply = '/user/queue/a'",
            "an [[app]] has one",
        ),
        ("destination = '/app/a', publish = '/topic/{b}'", "there is no {b} in \"/app/a\""),
        ("destination = '/app/a', publish = '/topic/{'", "\"/topic/{\" has a brace without"),
        ("destination = '/app/a', publish = '/topic/**'", "messages can't go to \"/topic/**\""),
        ("destination = '/app/a', publish = '/app/b'", "messages can't go to \"/app/b\""),
        (
            "destination = '/app/a', publish = '/topic//b'",
            "pattern \"/topic//b\" has an empty part",
        ),
        ("destination = '/app/a', reply = '/topic/a'", "messages can't go to \"/topic/a\""),
        ("destination = '/app/{user}', publish = '/topic/{user}'", "{user} is the user who sends"),
        (
            "destination = '/app/a', send-to-user = { user = '{b}', queue = '/queue/a' }",
            "there is no {b} in \"/app/a\"",
        ),
        (
            "destination = '/app/a', send-to-user = { user = 'b', queue = '/topic/a' }",
            "messages can't go to \"/topic/a\"",
        ),
    ] {
        let problems = meaning(&format!("app = [{{ {app} }}]"));
        assert_eq!(problems.len(), 1, "{app}: {problems:?}");
        assert!(problems[0].contains(problem), "{app}: {problems:?}");
    }
    let twice = "{ destination = '/app/{a}', publish = '/topic/a' }";
    let other = "{ destination = '/app/{b}', publish = '/topic/a' }";
    let problems = meaning(&format!("app = [{twice}, {other}]"));
    assert!(problems[0].contains("matches the same as another"), "{problems:?}");
    assert!(meaning(&format!("app = [{twice}]")).is_empty());
}
