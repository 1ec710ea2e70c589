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
    /// Bytes in memory that is shared. A frame ends after `to_boundary` of them, which can be none, and then after
    /// every `frame_len`; control frames may go there. `usize::MAX` is never.
    Bytes { bytes: Bytes, to_boundary: usize, frame_len: usize },
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
            Linked::Bytes { bytes, to_boundary, frame_len } => {
                bytes.advance(count);
                *to_boundary = boundary_after(*to_boundary, *frame_len, count);
                bytes.is_empty()
            }
            Linked::Boundary => true,
            Linked::Control => control.consume(count),
        }
    }

    /// How many of its bytes, at least so many, stand before the first end of a frame that it knows of.
    pub(super) fn boundary(&self, least: usize) -> Option<usize> {
        match self.linked {
            Linked::Bytes { ref bytes, to_boundary, frame_len } => {
                let at = if to_boundary >= least { to_boundary } else { frame_len };
                (at < bytes.len()).then_some(at)
            }
            Linked::Boundary | Linked::Control => (least == 0).then_some(0),
        }
    }

    /// Notes that nothing goes before its first byte any more.
    pub(super) fn was_offered(&mut self) {
        if let Linked::Bytes { to_boundary: to_boundary @ 0, frame_len, .. } = &mut self.linked {
            *to_boundary = *frame_len;
        }
    }

    /// Keeps so many bytes, up to a [`boundary`](Self::boundary), and returns the rest.
    pub(super) fn split(&mut self, at: usize) -> Option<Self> {
        let Linked::Bytes { bytes, frame_len, .. } = &mut self.linked else { return None };
        let rest = bytes.split_off(at);
        let linked = Linked::Bytes { bytes: rest, to_boundary: *frame_len, frame_len: *frame_len };
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

/// What `to_boundary` is once so many bytes are consumed.
fn boundary_after(to_boundary: usize, frame_len: usize, consumed: usize) -> usize {
    match to_boundary.checked_sub(consumed) {
        Some(_) if to_boundary == usize::MAX => to_boundary,
        Some(left) => left,
        None if frame_len == usize::MAX => frame_len,
        None => (frame_len - (consumed - to_boundary) % frame_len) % frame_len,
    }
}
