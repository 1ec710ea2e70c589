//! Values that are costly to make, and that a thread keeps for its next connections.

#[cfg(feature = "std")]
use core::cell::Cell;
#[cfg(not(feature = "std"))]
use core::marker::PhantomData;
#[cfg(feature = "std")]
use std::thread::LocalKey;

/// Declares a [`ThreadCache`] with separate storage in each thread.
macro_rules! thread_cache {
    ($(#[$attribute:meta])* static $name:ident: ThreadCache<$kept:ty>;) => {
        $(#[$attribute])*
        static $name: $crate::thread_cache::ThreadCache<$kept> = {
            #[cfg(feature = "std")]
            std::thread_local! {
                static KEPT: core::cell::Cell<Option<$kept>> = const { core::cell::Cell::new(None) };
            }
            #[cfg(feature = "std")]
            let cache = $crate::thread_cache::ThreadCache::new(&KEPT);
            #[cfg(not(feature = "std"))]
            let cache = $crate::thread_cache::ThreadCache::new();
            cache
        };
    };
}
pub(crate) use thread_cache;

/// A cache of at most one value per thread. Without `std`, threads can't be told apart, and nothing
/// is kept.
pub(crate) struct ThreadCache<T: 'static> {
    #[cfg(feature = "std")]
    kept: &'static LocalKey<Cell<Option<T>>>,
    #[cfg(not(feature = "std"))]
    kept: PhantomData<fn() -> T>,
}

#[cfg(feature = "std")]
impl<T> ThreadCache<T> {
    pub(crate) const fn new(kept: &'static LocalKey<Cell<Option<T>>>) -> Self {
        Self { kept }
    }

    /// Takes the cached value, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.kept.try_with(Cell::take).ok().flatten()
    }

    /// Caches a value, replacing the one that is cached.
    pub(crate) fn give_back(&self, value: T) {
        self.give_back_unless(value, |_| false);
    }

    /// Caches a value, unless `is_better` returns `true` for the one that is cached.
    pub(crate) fn give_back_unless(&self, value: T, is_better: impl FnOnce(&T) -> bool) {
        // If the thread is exiting, the value is dropped instead.
        let _ = self.kept.try_with(|kept| {
            let better = kept.take().filter(is_better);
            kept.set(Some(better.unwrap_or(value)));
        });
    }
}

#[cfg(not(feature = "std"))]
impl<T> ThreadCache<T> {
    pub(crate) const fn new() -> Self {
        Self { kept: PhantomData }
    }

    pub(crate) fn take(&self) -> Option<T> {
        let Self { kept: PhantomData } = self;
        None
    }

    pub(crate) fn give_back(&self, _: T) {}

    pub(crate) fn give_back_unless(&self, _: T, _: impl FnOnce(&T) -> bool) {}
}

#[cfg(all(test, feature = "std"))]
mod tests {
    thread_cache! {
        static CACHE: ThreadCache<u32>;
    }

    #[test]
    fn each_thread_keeps_one_value() {
        assert_eq!(CACHE.take(), None);
        CACHE.give_back(3);
        CACHE.give_back(2);
        assert_eq!(std::thread::spawn(|| CACHE.take()).join().unwrap(), None);
        assert_eq!((CACHE.take(), CACHE.take()), (Some(2), None));
    }

    #[test]
    fn the_better_value_stays() {
        for value in [3, 5, 4] {
            CACHE.give_back_unless(value, |kept| *kept > value);
        }
        assert_eq!(CACHE.take(), Some(5));
    }
}
