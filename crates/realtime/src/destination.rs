//! Names of destinations, and patterns of them.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::{fmt, str::FromStr};

/// How many parts a destination can have. The tree of patterns has a node for each of them.
const PARTS: usize = 32;

/// A destination that a client or the application names, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination<'a> {
    /// `/topic/…`, or `/presence/topic/…`, without wildcards.
    Topic(&'a str),
    /// `/topic/…` with wildcards.
    Pattern(&'a str),
    /// `/queue/…`.
    Queue(&'a str),
    /// `/user/queue/…`: the queue of the user who names it, from `/queue` on.
    OwnQueue(&'a str),
    /// `/user/{name}/queue/…`: the queue of another user, whole.
    UserQueue(&'a str),
    /// `/app/…`.
    Application(&'a str),
}

impl<'a> Destination<'a> {
    /// Takes a destination apart. Returns what is wrong with it as the rest of a sentence.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('/').ok_or("does not begin with \"/\"")?;
        let (kind, below) = rest.split_once('/').ok_or("has nothing below its first part")?;
        let wildcards = check_segments(rest)?;
        if wildcards && kind != "topic" {
            return Err("can't have wildcards: only topics can");
        }
        match kind {
            "topic" if wildcards => Ok(Self::Pattern(text)),
            "topic" => Ok(Self::Topic(text)),
            "presence" if below.starts_with("topic/") => Ok(Self::Topic(text)),
            "queue" => Ok(Self::Queue(text)),
            "user" if below.starts_with("queue/") => Ok(Self::OwnQueue(&text["/user".len()..])),
            "user" => match below.split_once('/') {
                Some((name, queue)) if queue.starts_with("queue/") => {
                    let is_of_user = unescape(name).is_some_and(|user| escape(&user) == name);
                    let problem = "has a name that is not how a user's is written in destinations";
                    if is_of_user { Ok(Self::UserQueue(text)) } else { Err(problem) }
                }
                _ => {
                    Err("is not the queue of a user: that is /user/queue/… or /user/{name}/queue/…")
                }
            },
            "app" => Ok(Self::Application(text)),
            _ => Err("is not below /topic, /queue, /user, /app or /presence"),
        }
    }
}

/// Checks the segments of a destination, and returns whether some are wildcards.
fn check_segments(rest: &str) -> Result<bool, &'static str> {
    let mut wildcards = false;
    let mut segments = rest.split('/').enumerate().peekable();
    while let Some((index, segment)) = segments.next() {
        match segment {
            _ if index == PARTS => return Err("has more than 32 parts"),
            "" => return Err("has an empty part"),
            "*" => wildcards = true,
            "**" | ">" if segments.peek().is_none() => wildcards = true,
            "**" | ">" => return Err("has \"**\" or \">\" before its last part"),
            _ => check_characters(segment)?,
        }
    }
    Ok(wildcards)
}

fn check_characters(segment: &str) -> Result<(), &'static str> {
    for character in segment.chars() {
        match character {
            '*' | '>' => return Err("has a wildcard that is not a whole part"),
            _ if character.is_control() => return Err("contains a control character"),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the queue of a user: `queue` below `/user/{name}`, with the name made one segment. It is
/// longer than the name, at most three times, so limits of destinations are not for it.
pub(crate) fn of_user(name: &str, queue: &str) -> String {
    alloc::format!("/user/{}{queue}", escape(name))
}

/// Returns the queue of a connection without a user. No name of a user leads to it, because a `%` in
/// escaped names is always followed by two digits, or by nothing but `-`.
pub(crate) fn of_connection(connection: u64, queue: &str) -> String {
    alloc::format!("/user/%-{connection}{queue}")
}

/// Returns what subscribers know as the destination of a topic: the queue of a user is
/// `/user/queue/…` to the user.
pub(crate) fn as_subscribers_know_it(topic: &str) -> Cow<'_, str> {
    let below_user =
        topic.strip_prefix("/user/").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    below_user.map_or(Cow::Borrowed(topic), |queue| Cow::Owned(alloc::format!("/user{queue}")))
}

/// Makes the name of a user one segment of a destination. Different names have different segments.
fn escape(name: &str) -> String {
    match name {
        "" => return "%-".into(),
        // `/user/queue/…` is the queue of whoever names it.
        "queue" => return "%71ueue".into(),
        _ => {}
    }
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut segment = String::with_capacity(name.len());
    for character in name.chars() {
        if !matches!(character, '/' | '%' | '*' | '>') && !character.is_control() {
            segment.push(character);
            continue;
        }
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            segment.push('%');
            segment.push(DIGITS[usize::from(byte >> 4)].into());
            segment.push(DIGITS[usize::from(byte & 15)].into());
        }
    }
    segment
}

/// Returns the name of a user that a segment stands for. The segment need not be how [`escape`] writes
/// the name.
fn unescape(segment: &str) -> Option<String> {
    if segment == "%-" {
        return Some(String::new());
    }
    let mut name = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            name.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16).map(|digit| digit as u8);
        name.push(digit()? << 4 | digit()?);
    }
    String::from_utf8(name).ok()
}

/// A pattern of topics: `/topic/…`, in which `*` stands for one part, and `**` or `>` at the end for
/// any number of parts, also for none. It has at most 32 parts.
///
/// In the [configuration](crate::hub::Config) of a hub, a pattern can also match queues, the queues of
/// users, and the presence of topics: `/queue/…`, `/user/*/queue/…` and `/presence/topic/…`. The part after
/// `/user` is the name of the user as [`Command::send_to_user`](crate::hub::Command::send_to_user) writes
/// it.
///
/// ```
/// use sansocket_realtime::Pattern;
///
/// let pattern: Pattern = "/topic/orders/*/status".parse()?;
/// assert!(pattern.matches("/topic/orders/42/status"));
/// assert!(!pattern.matches("/topic/orders/42/lines/status"));
///
/// let below: Pattern = "/topic/orders/**".parse()?;
/// assert!(below.matches("/topic/orders/42/lines") && below.matches("/topic/orders"));
/// # Ok::<(), sansocket_realtime::InvalidPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Returns whether a topic, or another destination, matches.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        matches(&self.0, topic)
    }

    /// Parses a pattern of destinations of any kind: unlike a pattern that clients subscribe to, it can
    /// also be below `/app`.
    pub(crate) fn of_any_destination(text: &str) -> Result<Self, InvalidPattern> {
        let kinds = ["topic", "queue", "app", "user", "presence"];
        Self::below(text, &kinds, "is not below /topic, /queue, /app, /user or /presence")
    }

    fn below(text: &str, kinds: &[&str], otherwise: &'static str) -> Result<Self, InvalidPattern> {
        let problem = |problem| InvalidPattern { pattern: text.into(), problem };
        let rest = text.strip_prefix('/').ok_or(problem("does not begin with \"/\""))?;
        check_segments(rest).map_err(problem)?;
        match rest.split_once('/') {
            Some((kind, _)) if kinds.contains(&kind) => Ok(Self(text.into())),
            _ => Err(problem(otherwise)),
        }
    }

    /// Returns the text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a pattern matches a topic.
pub(crate) fn matches(pattern: &str, topic: &str) -> bool {
    let mut segments = topic.split('/');
    for expected in pattern.split('/') {
        if is_rest(expected) {
            return true;
        }
        match segments.next() {
            Some(segment) if expected == "*" || expected == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Returns whether a segment of a pattern stands for any number of segments.
pub(crate) fn is_rest(segment: &str) -> bool {
    matches!(segment, "**" | ">")
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    /// Parses a topic or a queue, with or without wildcards, or the queues of users:
    /// `/user/*/queue/…`.
    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let kinds = ["topic", "queue", "user", "presence"];
        Self::below(text, &kinds, "is not below /topic, /queue, /user or /presence")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern:?} {problem}")]
pub struct InvalidPattern {
    pattern: String,
    problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_have_a_kind() {
        use Destination::{Application, OwnQueue, Pattern, Queue, Topic, UserQueue};
        for (text, expected) in [
            ("/topic/a", Topic("/topic/a")),
            ("/topic/a.b/c", Topic("/topic/a.b/c")),
            ("/presence/topic/a", Topic("/presence/topic/a")),
            ("/topic/*", Pattern("/topic/*")),
            ("/topic/*/b/**", Pattern("/topic/*/b/**")),
            ("/topic/a/>", Pattern("/topic/a/>")),
            ("/queue/a/b", Queue("/queue/a/b")),
            ("/user/queue/a", OwnQueue("/queue/a")),
            ("/user/joe/queue/a", UserQueue("/user/joe/queue/a")),
            ("/app/a", Application("/app/a")),
        ] {
            assert_eq!(Destination::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_destinations_are_refused() {
        for text in [
            "",
            "/",
            "a",
            "topic/a",
            "/topic",
            "/topic/",
            "/topic//a",
            "/topic/a/",
            "//topic/a",
            "/Topic/a",
            "/queue/*",
            "/app/**",
            "/topic/**/a",
            "/topic/>/a",
            "/topic/a*",
            "/topic/a>b",
            "/topic/a\nb",
            "/topic/a\0",
            "/topic/\u{85}",
            "/user/a",
            "/user/a/b",
            "/user/a/topic/b",
            "/user/queue",
            "/user/a/queue",
            "/user//queue/a",
            "/presence/queue/a",
            "/other/a",
            "/user/*/queue/a",
            "/presence/topic/*",
            // Only how a name is always written, and no name of a connection.
            "/user/%-3/queue/a",
            "/user/a%2fb/queue/a",
            "/user/%61/queue/a",
            "/user/%/queue/a",
            "/user/%2/queue/a",
            "/user/%é/queue/a",
            "/user/%FF/queue/a",
        ] {
            assert!(Destination::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn parts_are_bounded() {
        for (below, is_valid) in [(PARTS - 1, true), (PARTS, false)] {
            for part in ["/a", "/*"] {
                let text = alloc::format!("/topic{}", part.repeat(below));
                assert_eq!(Destination::parse(&text).is_ok(), is_valid, "{text}");
                assert_eq!(text.parse::<Pattern>().is_ok(), is_valid, "{text}");
            }
        }
    }

    #[test]
    fn names_of_users_are_one_segment() {
        assert_eq!(of_user("joe", "/queue/a"), "/user/joe/queue/a");
        assert_eq!(of_user("a/b%c*d>e\n", "/queue/a"), "/user/a%2Fb%25c%2Ad%3Ee%0A/queue/a");
        assert_eq!(of_user("\u{85}", "/queue/a"), "/user/%C2%85/queue/a");
        assert_eq!(of_user("queue", "/queue/a"), "/user/%71ueue/queue/a");
        assert_eq!(of_user("", "/queue/a"), "/user/%-/queue/a");
        for name in ["", "queue", "joe", "a/b%c*d>e\n", "\u{85}", "%-", "%71ueue", "é"] {
            let destination = of_user(name, "/queue/a");
            assert_eq!(Destination::parse(&destination), Ok(Destination::UserQueue(&destination)));
        }
        assert_eq!(as_subscribers_know_it("/user/a%2Fb/queue/a/b"), "/user/queue/a/b");
        assert_eq!(as_subscribers_know_it(&of_connection(7, "/queue/a")), "/user/queue/a");
        assert_eq!(as_subscribers_know_it("/topic/a"), "/topic/a");
    }

    #[test]
    fn patterns_match_whole_segments() {
        let matches = |pattern: &str, topic| pattern.parse::<Pattern>().unwrap().matches(topic);
        assert!(matches("/topic/a", "/topic/a") && !matches("/topic/a", "/topic/ab"));
        assert!(matches("/topic/*", "/topic/a") && !matches("/topic/*", "/topic/a/b"));
        assert!(matches("/topic/*/c", "/topic/b/c") && !matches("/topic/*/c", "/topic/b/d"));
        assert!(matches("/topic/a/**", "/topic/a") && matches("/topic/a/>", "/topic/a/b/c"));
        assert!(!matches("/topic/a/**", "/topic/ab") && !matches("/topic/a/b", "/topic/a"));
        assert!(matches("/user/*/queue/**", "/user/joe/queue/a"));
        assert!(matches("/queue/*", "/queue/a") && !matches("/queue/*", "/topic/a"));
        for wrong in ["", "/app/a", "/topic/**/a", "/topic", "/topic//"] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
        for other in ["/queue/*", "/app/**", "/topic/*/a", "/user/*/queue/a"] {
            assert!(Pattern::of_any_destination(other).is_ok(), "{other}");
        }
        for wrong in ["", "/**", "/other/a", "/app", "/app/**/a", "app/a"] {
            assert!(Pattern::of_any_destination(wrong).is_err(), "{wrong}");
        }
    }
}
