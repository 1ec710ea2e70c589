//! Patterns of destinations in permissions.

use sansocket_realtime::guard::{DestinationLimits, Limits};
use sansocket_realtime::{InvalidPattern, Pattern};
use std::{fmt, str::FromStr};

/// Destinations that a permission is about: one, or all that a pattern matches.
///
/// `*` stands for one part, and `**` or `>` at the end for any number of parts, also for none. The
/// pattern is below `/topic`, `/queue`, `/app` or `/user`.
///
/// ```
/// use sansocket_server::access::DestinationPattern;
///
/// let orders: DestinationPattern = "/topic/orders/**".parse()?;
/// assert!(orders.covers("/topic/orders/42"));
/// // A pattern is covered if everything is that it can match.
/// assert!(orders.covers("/topic/orders/*/lines"));
/// assert!(!orders.covers("/topic/**"));
/// # Ok::<(), sansocket_server::access::InvalidDestinationPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DestinationPattern(Pattern);

/// Why a text is not a [`DestinationPattern`]. It is the fault of who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDestinationPattern {
    /// It is not a pattern.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    /// It is below `/presence`.
    #[error(
        "pattern {pattern:?} is below /presence: whoever may subscribe to a topic also sees who is \
         there, so name the topic"
    )]
    Presence {
        /// The text.
        pattern: String,
    },
}

impl DestinationPattern {
    /// Returns whether this pattern matches everything that `other` matches. `other` is a destination, or
    /// a pattern of topics.
    #[must_use]
    pub fn covers(&self, other: &str) -> bool {
        let mut others = other.split('/');
        for own in self.as_str().split('/') {
            if is_rest(own) {
                return true;
            }
            match others.next() {
                // A rest matches longer and shorter destinations than this pattern.
                Some(other) if is_rest(other) => return false,
                Some(other) if own == "*" || own == other => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }

    /// Returns the text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for DestinationPattern {
    type Err = InvalidDestinationPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("/presence/") {
            return Err(InvalidDestinationPattern::Presence { pattern: text.into() });
        }
        // The guard's limits have patterns of all kinds of destinations, `Pattern` alone those of topics.
        let limits = Limits::default().destination(text, DestinationLimits::default())?;
        let (pattern, _) = limits.destinations.into_iter().next().expect("one was added");
        Ok(Self(pattern))
    }
}

impl fmt::Display for DestinationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns whether a part of a pattern stands for any number of parts.
fn is_rest(part: &str) -> bool {
    matches!(part, "**" | ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_matches() {
        for (pattern, covered, others) in [
            (
                "/topic/a",
                &["/topic/a"][..],
                &["/topic/b", "/topic/a/b", "/topic/*", "/topic/**"][..],
            ),
            (
                "/topic/*",
                &["/topic/a", "/topic/*"],
                &["/topic/a/b", "/topic/**", "/topic/>", "/queue/a"],
            ),
            (
                "/topic/**",
                &["/topic/a", "/topic/a/b", "/topic/*/b", "/topic/**", "/topic/>"],
                &["/app/a"],
            ),
            (
                "/topic/a/**",
                &["/topic/a", "/topic/a/b", "/topic/a/*", "/topic/a/>", "/topic/a/*/**"],
                &["/topic/ab", "/topic/*", "/topic/**", "/topic/*/a"],
            ),
            (
                "/topic/*/b",
                &["/topic/a/b", "/topic/*/b"],
                &["/topic/a/*", "/topic/*/**", "/topic/a"],
            ),
            // It can match /topic/a, which the pattern does not.
            ("/topic/a/*/**", &["/topic/a/b", "/topic/a/*"], &["/topic/a/**", "/topic/a"]),
            ("/user/*/queue/**", &["/user/joe/queue/a"], &["/user/joe", "/queue/a"]),
        ] {
            let pattern: DestinationPattern = pattern.parse().unwrap();
            for text in covered {
                assert!(pattern.covers(text), "{pattern} covers {text}");
            }
            for text in others {
                assert!(!pattern.covers(text), "{pattern} does not cover {text}");
            }
        }
    }

    /// Whatever a covered pattern matches, the one that covers it matches.
    #[test]
    fn covering_agrees_with_matching() {
        let parts = ["a", "b", "*", "**"];
        let mut texts = Vec::new();
        for first in parts {
            texts.push(format!("/topic/{first}"));
            for second in parts {
                texts.push(format!("/topic/{first}/{second}"));
                texts.extend(parts.map(|third| format!("/topic/{first}/{second}/{third}")));
            }
        }
        let topics: Vec<_> = texts.iter().filter(|text| !text.contains('*')).collect();
        let patterns: Vec<_> =
            texts.iter().filter_map(|text| text.parse::<DestinationPattern>().ok()).collect();
        assert!(patterns.len() > 50);
        for one in &patterns {
            for other in &patterns {
                let matches_all = topics.iter().all(|it| !other.0.matches(it) || one.0.matches(it));
                assert!(!one.covers(other.as_str()) || matches_all, "{one} covers {other}");
            }
            for topic in &topics {
                assert_eq!(one.covers(topic), one.0.matches(topic), "{one} {topic}");
            }
        }
    }

    #[test]
    fn other_texts_are_no_patterns() {
        for text in ["", "/**", "/topic", "/topic/a*", "/topic/**/a", "topic/a", "/other/a"] {
            let error = text.parse::<DestinationPattern>();
            assert!(matches!(error, Err(InvalidDestinationPattern::Pattern(_))), "{text}");
        }
        let error = "/presence/topic/a".parse::<DestinationPattern>().unwrap_err();
        assert!(error.to_string().contains("name the topic"), "{error}");
    }
}
