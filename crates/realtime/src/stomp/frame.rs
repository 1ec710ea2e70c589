//! A received frame.

use super::{
    command::Command,
    escape::Escapes,
    header::{self, AckMode, HeartBeat, InvalidAckMode, InvalidHeartBeat},
    version::{UnknownVersion, Version},
};
use alloc::borrow::Cow;
use core::{fmt, iter::FusedIterator, str::Lines};

/// A received frame. It borrows the bytes that it was decoded from.
///
/// ```
/// use sansocket_realtime::stomp::{Command, Decoder, Limits};
///
/// let mut decoder = Decoder::client(Limits::default());
/// let mut input = &b"MESSAGE\nfoo:World\nfoo:Hello\n\nHi\0"[..];
/// let frame = decoder.decode(&mut input)?.unwrap();
/// assert_eq!(frame.command(), Command::Message);
/// assert_eq!(frame.get("foo").as_deref(), Some("World"));
/// assert_eq!(frame.headers().count(), 2);
/// assert_eq!(frame.body(), b"Hi");
/// # Ok::<(), sansocket_realtime::stomp::DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    command: Command,
    version: Version,
    /// The header lines with their line ends, each of them checked.
    lines: &'a str,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    pub(super) const fn new(
        command: Command,
        version: Version,
        lines: &'a str,
        body: &'a [u8],
    ) -> Self {
        Self { command, version, lines, body }
    }

    /// Returns the command.
    #[must_use]
    pub const fn command(&self) -> Command {
        self.command
    }

    /// Returns the version by whose rules the frame was decoded.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns all headers as pairs of name and value, in the order of transmission, repeated ones
    /// included. Escapes are resolved, and nothing is trimmed.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        Headers { escapes: self.escapes(), lines: self.lines.lines() }
    }

    /// Returns the value of a header. If it is repeated, the first one counts
    /// (1.2 §Repeated Header Entries). Names are case sensitive.
    ///
    /// Looks through the headers, so get each of them once.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        if name.contains(['\\', ':', '\r', '\n']) {
            return self.headers().find(|(found, _)| found == name).map(|(_, value)| value);
        }
        // Each escape stands for one of those characters. So any other name stands in its line as it is.
        let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
        self.lines.lines().find_map(value).map(|value| self.escapes().unescape(value))
    }

    /// Returns the values of these headers, in one pass.
    pub(super) fn pick<const N: usize>(&self, names: [&str; N]) -> [Option<Cow<'a, str>>; N] {
        let mut values = [const { None }; N];
        for (name, value) in self.headers() {
            let index = names.iter().position(|candidate| *candidate == name);
            if let Some(slot) = index.and_then(|index| values.get_mut(index)) {
                // 1.2 §Repeated Header Entries: the first one counts.
                slot.get_or_insert(value);
            }
        }
        values
    }

    /// Returns the body. It is empty in frames other than SEND, MESSAGE and ERROR.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Returns the version that a server answers a CONNECT with, or `None` if its list has none of
    /// `supported`. See [`Version::highest_common`].
    #[must_use]
    pub fn highest_common_version(&self, supported: &[Version]) -> Option<Version> {
        Version::highest_common(self.get(header::ACCEPT_VERSION).as_deref(), supported)
    }

    /// Returns the version that a CONNECTED has agreed on, which is 1.0 without the header.
    ///
    /// # Errors
    ///
    /// Returns an error if this crate does not know the version: a fault of the server.
    pub fn agreed_version(&self) -> Result<Version, UnknownVersion> {
        self.get(header::VERSION).map_or(Ok(Version::V1_0), |version| version.parse())
    }

    /// Returns the `heart-beat` of a CONNECT or CONNECTED, which is `0,0` without the header.
    ///
    /// # Errors
    ///
    /// Returns an error if the header is not a pair of numbers: a fault of the peer.
    pub fn heart_beat(&self) -> Result<HeartBeat, InvalidHeartBeat> {
        self.get(header::HEART_BEAT).map_or(Ok(HeartBeat::default()), |beat| beat.parse())
    }

    /// Returns the mode of acknowledgment of a SUBSCRIBE, which is `auto` without the header.
    ///
    /// # Errors
    ///
    /// Returns an error if the header has another value: a fault of the client.
    pub fn ack_mode(&self) -> Result<AckMode, InvalidAckMode> {
        self.get(header::ACK).map_or(Ok(AckMode::default()), |mode| mode.parse())
    }

    /// Returns the receipt that a client asks for. CONNECT has none (1.2 §Header receipt): its answer is
    /// CONNECTED.
    #[must_use]
    pub fn receipt(&self) -> Option<Cow<'a, str>> {
        if self.is_connect() { None } else { self.get(header::RECEIPT) }
    }

    const fn is_connect(&self) -> bool {
        matches!(self.command, Command::Connect | Command::Stomp)
    }

    const fn escapes(&self) -> Escapes {
        Escapes::new(self.version, self.command.is_escaped())
    }
}

/// Shows no `passcode` and no `authorization`. Of a CONNECT or STOMP, shows the values of those headers alone
/// that are known to be no secrets, because an application can choose where its token stands.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: [&str; 4] =
            [header::ACCEPT_VERSION, header::HEART_BEAT, header::HOST, header::LOGIN];
        const SECRET: [&str; 2] = [header::PASSCODE, "authorization"];
        let is_shown = |name: &str| {
            if self.is_connect() {
                SHOWN.contains(&name)
            } else {
                !SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
            }
        };
        let headers = |f: &mut fmt::Formatter<'_>| {
            let shown = self.headers().map(|(name, value)| {
                let value = if is_shown(&name) { value } else { Cow::Borrowed("…") };
                (name, value)
            });
            f.debug_map().entries(shown).finish()
        };
        f.debug_struct("Frame")
            .field("command", &self.command)
            .field("version", &self.version)
            .field("headers", &FromFn(headers))
            .field("body", &self.body)
            .finish()
    }
}

/// The headers of a [`Frame`] as pairs of name and value. See [`Frame::headers`].
#[derive(Clone)]
pub struct Headers<'a> {
    escapes: Escapes,
    lines: Lines<'a>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.lines.next()?.split_once(':')?;
        Some((self.escapes.unescape(name), self.escapes.unescape(value)))
    }
}

impl FusedIterator for Headers<'_> {}

/// Shows no headers, because those of CONNECT can be secrets.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

struct FromFn<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec::Vec};

    #[test]
    fn the_first_of_repeated_headers_counts() {
        let frame = Frame::new(Command::Message, Version::V1_2, "a\\c:1\nb:2\r\na\\c:3\n", b"");
        assert_eq!(frame.get("a:").as_deref(), Some("1"));
        assert_eq!(frame.get("b").as_deref(), Some("2"));
        assert_eq!(frame.get("A:"), None);
        assert_eq!(frame.get("a\\c"), None);
        let names: Vec<_> = frame.headers().map(|(name, _)| name).collect();
        assert_eq!(names, ["a:", "b", "a:"]);
    }

    #[test]
    fn a_name_is_compared_whole() {
        let frame = Frame::new(Command::Connect, Version::V1_2, "hosts:1\nhost:h:80\n", b"");
        assert_eq!(frame.get("host").as_deref(), Some("h:80"));
        assert_eq!(frame.get("host:h"), None);
        assert_eq!(frame.get("hos"), None);
    }

    #[test]
    fn headers_without_escapes_are_borrowed() {
        let frame = Frame::new(Command::Send, Version::V1_2, "a:b\nc:\\n\n", b"");
        assert!(matches!(frame.get("a"), Some(Cow::Borrowed("b"))));
        assert!(matches!(frame.get("c"), Some(Cow::Owned(value)) if value == "\n"));
    }

    #[test]
    fn headers_with_a_grammar_have_defaults() {
        let frame = |command, lines| Frame::new(command, Version::V1_2, lines, b"");
        let bare = frame(Command::Connect, "");
        assert_eq!(bare.highest_common_version(&Version::ALL), Some(Version::V1_0));
        assert_eq!(bare.agreed_version(), Ok(Version::V1_0));
        assert_eq!(bare.heart_beat(), Ok(HeartBeat::default()));
        assert_eq!(bare.ack_mode(), Ok(AckMode::Auto));
        assert_eq!(bare.receipt(), None);

        let connect =
            frame(Command::Connect, "accept-version:1.1,1.0\nheart-beat:1,2\nreceipt:1\n");
        assert_eq!(connect.highest_common_version(&Version::ALL), Some(Version::V1_1));
        assert_eq!(connect.heart_beat().unwrap().to_string(), "1,2");
        assert_eq!(connect.receipt(), None);
        let connected = frame(Command::Connected, "version:1.1\nheart-beat:1\n");
        assert_eq!(connected.agreed_version(), Ok(Version::V1_1));
        assert_eq!(connected.heart_beat(), Err(InvalidHeartBeat));
        assert_eq!(
            frame(Command::Connected, "version:2.0\n").agreed_version(),
            Err(UnknownVersion)
        );
        let subscribe = frame(Command::Subscribe, "ack:client\nreceipt:a\\c1\n");
        assert_eq!(subscribe.ack_mode(), Ok(AckMode::Client));
        assert_eq!(subscribe.receipt().as_deref(), Some("a:1"));
        assert_eq!(frame(Command::Subscribe, "ack: client\n").ack_mode(), Err(InvalidAckMode));
    }

    #[test]
    fn credentials_are_not_shown() {
        for command in [Command::Connect, Command::Stomp] {
            for name in ["passcode", "Passcode", "Authorization", "authorization", "token"] {
                let lines = format!("host:h\nlogin:joe\n{name}:secret\n");
                let frame = Frame::new(command, Version::V1_2, &lines, b"");
                for shown in [format!("{frame:?}"), format!("{:?}", frame.headers())] {
                    assert!(!shown.contains("secret"), "{shown}");
                }
                let shown = format!("{frame:?}");
                let is_told = |part| shown.contains(part);
                assert!(is_told("\"h\"") && is_told("\"joe\"") && is_told(name), "{shown}");
            }
        }
        // Some clients add their token to every frame.
        let lines = "destination:/topic/a\nAuthorization:secret\nPasscode:secret\n";
        let shown = format!("{:?}", Frame::new(Command::Send, Version::V1_2, lines, b""));
        assert!(shown.contains("/topic/a") && !shown.contains("secret"), "{shown}");
    }
}
