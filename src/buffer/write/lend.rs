//! Writing what waits from elsewhere, while more is appended.

use super::WriteBuffer;
use alloc::vec::Vec;
use core::mem;

impl WriteBuffer {
    /// Lends what waits to an empty buffer, to be written from there while more is appended here: up to
    /// the first place where control frames may go, which then wait behind no more. All of it waits here
    /// still, until it is [consumed](Self::consume) here too; nothing else is lent before.
    pub(crate) fn lend(&mut self, to: &mut Self) {
        debug_assert!(self.lent == 0 && to.is_empty(), "one after the other");
        let Some(place) = self.first_boundary_behind_bytes() else { return self.lend_all(to, 0) };
        let index = self.part(place);
        let end = self.links.get(index).map_or(self.run.len(), |link| link.before);
        to.run.clear();
        to.make_room(end - self.head);
        to.extend_in_pieces(&self.run[self.head..end]);
        to.links.extend(self.links.drain(..index));
        for link in &mut to.links {
            link.before -= self.head;
        }
        self.head = end;
        if to.links.iter().any(|link| link.is_control()) {
            to.control = mem::take(&mut self.control);
        }
        to.len = to.pieces().map(<[u8]>::len).sum();
        self.lent = to.len;
    }

    /// Lends all that waits, as [`lend`](Self::lend) does, and behind it `more` bytes that are
    /// elsewhere.
    pub(crate) fn lend_all(&mut self, to: &mut Self, more: usize) {
        debug_assert!(self.lent == 0 && to.is_empty(), "one after the other");
        mem::swap(&mut self.run, &mut to.run);
        mem::swap(&mut self.head, &mut to.head);
        mem::swap(&mut self.links, &mut to.links);
        mem::swap(&mut self.control, &mut to.control);
        to.len = self.len;
        self.len += more;
        self.lent = self.len;
    }

    /// Takes the memory back from where what was lent was written, unless there is better here.
    pub(crate) fn take_back(&mut self, from: &mut Self) {
        if self.run.is_empty() && from.is_empty() && from.run.capacity() > self.run.capacity() {
            mem::swap(&mut self.run, &mut from.run);
        }
        if self.is_empty() {
            from.run = Vec::new();
        }
    }
}
