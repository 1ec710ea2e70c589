//! Prepared messages that are sent and not only queued: they are written from their own memory if
//! nothing precedes them, and obey every rule of a queue.

use sansocket::{
    CloseCode, Config, Error, Message, PreparedMessage,
    buffer::ReadBuffer,
    connection::{SendError, Server},
    handshake::Negotiated,
    on_tokio::WebSocket,
};
#[cfg(feature = "deflate")]
use sansocket::{
    DeflateConfig,
    buffer::WriteBuffer,
    connection::{Connection, Progress},
    deflate::DeflateParameters,
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{poll_once, run},
    traffic::{decode, decode_as_peer_of},
    transports::wire::{CLIENT, DRIP, EAGER, Manner, SERVER, Wire, websocket},
};
use std::{
    io::{self, ErrorKind},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The addresses that were written from, and how much each write took.
type Seen = Arc<Mutex<Vec<(usize, usize)>>>;

#[derive(Debug)]
struct Places {
    seen: Seen,
    /// The most bytes that a write takes.
    most: usize,
}

impl AsyncRead for Places {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Places {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = from.len().min(self.most);
        self.seen.lock().unwrap().push((from.as_ptr().addr(), count));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn recording(most: usize) -> (WebSocket<Places, Server>, Seen) {
    let seen = Seen::default();
    let transport = Places { seen: seen.clone(), most };
    let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
    (WebSocket::new(transport, Server::new(), negotiated, input, Config::default()), seen)
}

#[test]
fn all_connections_write_from_the_same_memory() {
    for size in [0, 1, 125, 126, 8192, 65_536] {
        let pair = [7, 8].map(|byte| PreparedMessage::new(Message::binary(vec![byte; size])));
        let seen = [false, false, true].map(|in_halves| {
            let (mut server, seen) = recording(usize::MAX);
            if in_halves {
                let (mut sender, _receiver) = server.split();
                for prepared in &pair {
                    assert!(matches!(poll_once(sender.send(prepared)), Poll::Ready(Ok(()))));
                }
            } else {
                for prepared in &pair {
                    assert!(matches!(poll_once(server.send(prepared)), Poll::Ready(Ok(()))));
                }
            }
            // Dropping a half also sends a Close.
            let seen = seen.lock().unwrap();
            seen[..2].to_vec()
        });
        assert!(seen[0][0].1 > size, "{size}");
        assert!(seen[0][0].0 != seen[0][1].0, "written from a queue (reused memory): {size}");
        assert!(seen.iter().all(|one| *one == seen[0]), "{size}: {seen:?}");
    }
}

#[test]
fn a_partial_write_continues_from_the_same_memory() {
    let prepared = PreparedMessage::new(Message::binary(vec![7; 1000]));
    let (mut server, seen) = recording(400);
    assert!(matches!(poll_once(server.send(&prepared)), Poll::Ready(Ok(()))));
    let seen = seen.lock().unwrap();
    let expected = [0, 400, 800].map(|start| seen[0].0 + start);
    assert_eq!(seen.iter().map(|(place, _)| *place).collect::<Vec<_>>(), expected);
    assert_eq!(seen.iter().map(|(_, count)| *count).sum::<usize>(), 1004);
}

#[test]
fn queued_messages_precede_a_prepared_message() {
    let prepared = PreparedMessage::new(Message::text("second"));
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    server.try_feed("first").unwrap();
    assert!(matches!(poll_once(server.send(&prepared)), Poll::Ready(Ok(()))));
    assert_eq!((wire.writes(SERVER).len(), wire.flushes(SERVER)), (1, 1));
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!(seen.messages, [Message::text("first"), Message::text("second")]);
    // It is flushed by itself, and the next one follows it.
    assert!(matches!(poll_once(server.send(&prepared)), Poll::Ready(Ok(()))));
    assert!(matches!(poll_once(server.send("third")), Poll::Ready(Ok(()))));
    assert_eq!(wire.flushes(SERVER), 3);
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!(seen.messages, [Message::text("second"), Message::text("third")]);
}

/// Polled a number of times and then dropped; afterwards the queue is flushed. From the first poll
/// on the message is sent, completely and once.
#[test]
fn a_dropped_send_sends_all_or_nothing() {
    let message = Message::text("all or nothing");
    let prepared = PreparedMessage::new(message.clone());
    for in_halves in [false, true] {
        let mut outcomes = Vec::new();
        for polls in 0.. {
            let wire = Wire::new();
            let mut server = websocket(wire.end(SERVER, DRIP), Server::new(), Config::default());
            let done = if in_halves {
                let (mut sender, _receiver) = server.split();
                let done = {
                    let mut sending = pin!(async { sender.send(&prepared).await.unwrap() });
                    (0..polls).any(|_| poll_once(sending.as_mut()).is_ready())
                };
                run(&wire, &mut [pin!(async { sender.flush().await.unwrap() })]);
                outcomes.push(decode_as_peer_of::<Server>(&wire.take(SERVER)).messages);
                done
            } else {
                let done = {
                    let mut sending = pin!(async { server.send(&prepared).await.unwrap() });
                    (0..polls).any(|_| poll_once(sending.as_mut()).is_ready())
                };
                run(&wire, &mut [pin!(async { server.flush().await.unwrap() })]);
                outcomes.push(decode_as_peer_of::<Server>(&wire.take(SERVER)).messages);
                done
            };
            if done {
                break;
            }
        }
        assert!(outcomes.len() > 16 && outcomes[0].is_empty(), "{outcomes:?}");
        assert!(outcomes[1..].iter().all(|seen| *seen == [message.clone()]), "{outcomes:?}");
    }
}

#[test]
fn a_prepared_message_is_refused_after_a_close_and_inside_another_message() {
    let prepared = PreparedMessage::new(Message::text("refused"));
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let done = poll_once(async {
        server.feed_fragment("begun", false).await.unwrap();
        server.flush().await.unwrap();
        let refused = server.send(&prepared).await;
        assert!(matches!(refused, Err(Error::Send(SendError::MessageInProgress))), "{refused:?}");
        server.feed_fragment("", true).await.unwrap();
        server.close(CloseCode::NORMAL, "").await.unwrap();
        let refused = server.send(&prepared).await;
        assert!(matches!(refused, Err(Error::Send(SendError::Closed { .. }))), "{refused:?}");
    });
    assert!(done.is_ready());
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!((seen.messages.as_slice(), seen.closes), (&[Message::text("begun")][..], 1));
}

#[test]
fn a_failed_transport_is_reported_repeatedly() {
    let prepared = PreparedMessage::new(Message::text("lost"));
    let failing = Manner { write_error: Some(ErrorKind::BrokenPipe), ..EAGER };
    let cases =
        [(failing, ErrorKind::BrokenPipe), (Manner { most: 0, ..EAGER }, ErrorKind::WriteZero)];
    for (manner, expected) in cases {
        let wire = Wire::new();
        let mut server = websocket(wire.end(SERVER, manner), Server::new(), Config::default());
        let failed = poll_once(server.send(&prepared));
        let Poll::Ready(Err(Error::Io(error))) = failed else { panic!("{failed:?}") };
        assert_eq!(error.kind(), expected);
        let failed = poll_once(server.send(&prepared));
        assert!(matches!(failed, Poll::Ready(Err(Error::Io(_)))), "{failed:?}");
        assert_eq!(server.buffered_amount(), 0);
    }
}

#[test]
fn a_failed_transport_is_not_written_again() {
    let prepared = PreparedMessage::new(Message::text("lost"));
    let (mut server, seen) = recording(0);
    assert!(matches!(poll_once(server.send(&prepared)), Poll::Ready(Err(Error::Io(_)))));
    assert!(matches!(poll_once(server.send(&prepared)), Poll::Ready(Err(Error::Io(_)))));
    assert_eq!(seen.lock().unwrap().len(), 1);
    // Not even a short message is queued for it.
    assert!(matches!(server.try_feed("short"), Err(Error::Io(_))));
    assert!(matches!(server.try_feed(Message::text("short")), Err(Error::Io(_))));
    assert_eq!(server.buffered_amount(), 0);
}

/// RFC 7692 §7.2.1: the compressed form is sent, and messages compressed before and after it refer
/// to the right window.
#[cfg(feature = "deflate")]
#[test]
fn a_connection_that_compresses_sends_the_compressed_form() {
    let negotiated = Negotiated::new().deflate(DeflateParameters::default());
    let text = "said again and again ".repeat(50);
    let message = Message::text(text.as_str());
    let prepared = PreparedMessage::new(message.clone()).deflate(&DeflateConfig::new());
    for in_halves in [false, true] {
        let wire = Wire::new();
        let (transport, input) = (wire.end(SERVER, EAGER), ReadBuffer::new());
        let mut server =
            WebSocket::new(transport, Server::new(), negotiated.clone(), input, Config::default());
        let sent = poll_once(async {
            if in_halves {
                let (mut sender, _receiver) = server.split();
                sender.send(&prepared).await.unwrap();
                sender.send(&text).await.unwrap();
                sender.send(&prepared).await.unwrap();
            } else {
                server.send(&prepared).await.unwrap();
                server.send(&text).await.unwrap();
                server.send(&prepared).await.unwrap();
            }
        });
        assert!(sent.is_ready());
        let bytes = wire.take(SERVER);
        assert_eq!(bytes[0], 0xc1, "text, compressed");
        let mut peer = Connection::new(client_role(), &negotiated, Config::default());
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        input.extend_from_slice(&bytes);
        for _ in 0..3 {
            assert_eq!(peer.advance(&mut input, &mut output), Ok(Progress::Event));
            assert_eq!(peer.take_message(&mut input).as_ref(), Some(&message));
        }
    }
}

/// §5.3: a client masks its frames, with a new key each time the message is sent.
#[test]
fn a_client_masks_a_prepared_message() {
    let prepared = PreparedMessage::new(Message::text("masked"));
    let wire = Wire::new();
    let mut client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    assert!(matches!(poll_once(client.send(&prepared)), Poll::Ready(Ok(()))));
    let seen = decode(Server::new(), &wire.take(CLIENT));
    assert_eq!(seen.messages, [Message::text("masked")]);
}
