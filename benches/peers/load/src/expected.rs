//! The messages that a command announces.

use crate::Result;

/// The number of bytes at the start of a timed message that say when it was sent.
pub(crate) const TIME: usize = 8;

pub(crate) struct Expected {
    pub(crate) size: usize,
    pub(crate) count: u64,
    /// Whether each message begins with the time at which it was sent, and the next one is sent only
    /// when all connections have it.
    pub(crate) is_timed: bool,
    /// The byte at a position is `31 * position` modulo 256, which repeats after 256 bytes.
    bytes: Vec<u8>,
}

impl Expected {
    pub(crate) fn parse(line: &str, is_raw: bool) -> Result<Self> {
        let invalid =
            || format!("invalid command {line:?}; use 'expect BYTES COUNT' or 'time BYTES COUNT'");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [command @ ("expect" | "time"), size, count] = words[..] else {
            return Err(invalid());
        };
        let is_timed = command == "time";
        let size: usize = size.parse().map_err(|_| invalid())?;
        let count = count.parse().map_err(|_| invalid())?;
        if is_raw && size == 0 {
            return Err("--raw messages can't be empty".into());
        }
        if is_timed && (size < TIME || count == 0) {
            return Err(format!(
                "timed messages have at least {TIME} bytes, and there is at least one"
            ));
        }
        let bytes =
            (0..size + 256).map(|position: usize| position.wrapping_mul(31) as u8).collect();
        Ok(Self { size, count, is_timed, bytes })
    }

    /// Returns the payload of the message with this number.
    pub(crate) fn payload(&self, number: u64) -> &[u8] {
        // 223 is the inverse of 31 modulo 256: 31 * (position + 223 * number) is
        // 31 * position + number.
        let start = (number % 256) as usize * 223 % 256;
        &self.bytes[start..][..self.size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_match_those_of_the_servers() {
        let expected = Expected::parse("expect 1000 2", false).expect("the command is valid");
        assert_eq!((expected.size, expected.count, expected.is_timed), (1000, 2, false));
        for number in 0..600 {
            let payload: Vec<u8> = (0..1000_usize)
                .map(|position| (position.wrapping_mul(31) + number) as u8)
                .collect();
            assert_eq!(expected.payload(number as u64), payload);
        }
    }

    #[test]
    fn invalid_commands_are_refused() {
        for line in
            ["", "expect 1", "expect 1 2 3", "send 1 2", "expect -1 2", "time 7 1", "time 8 0"]
        {
            assert!(Expected::parse(line, false).is_err(), "{line}");
        }
        assert!(Expected::parse("expect 0 1", true).is_err());
        assert!(Expected::parse("time 8 1", true).is_ok_and(|expected| expected.is_timed));
    }
}
