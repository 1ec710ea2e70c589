//! Pieces between the bytes that were copied into the run.

use crate::mask::{MaskKey, append_masked};
use alloc::vec::Vec;
use bytes::{Buf, Bytes};

pub(super) struct Link {
    /// The position in the run before which this piece is inserted.
    pub(super) before: usize,
    pub(super) linked: Linked,
}

pub(super) enum Linked {
    /// Bytes in shared memory. A frame ends after `to_boundary` of them, which may be 0, and then
    /// after every `frame_len`; control frames may be inserted there. `usize::MAX` means never.
    /// `is_shared` is set if a budget counts them for all connections together.
    Bytes { bytes: Bytes, to_boundary: usize, frame_len: usize, is_shared: bool },
    /// No bytes. A frame ends here, and control frames may replace this link.
    Boundary,
    /// The waiting control frames.
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

    /// Returns the number of bytes that a budget counts for all connections together.
    pub(super) fn shared_len(&self) -> usize {
        match &self.linked {
            Linked::Bytes { bytes, is_shared: true, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Consumes `count` bytes, which the link must have. Returns `true` if none are left.
    pub(super) fn consume(&mut self, count: usize, control: &mut Control) -> bool {
        match &mut self.linked {
            Linked::Bytes { bytes, to_boundary, frame_len, .. } => {
                bytes.advance(count);
                *to_boundary = boundary_after(*to_boundary, *frame_len, count);
                bytes.is_empty()
            }
            Linked::Boundary => true,
            Linked::Control => control.consume(count),
        }
    }

    /// Returns the position of the first known frame end after at least `least` bytes of this link.
    pub(super) fn boundary(&self, least: usize) -> Option<usize> {
        match self.linked {
            Linked::Bytes { ref bytes, to_boundary, frame_len, .. } => {
                let at = if to_boundary >= least { to_boundary } else { frame_len };
                (at < bytes.len()).then_some(at)
            }
            Linked::Boundary | Linked::Control => (least == 0).then_some(0),
        }
    }

    /// Records that nothing may be inserted before the first byte any more.
    pub(super) fn was_offered(&mut self) {
        if let Linked::Bytes { to_boundary: to_boundary @ 0, frame_len, .. } = &mut self.linked {
            *to_boundary = *frame_len;
        }
    }

    /// Keeps the bytes before `at`, which must be a [`boundary`](Self::boundary), and returns the
    /// rest.
    pub(super) fn split(&mut self, at: usize) -> Option<Self> {
        let Linked::Bytes { bytes, frame_len, is_shared, .. } = &mut self.linked else {
            return None;
        };
        let (rest, frame_len, is_shared) = (bytes.split_off(at), *frame_len, *is_shared);
        let linked = Linked::Bytes { bytes: rest, to_boundary: frame_len, frame_len, is_shared };
        Some(Self { before: self.before, linked })
    }
}

/// The control frames that have a position among the waiting bytes.
#[derive(Default)]
pub(super) struct Control {
    frames: Vec<u8>,
    /// The number of consumed bytes at the start of `frames`.
    head: usize,
}

impl Control {
    pub(super) const fn new() -> Self {
        Self { frames: Vec::new(), head: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.frames[self.head..]
    }

    /// Consumes `count` bytes. Returns `true` if none are left.
    pub(super) fn consume(&mut self, count: usize) -> bool {
        self.head += count;
        let is_empty = self.bytes().is_empty();
        if is_empty {
            *self = Self::new();
        }
        is_empty
    }

    pub(super) fn append(&mut self, header: &[u8], payload: &[u8], key: Option<MaskKey>) {
        // Bounds the memory: the consumed bytes never take more than half of it.
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

/// Returns the new value of `to_boundary` after `consumed` bytes are consumed.
fn boundary_after(to_boundary: usize, frame_len: usize, consumed: usize) -> usize {
    match to_boundary.checked_sub(consumed) {
        Some(_) if to_boundary == usize::MAX => to_boundary,
        Some(left) => left,
        None if frame_len == usize::MAX => frame_len,
        None => (frame_len - (consumed - to_boundary) % frame_len) % frame_len,
    }
}
