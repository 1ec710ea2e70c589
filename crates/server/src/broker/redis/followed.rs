//! What the hub follows, and the channels that are subscribed for it.

use super::{
    keys::{Keys, is_pattern},
    pushes::Told,
};
use redis::Cmd;
use sansocket_realtime::Pattern;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

#[derive(Debug, Default)]
pub(super) struct Followed {
    topics: HashSet<Arc<str>>,
    /// The patterns for each pattern of Redis: several can have the same.
    globs: HashMap<String, Vec<(Arc<str>, Pattern)>>,
}

impl Followed {
    /// Follows a topic or pattern. Returns the command that subscribes to its channels.
    pub(super) fn follow(&mut self, destination: &Arc<str>, keys: &Keys) -> Cmd {
        // Only a pattern can be parsed that has the characters of one.
        match destination.parse::<Pattern>() {
            Ok(pattern) if is_pattern(destination) => {
                let glob = keys.glob(destination);
                let command = subscription("PSUBSCRIBE", &glob);
                let patterns = self.globs.entry(glob).or_default();
                if patterns.iter().all(|(text, _)| text != destination) {
                    patterns.push((destination.clone(), pattern));
                }
                command
            }
            _ => {
                self.topics.insert(destination.clone());
                subscription("SUBSCRIBE", &keys.channel(destination))
            }
        }
    }

    /// Follows a topic or pattern no longer. Returns the command that ends its subscription, unless
    /// it is needed for another.
    pub(super) fn unfollow(&mut self, destination: &str, keys: &Keys) -> Option<Cmd> {
        if !is_pattern(destination) {
            let channel = keys.channel(destination);
            return self.topics.remove(destination).then(|| subscription("UNSUBSCRIBE", &channel));
        }
        let glob = keys.glob(destination);
        let patterns = self.globs.get_mut(&glob)?;
        patterns.retain(|(text, _)| &**text != destination);
        if !patterns.is_empty() {
            return None;
        }
        self.globs.remove(&glob);
        Some(subscription("PUNSUBSCRIBE", &glob))
    }

    /// Returns the destination of a message that was told, if it is followed.
    pub(super) fn destination(&self, told: &Told, keys: &Keys) -> Option<Arc<str>> {
        let channel = std::str::from_utf8(&told.channel).ok()?;
        let destination = keys.destination(channel)?;
        let Some(glob) = &told.glob else { return self.topics.get(destination).cloned() };
        let patterns = self.globs.get(std::str::from_utf8(glob).ok()?)?;
        let is_followed = patterns.iter().any(|(_, pattern)| pattern.matches(destination));
        is_followed.then(|| destination.into())
    }
}

fn subscription(command: &str, channel: &str) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(channel);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::Epoch;

    fn shown(command: &Cmd) -> String {
        let arguments = command.args_iter().map(|argument| match argument {
            redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        });
        arguments.collect::<Vec<_>>().join(" ")
    }

    struct Following {
        keys: Keys,
        followed: Followed,
    }

    impl Following {
        fn follow(&mut self, destination: &str) -> String {
            shown(&self.followed.follow(&destination.into(), &self.keys))
        }

        fn unfollow(&mut self, destination: &str) -> Option<String> {
            Some(shown(&self.followed.unfollow(destination, &self.keys)?))
        }

        fn hears(&self, glob: Option<&str>, channel: &str) -> bool {
            let glob = glob.map(|glob| glob.as_bytes().to_vec());
            let told = Told { glob, channel: channel.into(), message: Vec::new() };
            self.followed.destination(&told, &self.keys).is_some()
        }
    }

    fn nothing() -> Following {
        Following { keys: Keys::new("p", Epoch(0xb)), followed: Followed::default() }
    }

    #[test]
    fn topics_are_subscribed_while_they_are_followed() {
        let mut following = nothing();
        assert!(!following.hears(None, "{p}:b:/topic/a"));
        assert_eq!(following.follow("/topic/a"), "SUBSCRIBE {p}:b:/topic/a");
        assert!(following.hears(None, "{p}:b:/topic/a"));
        // That of another sequence, and one that is not followed.
        assert!(!following.hears(None, "{p}:c:/topic/a"));
        assert!(!following.hears(None, "{p}:b:/topic/b"));
        assert_eq!(following.unfollow("/topic/a").as_deref(), Some("UNSUBSCRIBE {p}:b:/topic/a"));
        assert_eq!(following.unfollow("/topic/a"), None);
        assert!(!following.hears(None, "{p}:b:/topic/a"));
    }

    #[test]
    fn patterns_are_filtered_and_share_subscriptions() {
        let mut following = nothing();
        assert_eq!(following.follow("/topic/*"), "PSUBSCRIBE {p}:b:/topic/*");
        assert!(following.hears(Some("{p}:b:/topic/*"), "{p}:b:/topic/a"));
        assert!(!following.hears(Some("{p}:b:/topic/*"), "{p}:b:/topic/a/b"));
        for pattern in ["/topic/a/**", "/topic/a/>", "/topic/a/>"] {
            assert_eq!(following.follow(pattern), "PSUBSCRIBE {p}:b:/topic/a*");
        }
        assert!(!following.hears(Some("{p}:b:/topic/a*"), "{p}:b:/topic/ab"));
        assert_eq!(following.unfollow("/topic/a/**"), None);
        assert!(following.hears(Some("{p}:b:/topic/a*"), "{p}:b:/topic/a/b"));
        assert_eq!(
            following.unfollow("/topic/a/>").as_deref(),
            Some("PUNSUBSCRIBE {p}:b:/topic/a*")
        );
        assert_eq!(following.unfollow("/topic/a/>"), None);
    }
}
