//! The positions of waiting control frames. A control frame waits behind at most one of the frames
//! that were queued before it (RFC 6455 §5.4).

use super::WriteBuffer;
use super::link::{Link, Linked};
use crate::mask::MaskKey;

/// The least distance between two boundaries, in bytes. Closer ones would take too much memory.
pub(crate) const LEAST_UNBROKEN: usize = 4 << 10;

/// The greatest distance between two boundaries, in bytes, unless a single frame is longer.
pub(crate) const MOST_UNBROKEN: u32 = 64 << 10;

impl WriteBuffer {
    /// Records that a frame of `len` bytes is appended next. Adds a boundary, before which control
    /// frames may be inserted, if more than a fragment would otherwise be without one.
    pub(crate) fn begin_frame(&mut self, len: usize, fragment_size: usize) {
        let end = self.end();
        let unbroken = end.saturating_sub(self.last_boundary.max(self.consumed)) as usize;
        let most = fragment_size.clamp(LEAST_UNBROKEN, MOST_UNBROKEN as usize);
        if unbroken > 0 && unbroken.saturating_add(len) > most {
            self.links.push_back(Link { before: self.run.len(), linked: Linked::Boundary });
            self.last_boundary = end;
        }
    }

    /// Queues a control frame where it waits the least: after the control frames that wait already,
    /// otherwise at the first boundary, otherwise at the end.
    pub(crate) fn insert_control(&mut self, header: &[u8], payload: &[u8], key: Option<MaskKey>) {
        if self.control.bytes().is_empty() {
            self.place_control();
        }
        self.control.append(header, payload, key);
        self.len += header.len() + payload.len();
    }

    /// Returns the number of waiting bytes of [inserted](Self::insert_control) control frames.
    pub(crate) fn control_len(&self) -> usize {
        self.control.bytes().len()
    }

    /// Returns the position of the end of the inserted control frames, counted like
    /// [`consumed`](Self::consumed).
    pub(crate) fn control_end(&self) -> u64 {
        let Some(index) = self.links.iter().position(Link::is_control) else {
            return self.consumed;
        };
        let linked: usize = self.links.range(..=index).map(|link| link.len(&self.control)).sum();
        let before = self.lent + self.links[index].before - self.head + linked;
        self.consumed + before as u64
    }

    /// Returns the number of bytes ever written.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Drops everything after the first place for control frames, except the control frames there.
    /// The bytes before that place stay, because they may be half written.
    pub(crate) fn discard_behind_boundary(&mut self) {
        let Some(place) = self.place_for_control() else { return };
        let has_control = !self.control.bytes().is_empty();
        let kept = if has_control { place.index + 1 } else { self.take_place(place) };
        self.links.truncate(kept);
        self.run.truncate(place.before);
        self.len = self.lent + self.pieces().map(<[u8]>::len).sum::<usize>();
        self.last_boundary = self.last_boundary.min(self.end());
    }

    /// Records that the [`front`](Self::front) was passed to a transport that was not ready. The
    /// transport may have processed those bytes already, as TLS does, and then requires the same
    /// bytes again. From now on nothing is inserted before them.
    pub(crate) fn was_offered(&mut self) {
        while let Some(link) = self.links.front_mut() {
            if link.before > self.head || !link.is_boundary() {
                break;
            }
            self.links.pop_front();
        }
        if let Some(link) = self.links.front_mut() {
            if link.before == self.head {
                link.was_offered();
            }
        }
    }

    /// Returns how many bytes at the front stay the same, whatever is queued.
    pub(crate) fn unbroken_len(&self) -> usize {
        match self.links.front() {
            // Further control frames are appended after these.
            Some(link) if link.before == self.head && link.is_control() => self.control_len(),
            _ => match self.first_boundary_behind_bytes() {
                Some(Place { index, at, before }) => {
                    let linked = self.links.range(..index).map(|link| link.len(&self.control));
                    before - self.head + linked.sum::<usize>() + at
                }
                None => self.len - self.lent,
            },
        }
    }

    /// Returns the first place for control frames that has bytes before it.
    pub(super) fn first_boundary_behind_bytes(&self) -> Option<Place> {
        let mut has_linked = false;
        self.links.iter().enumerate().find_map(|(index, link)| {
            let has_before = has_linked || link.before > self.head;
            has_linked |= link.len(&self.control) > 0;
            let at = link.boundary(usize::from(!has_before))?;
            Some(Place { index, at, before: link.before })
        })
    }

    /// Returns the number of bytes ever queued.
    fn end(&self) -> u64 {
        self.consumed + self.len as u64
    }

    /// Returns the place where control frames wait the least, or `None` if that is the end.
    fn place_for_control(&self) -> Option<Place> {
        let place = |(index, link): (usize, &Link)| {
            link.boundary(0).map(|at| Place { index, at, before: link.before })
        };
        if !self.control.bytes().is_empty() {
            let index = self.links.iter().position(Link::is_control)?;
            return place((index, &self.links[index]));
        }
        // The bytes moved away by `lend` end at the end of a frame.
        if self.lent > 0 {
            return Some(Place { index: 0, at: 0, before: self.head });
        }
        self.links.iter().enumerate().find_map(place)
    }

    /// Splits the link at `place`, if it is inside one. Returns the index of the link after it.
    pub(super) fn part(&mut self, Place { index, at, .. }: Place) -> usize {
        if at == 0 {
            return index;
        }
        if let Some(rest) = self.links[index].split(at) {
            self.links.insert(index + 1, rest);
        }
        index + 1
    }

    /// Like [`part`](Self::part), but also removes the boundary at `place`.
    fn take_place(&mut self, place: Place) -> usize {
        let index = self.part(place);
        if self
            .links
            .get(index)
            .is_some_and(|link| link.is_boundary() && link.before == place.before)
        {
            self.links.remove(index);
        }
        index
    }

    fn place_control(&mut self) {
        let place = self.place_for_control();
        let end = || Place { index: self.links.len(), at: 0, before: self.run.len() };
        let place = place.unwrap_or_else(end);
        let index = self.take_place(place);
        self.links.insert(index, Link { before: place.before, linked: Linked::Control });
    }
}

/// A place for control frames: `at` bytes after the start of the link with this index, which is
/// before the byte `before` of the run.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) index: usize,
    pub(super) at: usize,
    pub(super) before: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use bytes::Bytes;

    fn contents(buffer: &WriteBuffer) -> Vec<u8> {
        buffer.pieces().collect::<Vec<_>>().concat()
    }

    /// Returns frames of 5000 bytes, each filled with its number.
    fn frames(count: u8) -> WriteBuffer {
        let mut buffer = WriteBuffer::new();
        for number in 0..count {
            buffer.begin_frame(5000, 5000);
            buffer.extend_from_slice(&[number; 5000]);
        }
        buffer
    }

    #[test]
    fn control_frames_are_inserted_where_the_next_frame_begins() {
        for consumed in [0, 1, 4999, 5000, 5001, 9999, 10_000, 10_001, 14_999] {
            let mut buffer = frames(3);
            buffer.consume(consumed);
            buffer.insert_control(b"p", b"ing", None);
            buffer.insert_control(b"P", b"ING", None);
            assert_eq!((buffer.control_len(), buffer.len()), (8, 15_000 - consumed + 8));
            let boundary = consumed.max(1).div_ceil(5000) * 5000 - consumed;
            let bytes = contents(&buffer);
            assert_eq!(bytes[boundary..][..8], *b"pingPING", "{consumed}");
            let rest: Vec<u8> = [&bytes[..boundary], &bytes[boundary + 8..]].concat();
            assert_eq!(rest, contents(&frames(3))[consumed..]);
            // A frame queued when some of these bytes are written goes after them.
            buffer.consume(boundary + 5);
            buffer.insert_control(b"q", b"", None);
            assert_eq!(contents(&buffer)[..4], *b"INGq");
            buffer.consume(4);
            assert_eq!((buffer.control_len(), buffer.len()), (0, 15_000 - consumed - boundary));
        }
    }

    #[test]
    fn linked_frames_are_split_at_the_end_of_a_frame() {
        // Three frames of 10 bytes and one of 4.
        let linked: Vec<u8> = (0..34).collect();
        for consumed in 0..34 {
            let mut buffer = WriteBuffer::new();
            buffer.extend_from_slice(b"ab");
            buffer.link_frames(Bytes::from(linked.clone()), 10, 10, false);
            buffer.extend_from_slice(b"cd");
            buffer.consume(2 + consumed);
            for _ in 0..2 {
                buffer.insert_control(b"!", b"", None);
            }
            let rest = [&linked[consumed..], b"cd"].concat();
            let boundary = match consumed {
                31.. => rest.len(),
                _ => consumed.div_ceil(10) * 10 - consumed + if consumed == 0 { 10 } else { 0 },
            };
            let expected = [&rest[..boundary], b"!!", &rest[boundary..]].concat();
            assert_eq!(contents(&buffer), expected, "{consumed}");
            buffer.consume(boundary + 2);
            assert_eq!(contents(&buffer), rest[boundary..]);
        }
    }

    #[test]
    fn the_offered_front_stays_the_same() {
        fn check(mut buffer: WriteBuffer, consumed: usize) {
            buffer.consume(consumed);
            for _ in 0..4 {
                let (front, most) = (buffer.front().to_vec(), buffer.unbroken_len());
                let unbroken = contents(&buffer)[..most].to_vec();
                assert!(front.len() <= most);
                buffer.was_offered();
                buffer.insert_control(b"p", b"ing", None);
                assert!(buffer.front().starts_with(&front), "{consumed}");
                assert!(contents(&buffer).starts_with(&unbroken), "{consumed}");
                // The transport takes only a part.
                buffer.consume(front.len() / 2);
            }
        }
        for consumed in 0..15_000 {
            check(frames(3), consumed);
        }
        for consumed in 0..50 {
            let mut buffer = WriteBuffer::new();
            buffer.link_frames(Bytes::from_static(&[7; 34]), 10, 10, false);
            buffer.link_frames(Bytes::from_static(&[8; 16]), 10, 10, false);
            check(buffer, consumed);
        }
    }

    #[test]
    fn drops_everything_after_a_boundary() {
        for (consumed, kept) in [(0, 5000), (1, 4999), (5000, 0), (5001, 4999)] {
            for has_control in [false, true] {
                let mut buffer = frames(3);
                buffer.link(Bytes::from_static(b"linked"));
                buffer.consume(consumed);
                if has_control {
                    buffer.insert_control(b"p", b"", None);
                }
                buffer.discard_behind_boundary();
                let len = kept + usize::from(has_control);
                assert_eq!((buffer.len(), contents(&buffer).len()), (len, len));
                buffer.extend_from_slice(b"end");
                assert!(contents(&buffer).ends_with(if has_control { b"pend" } else { b"end" }));
                // Afterwards the buffer behaves as if it had never contained more.
                buffer.consume(usize::MAX);
                for number in 0..2 {
                    buffer.begin_frame(4900, 5000);
                    buffer.extend_from_slice(&[number; 4900]);
                }
                buffer.insert_control(b"p", b"", None);
                assert_eq!(contents(&buffer)[4900], b'p');
            }
        }
        let mut short = WriteBuffer::new();
        short.extend_from_slice(b"short");
        short.discard_behind_boundary();
        assert_eq!(contents(&short), b"short");
    }

    #[test]
    fn limits_the_number_of_boundaries() {
        let mut buffer = WriteBuffer::new();
        for _ in 0..10_000 {
            buffer.begin_frame(10, 1);
            buffer.extend_from_slice(&[0; 10]);
        }
        assert!((20..=25).contains(&buffer.links.len()), "{}", buffer.links.len());
        buffer.consume(usize::MAX);
        assert!(buffer.links.is_empty());
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_lent_part_ends_at_a_boundary() {
        let mut buffer = frames(3);
        buffer.link_frames(Bytes::from(alloc::vec![9; 25]), 10, 10, false);
        buffer.consume(1);
        let whole = contents(&buffer);
        let (mut lent, mut written, mut steps) = (WriteBuffer::new(), Vec::new(), Vec::new());
        while !buffer.is_empty() {
            buffer.lend(&mut lent);
            steps.push(lent.len());
            // The control frame goes after the lent part.
            if steps.len() == 2 {
                buffer.insert_control(b"!", b"", None);
                assert_eq!(contents(&buffer)[0], b'!');
            }
            written.extend(contents(&lent));
            let count = lent.len();
            lent.consume(count);
            buffer.consume(count);
            buffer.take_back(&mut lent);
        }
        assert_eq!(steps, [4999, 5000, 5001 + 10, 10, 5]);
        let expected = [&whole[..9999], b"!", &whole[9999..]].concat();
        assert_eq!(written, expected);
    }
}
