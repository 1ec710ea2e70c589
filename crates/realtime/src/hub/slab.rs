//! Values with small keys that stay the same while the value exists.

use alloc::vec::Vec;
use core::{fmt, marker::PhantomData, mem};

/// Where a value is in its [`Slab`]. A key is used again once its value was removed. `Of` tells the keys of
/// one kind of values from those of others.
pub(super) struct Key<Of>(u32, PhantomData<fn() -> Of>);

#[cfg(test)]
impl<Of> Key<Of> {
    pub(super) const FIRST: Self = Self(0, PhantomData);
}

impl<Of> Clone for Key<Of> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Of> Copy for Key<Of> {}

impl<Of> PartialEq for Key<Of> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<Of> Eq for Key<Of> {}

impl<Of> PartialOrd for Key<Of> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<Of> Ord for Key<Of> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<Of> fmt::Debug for Key<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
pub(super) struct Slab<Of, T> {
    of: PhantomData<fn() -> Of>,
    entries: Vec<Entry<T>>,
    /// The first vacant entry, or `u32::MAX`.
    vacant: u32,
    len: usize,
}

#[derive(Debug)]
enum Entry<T> {
    Occupied(T),
    Vacant { next: u32 },
}

impl<Of, T> Slab<Of, T> {
    pub(super) const fn new() -> Self {
        Self { of: PhantomData, entries: Vec::new(), vacant: u32::MAX, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns `None` if there are 2³² − 1 values already.
    pub(super) fn insert(&mut self, value: T) -> Option<Key<Of>> {
        let index = if let Some(&Entry::Vacant { next }) = self.entries.get(self.vacant as usize) {
            let index = mem::replace(&mut self.vacant, next);
            self.entries[index as usize] = Entry::Occupied(value);
            index
        } else {
            let index =
                u32::try_from(self.entries.len()).ok().filter(|&index| index != u32::MAX)?;
            self.entries.push(Entry::Occupied(value));
            index
        };
        self.len += 1;
        Some(Key(index, PhantomData))
    }

    pub(super) fn remove(&mut self, key: Key<Of>) -> Option<T> {
        let entry = self.entries.get_mut(key.0 as usize)?;
        if matches!(entry, Entry::Vacant { .. }) {
            return None;
        }
        let removed = mem::replace(entry, Entry::Vacant { next: self.vacant });
        self.vacant = key.0;
        self.len -= 1;
        // After many, the memory returns once the last has gone.
        if self.len == 0 && self.entries.len() > 64 {
            *self = Self::new();
        }
        match removed {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    pub(super) fn get(&self, key: Key<Of>) -> Option<&T> {
        match self.entries.get(key.0 as usize) {
            Some(Entry::Occupied(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, key: Key<Of>) -> Option<&mut T> {
        match self.entries.get_mut(key.0 as usize) {
            Some(Entry::Occupied(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key<Of>, &T)> {
        self.entries.iter().zip(0..).filter_map(|(entry, index)| match entry {
            Entry::Occupied(value) => Some((Key(index, PhantomData), value)),
            Entry::Vacant { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_used_again() {
        let mut slab = Slab::<(), _>::new();
        let [a, b] = ["a", "b"].map(|value| slab.insert(value).unwrap());
        assert_eq!((slab.remove(a), slab.remove(a), slab.len()), (Some("a"), None, 1));
        assert_eq!((slab.get(a), slab.get(b)), (None, Some(&"b")));
        let c = slab.insert("c").unwrap();
        assert!(c == a && slab.insert("d").unwrap() != b);
        assert_eq!(slab.iter().map(|(_, value)| *value).collect::<Vec<_>>(), ["c", "b", "d"]);
    }
}
