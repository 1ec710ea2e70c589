//! What holds for any bytes that a decoder of STOMP receives. The fuzz target `stomp_decoder` checks the
//! same.

use sansocket_realtime::stomp::{
    Command, DecodeError, Decoder, Encoder, Frame, Limits, Version, header,
};
use sansocket_testkit::cuts::cuts;

/// Receives arbitrary bytes, and checks that
///
/// - nothing panics,
/// - the outcome is the same whole and cut: frames, line ends between them, and the error,
/// - the decoder holds at most twice of what has arrived and of its limits, and nothing between frames,
/// - each frame is within the limits, and is the same after it is sent on.
///
/// The first byte chooses the role, the version and the limits, and the second one the cuts.
pub(crate) fn check_stomp(data: &[u8]) {
    let [choice, seed, input @ ..] = data else { return };
    let setting = Setting::new(*choice);
    let whole = setting.receive(input, &[]);
    for cuts in [cuts(*seed, input.len()), (1..input.len()).collect()] {
        assert_eq!(setting.receive(input, &cuts), whole, "cut at {cuts:?}");
    }
    for frame in &whole.frames {
        setting.check_limits(frame);
        setting.check_sent_on(frame);
    }
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    is_server: bool,
    version: Version,
    limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    frames: Vec<Received>,
    heart_beats: u64,
    is_mid_frame: bool,
    error: Option<DecodeError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Received {
    command: Command,
    version: Version,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Setting {
    fn new(choice: u8) -> Self {
        let small = Limits::default().headers(3).header_line(24).head(48).body(16);
        Self {
            is_server: choice & 1 == 0,
            version: Version::ALL[usize::from(choice >> 1) % Version::ALL.len()],
            limits: if choice & 0x80 == 0 { Limits::default() } else { small },
        }
    }

    fn decoder(&self) -> Decoder {
        let new = if self.is_server { Decoder::server } else { Decoder::client };
        new(self.limits)
    }

    fn receive(&self, input: &[u8], cuts: &[usize]) -> Outcome {
        let mut decoder = self.decoder();
        // Half of the inputs begin with the frame that opens the session.
        if !input.starts_with(b"CONNECT") {
            decoder.set_version(self.version);
        }
        let mut frames = Vec::new();
        let mut error = None;
        let mut start = 0;
        for end in cuts.iter().copied().chain([input.len()]) {
            let mut piece = &input[start..end];
            start = end;
            error = self.receive_piece(&mut decoder, &mut piece, &mut frames).err();
            assert!(error.is_some() || piece.is_empty());
            self.check_memory(&decoder, end);
            if error.is_some() {
                break;
            }
        }
        let (heart_beats, is_mid_frame) = (decoder.heart_beats(), decoder.is_mid_frame());
        Outcome { frames, heart_beats, is_mid_frame, error }
    }

    fn receive_piece(
        &self,
        decoder: &mut Decoder,
        piece: &mut &[u8],
        frames: &mut Vec<Received>,
    ) -> Result<(), DecodeError> {
        while let Some(frame) = decoder.decode(piece)? {
            frames.push(frame.into());
            decoder.set_version(self.version);
        }
        Ok(())
    }

    fn check_memory(&self, decoder: &Decoder, arrived: usize) {
        let Limits { headers, head, body, .. } = self.limits;
        // Line ends have up to two bytes, and the NUL has one.
        let largest = head + 2 * (headers + 2) + body + 1;
        assert!(decoder.memory() <= 2 * arrived.min(largest), "{decoder:?}");
        assert_eq!(decoder.memory() == 0, !decoder.is_mid_frame(), "{decoder:?}");
    }

    fn check_limits(&self, frame: &Received) {
        let Limits { headers, head, body, .. } = self.limits;
        let bytes = |(name, value): &(String, String)| name.len() + value.len();
        assert!(frame.headers.len() <= headers);
        assert!(frame.headers.iter().map(bytes).sum::<usize>() <= head);
        assert!(frame.body.len() <= body);
    }

    fn check_sent_on(&self, frame: &Received) {
        let mut sent = Vec::new();
        let headers = frame.headers.iter().cloned();
        Encoder::new(frame.version).encode(frame.command, headers, &frame.body, &mut sent).unwrap();
        // A `content-length` may have been added.
        let Limits { headers, head, .. } = Limits::default();
        let limits = Limits::default().headers(headers + 1).head(head + 100);
        let mut decoder = Self { limits, ..*self }.decoder();
        decoder.set_version(frame.version);
        let mut input = &sent[..];
        let again = Received::from(decoder.decode(&mut input).unwrap().unwrap());
        assert_eq!(again.without_length(), frame.without_length());
        assert!(input.is_empty(), "one frame became several");
    }
}

impl Received {
    fn without_length(&self) -> Self {
        let mut frame = self.clone();
        frame.headers.retain(|(name, _)| name != header::CONTENT_LENGTH);
        frame
    }
}

impl From<Frame<'_>> for Received {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            command: frame.command(),
            version: frame.version(),
            headers: frame
                .headers()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            body: frame.body().to_vec(),
        }
    }
}
