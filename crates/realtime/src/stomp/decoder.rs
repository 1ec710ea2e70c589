//! Received bytes become frames.

use super::{
    error::DecodeError,
    frame::Frame,
    limits::Limits,
    scan::{Rules, Scan, Step},
    version::Version,
};
use alloc::vec::Vec;
use core::{fmt, mem};

/// Decodes frames from a stream of bytes, however it is cut.
///
/// Neither frames nor WebSocket messages need to align: give it the payload of each WebSocket message,
/// text or binary, as it arrives. A frame that lies within one input is borrowed from it. Of any other
/// frame the decoder keeps the bytes that have arrived, and nothing else. Between frames it holds no
/// memory.
///
/// ```
/// use sansocket_realtime::stomp::{Command, Decoder, Limits, Version};
///
/// let mut decoder = Decoder::server(Limits::before_login());
/// let mut commands = Vec::new();
/// let inputs = [&b"CONNECT\naccept-version:1.2\nho"[..], b"st:h\n\n\0\nSEND\ndestination:/topic/a\n\nHi\0"];
/// for mut input in inputs {
///     while let Some(frame) = decoder.decode(&mut input)? {
///         commands.push(frame.command());
///         if frame.command() == Command::Connect {
///             // Once the client has logged in:
///             decoder.set_version(Version::V1_2);
///             decoder.set_limits(Limits::default());
///         }
///     }
/// }
/// assert_eq!(commands, [Command::Connect, Command::Send]);
/// # Ok::<(), sansocket_realtime::stomp::DecodeError>(())
/// ```
///
/// # Choices
///
/// What the specifications leave open, or readers are known to disagree on, is decided so that a reader
/// that follows the specifications can't see other frames in the same bytes:
///
/// - A `content-length` has digits alone. A repeated one has the same value. A name that differs from it
///   in case or by spaces is another header (1.2 §STOMP Frames, §Value Encoding). Some readers would take
///   it for the length, so don't pass the bytes of a frame on: an [`Encoder`](super::Encoder) puts the
///   length first.
/// - A header has no NUL, and no CR except in a line end.
/// - CR LF ends a line in 1.2 alone. Between frames it counts as an EOL in each version, since a
///   client may have ended its CONNECT so before the version was known.
/// - All headers are UTF-8, in 1.0 too.
/// - A colon in a value is accepted, although 1.1 and 1.2 would escape it: the first one in a line ends
///   the name. An empty value is accepted in 1.0 too.
/// - Nothing is trimmed, in no version.
/// - Outside of SEND, MESSAGE and ERROR a body is a fault. In 1.0 it is ignored.
pub struct Decoder {
    rules: Rules,
    /// What is known of an incomplete frame, whose bytes are in `memory`.
    scan: Option<Scan>,
    /// The bytes so far of a frame that began in an earlier input.
    memory: Vec<u8>,
    /// Whether `memory` has a whole frame, which was lent.
    is_lent: bool,
    /// A CR was received between frames.
    after_carriage_return: bool,
    heart_beats: u64,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// Creates the decoder of a server, which receives the commands of clients.
    ///
    /// It starts with the rules of 1.2, which fit the CONNECT of every version. Once the version is
    /// agreed on, call [`set_version`](Self::set_version).
    #[must_use]
    pub const fn server(limits: Limits) -> Self {
        Self::new(true, limits)
    }

    /// Creates the decoder of a client, which receives the commands of servers.
    ///
    /// It starts with the rules of 1.2, which fit the CONNECTED of every version. Then call
    /// [`set_version`](Self::set_version).
    #[must_use]
    pub const fn client(limits: Limits) -> Self {
        Self::new(false, limits)
    }

    const fn new(receives_from_client: bool, limits: Limits) -> Self {
        Self {
            rules: Rules { receives_from_client, version: Version::V1_2, limits },
            scan: None,
            memory: Vec::new(),
            is_lent: false,
            after_carriage_return: false,
            heart_beats: 0,
            failed: None,
        }
    }

    /// Sets the version of the frames that begin from now on.
    ///
    /// Call it while you handle the frame that decides on the version, before you decode more: a frame
    /// of which a part has arrived keeps the version of its start.
    pub fn set_version(&mut self, version: Version) {
        self.rules.version = version;
    }

    /// Sets the limits of the frames that begin from now on. As with
    /// [`set_version`](Self::set_version), do so while you handle a frame.
    pub fn set_limits(&mut self, limits: Limits) {
        self.rules.limits = limits;
    }

    /// Returns the version by whose rules frames are decoded.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.rules.version
    }

    /// Consumes input up to the end of a frame, and returns that frame. `None` means that all input
    /// is consumed, and that no frame is complete.
    ///
    /// Call it until it returns `None`. If there was a large frame, that also frees its memory.
    ///
    /// # Errors
    ///
    /// Returns an error if the peer violates the specification or a limit. From then on, each call
    /// returns the same error.
    pub fn decode<'a, 'input: 'a>(
        &'a mut self,
        input: &mut &'input [u8],
    ) -> Result<Option<Frame<'a>>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if mem::take(&mut self.is_lent) {
            self.memory = Vec::new();
        }
        match self.advance(input) {
            Ok(None) => Ok(None),
            Ok(Some((scan, borrowed))) => scan.frame(borrowed.unwrap_or(&self.memory)).map(Some),
            Err(error) => {
                self.failed = Some(error);
                self.memory = Vec::new();
                self.scan = None;
                Err(error)
            }
        }
    }

    /// Returns how many line ends were received between frames: heart-beats, and line ends that a peer
    /// appends to its frames. Any bytes are a sign of life, not these alone (1.2 §Heart-beating).
    #[must_use]
    pub const fn heart_beats(&self) -> u64 {
        self.heart_beats
    }

    /// Returns `true` if a part of a frame has arrived and the rest has not. If the transport ends
    /// here, the frame is lost.
    #[must_use]
    pub const fn is_mid_frame(&self) -> bool {
        self.scan.is_some()
    }

    /// Returns the memory that is held for an incomplete frame, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory.capacity()
    }

    /// Scans input up to the end of a frame. Returns what is known of it, and its bytes if all of them
    /// are in the input. Otherwise they are in the memory.
    fn advance<'input>(
        &mut self,
        input: &mut &'input [u8],
    ) -> Result<Option<(Scan, Option<&'input [u8]>)>, DecodeError> {
        // The start of the frame is in the memory if it came with an earlier input.
        let (mut scan, is_kept) = match self.scan.take() {
            Some(scan) => (scan, true),
            None => {
                self.skip_line_ends(input)?;
                (Scan::new(self.rules), false)
            }
        };
        let arrived = *input;
        let mut taken = 0;
        while taken < arrived.len() {
            let step = scan.next(&arrived[taken..])?;
            let (Step::Take(count) | Step::Line(count) | Step::End(count)) = step;
            let bytes = &arrived[taken..taken + count];
            taken += count;
            if is_kept {
                keep(&mut self.memory, bytes, scan.expected_len());
            }
            let so_far = if is_kept { &self.memory } else { &arrived[..taken] };
            scan.take(step, so_far)?;
            if matches!(step, Step::End(_)) {
                *input = &arrived[taken..];
                self.is_lent = is_kept;
                return Ok(Some((scan, (!is_kept).then_some(&arrived[..taken]))));
            }
        }
        *input = &[];
        if taken > 0 && !is_kept {
            self.memory = arrived.to_vec();
        }
        if !self.memory.is_empty() {
            self.scan = Some(scan);
        }
        Ok(None)
    }

    /// Consumes line ends between frames.
    fn skip_line_ends(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        while let [next, rest @ ..] = *input {
            match (self.after_carriage_return, next) {
                (_, b'\n') => self.heart_beats = self.heart_beats.saturating_add(1),
                (false, b'\r') => {}
                (true, _) => return Err(DecodeError::UnexpectedCarriageReturn { line: 0 }),
                (false, _) => return Ok(()),
            }
            self.after_carriage_return = *next == b'\r';
            *input = rest;
        }
        Ok(())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("rules", &self.rules)
            .field("memory", &self.memory.len())
            .field("heart_beats", &self.heart_beats)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Appends bytes. The memory grows to twice its size, but not beyond what the whole frame needs.
fn keep(memory: &mut Vec<u8>, bytes: &[u8], expected_len: Option<usize>) {
    let needed = memory.len() + bytes.len();
    if needed > memory.capacity() {
        let grown = memory.capacity().saturating_mul(2).min(expected_len.unwrap_or(usize::MAX));
        memory.reserve_exact(grown.max(needed) - memory.len());
    }
    memory.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::super::{command::Command, header};
    use super::*;
    use alloc::{borrow::ToOwned, format, string::String};

    #[test]
    fn a_frame_within_one_input_is_borrowed_from_it() {
        let input = b"SEND\na:b\n\nbody\0\n";
        let mut decoder = Decoder::server(Limits::default());
        let mut rest = &input[..];
        let frame = decoder.decode(&mut rest).unwrap().unwrap();
        assert!(input.as_ptr_range().contains(&frame.body().as_ptr()));
        assert_eq!(decoder.memory(), 0);
        assert_eq!(rest, b"\n");
    }

    #[test]
    fn memory_follows_what_has_arrived_and_returns() {
        let mut decoder = Decoder::server(Limits::default());
        decoder.decode(&mut &b"SEND\ncontent-length:1000000\n\n"[..]).unwrap();
        assert!(decoder.memory() < 100, "promised bytes cost nothing");
        for _ in 0..1000 {
            decoder.decode(&mut &[b'a'; 1000][..]).unwrap();
        }
        assert!(decoder.memory() <= 1_000_100, "no more than the whole frame: {decoder:?}");
        let mut end = &b"\0"[..];
        assert_eq!(decoder.decode(&mut end).unwrap().unwrap().body().len(), 1_000_000);
        assert!(decoder.decode(&mut end).unwrap().is_none());
        assert_eq!(decoder.memory(), 0);
    }

    #[test]
    fn a_failed_decoder_holds_nothing_and_stays_failed() {
        let mut decoder = Decoder::server(Limits::default());
        decoder.decode(&mut &b"SEND\nfoo:bar\nno"[..]).unwrap();
        let error = DecodeError::MissingColon { line: 3 };
        assert_eq!(decoder.decode(&mut &b"ne\n"[..]).unwrap_err(), error);
        assert_eq!((decoder.memory(), decoder.is_mid_frame()), (0, false));
        assert_eq!(decoder.decode(&mut &b"\n"[..]).unwrap_err(), error);
        assert_eq!(decoder.heart_beats(), 0);
    }

    #[test]
    fn limits_and_version_change_between_frames() {
        let mut decoder = Decoder::server(Limits::before_login());
        let mut input = &b"CONNECT\nhost:\\h\n\n\0SEND\na:\\n\n\nbody\0SEND\na:\\n\n\nbody\0"[..];
        let frame = decoder.decode(&mut input).unwrap().unwrap();
        assert_eq!(frame.get(header::HOST).as_deref(), Some("\\h"));
        decoder.set_limits(Limits::default());
        let value = |frame: Frame<'_>| frame.get("a").unwrap().into_owned();
        assert_eq!(value(decoder.decode(&mut input).unwrap().unwrap()), "\n");
        decoder.set_version(Version::V1_0);
        assert_eq!(value(decoder.decode(&mut input).unwrap().unwrap()), "\\n");
        decoder.set_limits(Limits::before_login());
        let error = decoder.decode(&mut &b"SEND\n\nbody\0"[..]).unwrap_err();
        assert!(error.is_limit());
        assert_eq!(error, DecodeError::BodyTooLarge { limit: 0 });
    }

    #[test]
    fn a_frame_keeps_the_version_and_limits_of_its_start() {
        let mut decoder = Decoder::server(Limits::default());
        decoder.set_version(Version::V1_0);
        decoder.decode(&mut &b"SEND\na\\t:b\\n\n"[..]).unwrap();
        decoder.set_version(Version::V1_2);
        decoder.set_limits(Limits::before_login());
        let mut rest = &b"c:\\d\n\nbody\0SEND\n\nb"[..];
        let frame = decoder.decode(&mut rest).unwrap().unwrap();
        assert_eq!((frame.version(), frame.body()), (Version::V1_0, &b"body"[..]));
        assert_eq!(frame.get("a\\t").as_deref(), Some("b\\n"));
        assert_eq!(frame.get("c").as_deref(), Some("\\d"));
        let error = decoder.decode(&mut rest).unwrap_err();
        assert_eq!(error, DecodeError::BodyTooLarge { limit: 0 });
    }

    /// However small the pieces are, a byte is copied a bounded number of times.
    #[test]
    fn memory_grows_by_doubling() {
        let mut decoder = Decoder::server(Limits::default());
        let mut input = "SEND\n\n".to_owned();
        input.push_str(&"a".repeat(100_000));
        let mut growths = 0;
        let mut memory = 0;
        for byte in input.bytes() {
            decoder.decode(&mut &[byte][..]).unwrap();
            growths += usize::from(decoder.memory() != memory);
            memory = decoder.memory();
        }
        assert!(growths < 20, "{growths}");
    }

    #[test]
    fn the_shown_decoder_has_no_secrets() {
        let mut decoder = Decoder::server(Limits::default());
        decoder.decode(&mut &b"CONNECT\npasscode:secret\n"[..]).unwrap();
        let shown: String = format!("{decoder:?}");
        assert!(!shown.contains("secret") && shown.contains("memory: 24"), "{shown}");
        let mut rest = &b"\n\0"[..];
        assert_eq!(decoder.decode(&mut rest).unwrap().unwrap().command(), Command::Connect);
    }
}
