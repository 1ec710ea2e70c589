//! Large messages whose frames are sent one by one (RFC 6455 §5.4). A server writes the frames
//! directly from the payload; a client masks each frame into the output when its turn comes.

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::error::SendError;
use crate::connection::fragments::Fragments;
use crate::connection::message::MessageKind;
use crate::connection::payload::Form;
use crate::connection::role::Role;
use crate::frame::{FrameHeader, Rsv};

/// A borrowed payload of at least this many bytes is written directly from where it is.
const IN_PLACE_FROM: usize = 16 * 1024;

/// A message that is not completely written yet. Its pieces follow what was queued when its frames
/// were [started](Sender::start_frames).
#[derive(Debug)]
pub(crate) struct LargeMessage<'a> {
    kind: MessageKind,
    payload: &'a [u8],
    fragments: Fragments,
    /// The headers, with their lengths, of the first frame, of every middle frame, and of the last
    /// frame. Shorter messages repeat a header.
    headers: [([u8; 16], usize); 3],
    fragment_size: usize,
    /// How many frames were started.
    started: usize,
    /// The first frame that is not completely written. `written` counts its written bytes.
    current: usize,
    written: usize,
}

impl<'a> LargeMessage<'a> {
    fn new(kind: MessageKind, payload: &'a [u8], fragment_size: usize) -> Self {
        let fragments =
            Fragments::new(kind.opcode(), Rsv::NONE, true, payload.len(), fragment_size);
        let header = |number: usize| fragments.header(number).to_bytes();
        let last = fragments.count() - 1;
        let headers = [header(0), header(last.min(1)), header(last)];
        Self {
            kind,
            payload,
            fragments,
            headers,
            fragment_size,
            started: 0,
            current: 0,
            written: 0,
        }
    }

    /// Returns `true` if all frames are written.
    pub(crate) fn is_written(&self) -> bool {
        self.current == self.fragments.count()
    }

    /// Returns the unwritten parts of the started frames, in order. No piece is empty.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let numbers = self.current..self.started;
        numbers.flat_map(|number| self.rest_of(number)).filter(|piece| !piece.is_empty())
    }

    /// Returns an upper bound on the number of pieces.
    #[cfg(feature = "std")]
    pub(crate) fn most_pieces(&self) -> usize {
        2 * (self.started - self.current)
    }

    /// Returns the total length of the pieces.
    pub(crate) fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Marks `count` bytes of the pieces as written. Returns `true` if they end at the end of a
    /// frame: control frames may then be inserted (§5.4).
    pub(crate) fn advance(&mut self, count: usize) -> bool {
        self.written += count;
        while self.current < self.started {
            let len = self.frame(self.current).map(<[u8]>::len).iter().sum();
            if self.written < len {
                break;
            }
            self.written -= len;
            self.current += 1;
        }
        self.written == 0
    }

    /// Appends a copy of the pieces to `output` and marks them as written.
    pub(crate) fn copy_to(&mut self, output: &mut WriteBuffer) {
        output.make_room(self.len());
        for number in self.current..self.started {
            let [header, payload] = self.rest_of(number);
            if number > self.current || self.written == 0 {
                output.begin_frame(payload.len(), self.fragment_size);
            }
            output.extend_from_slice(header);
            output.extend_from_slice(payload);
        }
        self.skip_started();
    }

    fn skip_started(&mut self) {
        (self.current, self.written) = (self.started, 0);
    }

    /// Returns the unwritten header and payload of a frame.
    fn rest_of(&self, number: usize) -> [&[u8]; 2] {
        let [header, payload] = self.frame(number);
        let written = if number == self.current { self.written } else { 0 };
        let of_header = written.min(header.len());
        [&header[of_header..], &payload[written - of_header..]]
    }

    /// Returns the header and payload of a frame.
    fn frame(&self, number: usize) -> [&[u8]; 2] {
        let (header, len) = match number {
            0 => &self.headers[0],
            _ if number + 1 < self.fragments.count() => &self.headers[1],
            _ => &self.headers[2],
        };
        [&header[..*len], &self.payload[self.fragments.range(number)]]
    }
}

impl<R: Role> Sender<R> {
    /// Begins a message whose frames are sent one by one, if that is better than
    /// [queuing](Self::send) it. This is so for a large borrowed payload that need not be masked,
    /// and for any message of several frames if something may `come_between` them. No frame is
    /// [started](Self::start_frames) yet.
    pub(crate) fn start_message<'p>(
        &self,
        payload: Form<'p>,
        come_between: bool,
        output: &WriteBuffer,
    ) -> Result<Option<LargeMessage<'p>>, SendError> {
        let (kind, data, compressible) = payload.parts();
        let is_in_place = !R::MASKS && data.len() >= IN_PLACE_FROM && payload.borrowed().is_some();
        let is_encoded = !R::MASKS && matches!(payload, Form::Prepared(_));
        let is_cut = come_between && !is_encoded && data.len() > self.fragment_size();
        if !is_in_place && !is_cut || compressible && self.compresses(data.len()) {
            return Ok(None);
        }
        self.check_message(output)?;
        Ok(Some(LargeMessage::new(kind, data, self.fragment_size())))
    }

    /// Starts the next frames, but at most `most` of them. Their pieces have to be written right
    /// after the current `output`, and only control frames may come between two frames. If frames
    /// have to be masked, they are appended to `output` instead (§5.3).
    pub(crate) fn start_frames(
        &mut self,
        message: &mut LargeMessage<'_>,
        most: usize,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        // §5.5.1: no data follows a Close that was queued in the meantime.
        self.check_open()?;
        let first = message.started;
        message.started = message.fragments.count().min(first.saturating_add(most));
        // §5.4: until the last frame is started, no other message may be queued.
        self.message = (message.started < message.fragments.count()).then_some(message.kind);
        if R::MASKS && first < message.started {
            let bytes = message.fragments.range(first).start
                ..message.fragments.range(message.started - 1).end;
            output.make_room(self.room_of(&message.fragments, bytes.len()));
            for number in first..message.started {
                let payload = &message.payload[message.fragments.range(number)];
                self.append_fragment(&message.fragments, number, payload, output);
            }
            message.skip_started();
        } else if let Some(counted) = self.counted_mut() {
            for number in first..message.started {
                let FrameHeader { opcode, fin, .. } = message.fragments.header(number);
                counted.sent.count_frame(opcode, fin);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Client, Config, Connection, Message, PreparedMessage, Server};
    use crate::mask::{MaskKey, MaskKeys};
    use crate::negotiated::Negotiated;
    use alloc::vec::Vec;

    const PAYLOAD: &[u8] = b"abcdefgh";

    struct Key(u8);
    impl MaskKeys for Key {
        fn next_key(&mut self) -> MaskKey {
            self.0 += 1;
            MaskKey::new([self.0, 0, 0, 0])
        }
    }

    fn rest(message: &LargeMessage<'_>) -> Vec<u8> {
        message.pieces().collect::<Vec<_>>().concat()
    }

    fn sender<R: Role>(role: R) -> Sender<R> {
        let config = Config::default().fragment_size(3);
        Connection::new(role, &Negotiated::new(), config).split().0
    }

    fn start<R: Role>(sender: &Sender<R>, output: &WriteBuffer) -> LargeMessage<'static> {
        let message = sender.start_message(Form::Binary(PAYLOAD), true, output).unwrap();
        message.expect("the message has several frames")
    }

    #[test]
    fn a_message_is_cut_into_frames_and_resumes_after_any_byte() {
        for (fragment_size, wire) in [
            (usize::MAX, &b"\x82\x08abcdefgh"[..]),
            (8, b"\x82\x08abcdefgh"),
            (4, b"\x02\x04abcd\x80\x04efgh"),
            (3, b"\x02\x03abc\x00\x03def\x80\x02gh"),
        ] {
            let frame_len = 2 + fragment_size.min(8);
            for first in 0..=wire.len() {
                for second in 0..=wire.len() - first {
                    let mut message =
                        LargeMessage::new(MessageKind::Binary, PAYLOAD, fragment_size);
                    message.started = message.fragments.count();
                    assert_eq!(rest(&message), wire);
                    message.advance(first);
                    let (sum, is_between) = (first + second, message.advance(second));
                    assert_eq!(rest(&message), wire[sum..]);
                    assert_eq!(message.len(), wire.len() - sum);
                    assert_eq!(is_between, sum % frame_len == 0 || sum == wire.len());
                    assert_eq!(message.is_written(), sum == wire.len());
                }
            }
        }
    }

    #[test]
    fn only_started_frames_are_shown_and_their_rest_is_copied() {
        let mut output = WriteBuffer::new();
        let mut sender = sender(Server::new());
        let mut message = start(&sender, &output);
        assert_eq!(message.len(), 0);
        sender.start_frames(&mut message, 1, &mut output).unwrap();
        assert_eq!(rest(&message), b"\x02\x03abc");
        message.advance(4);
        message.copy_to(&mut output);
        assert!(message.len() == 0 && !message.is_written());
        sender.start_frames(&mut message, usize::MAX, &mut output).unwrap();
        assert_eq!(rest(&message), b"\x00\x03def\x80\x02gh");
        message.copy_to(&mut output);
        assert!(message.len() == 0 && message.is_written());
        assert_eq!(output.front(), b"c\x00\x03def\x80\x02gh");
    }

    #[test]
    fn a_copy_takes_no_more_memory_than_it_needs() {
        fn check<R: Role>(role: R) {
            let config = Config::default();
            let mut sender = Connection::new(role, &Negotiated::new(), config).split().0;
            // Larger than any memory that was kept for reuse.
            let (payload, mut output) = (alloc::vec![7; 1_200_000], WriteBuffer::new());
            let message = sender.start_message(Form::Binary(&payload), true, &output).unwrap();
            let mut message = message.expect("the message has several frames");
            sender.start_frames(&mut message, usize::MAX, &mut output).unwrap();
            message.copy_to(&mut output);
            assert!(message.is_written() && output.len() > payload.len());
            assert!(output.capacity() <= output.len() + 1024, "{output:?}");
        }
        check(Server::new());
        check(Client::new(Key(0)));
    }

    #[test]
    fn short_encoded_and_shared_messages_are_queued() {
        fn starts<R: Role>(sender: &Sender<R>, payload: Form<'_>, come_between: bool) -> bool {
            sender.start_message(payload, come_between, &WriteBuffer::new()).unwrap().is_some()
        }
        let long = Message::binary(alloc::vec![0; IN_PLACE_FROM]);
        let (borrowed, owned) = (Form::Binary(long.as_bytes()), Form::Message(&long));
        let encoded = PreparedMessage::new(long.clone());
        let encoded = Form::Prepared(&encoded);
        let (server, client) = (sender(Server::new()), sender(Client::new(Key(0))));
        assert!(starts(&server, borrowed, false) && starts(&server, borrowed, true));
        assert!(!starts(&server, owned, false) && starts(&server, owned, true));
        assert!(!starts(&server, encoded, false) && !starts(&server, encoded, true));
        for payload in [borrowed, owned, encoded] {
            assert!(!starts(&client, payload, false) && starts(&client, payload, true));
        }
        for payload in [Form::Binary(b"abc"), Form::Binary(&[])] {
            assert!(!starts(&server, payload, true) && !starts(&client, payload, true));
        }
    }

    #[test]
    fn no_frame_follows_a_close() {
        let mut output = WriteBuffer::new();
        let mut sender = sender(Server::new());
        let mut message = start(&sender, &output);
        sender.start_frames(&mut message, 1, &mut output).unwrap();
        message.advance(5);
        sender.close(crate::frame::CloseCode::NORMAL, "", &mut output).unwrap();
        let refused = sender.start_frames(&mut message, usize::MAX, &mut output);
        assert!(matches!(refused, Err(SendError::Closed { .. })));
        assert_eq!(message.len(), 0);
    }

    #[test]
    fn no_other_message_comes_between_two_frames() {
        let mut output = WriteBuffer::new();
        let mut sender = sender(Server::new());
        let mut message = start(&sender, &output);
        sender.start_frames(&mut message, 1, &mut output).unwrap();
        assert!(sender.push("pushed", &mut output).unwrap().is_queued());
        sender.refill(&mut output);
        assert!(output.is_empty());
        sender.start_frames(&mut message, usize::MAX, &mut output).unwrap();
        message.copy_to(&mut output);
        sender.refill(&mut output);
        assert!(output.front().ends_with(b"\x80\x02gh\x01\x03pus\x80\x03hed"));
    }

    #[test]
    fn a_client_masks_each_frame_into_the_output() {
        let mut output = WriteBuffer::new();
        let mut sender = sender(Client::new(Key(0)));
        let mut message = start(&sender, &output);
        sender.start_frames(&mut message, 1, &mut output).unwrap();
        assert_eq!(output.front(), b"\x02\x83\x01\0\0\0`bc");
        assert!(message.len() == 0 && !message.is_written());
        sender.start_frames(&mut message, usize::MAX, &mut output).unwrap();
        assert!(message.is_written());
        let wire = b"\x02\x83\x01\0\0\0`bc\x00\x83\x02\0\0\0fef\x80\x82\x03\0\0\0dh";
        assert_eq!(output.front(), wire);
    }
}
