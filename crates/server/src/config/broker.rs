//! The section of the broker.

use super::checks::Checks;
use super::secret::SecretUrl;
use super::setting::{Meaning, Setting, of};
use super::units::{AtLeastOne, Count, Interval, Size, Time};
use sansocket_realtime::{Pattern, hub::OutboxConfig};
use sansocket_server::broker::redis::{InvalidOptions, Redis, RedisOptions};
use std::{ops::Range, path::PathBuf};
use toml::Spanned;

section! {
    Broker {
        url: Option<Spanned<SecretUrl>> = None,
        url_file: Option<Spanned<PathBuf>> = None,
        outbox_messages: Setting<Count> = of("10000"),
        outbox_bytes: Setting<Size> = of("64 MiB"),
        local: Vec<Setting<Pattern>> = Vec::new(),
        redis: RedisSection = RedisSection::default(),
    }
}

section! {
    RedisSection for RedisOptions {
        prefix: String = "sansocket".into(),
        messages: Setting<AtLeastOne> = of("1000"),
        age: Setting<Interval> = of("1 h"),
        topics: Setting<AtLeastOne> = of("100000"),
        queue: Setting<AtLeastOne> = of("100000"),
        queued: Setting<Size> = of("1 GiB"),
        message: Setting<Size> = of("4 MiB"),
        history_messages: Setting<AtLeastOne> = of("1000"),
        history_bytes: Setting<Size> = of("2 MiB"),
        received: Setting<Size> = of("64 MiB"),
        durable: bool = false,
        ping: Setting<Interval> = of("3 s"),
        deadline: Setting<Interval> = of("10 s"),
        connect: Setting<Interval> = of("5 s"),
        first_pause: Setting<Time> = of("100 ms"),
        longest_pause: Setting<Time> = of("5 s"),
        absence: Setting<Interval> = of("30 s"),
    }
}

impl Broker {
    pub(crate) fn outbox(&self) -> OutboxConfig {
        let outbox = OutboxConfig::default();
        outbox.messages(self.outbox_messages.meaning()).bytes(self.outbox_bytes.0)
    }

    /// Returns the connection to the broker, if there is one.
    pub(crate) fn connection(&self, checks: &mut Checks<'_>) -> Option<Redis> {
        let (url, span) = self.address(checks)?;
        // The error does not contain the URL, which can contain a password.
        let address = checks.check(span.clone(), url.parse())?;
        let mut options = RedisOptions::default();
        options.address = address;
        match Redis::new(self.redis.apply_to(options)) {
            // It is told as a contradiction, with the settings.
            Err(InvalidOptions::Absence { .. }) => None,
            made => checks.check(span, made),
        }
    }

    fn address(&self, checks: &mut Checks<'_>) -> Option<(String, Range<usize>)> {
        match (&self.url, &self.url_file) {
            (None, None) => None,
            (Some(url), None) => Some((url.get_ref().as_str().to_owned(), url.span())),
            (None, Some(file)) => {
                let url =
                    String::from_utf8(checks.file(file)?).map_err(|_| "the file is not UTF-8");
                Some((checks.check(file.span(), url)?, file.span()))
            }
            (Some(_), Some(file)) => {
                checks.problem(file.span(), "there are both url and url-file");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let options = RedisSection::default().apply_to(RedisOptions::default());
        assert_eq!(format!("{options:?}"), format!("{:?}", RedisOptions::default()));
    }
}
