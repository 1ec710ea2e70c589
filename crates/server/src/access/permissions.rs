//! What users may do.

use super::pattern::{DestinationPattern, InvalidDestinationPattern};

/// The destinations that somebody may subscribe and publish to. By default there are none.
///
/// A subscription with wildcards is allowed only if one pattern covers it as a whole, so that nobody gets
/// topics that are not permitted.
///
/// ```
/// use sansocket_server::access::Permissions;
///
/// let joe = Permissions::none().subscribe("/topic/orders/*")?.publish("/app/**")?;
/// assert!(joe.may_subscribe("/topic/orders/42") && joe.may_publish("/app/orders/42"));
/// assert!(!joe.may_subscribe("/topic/**") && !joe.may_publish("/topic/orders/42"));
/// # Ok::<(), sansocket_server::access::InvalidDestinationPattern>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// What to subscribe to: `/topic/…`, `/queue/…`, and `/app/…` of an application that answers
    /// subscriptions. The own `/user/queue/…` needs no permission. `/presence/topic/…` needs that of the
    /// topic.
    pub subscribe: Vec<DestinationPattern>,
    /// What to publish to: `/topic/…`, `/queue/…`, `/app/…`, and `/user/{name}/queue/…` of other users.
    pub publish: Vec<DestinationPattern>,
}

impl Permissions {
    /// Creates permissions for nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { subscribe: Vec::new(), publish: Vec::new() }
    }

    /// Adds a pattern to [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    ///
    /// Returns an error if it is not a pattern.
    pub fn subscribe(mut self, pattern: &str) -> Result<Self, InvalidDestinationPattern> {
        self.subscribe.push(pattern.parse()?);
        Ok(self)
    }

    /// Adds a pattern to [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// Returns an error if it is not a pattern.
    pub fn publish(mut self, pattern: &str) -> Result<Self, InvalidDestinationPattern> {
        self.publish.push(pattern.parse()?);
        Ok(self)
    }

    /// Returns whether they allow a subscription of a destination, or of all topics that a pattern
    /// matches.
    #[must_use]
    pub fn may_subscribe(&self, destination: &str) -> bool {
        self.subscribe.iter().any(|pattern| pattern.covers(destination))
    }

    /// Returns whether they allow publishing to a destination.
    #[must_use]
    pub fn may_publish(&self, destination: &str) -> bool {
        self.publish.iter().any(|pattern| pattern.covers(destination))
    }

    pub(super) fn of(subscribe: &[&str], publish: &[&str]) -> Self {
        let patterns = |texts: &[&str]| {
            let parse = |text: &&str| text.parse().expect("it is a pattern");
            texts.iter().map(parse).collect()
        };
        Self { subscribe: patterns(subscribe), publish: patterns(publish) }
    }
}
