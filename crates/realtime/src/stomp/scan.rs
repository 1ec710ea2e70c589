//! Where a frame ends, and whether it is valid: a state machine that sees each byte once.
//!
//! [`Scan::next`] looks at bytes that have just arrived and says how many of them to take into the
//! frame. [`Scan::take`] then checks each line once it is complete. So an error depends on the bytes
//! alone, not on how they are cut.

use super::{
    command::Command, error::DecodeError, escape::Escapes, frame::Frame, header, limits::Limits,
    version::Version,
};
use core::ffi::CStr;

/// By what a frame is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) receives_from_client: bool,
    pub(super) version: Version,
    pub(super) limits: Limits,
}

/// What to do with the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take this many into the frame.
    Take(usize),
    /// Take this many, which completes a line.
    Line(usize),
    /// Take this many. The frame is complete.
    End(usize),
}

/// The place in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In the first line.
    Command,
    /// In a header line, or the blank line after them.
    Header,
    /// In a body with a `content-length`; so many bytes are missing.
    Sized { missing: usize },
    /// In a body that ends at the first NUL.
    UntilNul,
    /// Behind the headers of a frame without a body.
    NoBody,
}

/// What is known of the frame so far. Offsets count from its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    /// Those in force when the frame began.
    rules: Rules,
    stage: Stage,
    /// The bytes of the frame that were taken.
    len: usize,
    /// The number of the current line. The first is 1.
    line: usize,
    line_start: usize,
    /// The last byte that was taken is a CR, so an LF has to follow.
    after_carriage_return: bool,
    /// The bytes of all complete lines, without line ends.
    head: usize,
    headers: usize,
    content_length: Option<u64>,
    command: Command,
    /// Where the first header line starts.
    lines_start: usize,
    /// Where the blank line starts.
    lines_end: usize,
    body_start: usize,
}

impl Scan {
    pub(super) const fn new(rules: Rules) -> Self {
        Self {
            rules,
            stage: Stage::Command,
            len: 0,
            line: 1,
            line_start: 0,
            after_carriage_return: false,
            head: 0,
            headers: 0,
            content_length: None,
            // Replaced at the end of the first line.
            command: Command::Error,
            lines_start: 0,
            lines_end: 0,
            body_start: 0,
        }
    }

    /// Looks at bytes that follow those taken so far. `arrived` is not empty.
    ///
    /// # Errors
    ///
    /// Returns an error as soon as no continuation can make the frame valid, except for what
    /// [`take`](Self::take) finds once a line is complete.
    pub(super) fn next(&self, arrived: &[u8]) -> Result<Step, DecodeError> {
        match self.stage {
            Stage::Command => self.next_in_command(arrived),
            Stage::Header => self.next_in_header(arrived),
            Stage::Sized { missing: 0 } => match arrived {
                [0, ..] => Ok(Step::End(1)),
                // 1.2 §Header content-length: a NUL still ends the frame.
                _ => Err(DecodeError::MissingNul { content_length: self.len - self.body_start }),
            },
            Stage::Sized { missing } => Ok(Step::Take(missing.min(arrived.len()))),
            Stage::UntilNul => self.next_until_nul(arrived),
            Stage::NoBody => match arrived {
                [0, ..] => Ok(Step::End(1)),
                // 1.2 §Body: only SEND, MESSAGE and ERROR have one.
                _ => Err(DecodeError::UnexpectedBody { command: self.command }),
            },
        }
    }

    fn next_in_command(&self, arrived: &[u8]) -> Result<Step, DecodeError> {
        if self.after_carriage_return {
            return self.line_feed(arrived);
        }
        // One byte more than the longest command is enough to refuse what is none.
        let window = start(arrived, Command::LONGEST + 1);
        match window.iter().position(is_special) {
            None => Ok(Step::Take(window.len())),
            // What stands in front of a faulty byte is checked before it, as if it had come alone.
            Some(at) if at > 0 && window[at] != b'\n' => Ok(Step::Take(at)),
            Some(at) => self.special(window[at], at),
        }
    }

    fn next_in_header(&self, arrived: &[u8]) -> Result<Step, DecodeError> {
        if self.after_carriage_return {
            return self.line_feed(arrived);
        }
        self.check_count(arrived)?;
        let (room, too_long) = self.room();
        let window = start(arrived, room.saturating_add(1));
        match window.iter().position(is_special) {
            Some(at) => self.special(window[at], at),
            None if window.len() > room => Err(too_long),
            None => Ok(Step::Take(window.len())),
        }
    }

    fn next_until_nul(&self, arrived: &[u8]) -> Result<Step, DecodeError> {
        let limit = self.rules.limits.body;
        let room = limit.saturating_sub(self.len - self.body_start);
        let window = start(arrived, room.saturating_add(1));
        match position_of_nul(window) {
            Some(at) => Ok(Step::End(at + 1)),
            None if window.len() > room => Err(DecodeError::BodyTooLarge { limit }),
            None => Ok(Step::Take(window.len())),
        }
    }

    /// Judges the first special byte of a line, which stands behind `at` others.
    fn special(&self, byte: u8, at: usize) -> Result<Step, DecodeError> {
        let line = self.line;
        match byte {
            b'\n' => Ok(Step::Line(at + 1)),
            // Before 1.2 only LF ends a line, and readers disagree on whether a CR in front of it
            // belongs to the value.
            b'\r' if self.rules.version.has_carriage_returns() => Ok(Step::Take(at + 1)),
            b'\r' => Err(DecodeError::UnexpectedCarriageReturn { line }),
            // The grammar would allow NUL in a header. But a reader that looks for the end of the
            // frame first sees it here.
            _ => Err(DecodeError::UnexpectedNul { line }),
        }
    }

    fn line_feed(&self, arrived: &[u8]) -> Result<Step, DecodeError> {
        match arrived {
            [b'\n', ..] => Ok(Step::Line(1)),
            _ => Err(DecodeError::UnexpectedCarriageReturn { line: self.line }),
        }
    }

    /// Refuses a header line that is one too many, with its first byte. So this is never in the middle
    /// of such a line.
    fn check_count(&self, arrived: &[u8]) -> Result<(), DecodeError> {
        let limit = self.rules.limits.headers;
        if self.headers >= limit && !arrived.first().is_none_or(is_special) {
            return Err(DecodeError::TooManyHeaders { limit });
        }
        Ok(())
    }

    /// Returns how many more bytes the header line may have, and the error if it has more.
    fn room(&self) -> (usize, DecodeError) {
        let taken = self.len - self.line_start;
        let Limits { header_line, head, .. } = self.rules.limits;
        let line = header_line.saturating_sub(taken);
        let all = head.saturating_sub(self.head + taken);
        if line <= all {
            (line, DecodeError::HeaderTooLong { limit: header_line })
        } else {
            (all, DecodeError::HeadTooLong { limit: head })
        }
    }

    /// Notes that bytes were taken, as [`next`](Self::next) said. `frame` is the frame so far,
    /// including them.
    ///
    /// # Errors
    ///
    /// Returns an error if a complete line is invalid, or if the start of the first line is.
    pub(super) fn take(&mut self, step: Step, frame: &[u8]) -> Result<(), DecodeError> {
        let taken = frame.len() - self.len;
        self.len = frame.len();
        let line = &frame[self.line_start..];
        match (&mut self.stage, step) {
            (_, Step::Line(_)) => {
                let line_end = if self.after_carriage_return { 2 } else { 1 };
                self.line(&line[..line.len() - line_end])?;
            }
            (Stage::Command, _) => {
                self.after_carriage_return = line.ends_with(b"\r");
                check_command(line.strip_suffix(b"\r").unwrap_or(line))?;
            }
            (Stage::Header, _) => self.after_carriage_return = line.ends_with(b"\r"),
            (Stage::Sized { missing }, Step::Take(_)) => *missing = missing.saturating_sub(taken),
            (Stage::Sized { .. } | Stage::UntilNul | Stage::NoBody, _) => {}
        }
        Ok(())
    }

    /// Checks a complete line, given without its line end.
    fn line(&mut self, line: &[u8]) -> Result<(), DecodeError> {
        match self.stage {
            Stage::Command => {
                self.command = command(line, &self.rules)?;
                self.stage = Stage::Header;
                self.lines_start = self.len;
            }
            _ if line.is_empty() => {
                self.lines_end = self.line_start;
                self.body_start = self.len;
                self.stage = self.body()?;
            }
            _ => self.header(line)?,
        }
        self.head += line.len();
        self.line += 1;
        self.line_start = self.len;
        self.after_carriage_return = false;
        Ok(())
    }

    fn header(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let (line, version) = (self.line, self.rules.version);
        if core::str::from_utf8(bytes).is_err() {
            return Err(DecodeError::InvalidUtf8 { line });
        }
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            None => return Err(DecodeError::MissingColon { line }),
            Some(0) => return Err(DecodeError::EmptyName { line }),
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
        };
        if !Escapes::new(version, self.command.is_escaped()).are_valid_in(bytes) {
            return Err(DecodeError::InvalidEscape { line, version });
        }
        if name == header::CONTENT_LENGTH.as_bytes() {
            self.content_length(value)?;
        }
        self.headers += 1;
        Ok(())
    }

    /// Notes a `content-length`. No reader may find another end of the frame than this one, because
    /// the rest would be a frame that a third party made up. So a value that another reader would
    /// ignore, round or trim is refused, and so is a second one that differs, although the first one
    /// counts (1.2 §Repeated Header Entries): some readers keep the last.
    fn content_length(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        let line = self.line;
        let len = header::digits(value).ok_or(DecodeError::InvalidContentLength { line })?;
        match self.content_length {
            Some(first) if first != len => {
                Err(DecodeError::ConflictingContentLength { line, first })
            }
            _ => {
                self.content_length = Some(len);
                Ok(())
            }
        }
    }

    /// Returns how the body ends.
    fn body(&self) -> Result<Stage, DecodeError> {
        // 1.0 §SUBSCRIBE: a body is ignored. 1.0 says nothing about other commands.
        let may_have_body = self.command.has_body() || self.rules.version == Version::V1_0;
        let limit = self.rules.limits.body;
        match self.content_length {
            None if may_have_body => Ok(Stage::UntilNul),
            None => Ok(Stage::NoBody),
            Some(1..) if !may_have_body => {
                Err(DecodeError::UnexpectedBody { command: self.command })
            }
            Some(len) => match usize::try_from(len) {
                Ok(missing) if missing <= limit => Ok(Stage::Sized { missing }),
                _ => Err(DecodeError::BodyTooLarge { limit }),
            },
        }
    }

    /// Returns the complete frame, whose bytes are `bytes`.
    pub(super) fn frame<'a>(&self, bytes: &'a [u8]) -> Result<Frame<'a>, DecodeError> {
        // Each line was found to be UTF-8, so all of them are.
        let lines = core::str::from_utf8(&bytes[self.lines_start..self.lines_end])
            .map_err(|_| DecodeError::InvalidUtf8 { line: 2 })?;
        // The last byte is the NUL. In 1.0, a body where none belongs is ignored.
        let has_body = self.command.has_body();
        let body = if has_body { &bytes[self.body_start..bytes.len() - 1] } else { &[] };
        Ok(Frame::new(self.command, self.rules.version, lines, body))
    }

    /// Returns the length of the whole frame with its NUL, if `content-length` has told it.
    pub(super) fn expected_len(&self) -> Option<usize> {
        match self.stage {
            Stage::Sized { missing } => self.len.checked_add(missing)?.checked_add(1),
            _ => None,
        }
    }
}

/// Returns `true` for what ends a line, and for what may not stand in one.
fn is_special(byte: &u8) -> bool {
    matches!(byte, 0 | b'\n' | b'\r')
}

/// Checks the start of the first line, so that what is not STOMP at all fails with its first bytes.
fn check_command(line: &[u8]) -> Result<(), DecodeError> {
    let at = Command::longest_start(line);
    if at < line.len() { Err(DecodeError::UnknownCommand { at }) } else { Ok(()) }
}

/// Returns the command of the first line.
fn command(line: &[u8], rules: &Rules) -> Result<Command, DecodeError> {
    let Some(command) = core::str::from_utf8(line).ok().and_then(Command::from_name) else {
        check_command(line)?;
        // A line that is only the start of a command differs from it where it ends.
        return Err(DecodeError::UnknownCommand { at: line.len() });
    };
    let version = rules.version;
    if command.is_client() == rules.receives_from_client && command.is_in(version) {
        Ok(command)
    } else {
        Err(DecodeError::UnexpectedCommand { command, version })
    }
}

fn start(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}

/// Finds the first NUL. The search of [`CStr`] compares words rather than bytes.
fn position_of_nul(bytes: &[u8]) -> Option<usize> {
    CStr::from_bytes_until_nul(bytes).ok().map(CStr::count_bytes)
}
