//! What stands between the bytes that were copied in.

use crate::mask::{MaskKey, append_masked};
use alloc::vec::Vec;
use bytes::{Buf, Bytes};

pub(super) struct Link {
    /// The position in the run before which it stands.
    pub(super) before: usize,
    pub(super) linked: Linked,
}

pub(super) enum Linked {
    /// Bytes in memory that is shared. A frame ends after the `first` so many of them, 0 at the front, and
    /// then after `each` so many more; control frames may go there. `usize::MAX` is never.
    Bytes { bytes: Bytes, first: usize, each: usize },
    /// Nothing: a frame ends here, and control frames may take this place.
    Boundary,
    /// The control frames that wait.
    Control,
}

impl Link {
    pub(super) fn bytes<'a>(&'a self, control: &'a Control) -> &'a [u8] {
        match &self.linked {
            Linked::Bytes { bytes, .. } => bytes,
            Linked::Boundary => &[],
            Linked::Control => control.bytes(),
        }
    }

    pub(super) const fn is_control(&self) -> bool {
        matches!(self.linked, Linked::Control)
    }

    pub(super) const fn is_boundary(&self) -> bool {
        matches!(self.linked, Linked::Boundary)
    }

    pub(super) fn len(&self, control: &Control) -> usize {
        self.bytes(control).len()
    }

    /// Consumes so many bytes, which it has; whether none are left.
    pub(super) fn consume(&mut self, count: usize, control: &mut Control) -> bool {
        match &mut self.linked {
            Linked::Bytes { bytes, first, each } => {
                bytes.advance(count);
                *first = first_boundary(*first, *each, count);
                bytes.is_empty()
            }
            Linked::Boundary => true,
            Linked::Control => control.consume(count),
        }
    }

    /// How many of its bytes, at least so many, stand before the first end of a frame that it knows of.
    pub(super) fn boundary(&self, least: usize) -> Option<usize> {
        match self.linked {
            Linked::Bytes { ref bytes, first, each } => {
                let at = if first >= least { first } else { each };
                (at < bytes.len()).then_some(at)
            }
            Linked::Boundary | Linked::Control => (least == 0).then_some(0),
        }
    }

    /// Notes that nothing goes before its first byte any more.
    pub(super) fn was_offered(&mut self) {
        if let Linked::Bytes { first: first @ 0, each, .. } = &mut self.linked {
            *first = *each;
        }
    }

    /// Keeps so many bytes, up to a [`boundary`](Self::boundary), and returns the rest.
    pub(super) fn split(&mut self, at: usize) -> Option<Self> {
        let Linked::Bytes { bytes, each, .. } = &mut self.linked else { return None };
        let rest = bytes.split_off(at);
        let linked = Linked::Bytes { bytes: rest, first: *each, each: *each };
        Some(Self { before: self.before, linked })
    }
}

/// The control frames that have a place among what waits.
#[derive(Default)]
pub(super) struct Control {
    frames: Vec<u8>,
    /// How much of them was consumed.
    head: usize,
}

impl Control {
    pub(super) const fn new() -> Self {
        Self { frames: Vec::new(), head: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.frames[self.head..]
    }

    /// Whether none are left.
    pub(super) fn consume(&mut self, count: usize) -> bool {
        self.head += count;
        let is_empty = self.bytes().is_empty();
        if is_empty {
            *self = Self::new();
        }
        is_empty
    }

    pub(super) fn append(&mut self, header: &[u8], payload: &[u8], key: Option<MaskKey>) {
        // What was consumed is at most as much again.
        if self.head > self.frames.len() / 2 {
            self.frames.drain(..self.head);
            self.head = 0;
        }
        self.frames.extend_from_slice(header);
        match key {
            Some(key) => append_masked(&mut self.frames, payload, key),
            None => self.frames.extend_from_slice(payload),
        }
    }
}

/// Where the first frame ends once so many bytes are consumed.
fn first_boundary(first: usize, each: usize, consumed: usize) -> usize {
    match first.checked_sub(consumed) {
        Some(_) if first == usize::MAX => first,
        Some(left) => left,
        None if each == usize::MAX => each,
        None => (each - (consumed - first) % each) % each,
    }
}
