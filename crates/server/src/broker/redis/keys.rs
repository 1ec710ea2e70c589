//! The names of keys and channels.
//!
//! All begin with the prefix in braces, so that they are in one slot. Those that belong to a sequence have its
//! epoch in them: what another epoch has stored is never taken for that of this one.

use sansocket_realtime::Epoch;

#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    /// `{prefix}:epoch:`
    of_epoch: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, epoch: Epoch) -> Self {
        Self { prefix: prefix.into(), of_epoch: format!("{{{prefix}}}:{epoch}:") }
    }

    /// A hash: the epoch, the last position, and what they depend on.
    pub(super) fn state(prefix: &str) -> String {
        format!("{{{prefix}}}")
    }

    /// A string that exists as long as a node is alive: its connection.
    pub(super) fn alive(prefix: &str, node: Epoch) -> String {
        format!("{{{prefix}}}:alive:{node}")
    }

    /// A set: all nodes that are not known to be dead.
    pub(super) fn nodes(prefix: &str) -> String {
        format!("{{{prefix}}}:nodes")
    }

    /// A sorted set: the positions of the messages that are with a node, each with its queue.
    pub(super) fn taken(&self, node: Epoch) -> String {
        format!("{{{}}}:taken:{node}", self.prefix)
    }

    /// A hash: the messages of a queue, by their positions. As all that queues need, it outlasts an epoch.
    pub(super) fn queued(&self, queue: &str) -> String {
        format!("{{{}}}:queued:{queue}", self.prefix)
    }

    /// A sorted set: the positions of those that are with no node.
    pub(super) fn waiting(&self, queue: &str) -> String {
        format!("{{{}}}:waiting:{queue}", self.prefix)
    }

    /// A hash: how often messages of a queue were delivered, if they were.
    pub(super) fn deliveries(&self, queue: &str) -> String {
        format!("{{{}}}:deliveries:{queue}", self.prefix)
    }

    pub(super) fn state_of_all(&self) -> String {
        Self::state(&self.prefix)
    }

    pub(super) fn alive_of(&self, node: Epoch) -> String {
        Self::alive(&self.prefix, node)
    }

    pub(super) fn nodes_of_all(&self) -> String {
        Self::nodes(&self.prefix)
    }

    /// A hash: the nodes at which the members of a topic are, by its presence.
    pub(super) fn members(&self, presence: &str) -> String {
        format!("{}members:{presence}", self.of_epoch)
    }

    /// A hash: what is to be published when those who are at a node are gone.
    pub(super) fn entered(&self, node: Epoch) -> String {
        format!("{}entered:{node}", self.of_epoch)
    }

    /// A set: the presences that have members.
    pub(super) fn presences(&self) -> String {
        format!("{}presences", self.of_epoch)
    }

    /// A hash: what a node has published last.
    pub(super) fn published(&self, node: Epoch) -> String {
        format!("{}published:{node}", self.of_epoch)
    }

    /// A sorted set: topics by the positions of their last messages.
    pub(super) fn topics(&self) -> String {
        format!("{}topics", self.of_epoch)
    }

    /// What a stream's key begins with. The destination follows.
    pub(super) fn streams(&self) -> String {
        format!("{}messages:", self.of_epoch)
    }

    /// A stream: the messages of a topic.
    pub(super) fn stream(&self, destination: &str) -> String {
        format!("{}messages:{destination}", self.of_epoch)
    }

    /// The channel on which the messages of a topic are told, and that a queue has messages again.
    pub(super) fn channel(&self, destination: &str) -> String {
        format!("{}{destination}", self.of_epoch)
    }

    /// Returns the destination whose channel this is.
    pub(super) fn destination<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.of_epoch)
    }

    /// Returns a pattern of Redis for the channels of the topics that a pattern matches. It can match
    /// others too, since a `*` of Redis also stands for several segments, and the second one ends the pattern:
    /// for each `*` that something follows, Redis can look through the rest of a channel again.
    pub(super) fn glob(&self, pattern: &str) -> String {
        let mut has_star = false;
        let mut glob = String::with_capacity(self.of_epoch.len() + pattern.len());
        escape(&self.of_epoch, &mut glob);
        for (index, segment) in pattern.split('/').enumerate() {
            match segment {
                // It also stands for no segments, and so for no slash.
                "**" | ">" => {
                    glob.push('*');
                    return glob;
                }
                _ if index > 0 => glob.push('/'),
                _ => {}
            }
            match segment {
                "*" => glob.push('*'),
                _ => escape(segment, &mut glob),
            }
            if segment == "*" && std::mem::replace(&mut has_star, true) {
                return glob;
            }
        }
        glob
    }
}

/// Returns whether a destination that is followed is a pattern: no topic has these characters.
pub(super) fn is_pattern(destination: &str) -> bool {
    destination.contains(['*', '>'])
}

/// Returns whether nodes take the messages of a destination, and do not follow it.
pub(super) fn is_queue(destination: &str) -> bool {
    destination.starts_with("/queue/")
}

/// Returns a pattern of Lua that a topic with a `/` behind it matches if it matches this one.
pub(super) fn lua_pattern(pattern: &str) -> String {
    let mut lua = String::from("^");
    for segment in pattern.split('/') {
        match segment {
            "**" | ">" => return lua,
            "*" => lua.push_str("[^/]*"),
            _ => {
                for character in segment.chars() {
                    if character.is_ascii_punctuation() {
                        lua.push('%');
                    }
                    lua.push(character);
                }
            }
        }
        lua.push('/');
    }
    lua.push('$');
    lua
}

fn escape(text: &str, glob: &mut String) {
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '^' | '\\') {
            glob.push('\\');
        }
        glob.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_slot_and_their_epoch() {
        let keys = Keys::new("a", Epoch(0xb));
        assert_eq!(keys.state_of_all(), "{a}");
        assert_eq!(Keys::alive("a", Epoch(0xc)), "{a}:alive:c");
        assert_eq!(keys.published(Epoch(0xc)), "{a}:b:published:c");
        assert_eq!(keys.stream("/topic/x"), "{a}:b:messages:/topic/x");
        assert_eq!(keys.members("/presence/topic/x"), "{a}:b:members:/presence/topic/x");
        assert_eq!(keys.entered(Epoch(0xc)), "{a}:b:entered:c");
        assert_eq!(keys.streams() + "/topic/x", keys.stream("/topic/x"));
        let channel = keys.channel("/topic/x");
        assert_eq!(keys.destination(&channel), Some("/topic/x"));
        assert_eq!(keys.destination("{a}:c:/topic/x"), None);
    }

    #[test]
    fn patterns_are_escaped() {
        let keys = Keys::new("a?", Epoch(0xb));
        for (pattern, glob, lua) in [
            ("/topic/*", r"{a\?}:b:/topic/*", "^/topic/[^/]*/$"),
            ("/topic/a/**", r"{a\?}:b:/topic/a*", "^/topic/a/"),
            ("/topic/a/>", r"{a\?}:b:/topic/a*", "^/topic/a/"),
            ("/topic/*/a/*/b", r"{a\?}:b:/topic/*/a/*", "^/topic/[^/]*/a/[^/]*/b/$"),
            ("/topic/[a]/*/b-c", r"{a\?}:b:/topic/\[a\]/*/b-c", "^/topic/%[a%]/[^/]*/b%-c/$"),
            ("/topic/%a\\é/*", r"{a\?}:b:/topic/%a\\é/*", "^/topic/%%a%\\é/[^/]*/$"),
        ] {
            assert_eq!((&*keys.glob(pattern), &*lua_pattern(pattern)), (glob, lua));
            assert!(is_pattern(pattern));
        }
        assert!(!is_pattern("/user/a%2Fb/queue/a"));
    }
}
