//! When a server that refuses wants to be asked again (RFC 9110 §10.2.3).

use core::time::Duration;

/// Returns how long to wait by the value of a `Retry-After`: a number of seconds, or a date, from
/// which `now` is subtracted. `now` is the time since the Unix epoch.
///
/// Returns `None` if the value is neither. More seconds than can be represented are a long time.
pub(super) fn retry_after(value: &[u8], now: Duration) -> Option<Duration> {
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        let digits = value.iter().map(|digit| u64::from(digit - b'0'));
        let seconds = digits.fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
        return Some(Duration::from_secs(seconds));
    }
    Some(http_date(value, now)?.saturating_sub(now))
}

/// Returns the time since the Unix epoch of a date in one of the three formats that a recipient must
/// accept (RFC 9110 §5.6.7). A date before the epoch is the epoch. `now` decides which century the
/// years of the second format belong to.
pub(super) fn http_date(value: &[u8], now: Duration) -> Option<Duration> {
    let text = core::str::from_utf8(value).ok()?;
    match text.split_once(", ") {
        // "Sun, 06 Nov 1994 08:49:37 GMT"
        Some((_, date)) if date.as_bytes().get(2) == Some(&b' ') => {
            let (day, rest) = date.split_once(' ')?;
            let (month, rest) = rest.split_once(' ')?;
            let (year, time) = rest.split_once(' ')?;
            since_epoch(number(year, 4)?, month, number(day, 2)?, time.strip_suffix(" GMT")?)
        }
        // "Sunday, 06-Nov-94 08:49:37 GMT"
        Some((_, date)) => {
            let (date, time) = date.split_once(' ')?;
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = whole_year(number(year, 2)?, now);
            since_epoch(year, month, number(day, 2)?, time.strip_suffix(" GMT")?)
        }
        // "Sun Nov  6 08:49:37 1994"
        None => {
            let (_, rest) = text.split_once(' ')?;
            let (month, rest) = rest.split_once(' ')?;
            let (day, rest) = rest.split_at_checked(2)?;
            let (time, year) = rest.strip_prefix(' ')?.split_once(' ')?;
            let day = match day.strip_prefix(' ') {
                Some(digit) => number(digit, 1)?,
                None => number(day, 2)?,
            };
            since_epoch(number(year, 4)?, month, day, time)
        }
    }
}

/// Reads a number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Returns the year with these last two digits that is at most 50 years in the future, as RFC 9110
/// §5.6.7 requires.
fn whole_year(last_digits: u64, now: Duration) -> u64 {
    // The mean year is exact enough to find a century.
    let latest = 1970 + now.as_secs() / 31_556_952 + 50;
    let year = latest - latest % 100 + last_digits;
    if year > latest { year - 100 } else { year }
}

fn since_epoch(year: u64, month: &str, day: u64, time: &str) -> Option<Duration> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    // 60 is a leap second.
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Duration::from_secs(seconds.saturating_sub(days(1970, 1, 1) * 24 * 60 * 60)))
}

/// Returns the number of days from 1 March of the year 0 to this date, in the Gregorian calendar.
/// Years begin in March here, so that a leap day is the last day of its year.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // The first two months of the year 0 become those of the year 1, which is as far in the past.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    // The five months from March and from August have 153 days each.
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 6 November 1994, 08:49:37, which is the example of RFC 9110 §5.6.7.
    const EXAMPLE: Duration = Duration::from_secs(784_111_777);

    fn date(text: &str) -> Option<u64> {
        http_date(text.as_bytes(), EXAMPLE).map(|date| date.as_secs())
    }

    #[test]
    fn a_date_has_three_formats() {
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(date("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(date("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
        assert_eq!(date("Wed Nov 16 08:49:37 1994"), Some(784_111_777 + 10 * 86_400));
    }

    #[test]
    fn dates_count_from_the_epoch() {
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(date("Mon, 01 Jan 1900 00:00:00 GMT"), Some(0));
        assert_eq!(date("Sat, 01 Jan 0000 00:00:00 GMT"), Some(0));
        assert_eq!(date("Tue, 29 Feb 2000 23:59:60 GMT"), Some(951_868_800));
        assert_eq!(date("Wed, 01 Mar 2000 00:00:00 GMT"), Some(951_868_800));
        assert_eq!(date("Fri, 31 Dec 9999 23:59:59 GMT"), Some(253_402_300_799));
    }

    #[test]
    fn a_year_of_two_digits_is_at_most_50_years_ahead() {
        let january = |year: u64| format_date(year);
        assert_eq!(date("Saturday, 01-Jan-44 00:00:00 GMT"), date(january(2044).as_str()));
        assert_eq!(date("Saturday, 01-Jan-45 00:00:00 GMT"), date(january(1945).as_str()));
        let in_2030 = Duration::from_secs(1_900_000_000);
        let of_two_digits = http_date(b"Saturday, 01-Jan-31 00:00:00 GMT", in_2030);
        assert_eq!(of_two_digits, http_date(january(2031).as_bytes(), in_2030));
    }

    fn format_date(year: u64) -> alloc::string::String {
        alloc::format!("Sat, 01 Jan {year} 00:00:00 GMT")
    }

    #[test]
    fn what_is_no_date_is_ignored() {
        for text in [
            "",
            "soon",
            "-1",
            "1.5",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun Nov \u{e9} 08:49:37 1994",
            "Sun Nov 6 08:49:37 1994",
        ] {
            assert_eq!(retry_after(text.as_bytes(), EXAMPLE), None, "{text}");
        }
        assert_eq!(retry_after(b"\xff", EXAMPLE), None);
    }

    #[test]
    fn it_is_a_number_of_seconds_or_a_date() {
        let at = |value: &[u8]| retry_after(value, EXAMPLE).map(|wait| wait.as_secs());
        assert_eq!(at(b"120"), Some(120));
        assert_eq!(at(b"0"), Some(0));
        assert_eq!(at(&[b'9'; 100]), Some(u64::MAX));
        assert_eq!(at(b"Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        // A date in the past.
        assert_eq!(at(b"Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
    }
}
