//! How sizes, times and rates are written.

use super::setting::Meaning;
use sansocket::server::Rate;
use std::{fmt, net::SocketAddr, num::NonZeroU32, str::FromStr, time::Duration};

/// A number of bytes: `65536`, `64 KiB`, `1 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// A length of time: `250 ms`, `30s`, `5 min`, `1 h 30 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

/// A length of time that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Duration);

/// How often something may happen: `100 per second`, `1 MiB per second, 16 MiB at once`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frequency(pub(crate) Rate);

/// A limit that there need not be: a value, or `unlimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit<T>(pub(crate) Option<T>);

/// Why a text is none of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUnit {
    #[error(
        "{0:?} is not a size: write a number of bytes, or one of B, KiB, MiB or GiB such as \"64 KiB\""
    )]
    Size(String),
    #[error("{0:?} is not a time: write numbers with ms, s, min, h or d, such as \"30 s\"")]
    Time(String),
    #[error("{0:?} is not a rate: write \"100 per second\", or \"100 per minute, 1000 at once\"")]
    Rate(String),
    #[error("{0:?} is too large")]
    TooLarge(String),
    #[error("{0:?} is no time at all: it has to be at least 1 ms")]
    Zero(String),
}

const SIZES: &[(&str, u64)] =
    &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)];
/// In milliseconds.
const TIMES: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest time. Whoever adds it to a clock gets a time that can be represented.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// Takes a number and its unit off the start of a text. Returns `None` if it begins with none.
fn take<'a>(text: &'a str, units: &[(&str, u64)]) -> Option<(Option<u64>, &'a str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    Some((value, rest.trim_start()))
}

fn bytes(text: &str) -> Result<u64, InvalidUnit> {
    match take(text.trim(), SIZES) {
        Some((Some(bytes), "")) => Ok(bytes),
        Some((None, "")) => Err(InvalidUnit::TooLarge(text.into())),
        _ => Err(InvalidUnit::Size(text.into())),
    }
}

impl FromStr for Size {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let bytes = bytes(text)?;
        bytes.try_into().map(Self).map_err(|_| InvalidUnit::TooLarge(text.into()))
    }
}

impl FromStr for Time {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let (mut milliseconds, mut rest) = (0_u64, text.trim());
        loop {
            let (value, after) = take(rest, TIMES).ok_or_else(|| InvalidUnit::Time(text.into()))?;
            milliseconds = value
                .and_then(|value| milliseconds.checked_add(value))
                .ok_or_else(|| InvalidUnit::TooLarge(text.into()))?;
            if after.is_empty() {
                break;
            }
            rest = after;
        }
        let time = Duration::from_millis(milliseconds);
        if time > LONGEST { Err(InvalidUnit::TooLarge(text.into())) } else { Ok(Self(time)) }
    }
}

impl FromStr for Interval {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let Time(time) = text.parse()?;
        if time.is_zero() { Err(InvalidUnit::Zero(text.into())) } else { Ok(Self(time)) }
    }
}

impl FromStr for Frequency {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let invalid = || InvalidUnit::Rate(text.into());
        let count = |part: &str| {
            let count = bytes(part).map_err(|_| invalid())?;
            u32::try_from(count).map_err(|_| InvalidUnit::TooLarge(text.into()))
        };
        let (often, at_once) = match text.split_once(',') {
            Some((often, at_once)) => {
                (often, Some(at_once.trim().strip_suffix("at once").ok_or_else(invalid)?))
            }
            None => (text, None),
        };
        let (amount, unit) = often.split_once("per ").ok_or_else(invalid)?;
        let amount = count(amount)?;
        let rate = match unit.trim() {
            "second" => Rate::per_second(amount),
            "minute" => Rate::per_minute(amount),
            _ => return Err(invalid()),
        };
        Ok(Self(match at_once {
            Some(at_once) => rate.burst(count(at_once)?),
            None => rate,
        }))
    }
}

impl<T: FromStr<Err: fmt::Display>> FromStr for Limit<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "unlimited" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|value| Self(Some(value)))
                .map_err(|error: T::Err| format!("{error}, or \"unlimited\"")),
        }
    }
}

/// An IP address and a port: `127.0.0.1:8080`, `[::]:8080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = |_| {
            format!("{text:?} is not an IP address and a port, such as 127.0.0.1:8080 or [::]:8080")
        };
        text.parse().map(Self).map_err(error)
    }
}

/// A number, with an error that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = |_| format!("{text:?} is not a number from 0 to {}", u32::MAX);
        text.parse().map(Self).map_err(error)
    }
}

/// A number that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AtLeastOne(pub(crate) NonZeroU32);

impl FromStr for AtLeastOne {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = |_| format!("{text:?} is not a number from 1 to {}", u32::MAX);
        text.parse().map(Self).map_err(error)
    }
}

/// Says how a unit becomes the value of an option.
macro_rules! meaning {
    ($($unit:ty => $value:ty: $meaning:expr;)*) => {
        $(impl Meaning for $unit {
            type Value = $value;

            fn meaning(&self) -> $value {
                ($meaning)(self.0)
            }
        })*
    };
}

meaning! {
    Size => usize: |bytes| bytes;
    Time => Duration: |time| time;
    Interval => Duration: |time| time;
    AtLeastOne => NonZeroU32: |number| number;
    // There is no machine for this on which it has fewer than 32 bits.
    Count => usize: |number| number as usize;
    Limit<Count> => Option<u32>: |limit: Option<Count>| limit.map(|it| it.0);
    Limit<Frequency> => Option<Rate>: |limit: Option<Frequency>| limit.map(|it| it.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("100 B", 100),
            ("64KiB", 65_536),
            (" 1 MiB ", 1 << 20),
            ("3 GiB", 3 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1 MB", "1.5 MiB", "-1", "1 mib", "1 MiB 2", "one", "1 min"] {
            assert_eq!(size(text), Err(InvalidUnit::Size(text.into())), "{text}");
        }
        for text in ["99999999999999999999", "99999999999999 GiB"] {
            assert_eq!(size(text), Err(InvalidUnit::TooLarge(text.into())), "{text}");
        }
    }

    #[test]
    fn times_need_a_unit() {
        let time = |text: &str| text.parse::<Time>().map(|time| time.0.as_millis());
        for (text, milliseconds) in [
            ("250 ms", 250),
            ("30s", 30_000),
            ("5 min", 300_000),
            ("1 h 30 min", 5_400_000),
            ("1h30min", 5_400_000),
            ("2 d", 172_800_000),
            ("0 s", 0),
        ] {
            assert_eq!(time(text), Ok(milliseconds), "{text}");
        }
        for text in ["", "30", "s", "30 sec onds", "1.5 s", "-1 s", "5 m", "1 s,2 s", "forever"] {
            assert_eq!(time(text), Err(InvalidUnit::Time(text.into())), "{text}");
        }
        for text in [
            "99999999999999999999 s",
            "999999999999999999 d",
            "18446744073709551615 ms 1 ms",
            "36501 d",
        ] {
            assert_eq!(time(text), Err(InvalidUnit::TooLarge(text.into())), "{text}");
        }
    }

    #[test]
    fn an_interval_is_not_zero() {
        assert_eq!("1 ms".parse(), Ok(Interval(Duration::from_millis(1))));
        assert_eq!("0 s".parse::<Interval>(), Err(InvalidUnit::Zero("0 s".into())));
        assert_eq!("1".parse::<Interval>(), Err(InvalidUnit::Time("1".into())));
    }

    #[test]
    fn rates_have_a_period_and_perhaps_a_burst() {
        let rate = |text: &str| text.parse::<Frequency>().map(|frequency| frequency.0);
        assert_eq!(rate("100 per second"), Ok(Rate::per_second(100)));
        assert_eq!(rate("5 per minute, 20 at once"), Ok(Rate::per_minute(5).burst(20)));
        let bytes = Rate::per_second(1 << 20).burst(16 << 20);
        assert_eq!(rate("1 MiB per second, 16 MiB at once"), Ok(bytes));
        for text in
            ["", "100", "100/s", "100 per hour", "per second", "1 per second, 2", "a per second"]
        {
            assert_eq!(rate(text), Err(InvalidUnit::Rate(text.into())), "{text}");
        }
        let text = "8 GiB per second";
        assert_eq!(rate(text), Err(InvalidUnit::TooLarge(text.into())));
    }

    #[test]
    fn a_limit_can_be_lifted() {
        assert_eq!("unlimited".parse(), Ok(Limit::<Count>(None)));
        assert_eq!("5".parse(), Ok(Limit(Some(Count(5)))));
        let error = "none".parse::<Limit<Count>>().unwrap_err();
        assert_eq!(error, "\"none\" is not a number from 0 to 4294967295, or \"unlimited\"");
        assert!("0".parse::<AtLeastOne>().is_err());
    }
}
