//! A budget for the contexts of many connections: what it does to the handshake, and that each
//! reservation comes back, however a connection ends.

use sansocket::{
    Config, DeflateConfig,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Event, Progress, Server, TransportEnd},
    deflate::{ContextBudget, DeflateParameters},
    handshake::{
        Accept, AcceptError, ClientHandshake, ClientRequest, HandshakeNext, HttpVersion,
        Negotiated, Request,
    },
    server::{Accepting, Acceptor, Step},
    transport::IoFailure,
};
use sansocket_testkit::{endpoint::keys, frames::*};
use std::time::Duration;

/// What the contexts of one connection may take: to compress, and to decompress.
const EACH: usize = (372 << 10) + (80 << 10);

fn request(offer: &str) -> Request {
    let fields: [(&str, &[u8]); 6] = [
        ("Host", b"h"),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", b"13"),
        ("Sec-WebSocket-Extensions", offer.as_bytes()),
    ];
    Request::new("GET", "/", HttpVersion::HTTP_11, fields).unwrap()
}

fn accept(budget: &ContextBudget, config: DeflateConfig) -> Accept {
    Accept::new().deflate(config).context_budget(budget)
}

fn negotiated(budget: &ContextBudget) -> Negotiated {
    let accept = accept(budget, DeflateConfig::new());
    request("permessage-deflate").acceptance(&accept).unwrap().negotiated
}

fn takes_over(negotiated: &Negotiated) -> bool {
    let agreed = negotiated.deflate.unwrap();
    assert_eq!(agreed.client_no_context_takeover, agreed.server_no_context_takeover);
    !agreed.client_no_context_takeover
}

#[test]
fn past_the_budget_neither_side_keeps_a_context() {
    let budget = ContextBudget::new(2 * EACH);
    let first = [negotiated(&budget), negotiated(&budget)];
    assert!(first.iter().all(takes_over));
    assert_eq!(budget.reserved(), 2 * EACH);
    let past = negotiated(&budget);
    assert!(!takes_over(&past));
    assert_eq!(
        past.extensions[0].to_string(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
    drop(past);
    assert_eq!(budget.reserved(), 2 * EACH);
    drop(first);
    assert!(takes_over(&negotiated(&budget)));
}

#[test]
fn only_what_is_kept_is_reserved() {
    for (offer, config, expected) in [
        ("permessage-deflate; server_no_context_takeover", DeflateConfig::new(), 80 << 10),
        ("permessage-deflate; client_no_context_takeover", DeflateConfig::new(), 372 << 10),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            DeflateConfig::new(),
            0,
        ),
        (
            "permessage-deflate; server_max_window_bits=9",
            DeflateConfig::new(),
            (132 << 10) + (2 << 10) + (112 << 10) + (80 << 10),
        ),
        // Too little to compress at all.
        ("permessage-deflate", DeflateConfig::new().memory(0), 80 << 10),
        ("x", DeflateConfig::new(), 0),
    ] {
        let budget = ContextBudget::new(1 << 20);
        let acceptance = request(offer).acceptance(&accept(&budget, config)).unwrap();
        assert_eq!(budget.reserved(), expected, "{offer}");
        drop(acceptance);
        assert_eq!(budget.reserved(), 0);
    }
}

/// A client of this crate accepts what it gets, and messages pass in both directions.
#[test]
fn messages_pass_with_and_without_room_in_the_budget() {
    for bytes in [0, EACH] {
        let budget = ContextBudget::new(bytes);
        let offer = ClientRequest::from_parts("h", "/").deflate(DeflateConfig::new());
        let (mut output, limits) = (WriteBuffer::new(), Default::default());
        let mut handshake =
            ClientHandshake::start(&offer, *b"the sample nonce", &mut output, &limits).unwrap();
        let mut answer = WriteBuffer::new();
        let accept = accept(&budget, DeflateConfig::new());
        let at_server = request("permessage-deflate").accept(&accept, &mut answer).unwrap();
        let mut input = ReadBuffer::new();
        input.extend_from_slice(answer.front());
        let response = handshake.receive(&mut input).unwrap().unwrap();
        assert_eq!(takes_over(response.negotiated()), bytes > 0);

        let config = Config::default().deflate(DeflateConfig::new());
        let mut client = Connection::new(Client::new(keys()), response.negotiated(), config);
        let mut server = Connection::new(Server::new(), &at_server, config);
        let text = "said again and again, ".repeat(10);
        let (mut there, mut back) = (WriteBuffer::new(), WriteBuffer::new());
        let (mut at_server, mut at_client) = (ReadBuffer::new(), ReadBuffer::new());
        for _ in 0..3 {
            client.send_text(&text, &mut there).unwrap();
            carry(&mut there, &mut at_server);
            assert_eq!(server.advance(&mut at_server, &mut back), Ok(Progress::Event));
            assert_eq!(server.event(&at_server), Some(Event::Text(&text)));
            server.send_text(&text, &mut back).unwrap();
            assert!(back.len() < 60);
            carry(&mut back, &mut at_client);
            assert_eq!(client.advance(&mut at_client, &mut there), Ok(Progress::Event));
            assert_eq!(client.event(&at_client), Some(Event::Text(&text)));
        }
    }
}

fn carry(output: &mut WriteBuffer, input: &mut ReadBuffer) {
    while !output.is_empty() {
        let count = output.front().len();
        input.extend_from_slice(output.front());
        output.consume(count);
    }
}

/// Reserves, passes the result to `end`, and checks that nothing stays reserved.
fn check(name: &str, end: impl FnOnce(Negotiated)) {
    let budget = ContextBudget::new(EACH);
    let negotiated = negotiated(&budget);
    assert_eq!(budget.reserved(), EACH);
    end(negotiated);
    assert_eq!(budget.reserved(), 0, "{name}");
}

#[test]
fn a_reservation_comes_back_however_a_connection_ends() {
    let new = |negotiated: Negotiated| {
        let config = Config::default().deflate(DeflateConfig::new());
        Connection::new(Server::new(), &negotiated, config)
    };
    let receive = |connection: &mut Connection<Server>, bytes: &[u8]| {
        let mut input = ReadBuffer::from(bytes.to_vec());
        connection.advance(&mut input, &mut WriteBuffer::new())
    };
    check("dropped before a connection", drop);
    check("dropped", |negotiated| drop(new(negotiated)));
    check("closed", |negotiated| {
        let mut connection = new(negotiated);
        receive(&mut connection, &masked(CLOSE, b"")).unwrap();
        connection.transport_ended(TransportEnd::Eof, &WriteBuffer::new());
    });
    check("failed", |negotiated| {
        receive(&mut new(negotiated), &masked(TEXT, b"\xff")).unwrap_err();
    });
    check("lost", |negotiated| {
        new(negotiated).transport_ended(TransportEnd::Timeout, &WriteBuffer::new());
    });
    for sender_first in [false, true] {
        check("split", |negotiated| {
            let copy = negotiated.clone();
            let (sender, receiver) = new(negotiated).split();
            drop(copy);
            if sender_first {
                drop(sender);
                drop(receiver);
            } else {
                drop(receiver);
                drop(sender);
            }
        });
    }
    check("joined again", |negotiated| {
        let (sender, receiver) = new(negotiated).split();
        drop(Connection::join(sender, receiver));
    });
}

#[test]
fn each_half_holds_the_reservation() {
    let budget = ContextBudget::new(EACH);
    let config = Config::default().deflate(DeflateConfig::new());
    let new = || Connection::new(Server::new(), &negotiated(&budget), config).split();
    let (sender, receiver) = new();
    drop(sender);
    assert_eq!(budget.reserved(), EACH);
    drop(receiver);
    let (sender, receiver) = new();
    drop(receiver);
    assert_eq!(budget.reserved(), EACH);
    drop(sender);
    assert_eq!(budget.reserved(), 0);
}

#[test]
fn an_answer_that_can_not_be_sent_reserves_nothing() {
    let budget = ContextBudget::new(EACH);
    let accept = accept(&budget, DeflateConfig::new()).header("Connection", "x");
    let error = request("permessage-deflate").acceptance(&accept).unwrap_err();
    assert!(matches!(error, AcceptError::Header(_)));
    assert_eq!(budget.reserved(), 0);
}

/// Runs an acceptor's handshake up to its request, and answers it.
fn answered(budget: &ContextBudget, answer: &Accept) -> (Accepting, ReadBuffer, WriteBuffer) {
    let config = Config::default().deflate(DeflateConfig::new());
    let acceptor: Acceptor = Acceptor::new().config(config).context_budget(budget);
    let (mut accepting, mut output) = (acceptor.begin(), WriteBuffer::new());
    let mut input = ReadBuffer::from(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            .to_vec(),
    );
    let HandshakeNext::Ready(Step::Request(request)) =
        accepting.next(&mut input, &mut output, || Duration::ZERO)
    else {
        panic!("there is a request")
    };
    let _ = accepting.accept(&request, answer, &mut output);
    (accepting, input, output)
}

#[test]
fn a_handshake_of_an_acceptor_reserves_and_releases() {
    let budget = ContextBudget::new(EACH);
    let (mut accepting, mut input, mut output) = answered(&budget, &Accept::new());
    assert_eq!(budget.reserved(), EACH);
    let count = output.front().len();
    accepting.did_write(Ok(count), &mut output);
    let HandshakeNext::Ready(Step::Open(negotiated, config)) =
        accepting.next(&mut input, &mut output, || Duration::ZERO)
    else {
        panic!("it is open")
    };
    drop(accepting);
    let connection = Connection::new(Server::new(), &negotiated, config);
    drop(negotiated);
    assert_eq!(budget.reserved(), EACH);
    drop(connection);
    assert_eq!(budget.reserved(), 0);

    // The answer can't be written, or not in time, or the handshake is dropped.
    let (mut accepting, mut input, mut output) = answered(&budget, &Accept::new());
    accepting.did_write(Err(IoFailure::Reset), &mut output);
    let ended = accepting.next(&mut input, &mut output, || Duration::ZERO);
    assert!(matches!(ended, HandshakeNext::Ended(_)));
    assert_eq!(budget.reserved(), 0);
    let (mut accepting, mut input, mut output) = answered(&budget, &Accept::new());
    for now in [0, 100] {
        let _ = accepting.next(&mut input, &mut output, || Duration::from_secs(now));
    }
    assert_eq!(budget.reserved(), 0);
    let (accepting, ..) = answered(&budget, &Accept::new());
    assert_eq!(budget.reserved(), EACH);
    drop(accepting);
    assert_eq!(budget.reserved(), 0);

    // A refusal in place of the answer, and an answer without compression.
    let (accepting, ..) = answered(&budget, &Accept::new().header("Upgrade", "x"));
    assert_eq!(budget.reserved(), 0);
    drop(accepting);
    let (accepting, ..) = answered(&budget, &Accept::new().deflate(None));
    assert_eq!(budget.reserved(), 0);
    drop(accepting);

    // The answer's own budget comes before that of the acceptor.
    let own = ContextBudget::new(EACH);
    let (accepting, ..) = answered(&budget, &Accept::new().context_budget(&own));
    assert_eq!((budget.reserved(), own.reserved()), (0, EACH));
    drop(accepting);
    assert_eq!(own.reserved(), 0);
}

#[test]
fn what_was_agreed_is_the_same_with_and_without_a_budget() {
    let budget = ContextBudget::new(EACH);
    let without = Accept::new().deflate(DeflateConfig::new());
    let without = request("permessage-deflate").acceptance(&without).unwrap().negotiated;
    assert_eq!(negotiated(&budget), without);
    assert_eq!(without.deflate, Some(DeflateParameters::default()));
    assert_ne!(budget, ContextBudget::new(EACH));
    assert_eq!(budget, budget.clone());
}

#[cfg(feature = "std")]
mod shells {
    use super::*;
    use sansocket::{CloseCode, blocking};
    use std::net::{TcpListener, TcpStream};

    fn config() -> Config {
        Config::default().deflate(DeflateConfig::new())
    }

    #[test]
    fn blocking_connections_reserve_and_release() {
        let budget = ContextBudget::new(EACH);
        let acceptor = blocking::Acceptor::new().config(config()).context_budget(&budget);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let pair = || {
            std::thread::scope(|scope| {
                let server = scope.spawn(|| acceptor.accept_tcp(listener.accept().unwrap().0));
                let client = blocking::Connector::new().config(config()).connect(&url).unwrap().0;
                (client, server.join().unwrap().unwrap())
            })
        };
        let (mut client, mut server) = pair();
        assert_eq!(budget.reserved(), EACH);
        let (past_client, past_server) = pair();
        assert!(!takes_over(past_client.negotiated()));
        drop((past_client, past_server));
        client.close(CloseCode::NORMAL, "").unwrap();
        drop(client);
        assert!(server.next().is_none());
        server.wait_closed();
        drop(server);
        assert_eq!(budget.reserved(), 0);

        let (client, server) = pair();
        let (sender, receiver) = server.split().unwrap();
        drop(receiver);
        assert_eq!(budget.reserved(), EACH);
        drop(sender);
        assert_eq!(budget.reserved(), 0);
        drop(client);

        // A client that leaves before the answer.
        drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        assert!(acceptor.accept_tcp(listener.accept().unwrap().0).is_err());
        assert_eq!(budget.reserved(), 0);
    }

    #[cfg(feature = "tokio")]
    #[tokio::test]
    async fn connections_on_tokio_reserve_and_release() {
        use sansocket::on_tokio::{Acceptor, Connector};
        let budget = ContextBudget::new(EACH);
        let acceptor = Acceptor::new().config(config()).context_budget(&budget);
        let connector = Connector::new().config(config());
        for how in 0..4 {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let (server, client) =
                tokio::join!(acceptor.accept(ours), connector.connect_over("ws://h/", theirs));
            let (mut server, (mut client, _)) = (server.unwrap(), client.unwrap());
            assert_eq!(budget.reserved(), EACH);
            match how {
                0 => drop(server),
                1 => drop(server.split()),
                2 => {
                    client.close(CloseCode::NORMAL, "").await.unwrap();
                    assert!(server.next().await.is_none());
                    drop(server);
                }
                _ => drop(server.into_parts()),
            }
            assert_eq!(budget.reserved(), 0);
        }
        // A future that is dropped while it waits.
        let (ours, _theirs) = tokio::io::duplex(16);
        drop(acceptor.accept(ours));
        assert_eq!(budget.reserved(), 0);
    }
}
