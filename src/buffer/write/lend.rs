//! Writing what waits from elsewhere, while more is appended.

use super::WriteBuffer;

impl WriteBuffer {
    /// Lends all that waits to an empty buffer, to be written from there while more is appended here,
    /// and behind it `more` bytes that are elsewhere. All of that waits here still, until it is
    /// [consumed](Self::consume) here too; nothing else is lent before. False if there is nothing.
    pub(crate) fn lend(&mut self, to: &mut Self, more: usize) -> bool {
        debug_assert!(self.lent == 0 && to.is_empty(), "one after the other");
        core::mem::swap(&mut self.run, &mut to.run);
        core::mem::swap(&mut self.head, &mut to.head);
        core::mem::swap(&mut self.links, &mut to.links);
        to.len = self.len;
        self.len += more;
        self.lent = self.len;
        self.len > 0
    }

    /// Takes the memory back from where what was lent was written, unless there is better here.
    pub(crate) fn take_back(&mut self, from: &mut Self) {
        if self.run.is_empty() && from.is_empty() && from.run.capacity() > self.run.capacity() {
            core::mem::swap(&mut self.run, &mut from.run);
        }
    }
}
