//! Types that own text. Each remembers which of its bytes were validated, and forgets this as soon
//! as these bytes may have changed.

use super::{Utf8Error, validate_utf8_prefix, validated};
use alloc::{borrow::Cow, string::String, vec::Vec};
use bytes::Bytes;
use core::{borrow::Borrow, fmt, ops::Deref, ops::Range};

/// A cheaply cloned `str`: bytes known to be UTF-8, in memory that all clones share.
#[doc(alias = "Utf8Bytes")]
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// Creates text from a static string without a copy.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Returns the text as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // SAFETY: every constructor takes valid UTF-8 or validates its bytes, and the bytes of a
        // `Bytes` never change.
        unsafe { validated(&self.0) }
    }

    /// Returns the bytes of the text without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl TryFrom<Bytes> for Text {
    type Error = Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        match validate_utf8_prefix(&bytes)? {
            end if end == bytes.len() => Ok(Self(bytes)),
            valid_up_to => Err(Utf8Error { valid_up_to }),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<&Self> for Text {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().into()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

// Hashes like `str`, as `Borrow<str>` requires.
impl core::hash::Hash for Text {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

/// Returns an empty value for a range outside the memory. No caller passes such a range; `#[cold]`
/// tells the compiler so.
#[cold]
fn no_bytes<T: Default>() -> T {
    T::default()
}

/// Initialised memory that remembers one range found to be valid UTF-8.
///
/// Mutable access to the bytes of that range makes the storage forget it. `text` is therefore
/// always correct, whatever happens in between.
#[derive(Default)]
pub(crate) struct Utf8Storage {
    bytes: Vec<u8>,
    valid: Range<usize>,
}

impl Utf8Storage {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, valid: 0..0 }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(crate) fn get(&self, range: Range<usize>) -> &[u8] {
        debug_assert!(range.start <= range.end && range.end <= self.len(), "{range:?}");
        self.bytes.get(range).unwrap_or_else(no_bytes)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.forget(&range);
        debug_assert!(range.start <= range.end && range.end <= self.len(), "{range:?}");
        self.bytes.get_mut(range).unwrap_or_else(no_bytes)
    }

    /// Moves the bytes of `from` towards the front, to `to`. If they include all of the validated
    /// range, that range moves along.
    pub(crate) fn shift(&mut self, from: Range<usize>, to: usize) {
        debug_assert!(to <= from.start && from.end <= self.len());
        let valid = self.valid.clone();
        let moves = from.start <= valid.start && valid.end <= from.end;
        self.forget(&(to..from.end));
        if moves {
            let distance = from.start - to;
            self.valid = valid.start - distance..valid.end - distance;
        }
        self.bytes.copy_within(from, to);
    }

    /// Validates `range`, a prefix of which may already be validated, and returns the end of its
    /// last complete character.
    #[inline]
    pub(crate) fn validate(&mut self, range: Range<usize>) -> Result<usize, Utf8Error> {
        if self.valid.start != range.start || self.valid.end > range.end {
            self.valid = range.start..range.start;
        }
        let known = self.valid.len();
        match validate_utf8_prefix(self.get(self.valid.end..range.end)) {
            Ok(more) => self.valid.end += more,
            Err(error) => {
                return Err(Utf8Error { valid_up_to: known + error.valid_up_to });
            }
        }
        Ok(self.valid.end)
    }

    /// Returns `true` if all of `range`, none of which has been validated yet, is valid UTF-8.
    #[inline]
    pub(crate) fn validate_whole(&mut self, range: Range<usize>) -> bool {
        let is_text = validate_utf8_prefix(self.get(range.clone())) == Ok(range.len());
        if is_text {
            self.valid = range;
        }
        is_text
    }

    /// Returns the text of `range`, or an empty string if it is not valid UTF-8.
    #[inline]
    pub(crate) fn text(&self, range: Range<usize>) -> &str {
        if range.start != self.valid.start || range.end != self.valid.end {
            return core::str::from_utf8(self.get(range)).unwrap_or_default();
        }
        // SAFETY: `valid` only grows over bytes found to be UTF-8, ends between characters, and is
        // reset by every method that changes those bytes.
        unsafe { validated(self.get(range)) }
    }

    /// Converts the storage into the text of `range`, without a copy if the range was validated.
    pub(crate) fn into_text(
        self,
        range: Range<usize>,
        into_bytes: impl FnOnce(Vec<u8>) -> Bytes,
    ) -> Text {
        if range != self.valid {
            return self.text(range).into();
        }
        Text(into_bytes(self.bytes).slice(range))
    }

    /// Moves the bytes of `live` to the front of new memory of `len` bytes and zeroes the rest.
    pub(crate) fn reallocate(&mut self, live: Range<usize>, len: usize) {
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(self.get(live.clone()));
        bytes.resize(len.max(bytes.len()), 0);
        self.valid = if live.start <= self.valid.start && self.valid.end <= live.end {
            self.valid.start - live.start..self.valid.end - live.start
        } else {
            0..0
        };
        self.bytes = bytes;
    }

    /// Extends the memory to `len` bytes, in place if the allocator can.
    #[cfg(feature = "deflate")]
    pub(crate) fn grow(&mut self, len: usize) {
        self.bytes.reserve_exact(len.saturating_sub(self.bytes.len()));
        self.bytes.resize(len.max(self.bytes.len()), 0);
    }

    fn forget(&mut self, changed: &Range<usize>) {
        if changed.start < self.valid.end && self.valid.start < changed.end {
            self.valid = 0..0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn storage(bytes: &[u8]) -> Utf8Storage {
        Utf8Storage::new(Vec::from(bytes))
    }

    #[test]
    fn knows_the_validated_range() {
        let mut storage = storage("aβγ".as_bytes());
        assert_eq!(storage.validate(0..2), Ok(1));
        assert_eq!(storage.validate(0..5), Ok(5));
        assert_eq!(storage.text(0..5), "aβγ");
        assert_eq!(&storage.into_text(0..5, bytes::Bytes::from), "aβγ");
    }

    #[test]
    fn forgets_a_range_that_may_have_changed() {
        let mut storage = storage(b"plain");
        assert_eq!(storage.validate(0..5), Ok(5));
        storage.get_mut(2..3)[0] = 0xff;
        assert_eq!(storage.text(0..5), "");
        assert_eq!(storage.validate(0..5), Err(Utf8Error { valid_up_to: 2 }));
    }

    #[test]
    fn remembers_the_range_when_it_moves() {
        let mut moved = storage("..αβ".as_bytes());
        assert_eq!(moved.validate(2..6), Ok(6));
        moved.shift(2..6, 1);
        assert_eq!(moved.text(1..5), "αβ");
        moved.reallocate(1..5, 64);
        assert_eq!(moved.text(0..4), "αβ");
        assert_eq!(moved.len(), 64);
        // Moving other bytes over the text makes the storage forget it.
        moved.get_mut(10..12).copy_from_slice(&[0xff, 0xff]);
        moved.shift(10..12, 1);
        assert_eq!(moved.text(0..4), "");
    }

    #[test]
    fn text_rejects_invalid_bytes() {
        assert!(Text::try_from(bytes::Bytes::from_static(b"\xce")).is_err());
        assert!(Text::try_from(bytes::Bytes::from_static(b"\xff")).is_err());
        assert_eq!(Text::try_from(bytes::Bytes::from_static(b"ok")).unwrap(), "ok");
    }
}
