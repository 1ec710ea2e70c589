//! Characters that are cut off at the end of the received bytes.

/// Returns `true` if no character is cut off at the end of `bytes`, which are otherwise valid.
/// Returns `false` for fewer than three bytes.
#[inline]
pub(super) fn ends_whole(bytes: &[u8]) -> bool {
    let Some([third, second, last]) = bytes.last_chunk() else { return false };
    *third < 0xf0 && *second < 0xe0 && *last < 0xc0
}

/// Returns the length of an incomplete character at the end, judged by its first byte.
pub(super) fn incomplete_suffix(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        let needed = match byte {
            0x00..=0x7f => return 0,
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        return if needed > back + 1 { back + 1 } else { 0 };
    }
    0
}
