//! Our client in the interop tests. Runs each scenario against a server that answers as described
//! in the README.md of this package, and prints a line for each.
//!
//! ```text
//! interop_client --shell blocking|tokio URL
//! ```

use sansocket::{
    CloseCode, Config, DeflateConfig, Error, Payload, blocking,
    connection::Initiator,
    deflate::DeflateParameters,
    handshake::{HandshakeError, Negotiated, Response},
    on_tokio as tokio_shell,
};
use sansocket_interop::{
    CLOSE_CODE, CLOSE_REASON, COOKIE, DEFLATE_PATH, FORBIDDEN, FRAGMENTS, PING, Received, Shell,
    Socket, block_on, deflate_config, describe,
};
use std::{fmt::Debug, future::Future, process::ExitCode, time::Duration};

/// The time limit of one scenario.
const TIMEOUT: Duration = Duration::from_secs(10);
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
/// The code and the reason with which this client closes.
const OWN_CLOSE: (CloseCode, &str) = (CloseCode::new(4001), "bis später");
/// Text with UTF-8 characters of one to four bytes.
const UNICODE: &str = "z\u{0}ß水🍌 e\u{301} \u{10ffff}";

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let (shell, url) = match Shell::from_arguments(std::env::args().skip(1)) {
        Ok((shell, rest)) if rest.len() == 1 => (shell, rest[0].clone()),
        _ => {
            eprintln!("usage: interop_client --shell blocking|tokio URL");
            return ExitCode::from(2);
        }
    };
    let all_passed = match shell {
        Shell::Blocking => block_on(scenarios::<Blocking>(&url)),
        Shell::Tokio => block_on(scenarios::<Tokio>(&url)),
    };
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn scenarios<C: Connect>(url: &str) -> bool {
    let mut report = Report { all_passed: true };
    for size in SIZES {
        report.add::<C>(&format!("text of {size} bytes"), text::<C>(url, size)).await;
        report.add::<C>(&format!("binary of {size} bytes"), binary::<C>(url, size)).await;
    }
    report.add::<C>("unicode text", unicode::<C>(url, 1)).await;
    report.add::<C>("unicode text larger than a fragment", unicode::<C>(url, 10_000)).await;
    report.add::<C>("fragmented text sent", fragmented_text::<C>(url)).await;
    report.add::<C>("fragmented binary sent, a ping between", fragmented_binary::<C>(url)).await;
    report.add::<C>("fragmented text received", fragmented_received::<C>(url)).await;
    report.add::<C>("ping answered", ping::<C>(url, b"")).await;
    report.add::<C>("ping of 125 bytes answered", ping::<C>(url, &pattern(125))).await;
    report.add::<C>("ping received", ping_received::<C>(url)).await;
    report.add::<C>("100 messages pipelined", pipelined::<C>(url)).await;
    report.add::<C>("close sent", close_sent::<C>(url, OWN_CLOSE.0, OWN_CLOSE.1)).await;
    report
        .add::<C>("close without a reason sent", close_sent::<C>(url, CloseCode::NORMAL, ""))
        .await;
    report.add::<C>("close sent behind messages", close_behind_messages::<C>(url)).await;
    report.add::<C>("close received", close_received::<C>(url)).await;
    report.add::<C>("connection dropped", dropped::<C>(url)).await;
    report
        .add::<C>(
            "subprotocol chosen",
            subprotocol::<C>(url, &["chat.v1", "chat.v2"], Some("chat.v2")),
        )
        .await;
    report
        .add::<C>(
            "only subprotocol chosen",
            subprotocol::<C>(url, &["other", "chat.v1"], Some("chat.v1")),
        )
        .await;
    report.add::<C>("no subprotocol offered", subprotocol::<C>(url, &[], None)).await;
    report.add::<C>("no subprotocol chosen", subprotocol::<C>(url, &["other"], None)).await;
    report.add::<C>("cookies and own headers", headers::<C>(url)).await;
    report.add::<C>("refused", refused::<C>(url)).await;
    compression::<C>(url, &mut report).await;
    report.all_passed
}

async fn compression<C: Connect>(url: &str, report: &mut Report) {
    report.add::<C>("deflate declined", declined::<C>(url)).await;
    report.add::<C>("deflate not offered", not_offered::<C>(url)).await;
    let peer = name_of_peer::<C>(url).await;
    if matches!(&*peer, "tungstenite" | "fastwebsockets") {
        println!("skip deflate: {peer} has no compression");
        return;
    }
    for (offer, answer, agreed) in agreements() {
        // Python's zlib can't compress with a window of 8 bits; its server fails if asked to.
        if agreed == "server_max_window_bits=8" && peer == "websockets" {
            continue;
        }
        // A server need not confirm a window that is as large as without the parameter. Ours does not.
        if offer.is_empty() && agreed.ends_with("=15") && peer == "sansocket" {
            continue;
        }
        let name = format!("deflate offer [{offer}] answer [{answer}]");
        report.add::<C>(&name, negotiated::<C>(url, &offer, &answer, &agreed)).await;
    }
    for (name, parameters) in [
        ("deflate", ""),
        ("deflate of each message", "server_no_context_takeover&client_no_context_takeover"),
    ] {
        for size in SIZES {
            let scenario = compressed::<C>(url, parameters, size);
            report.add::<C>(&format!("{name}: {size} bytes"), scenario).await;
        }
        let scenario = compressed_fragments::<C>(url, parameters);
        report.add::<C>(&format!("{name}: fragmented, a ping between"), scenario).await;
        let scenario = compressed_fragments_received::<C>(url, parameters);
        report.add::<C>(&format!("{name}: fragmented received"), scenario).await;
        report.add::<C>(&format!("{name}: plain between"), mixed::<C>(url, parameters)).await;
        let scenario = compressed_pipelined::<C>(url, parameters);
        report.add::<C>(&format!("{name}: 100 messages pipelined"), scenario).await;
    }
}

/// Returns what the server calls itself.
async fn name_of_peer<C: Connect>(url: &str) -> String {
    let response = C::connect(url, &[], &[], None).await.map(|(_, response)| response);
    let name = response.as_ref().ok().and_then(|response| response.header("X-Interop"));
    String::from_utf8_lossy(name.unwrap_or_default()).into()
}

/// Lists what the client wants, what the server wants, and the expected response.
fn agreements() -> Vec<(String, String, String)> {
    const ALONE: &str = "server_no_context_takeover&client_no_context_takeover";
    let mut all = vec![(String::new(), String::new(), String::new())];
    let mut add = |offer: &str, answer: &str, agreed: &str| {
        all.push((offer.into(), answer.into(), agreed.into()));
    };
    let mut each = vec!["server_no_context_takeover".into(), "client_no_context_takeover".into()];
    each.push(ALONE.into());
    for bits in 8..=14 {
        each.push(format!("server_max_window_bits={bits}"));
        each.push(format!("client_max_window_bits={bits}"));
    }
    each.push(format!("{ALONE}&server_max_window_bits=9&client_max_window_bits=10"));
    for parameters in &each {
        add(parameters, "", parameters);
    }
    for parameters in ["server_max_window_bits=15", "client_max_window_bits=15"] {
        add("", parameters, parameters);
    }
    for parameters in each.iter().filter(|parameters| !parameters.contains("=1")) {
        add("", parameters, parameters);
    }
    add("client_max_window_bits=12", "client_max_window_bits=10", "client_max_window_bits=10");
    add("client_no_context_takeover", "server_no_context_takeover", ALONE);
    all
}

// --- scenarios -------------------------------------------------------------------------------

async fn text<C: Connect>(url: &str, size: usize) -> Outcome {
    let text = pattern(size).into_iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    echo(&mut C::plain(url).await?, Received::Text(text)).await
}

async fn binary<C: Connect>(url: &str, size: usize) -> Outcome {
    echo(&mut C::plain(url).await?, Received::Binary(pattern(size))).await
}

async fn unicode<C: Connect>(url: &str, times: usize) -> Outcome {
    echo(&mut C::plain(url).await?, Received::Text(UNICODE.repeat(times))).await
}

async fn fragmented_text<C: Connect>(url: &str) -> Outcome {
    let mut socket = C::plain(url).await?;
    for (index, piece) in FRAGMENTS.into_iter().enumerate() {
        socket.send_fragment(piece, index == FRAGMENTS.len() - 1).await?;
    }
    expect_event(&mut socket, Received::Text(FRAGMENTS.concat())).await
}

async fn fragmented_binary<C: Connect>(url: &str) -> Outcome {
    let mut socket = C::plain(url).await?;
    let data = pattern(100_000);
    socket.send_fragment(&data[..1], false).await?;
    socket.send_fragment(b"", false).await?;
    socket.ping(b"between").await?;
    socket.send_fragment(&data[1..], true).await?;
    expect_event(&mut socket, Received::Pong(b"between".into())).await?;
    expect_event(&mut socket, Received::Binary(data)).await
}

async fn fragmented_received<C: Connect>(url: &str) -> Outcome {
    let mut socket = C::plain(url).await?;
    socket.send("fragment me").await?;
    expect_event(&mut socket, Received::Text(FRAGMENTS.concat())).await
}

async fn ping<C: Connect>(url: &str, payload: &[u8]) -> Outcome {
    let mut socket = C::plain(url).await?;
    socket.ping(payload).await?;
    expect_event(&mut socket, Received::Pong(payload.into())).await
}

async fn ping_received<C: Connect>(url: &str) -> Outcome {
    let mut socket = C::plain(url).await?;
    socket.send("ping me").await?;
    expect_event(&mut socket, Received::Ping(PING.into())).await?;
    let answer = format!("pong: {}", String::from_utf8_lossy(PING));
    expect_event(&mut socket, Received::Text(answer)).await
}

async fn pipelined<C: Connect>(url: &str) -> Outcome {
    let mut socket = C::plain(url).await?;
    let messages = (0..100).map(|index| pattern(index * 37)).collect::<Vec<_>>();
    for message in &messages {
        socket.feed(message).await?;
    }
    for message in messages {
        expect_event(&mut socket, Received::Binary(message)).await?;
    }
    Ok(())
}

async fn close_sent<C: Connect>(url: &str, code: CloseCode, reason: &str) -> Outcome {
    let target = format!("/?close-sent-{}", code.number());
    let mut socket = C::plain(&format!("{url}{target}")).await?;
    socket.close(code, reason).await?;
    let closed = socket.wait_closed().await;
    expect("clean", true, closed.clean)?;
    expect("code of the answer", code, closed.code)?;
    expect("who began", Initiator::Local, closed.initiator)?;
    server_learnt::<C>(url, &target, format!("{} clean {reason}", code.number()).trim_end()).await
}

async fn close_behind_messages<C: Connect>(url: &str) -> Outcome {
    let mut socket = C::plain(url).await?;
    let data = pattern(300_000);
    socket.feed(&data).await?;
    socket.feed("the last").await?;
    socket.close(OWN_CLOSE.0, OWN_CLOSE.1).await?;
    // A server reads what precedes the Close, but need not answer it, so only the end is certain.
    expect("clean", true, socket.wait_closed().await.clean)
}

async fn close_received<C: Connect>(url: &str) -> Outcome {
    const TARGET: &str = "/?close-received";
    let mut socket = C::plain(&format!("{url}{TARGET}")).await?;
    socket.send("close me").await?;
    expect_event(&mut socket, Received::Close(Some((CLOSE_CODE, CLOSE_REASON.into())))).await?;
    expect("what follows a Close", true, socket.receive().await.is_none())?;
    let closed = socket.closed().ok_or("the connection has not ended")?;
    expect("clean", true, closed.clean)?;
    expect("code", CLOSE_CODE, closed.code)?;
    expect("reason", CLOSE_REASON, &*closed.reason)?;
    expect("who began", Initiator::Peer, closed.initiator)?;
    // Whether the answering endpoint repeats the reason along with the code is up to it.
    let end = end_at_server::<C>(url, TARGET).await?;
    expect("what the server learnt", "4000 clean", end.get(..10).unwrap_or(&end))
}

async fn dropped<C: Connect>(url: &str) -> Outcome {
    const TARGET: &str = "/?dropped";
    let mut socket = C::plain(&format!("{url}{TARGET}")).await?;
    echo(&mut socket, Received::Text("before the end".into())).await?;
    drop(socket);
    server_learnt::<C>(url, TARGET, "1006 unclean").await
}

async fn subprotocol<C: Connect>(url: &str, offered: &[&str], chosen: Option<&str>) -> Outcome {
    let (mut socket, response) = C::connect(url, offered, &[], None).await?;
    expect("subprotocol", chosen, socket.subprotocol())?;
    let header = response.header("Sec-WebSocket-Protocol");
    expect("Sec-WebSocket-Protocol", chosen.map(str::as_bytes), header)?;
    echo(&mut socket, Received::Text("and it works".into())).await
}

async fn headers<C: Connect>(url: &str) -> Outcome {
    let own = [("Cookie", "session=42"), ("X-Interop", "from the client")];
    let (mut socket, response) = C::connect(url, &[], &own, None).await?;
    expect("status", 101, response.status())?;
    expect("Set-Cookie", Some(COOKIE.as_bytes()), response.header("set-cookie"))?;
    expect("X-Interop is there", true, response.header("X-Interop").is_some())?;
    socket.send("what headers").await?;
    expect_event(&mut socket, Received::Text("session=42\nfrom the client".into())).await
}

async fn refused<C: Connect>(url: &str) -> Outcome {
    let refusal = match C::plain(&format!("{url}/forbidden")).await {
        Err(Error::Handshake(HandshakeError::Refused(refusal))) => refusal,
        Err(other) => return Err(format!("expected Refused, got {other:?}").into()),
        Ok(_) => return Err("expected Refused, got a connection".into()),
    };
    expect("status", 403, refusal.status())?;
    expect("X-Interop", Some(&b"forbidden"[..]), refusal.header("x-interop"))?;
    expect("body", FORBIDDEN, std::str::from_utf8(refusal.body())?)?;
    expect("whole body", true, refusal.is_complete())
}

async fn negotiated<C: Connect>(url: &str, offer: &str, answer: &str, agreed: &str) -> Outcome {
    let (mut socket, response) = C::compressing(url, offer, answer).await?;
    let header = response.header("Sec-WebSocket-Extensions").ok_or("no compression")?;
    let header = String::from_utf8_lossy(header);
    let expected = format!("permessage-deflate&{agreed}");
    let sorted = |text: &str| {
        let mut parts: Vec<_> = text.split(['&', ';']).map(|part| part.trim().to_owned()).collect();
        parts.retain(|part| !part.is_empty());
        parts.sort_unstable();
        parts
    };
    expect("response", sorted(&expected), sorted(&header))?;
    let expected = expected.replace('&', "; ");
    let negotiated = Negotiated::new().extension(expected.trim_end_matches("; "))?;
    let extension = &negotiated.extensions[0];
    let agreed = describe(Some(DeflateParameters::from_response(extension)?));
    expect("what the client agreed on", &agreed, &describe(socket.deflate()))?;
    socket.send("what compression").await?;
    expect_event(&mut socket, Received::Text(agreed)).await?;

    let messages = windows();
    let count = messages.len() + 1;
    for message in messages {
        echo(&mut socket, Received::Text(message)).await?;
    }
    echo(&mut socket, Received::Binary(noise(3000))).await?;
    echo(&mut socket, Received::Text(phrases(1000))).await?;
    // Neither the noise nor the question counts: they don't shrink.
    compressed_at_server(&mut socket, count).await
}

async fn compressed<C: Connect>(url: &str, parameters: &str, size: usize) -> Outcome {
    let mut socket = C::compressing(url, parameters, "").await?.0;
    for _ in 0..2 {
        echo(&mut socket, Received::Text(phrases(size))).await?;
        echo(&mut socket, Received::Binary(noise(size))).await?;
    }
    Ok(())
}

async fn compressed_fragments<C: Connect>(url: &str, parameters: &str) -> Outcome {
    let mut socket = C::compressing(url, parameters, "").await?.0;
    let text = phrases(100_000);
    for _ in 0..2 {
        socket.send_fragment(&text[..1], false).await?;
        socket.send_fragment("", false).await?;
        socket.ping(b"between").await?;
        socket.send_fragment(&text[1..50_000], false).await?;
        socket.send_fragment(&text[50_000..], false).await?;
        socket.send_fragment("", true).await?;
        expect_event(&mut socket, Received::Pong(b"between".into())).await?;
        expect_event(&mut socket, Received::Text(text.clone())).await?;
        let data = noise(100_000);
        socket.send_fragment(&data[..70_000], false).await?;
        socket.send_fragment(&data[70_000..], true).await?;
        expect_event(&mut socket, Received::Binary(data)).await?;
    }
    compressed_at_server(&mut socket, 4).await
}

async fn compressed_fragments_received<C: Connect>(url: &str, parameters: &str) -> Outcome {
    let mut socket = C::compressing(url, parameters, "").await?.0;
    for _ in 0..3 {
        socket.send("fragment me").await?;
        expect_event(&mut socket, Received::Text(FRAGMENTS.concat())).await?;
    }
    Ok(())
}

/// Messages below the threshold, and messages that don't shrink, are sent uncompressed.
async fn mixed<C: Connect>(url: &str, parameters: &str) -> Outcome {
    let offer = format!("{parameters}&threshold=100");
    let mut socket = C::compressing(url, &offer, "").await?.0;
    for _ in 0..3 {
        echo(&mut socket, Received::Text(phrases(99))).await?;
        echo(&mut socket, Received::Text(phrases(100))).await?;
        echo(&mut socket, Received::Binary(noise(1000))).await?;
        echo(&mut socket, Received::Text(UNICODE.repeat(1000))).await?;
    }
    compressed_at_server(&mut socket, 6).await
}

async fn compressed_pipelined<C: Connect>(url: &str, parameters: &str) -> Outcome {
    let mut socket = C::compressing(url, parameters, "").await?.0;
    let messages = (0..100).map(|index| phrases(index * 37)).collect::<Vec<_>>();
    for message in &messages {
        socket.feed(message).await?;
    }
    for message in messages {
        expect_event(&mut socket, Received::Text(message)).await?;
    }
    Ok(())
}

async fn declined<C: Connect>(url: &str) -> Outcome {
    let config = Some(deflate_config(""));
    let (mut socket, response) = C::connect(url, &[], &[], config).await?;
    without_compression(&mut socket, &response).await
}

async fn not_offered<C: Connect>(url: &str) -> Outcome {
    let url = format!("{url}{DEFLATE_PATH}");
    let (mut socket, response) = C::connect(&url, &[], &[], None).await?;
    without_compression(&mut socket, &response).await
}

async fn without_compression(socket: &mut impl Socket, response: &Response) -> Outcome {
    expect("response", None, response.header("Sec-WebSocket-Extensions"))?;
    expect("what the client agreed on", "none", &*describe(socket.deflate()))?;
    socket.send("what compression").await?;
    expect_event(socket, Received::Text("none".into())).await?;
    echo(socket, Received::Text(phrases(1000))).await?;
    echo(socket, Received::Binary(noise(1000))).await
}

async fn compressed_at_server(socket: &mut impl Socket, expected: usize) -> Outcome {
    // This message is too short to be compressed itself.
    socket.send("how many").await?;
    match socket.receive().await {
        // Our server, which is behind a proxy then, does not know.
        Some(Ok(Received::Text(echo))) if echo == "how many" => Ok(()),
        Some(Ok(Received::Text(count))) => {
            expect("messages that came compressed", &*expected.to_string(), &*count)
        }
        other => Err(format!("expected how many came compressed, got {other:?}").into()),
    }
}

// --- building blocks -------------------------------------------------------------------

/// Returns bytes that don't repeat at any distance by which a bug could shift them.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index * 7 + index / 256 * 13) as u8).collect()
}

/// Returns incompressible bytes.
fn noise(size: usize) -> Vec<u8> {
    let mut state = size as u32;
    let next = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Returns text that compresses well.
fn phrases(size: usize) -> String {
    "the quick brown fox jumps over the lazy dog, ".chars().cycle().take(size).collect()
}

/// Returns messages in which everything occurs twice. The second occurrence compresses best by
/// referring to the first, which a window smaller than the message rules out.
fn windows() -> Vec<String> {
    let sizes = [120, 200, 240, 300, 500, 600, 1100, 2100, 4200, 8300, 17_000];
    let once = sizes.map(|size| noise(size / 2).iter().map(|byte| format!("{byte:02x}")).collect());
    once.into_iter().flat_map(|text: String| [text.clone(), text]).collect()
}

async fn echo(socket: &mut impl Socket, message: Received) -> Outcome {
    let payload = match &message {
        Received::Text(text) => Payload::from(text),
        Received::Binary(data) => Payload::from(data),
        other => return Err(format!("{other:?} is not a message").into()),
    };
    socket.send(payload).await?;
    expect_event(socket, message).await
}

async fn expect_event(socket: &mut impl Socket, expected: Received) -> Outcome {
    match socket.receive().await {
        Some(Ok(event)) => expect("event", expected, event),
        Some(Err(error)) => Err(format!("expected {expected:?}, got the error: {error}").into()),
        None => Err(format!("expected {expected:?}, got the end").into()),
    }
}

fn expect<T: PartialEq + Debug>(what: &str, expected: T, got: T) -> Outcome {
    if expected == got {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {got:?}").into())
}

async fn server_learnt<C: Connect>(url: &str, target: &str, expected: &str) -> Outcome {
    expect("what the server learnt", expected, &*end_at_server::<C>(url, target).await?)
}

/// Asks, on another connection, how a connection ended for the server.
async fn end_at_server<C: Connect>(
    url: &str,
    target: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut socket = C::plain(url).await?;
    socket.send(&format!("closed {target}")).await?;
    match socket.receive().await {
        Some(Ok(Received::Text(end))) => Ok(end),
        other => Err(format!("expected how {target} ended, got {other:?}").into()),
    }
}

struct Report {
    all_passed: bool,
}

impl Report {
    async fn add<C: Connect>(&mut self, name: &str, scenario: impl Future<Output = Outcome>) {
        match C::within(TIMEOUT, scenario).await {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                println!("not ok {name}: {error}");
                self.all_passed = false;
            }
        }
    }
}

/// How a client of one of the shells connects.
trait Connect {
    type Socket: Socket;

    async fn connect(
        url: &str,
        subprotocols: &[&str],
        headers: &[(&str, &str)],
        deflate: Option<DeflateConfig>,
    ) -> Result<(Self::Socket, Response), Error>;

    async fn plain(url: &str) -> Result<Self::Socket, Error> {
        Ok(Self::connect(url, &[], &[], None).await?.0)
    }

    /// Connects with these compression parameters for the client and for the server. All messages
    /// are compressed unless the client's parameters say otherwise.
    async fn compressing(
        url: &str,
        client: &str,
        server: &str,
    ) -> Result<(Self::Socket, Response), Error> {
        let config = Some(deflate_config(&format!("threshold=0&{client}")));
        Self::connect(&format!("{url}{DEFLATE_PATH}?{server}"), &[], &[], config).await
    }

    async fn within(limit: Duration, scenario: impl Future<Output = Outcome>) -> Outcome;
}

fn config(deflate: Option<DeflateConfig>) -> Config {
    deflate.map_or_else(Config::default, |deflate| Config::default().deflate(deflate))
}

struct Blocking;

impl Connect for Blocking {
    type Socket = blocking::ClientWebSocket;

    async fn connect(
        url: &str,
        subprotocols: &[&str],
        headers: &[(&str, &str)],
        deflate: Option<DeflateConfig>,
    ) -> Result<(Self::Socket, Response), Error> {
        let mut connector = blocking::Connector::new().config(config(deflate));
        for name in subprotocols {
            connector = connector.subprotocol(*name);
        }
        for (name, value) in headers {
            connector = connector.header(*name, *value);
        }
        let (socket, response) = connector.connect(url)?;
        socket.get_ref().set_read_timeout(Some(TIMEOUT))?;
        socket.get_ref().set_write_timeout(Some(TIMEOUT))?;
        Ok((socket, response))
    }

    /// The timeouts of the transport limit the time.
    async fn within(_: Duration, scenario: impl Future<Output = Outcome>) -> Outcome {
        scenario.await
    }
}

struct Tokio;

impl Connect for Tokio {
    type Socket = tokio_shell::ClientWebSocket;

    async fn connect(
        url: &str,
        subprotocols: &[&str],
        headers: &[(&str, &str)],
        deflate: Option<DeflateConfig>,
    ) -> Result<(Self::Socket, Response), Error> {
        let mut connector = tokio_shell::Connector::new().config(config(deflate));
        for name in subprotocols {
            connector = connector.subprotocol(*name);
        }
        for (name, value) in headers {
            connector = connector.header(*name, *value);
        }
        connector.connect(url).await
    }

    async fn within(limit: Duration, scenario: impl Future<Output = Outcome>) -> Outcome {
        let timed = tokio::time::timeout(limit, scenario).await;
        timed.unwrap_or_else(|_| Err(format!("not done after {limit:?}").into()))
    }
}
