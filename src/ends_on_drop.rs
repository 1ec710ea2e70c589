//! Values that end their connection when they are dropped.

use core::ops::{Deref, DerefMut};

/// What a connection does when one of its parts is dropped.
pub(crate) trait End {
    /// Ends the connection as far as the part is responsible for it.
    fn end(&mut self);
}

/// A part of a connection that [ends](End::end) it when dropped, unless the part is taken out
/// before.
#[derive(Debug)]
pub(crate) struct EndsOnDrop<T: End>(Option<T>);

const TAKEN: &str = "taking the part consumes its owner";

impl<T: End> EndsOnDrop<T> {
    pub(crate) const fn new(part: T) -> Self {
        Self(Some(part))
    }

    /// Takes the part out, so that the connection does not end.
    pub(crate) fn take(mut self) -> T {
        self.0.take().expect(TAKEN)
    }
}

impl<T: End> Deref for EndsOnDrop<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect(TAKEN)
    }
}

impl<T: End> DerefMut for EndsOnDrop<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(TAKEN)
    }
}

impl<T: End> Drop for EndsOnDrop<T> {
    fn drop(&mut self) {
        if let Some(part) = &mut self.0 {
            part.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    struct Part<'a>(&'a Cell<u32>);

    impl End for Part<'_> {
        fn end(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn a_part_ends_when_dropped_and_not_when_taken() {
        let ends = Cell::new(0);
        drop(EndsOnDrop::new(Part(&ends)));
        assert_eq!(ends.get(), 1);
        let _ = EndsOnDrop::new(Part(&ends)).take();
        assert_eq!(ends.get(), 1);
    }
}
