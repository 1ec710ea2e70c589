//! Unwritten bytes never count as sent, and a peer that does not read can still close.

use futures_util::{SinkExt, StreamExt};
use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    connection::{Cause, TransportEnd},
    on_tokio::Acceptor,
};
use sansocket_testkit::{
    clock::run_paused,
    frames::{CLOSE_NORMAL, masked},
    pair::tokio::{ServerSocket, server_over},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufStream, DuplexStream, duplex},
    time::Instant,
};

const CLOSE: Duration = Duration::from_secs(5);

/// Returns a server with little room in its queue, and the other end of its transport, which holds
/// `pipe` bytes.
async fn small_queue(pipe: usize, queue: usize) -> (ServerSocket<DuplexStream>, DuplexStream) {
    let (mut client, server) = duplex(pipe);
    let config = Config::default().limits(Limits::default().queued_output(queue));
    (server_over(server, &mut client, Acceptor::new().config(config)).await, client)
}

#[test]
fn a_close_that_the_transport_holds_back_is_not_clean() {
    run_paused(async {
        let (mut client, server) = duplex(256);
        let mut server = server_over(BufStream::new(server), &mut client, Acceptor::new()).await;
        server.feed(&[1; 1000]).await.unwrap();
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        let Some(Err(Error::Closed(closed))) = server.next().await else { panic!("clean") };
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
        assert!(!closed.clean);
        // The wrapper holds a large part of the message, and therefore the Close.
        drop(server);
        let mut written = Vec::new();
        client.read_to_end(&mut written).await.unwrap();
        assert_eq!(written.len(), 256);
    });
}

#[test]
fn a_visitor_receives_a_close_although_there_is_no_room_for_messages() {
    run_paused(async {
        let (mut server, mut client) = small_queue(256, 100).await;
        server.feed(&[1; 1000]).await.unwrap();
        client.write_all(&masked(0x89, b"ping")).await.unwrap();
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        let (started, mut events) = (Instant::now(), Vec::new());
        let ended = server
            .receive_with(|event, _| {
                events.push(format!("{event:?}"));
                Ok::<_, Error>(())
            })
            .await;
        assert!(matches!(ended, Err(Error::Closed(_))), "{ended:?}");
        assert_eq!((events.len(), started.elapsed()), (2, CLOSE), "{events:?}");
        assert_eq!(server.closed().unwrap().code, CloseCode::NORMAL);
    });
}

#[test]
fn a_message_that_waits_for_room_survives_the_visitor() {
    run_paused(async {
        for way in 0..4 {
            let (mut server, mut client) = small_queue(256, 100).await;
            server.feed(&[1; 1000]).await.unwrap();
            client.write_all(&masked(0x81, b"first")).await.unwrap();
            client.write_all(&masked(0x81, b"second")).await.unwrap();
            let visit = server.receive_with(|_, _| -> Result<(), Error> { panic!("no room") });
            tokio::time::timeout(CLOSE, visit).await.unwrap_err();
            let first = match way {
                0 => server.next().await.unwrap().unwrap(),
                1 => server.receive().await.unwrap().unwrap().0.to_message().unwrap(),
                2 => server.receive_buffered().unwrap().0.to_message().unwrap(),
                _ => {
                    let (chunk, _) = server.receive_chunk().await.unwrap().unwrap();
                    assert!(chunk.first && chunk.last);
                    chunk.event.to_message().unwrap()
                }
            };
            assert_eq!(first, Message::text("first"), "{way}");
            assert_eq!(server.next().await.unwrap().unwrap(), Message::text("second"), "{way}");
        }
    });
}

#[test]
fn a_sink_with_unwritten_bytes_does_not_close_in_order() {
    run_paused(async {
        let (mut server, client) = small_queue(256, 10_000).await;
        server.try_feed([1; 1000]).unwrap();
        drop(client);
        assert!(matches!(StreamExt::next(&mut server).await, Some(Err(_))));
        let closed = SinkExt::close(&mut server).await;
        assert!(matches!(closed, Err(Error::Closed(_))), "{closed:?}");
    });
}

#[test]
fn a_close_that_arrived_in_time_counts_after_more_input_than_one_turn_reads() {
    run_paused(async {
        let (mut server, mut client) = small_queue(8 << 20, 1 << 20).await;
        server.close(CloseCode::NORMAL, "").await.unwrap();
        for _ in 0..400 {
            client.write_all(&masked(0x82, &[1; 9000])).await.unwrap();
        }
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        client.shutdown().await.unwrap();
        tokio::time::sleep(2 * CLOSE).await;
        assert!(server.wait_closed().await.clean);
        let mut written = Vec::new();
        client.read_to_end(&mut written).await.unwrap();
        assert_eq!(written, CLOSE_NORMAL);
    });
}

#[test]
fn a_close_timeout_of_zero_ends_at_once() {
    run_paused(async {
        let (mut client, server) = duplex(4096);
        let acceptor = Acceptor::new().config(Config::default().close_timeout(Duration::ZERO));
        let mut server = server_over(server, &mut client, acceptor).await;
        let closed = server.wait_closed().await;
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    });
}
