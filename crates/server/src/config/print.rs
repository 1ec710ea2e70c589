//! Printing the configuration, with explanations.

use super::sections::Config;
use toml::{Table, Value};

/// The default configuration, with explanations. Keys without a default are commented out, as `#key =`
/// without a space, and have an example.
pub(crate) const DEFAULTS: &str = include_str!("defaults.toml");

/// Returns a configuration with the explanations of the defaults, and without secrets.
pub(crate) fn with_comments(config: &Config) -> Result<String, toml::ser::Error> {
    let config = Table::try_from(config)?;
    let mut printed = String::new();
    let mut section = Vec::new();
    let mut lines = DEFAULTS.lines().peekable();
    while let Some(line) = lines.next() {
        match Line::of(line) {
            Line::Section(name) => section = name.split('.').collect(),
            Line::Key(name) => {
                if let Some(value) = at(&config, &section).and_then(|table| table.get(name)) {
                    printed.push_str(&format!("{name} = {value}\n"));
                    continue;
                }
            }
            Line::Entries(name) => {
                let (above, last) =
                    name.rsplit_once('.').map_or((None, name), |(a, b)| (Some(a), b));
                let above: Vec<_> = above.into_iter().flat_map(|it| it.split('.')).collect();
                let entries = at(&config, &above).and_then(|table| table.get(last));
                let entries = entries.and_then(Value::as_array).filter(|it| !it.is_empty());
                if let Some(entries) = entries {
                    push_entries(&mut printed, name, entries);
                    // The example is not needed.
                    while lines.next_if(|line| matches!(Line::of(line), Line::Key(_))).is_some() {}
                    continue;
                }
                // So that the keys of the example are not taken for others of this name.
                section = vec![""];
            }
            Line::Other => {}
        }
        printed.push_str(line);
        printed.push('\n');
    }
    Ok(printed)
}

/// A line of the defaults.
enum Line<'a> {
    /// `[limits]`.
    Section(&'a str),
    /// `#[[topic]]`: an example of entries, the keys of which follow.
    Entries(&'a str),
    /// `key = value`, or `#key = value`.
    Key(&'a str),
    /// A comment, or nothing.
    Other,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        let active = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = active.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            return Self::Entries(name);
        }
        if let Some(name) = active.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Self::Section(name);
        }
        match active.split_once(" = ") {
            Some((name, _)) if !name.is_empty() && !name.contains(' ') => Self::Key(name),
            _ => Self::Other,
        }
    }
}

fn at<'a>(config: &'a Table, section: &[&str]) -> Option<&'a Table> {
    section.iter().try_fold(config, |table, name| table.get(*name)?.as_table())
}

fn push_entries(printed: &mut String, name: &str, entries: &[Value]) {
    for entry in entries {
        printed.push_str(&format!("[[{name}]]\n"));
        for (key, value) in entry.as_table().into_iter().flatten() {
            printed.push_str(&format!("{key} = {value}\n"));
        }
        printed.push('\n');
    }
    // The line that follows the example ends it already.
    if printed.ends_with("\n\n") {
        printed.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Returns the keys of each section that the text has, also those that are commented out.
    fn keys_of_text(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        let (mut keys, mut section) = (BTreeMap::<_, BTreeSet<_>>::new(), "");
        for line in text.lines() {
            match Line::of(line) {
                Line::Section(name) | Line::Entries(name) => {
                    section = name;
                    let (above, last) = name.rsplit_once('.').unwrap_or(("", name));
                    keys.entry(above).or_default().insert(last);
                    keys.entry(name).or_default();
                }
                Line::Key(name) => assert!(keys.entry(section).or_default().insert(name), "{name}"),
                Line::Other => {}
            }
        }
        keys
    }

    /// Returns the keys that a section can have: those that are named for an unknown one.
    fn keys_of_config(section: &str, is_entries: bool) -> BTreeSet<String> {
        let header = match (section, is_entries) {
            ("", _) => String::new(),
            (_, true) => format!("[[{section}]]"),
            (_, false) => format!("[{section}]"),
        };
        let error = toml::from_str::<Config>(&format!("{header}\nunknown = 1")).unwrap_err();
        let (_, expected) = error.message().split_once("expected").unwrap();
        expected.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_program() {
        assert_eq!(toml::from_str::<Config>(DEFAULTS).unwrap(), Config::default());
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    }

    #[test]
    fn the_defaults_name_every_key() {
        for (section, keys) in keys_of_text(DEFAULTS) {
            let is_entries = DEFAULTS.contains(&format!("#[[{section}]]"));
            let keys: BTreeSet<_> = keys.into_iter().map(ToOwned::to_owned).collect();
            assert_eq!(keys, keys_of_config(section, is_entries), "[{section}]");
        }
    }

    /// Each example is valid, apart from others that contradict it.
    #[test]
    fn the_examples_are_valid() {
        let mut active = String::new();
        for line in DEFAULTS.lines() {
            active.push_str(match Line::of(line) {
                Line::Key(_) | Line::Entries(_) => line.trim_start_matches('#'),
                _ => line,
            });
            active.push('\n');
        }
        let config = toml::from_str::<Config>(&active).unwrap();
        assert_eq!((config.topic.len(), config.app.len(), config.access.token.len()), (1, 1, 1));
    }

    #[test]
    fn what_is_printed_without_changes_are_the_defaults() {
        assert_eq!(with_comments(&Config::default()).unwrap(), DEFAULTS);
    }

    #[test]
    fn what_is_printed_is_what_counts() {
        let text = r#"
            listen = "[::1]:80"
            origins = ["https://example.com"]
            topic = [{ pattern = "/topic/a", age = "1 h" }, { pattern = "/topic/b", messages = 1 }]
            app = [{ destination = "/app/{a}", send-to-user = { user = "{a}", queue = "/queue/a" } }]
            tls.key = "a.pem"
            access.anonymous = false
            limits.window = 5
            limits.user.messages = "unlimited"
            limits.destination-rule = [{ pattern = "/app/**", message = 5 }]
            access.anonymous-clients.publish = []
        "#;
        let config = toml::from_str::<Config>(text).unwrap();
        let printed = with_comments(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&printed).unwrap(), config, "{printed}");
        assert!(
            printed.contains("[[topic]]\nage = \"1 h\"\npattern = \"/topic/a\"\n"),
            "{printed}"
        );
        let comments = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
        assert_eq!(comments(&printed), comments(DEFAULTS));
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = r#"
            broker.url = "redis://joe:hidden@host"
            access.jwt.key = [{ algorithm = "HS256", secret = "hidden" }]
            access.token = [{ user = "joe", token = "hidden" }]
            access.password = [{ user = "joe", password = "hidden" }]
        "#;
        let config = toml::from_str::<Config>(text).unwrap();
        let printed = with_comments(&config).unwrap();
        assert!(
            !printed.contains("hidden") && !format!("{config:?}").contains("hidden"),
            "{printed}"
        );
        assert!(printed.contains("redis://joe:********@host"), "{printed}");
    }
}
