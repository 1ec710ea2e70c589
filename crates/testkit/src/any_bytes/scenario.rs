//! Scenarios made from arbitrary bytes, such as a fuzzer's.

use crate::{
    cuts::cuts,
    frames::KEY,
    vectors::format::{Action, Ending, Step, Vector},
};
use sansocket::{CloseCode, Limits};

/// The number of bytes before the input.
const HEAD: usize = 7;

const CLIENT: u8 = 1;
const LIMITED: u8 = 2;
const CLOSES: u8 = 4;

/// A role, limits, the input, where to cut it, and possibly a point at which this endpoint closes.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The role, the limits and the input.
    pub vector: Vector,
    /// Where this endpoint closes.
    pub closes_at: Option<usize>,
    /// Where the input is cut, in ascending order.
    pub cuts: Vec<usize>,
}

impl Scenario {
    /// Reads a scenario. Returns `None` if there are too few bytes for one.
    ///
    /// | byte | meaning |
    /// |---|---|
    /// | 0 | bit 0: is a client; bit 1: with limits; bit 2: closes |
    /// | 1, 2, 3 | limits of frame, message and fragments |
    /// | 4, 5 | where it closes, little-endian |
    /// | 6 | how the input is cut |
    /// | 7… | the input |
    pub fn read(data: &[u8]) -> Option<Self> {
        let (head, input) = data.split_first_chunk::<HEAD>()?;
        let is_limited = head[0] & LIMITED != 0;
        let limits = is_limited.then_some((head[1], head[2], head[3]));
        let at = usize::from(u16::from_le_bytes([head[4], head[5]])).min(input.len());
        let closes_at = (head[0] & CLOSES != 0).then_some(at);
        let cuts = cuts(head[6], input.len());
        Some(Self::new(head[0] & CLIENT != 0, limits, input, closes_at, cuts))
    }

    /// Makes a scenario, optionally with limits of frame, message and fragments.
    pub fn new(
        is_client: bool,
        limits: Option<(u8, u8, u8)>,
        input: &[u8],
        closes_at: Option<usize>,
        cuts: Vec<usize>,
    ) -> Self {
        let mut all = Limits::default();
        if let Some((frame, message, fragments)) = limits {
            (all.frame, all.message, all.fragments) =
                (Some(frame.into()), message.into(), fragments.into());
        }
        let steps = match closes_at {
            None => vec![Step::Input(input.into())],
            Some(at) => vec![
                Step::Input(input[..at].into()),
                Step::Attempt(Action::Close(CloseCode::GOING_AWAY, "bye".into())),
                Step::Input(input[at..].into()),
            ],
        };
        let vector = Vector {
            title: String::new(),
            is_client,
            mask: KEY,
            limits: all,
            is_limited: limits.is_some(),
            fragment_size: 0,
            deflate: None,
            is_prompt: false,
            steps,
            events: Vec::new(),
            output: Vec::new(),
            end: Ending::Open,
        };
        Self { vector, closes_at, cuts }
    }

    /// Returns the whole input.
    pub fn input(&self) -> Vec<u8> {
        let bytes =
            |step: &Step| if let Step::Input(bytes) = step { bytes.clone() } else { vec![] };
        self.vector.steps.iter().flat_map(bytes).collect()
    }

    /// Returns bytes from which [`read`](Self::read) makes a scenario similar to `vector`: what the
    /// peer sends, and this endpoint's first Close.
    pub fn bytes_like(vector: &Vector) -> Vec<u8> {
        let mut head = [0, 0, 0, 0, 0, 0, vector.title.len() as u8];
        head[0] |= if vector.is_client { CLIENT } else { 0 };
        if vector.is_limited {
            head[0] |= LIMITED;
            head[1] =
                vector.limits.frame.map_or(u8::MAX, |frame| frame.try_into().unwrap_or(u8::MAX));
            head[2] = u8::try_from(vector.limits.message).unwrap_or(u8::MAX);
            head[3] = u8::try_from(vector.limits.fragments).unwrap_or(u8::MAX);
        }
        let mut input = Vec::new();
        for step in &vector.steps {
            match step {
                Step::Input(bytes) => input.extend_from_slice(bytes),
                Step::Do(Action::Close(..)) if head[0] & CLOSES == 0 => {
                    head[0] |= CLOSES;
                    [head[4], head[5]] = (input.len() as u16).to_le_bytes();
                }
                _ => {}
            }
        }
        [&head[..], &input].concat()
    }
}
