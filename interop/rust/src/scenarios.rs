//! The scenarios of a client, against a server that answers as ../README.md describes.

use crate::{Error, FRAGMENTS, Failure, Headers, Library, Message, Piece, Socket};
use std::{fmt::Debug, future::Future, time::Duration};

/// The time limit of one scenario.
const TIMEOUT: Duration = Duration::from_secs(10);
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
/// Text with UTF-8 characters of one to four bytes.
const UNICODE: &str = "z\u{0}ß水🍌 e\u{301} \u{10ffff}";

type Outcome = Result<(), Error>;

/// Runs all scenarios, and prints a line for each. Returns `true` if all passed.
pub async fn run<L: Library>(url: &str) -> bool {
    let mut report = Report { lacks: L::LACKS, all_passed: true };
    for size in SIZES {
        report.add(&format!("text of {size} bytes"), echo::<L>(url, text(size))).await;
        let data = Message::Binary(pattern(size));
        report.add(&format!("binary of {size} bytes"), echo::<L>(url, data)).await;
    }
    let unicode = |times| Message::Text(UNICODE.repeat(times));
    report.add("unicode text", echo::<L>(url, unicode(1))).await;
    report.add("unicode text larger than a fragment", echo::<L>(url, unicode(10_000))).await;
    report.add("fragmented text sent", fragmented_text::<L>(url)).await;
    report.add("fragmented binary sent, a ping between", fragmented_binary::<L>(url)).await;
    report.add("fragmented text received", fragmented_received::<L>(url)).await;
    report.add("ping answered", ping::<L>(url, b"")).await;
    report.add("ping of 125 bytes answered", ping::<L>(url, &pattern(125))).await;
    report.add("ping received", ping_received::<L>(url)).await;
    report.add("100 messages pipelined", pipelined::<L>(url)).await;
    report.add("close sent", close_sent::<L>(url, Some((4001, "bis später")))).await;
    report.add("close without a reason sent", close_sent::<L>(url, Some((1000, "")))).await;
    report.add("close without a code sent", close_sent::<L>(url, None)).await;
    report.add("close sent behind messages", close_behind_messages::<L>(url)).await;
    report.add("close received", close_received::<L>(url)).await;
    report.add("connection dropped", dropped::<L>(url)).await;
    let both = subprotocol::<L>(url, &["chat.v1", "chat.v2"], Some("chat.v2"));
    report.add("subprotocol chosen", both).await;
    let one = subprotocol::<L>(url, &["other", "chat.v1"], Some("chat.v1"));
    report.add("only subprotocol chosen", one).await;
    report.add("no subprotocol offered", subprotocol::<L>(url, &[], None)).await;
    report.add("no subprotocol chosen", no_subprotocol::<L>(url)).await;
    report.add("cookies and own headers", headers::<L>(url)).await;
    report.add("refused", refused::<L>(url)).await;
    report.add("deflate not offered", not_offered::<L>(url)).await;
    report.finish()
}

async fn plain<L: Library>(url: &str) -> Result<L::Socket, Error> {
    Ok(connect::<L>(url, &[], &[]).await?.0)
}

async fn connect<L: Library>(
    url: &str,
    subprotocols: &[&str],
    headers: &[(&str, &str)],
) -> Result<(L::Socket, Headers), Error> {
    L::connect(url, subprotocols, headers).await.map_err(|failure| match failure {
        Failure::Refused(status, _) => format!("refused with {status}").into(),
        Failure::Other(error) => error,
    })
}

// --- scenarios -------------------------------------------------------------------------------

async fn echo<L: Library>(url: &str, message: Message) -> Outcome {
    echo_on(&mut plain::<L>(url).await?, message).await
}

async fn fragmented_text<L: Library>(url: &str) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    for (index, piece) in FRAGMENTS.into_iter().enumerate() {
        let kind = if index == 0 { Piece::Text } else { Piece::Continuation };
        socket.send_piece(kind, piece.as_bytes(), index == FRAGMENTS.len() - 1).await?;
    }
    expect_message(&mut socket, Message::Text(FRAGMENTS.concat())).await
}

async fn fragmented_binary<L: Library>(url: &str) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    let data = pattern(100_000);
    socket.send_piece(Piece::Binary, &data[..1], false).await?;
    socket.send_piece(Piece::Continuation, b"", false).await?;
    socket.send(Message::Ping(b"between".into())).await?;
    socket.send_piece(Piece::Continuation, &data[1..], true).await?;
    expect_message(&mut socket, Message::Pong(b"between".into())).await?;
    expect_message(&mut socket, Message::Binary(data)).await
}

async fn fragmented_received<L: Library>(url: &str) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    socket.send(Message::Text("fragment me".into())).await?;
    expect_message(&mut socket, Message::Text(FRAGMENTS.concat())).await
}

async fn ping<L: Library>(url: &str, payload: &[u8]) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    socket.send(Message::Ping(payload.into())).await?;
    expect_message(&mut socket, Message::Pong(payload.into())).await
}

/// Whether a library shows pings is up to it, so only what the server says counts.
async fn ping_received<L: Library>(url: &str) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    socket.send(Message::Text("ping me".into())).await?;
    let answer = Message::Text("pong: are you there?".into());
    match socket.receive().await {
        Some(Message::Ping(payload)) => {
            expect("ping", &b"are you there?"[..], &payload)?;
            expect_message(&mut socket, answer).await
        }
        other => expect("message", Some(answer), other),
    }
}

async fn pipelined<L: Library>(url: &str) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    let messages = (0..100).map(|index| Message::Binary(pattern(index * 37)));
    for message in messages.clone() {
        socket.send(message).await?;
    }
    for message in messages {
        expect_message(&mut socket, message).await?;
    }
    Ok(())
}

async fn close_sent<L: Library>(url: &str, close: Option<(u16, &str)>) -> Outcome {
    let (code, reason) = close.unwrap_or((1005, ""));
    let target = format!("/?close-sent-{code}");
    let mut socket = plain::<L>(&format!("{url}{target}")).await?;
    socket.send(Message::Close(close.map(|(code, reason)| (code, reason.into())))).await?;
    match socket.receive().await {
        Some(Message::Close(answer)) => {
            expect("code of the answer", close.map(|it| it.0), answer.map(|it| it.0))?;
        }
        other => return Err(format!("expected a Close, got {other:?}").into()),
    }
    expect("what follows a Close", None, socket.receive().await)?;
    let end = end_at_server::<L>(url, &target).await?;
    expect("what the server learnt", format!("{code} clean {reason}").trim_end(), &*end)
}

async fn close_behind_messages<L: Library>(url: &str) -> Outcome {
    let mut socket = plain::<L>(url).await?;
    socket.send(Message::Binary(pattern(300_000))).await?;
    socket.send(Message::Text("the last".into())).await?;
    socket.send(Message::Close(Some((4001, "bis später".into())))).await?;
    // A server reads what precedes the Close, but need not answer it, so only the end is certain.
    loop {
        match socket.receive().await {
            Some(Message::Close(Some((code, _)))) => return expect("code", 4001, code),
            Some(Message::Close(None)) | None => return Err("expected a Close with a code".into()),
            Some(_) => {}
        }
    }
}

async fn close_received<L: Library>(url: &str) -> Outcome {
    const TARGET: &str = "/?close-received";
    let mut socket = plain::<L>(&format!("{url}{TARGET}")).await?;
    socket.send(Message::Text("close me".into())).await?;
    let close = Message::Close(Some((4000, "as you asked".into())));
    expect_message(&mut socket, close).await?;
    expect("what follows a Close", None, socket.receive().await)?;
    // Whether the answering endpoint repeats the reason along with the code is up to it.
    let end = end_at_server::<L>(url, TARGET).await?;
    expect("what the server learnt", "4000 clean", end.get(..10).unwrap_or(&end))
}

async fn dropped<L: Library>(url: &str) -> Outcome {
    const TARGET: &str = "/?dropped";
    let mut socket = plain::<L>(&format!("{url}{TARGET}")).await?;
    echo_on(&mut socket, Message::Text("before the end".into())).await?;
    drop(socket);
    expect("what the server learnt", "1006 unclean", &*end_at_server::<L>(url, TARGET).await?)
}

async fn subprotocol<L: Library>(url: &str, offered: &[&str], chosen: Option<&str>) -> Outcome {
    let (mut socket, headers) = connect::<L>(url, offered, &[]).await?;
    expect("Sec-WebSocket-Protocol", chosen, headers.get("sec-websocket-protocol"))?;
    echo_on(&mut socket, Message::Text("and it works".into())).await
}

async fn no_subprotocol<L: Library>(url: &str) -> Outcome {
    if !L::INSISTS_ON_A_SUBPROTOCOL {
        return subprotocol::<L>(url, &["other"], None).await;
    }
    match connect::<L>(url, &["other"], &[]).await {
        Ok(_) => Err("expected an error, got a connection".into()),
        Err(error) if error.to_string().to_lowercase().contains("subprotocol") => Ok(()),
        Err(error) => Err(error),
    }
}

async fn headers<L: Library>(url: &str) -> Outcome {
    let own = [("Cookie", "session=42"), ("X-Interop", "from the client")];
    let (mut socket, headers) = connect::<L>(url, &[], &own).await?;
    expect("Set-Cookie", Some("interop=1; Path=/; HttpOnly"), headers.get("set-cookie"))?;
    expect("X-Interop", Some("sansocket"), headers.get("x-interop"))?;
    socket.send(Message::Text("what headers".into())).await?;
    expect_message(&mut socket, Message::Text("session=42\nfrom the client".into())).await
}

async fn refused<L: Library>(url: &str) -> Outcome {
    let (status, told) = match L::connect(&format!("{url}/forbidden"), &[], &[]).await {
        Err(Failure::Refused(status, told)) => (status, told),
        Err(Failure::Other(other)) => return Err(format!("expected a refusal, got {other}").into()),
        Ok(_) => return Err("expected a refusal, got a connection".into()),
    };
    expect("status", 403, status)?;
    let (headers, body) = told.ok_or("the library told neither header fields nor a body")?;
    expect("X-Interop", Some("forbidden"), headers.get("x-interop"))?;
    expect("body", "not for you\n", &*body)
}

async fn not_offered<L: Library>(url: &str) -> Outcome {
    let (mut socket, headers) = connect::<L>(&format!("{url}/deflate"), &[], &[]).await?;
    expect("response", None, headers.get("sec-websocket-extensions"))?;
    socket.send(Message::Text("what compression".into())).await?;
    expect_message(&mut socket, Message::Text("none".into())).await?;
    echo_on(&mut socket, text(1000)).await
}

// --- building blocks -------------------------------------------------------------------------

/// Returns bytes that don't repeat at any distance by which a bug could shift them.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index * 7 + index / 256 * 13) as u8).collect()
}

fn text(size: usize) -> Message {
    let letters = pattern(size).into_iter().map(|byte| char::from(b'a' + byte % 26));
    Message::Text(letters.collect())
}

async fn echo_on(socket: &mut impl Socket, message: Message) -> Outcome {
    socket.send(message.clone()).await?;
    expect_message(socket, message).await
}

async fn expect_message(socket: &mut impl Socket, expected: Message) -> Outcome {
    expect("message", Some(expected), socket.receive().await)
}

fn expect<T: PartialEq + Debug>(what: &str, expected: T, got: T) -> Outcome {
    if expected == got {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {got:?}").into())
}

/// Asks, on another connection, how a connection ended for the server.
async fn end_at_server<L: Library>(url: &str, target: &str) -> Result<String, Error> {
    let mut socket = plain::<L>(url).await?;
    socket.send(Message::Text(format!("closed {target}"))).await?;
    match socket.receive().await {
        Some(Message::Text(end)) => Ok(end),
        other => Err(format!("expected how {target} ended, got {other:?}").into()),
    }
}

struct Report {
    lacks: &'static [(&'static str, &'static str)],
    all_passed: bool,
}

impl Report {
    async fn add(&mut self, name: &str, scenario: impl Future<Output = Outcome>) {
        if self.lacks.iter().any(|(lacking, _)| *lacking == name) {
            return;
        }
        let timed = tokio::time::timeout(TIMEOUT, scenario).await;
        match timed.unwrap_or_else(|_| Err(format!("not done after {TIMEOUT:?}").into())) {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                println!("not ok {name}: {error}");
                self.all_passed = false;
            }
        }
    }

    fn finish(self) -> bool {
        for (name, why) in self.lacks {
            println!("skip {name}: {why}");
        }
        self.all_passed
    }
}
