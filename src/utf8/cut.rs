//! Characters that are cut off at the end of what has arrived.

/// Whether no character is cut off at the end of bytes that are text so far.
#[inline]
pub(super) fn ends_whole(bytes: &[u8]) -> bool {
    let Some([third, second, last]) = bytes.last_chunk() else { return false };
    *third < 0xf0 && *second < 0xe0 && *last < 0xc0
}

/// Length of a sequence at the end that its lead byte says is longer than what is there.
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
