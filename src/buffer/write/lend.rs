//! Moving waiting bytes to a second buffer, to write them from there while more are appended.

use super::WriteBuffer;
use super::link::{Link, Linked};
use alloc::vec::Vec;
use core::mem;

impl WriteBuffer {
    /// Moves waiting bytes to the empty buffer `to`, from which you write them while more bytes are
    /// appended here. Stops at the first place where control frames may be inserted, so that these
    /// wait no longer than necessary. The bytes still count as waiting here until you
    /// [consume](Self::consume) them here too; call this method again only after that.
    pub(crate) fn lend(&mut self, to: &mut Self) {
        debug_assert!(self.lent == 0 && to.is_empty(), "earlier bytes are not consumed");
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
        self.lent_shared = to.shared_len();
    }

    /// Moves all waiting bytes to `to`, as [`lend`](Self::lend) does. Also counts `more` bytes,
    /// which are stored elsewhere, as waiting after them.
    pub(crate) fn lend_all(&mut self, to: &mut Self, more: usize) {
        debug_assert!(self.lent == 0 && to.is_empty(), "earlier bytes are not consumed");
        mem::swap(&mut self.run, &mut to.run);
        mem::swap(&mut self.head, &mut to.head);
        mem::swap(&mut self.links, &mut to.links);
        mem::swap(&mut self.control, &mut to.control);
        to.len = self.len;
        self.len += more;
        self.lent = self.len;
        self.lent_shared = to.shared_len();
    }

    /// Appends the waiting bytes of another buffer. What is linked there is not copied.
    pub(crate) fn append(&mut self, other: Self) {
        debug_assert!(other.lent == 0, "the lent bytes are elsewhere");
        if self.is_empty() {
            *self = other;
            return;
        }
        let Self { run, head, links, control, .. } = other;
        let mut from = head;
        for Link { before, linked } in links {
            self.extend_from_slice(&run[from..before]);
            from = before;
            match linked {
                Linked::Bytes { bytes, .. } => self.link(bytes),
                Linked::Boundary => {}
                Linked::Control => self.extend_from_slice(control.bytes()),
            }
        }
        self.extend_from_slice(&run[from..]);
    }

    /// Stops counting bytes that were lent, because they are never written.
    pub(crate) fn forget_lent(&mut self) {
        self.len -= mem::take(&mut self.lent);
    }

    /// Takes the memory of `from` after its bytes were written, unless this buffer has more.
    pub(crate) fn take_back(&mut self, from: &mut Self) {
        if self.run.is_empty() && from.is_empty() && from.run.capacity() > self.run.capacity() {
            mem::swap(&mut self.run, &mut from.run);
        }
        if self.is_empty() {
            from.run = Vec::new();
        }
    }
}
