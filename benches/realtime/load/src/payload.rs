//! The body of a message: a marker, the time at which it was sent, and filler.

use memchr::memmem;

const MARKER: &[u8] = b"sent@";
const DIGITS: usize = 16;

/// The shortest body.
pub(crate) const SHORTEST: usize = MARKER.len() + DIGITS;

/// Returns a body of `size` bytes that was sent at time 0.
pub(crate) fn body(size: usize) -> Vec<u8> {
    let mut body = MARKER.to_vec();
    body.resize(SHORTEST, b'0');
    body.resize(size.max(SHORTEST), b'x');
    body
}

/// Returns where the time stands in bytes with a body in them.
pub(crate) fn place_of_time(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, MARKER).map(|at| at + MARKER.len())
}

/// Writes the time, in nanoseconds.
pub(crate) fn set_time(digits: &mut [u8], mut time: u64) {
    for digit in digits[..DIGITS].iter_mut().rev() {
        *digit = b"0123456789abcdef"[(time & 15) as usize];
        time >>= 4;
    }
}

/// Calls `found` with the time of each body, and returns how many bytes are done with. The rest can be
/// the beginning of another body's marker or time.
pub(crate) fn each_time(bytes: &[u8], mut found: impl FnMut(u64)) -> usize {
    let mut done = 0;
    while let Some(at) = memmem::find(&bytes[done..], MARKER) {
        let start = done + at;
        let Some(digits) = bytes.get(start + MARKER.len()..start + SHORTEST) else { return start };
        found(time(digits));
        done = start + SHORTEST;
    }
    let rest = &bytes[done..];
    let kept = (1..MARKER.len()).rev().find(|&kept| rest.ends_with(&MARKER[..kept]));
    bytes.len() - kept.unwrap_or(0)
}

fn time(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |time, digit| {
        let value = match digit {
            b'a'..=b'f' => digit - b'a' + 10,
            _ => digit.wrapping_sub(b'0') & 15,
        };
        time << 4 | u64::from(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_however_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        for sent in [1, 0xdead_beef, u64::MAX] {
            let mut body = body(30);
            let place = place_of_time(&body).expect("there is one");
            set_time(&mut body[place..], sent);
            bytes.extend_from_slice(b"some ss headers\n");
            bytes.extend(body);
        }
        for cut in 0..=bytes.len() {
            let mut times = Vec::new();
            let done = each_time(&bytes[..cut], |time| times.push(time));
            each_time(&bytes[done..], |time| times.push(time));
            assert_eq!(times, [1, 0xdead_beef, u64::MAX], "cut at {cut}");
        }
    }
}
