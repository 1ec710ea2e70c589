//! Keepalive on paused time, over a pipe in memory.

use sansocket::{
    CloseCode, Config, Error,
    connection::{Cause, Keepalive, TransportEnd},
    on_tokio::{Acceptor, Connector},
};
use sansocket_testkit::{
    clock::run_paused,
    frames::masked,
    pair::tokio::{client_over, server_over},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    join,
    task::spawn,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

fn keepalive() -> Config {
    Config::default().keepalive(Keepalive::new(10 * SECOND, 4 * SECOND))
}

#[track_caller]
fn assert_given_up(error: &Error) {
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    assert_eq!(closed.code, CloseCode::ABNORMAL);
    assert!(error.is_transient());
}

#[test]
fn a_silent_peer_is_pinged_and_given_up() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        let began = Instant::now();
        assert_given_up(&server.next().await.unwrap().unwrap_err());
        assert_eq!(began.elapsed(), 14 * SECOND);
        assert!(server.next().await.is_none());
        let mut ping = [0; 2];
        peer.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping, [0x89, 0]);

        let (client, mut peer) = duplex(1000);
        let connector = Connector::new().config(keepalive());
        let client = client_over(client, &mut peer, connector).await;
        // A half that waits gives up too, and the other learns of it.
        let (mut sender, mut receiver) = client.split();
        let began = Instant::now();
        assert_given_up(&receiver.receive().await.unwrap().unwrap_err());
        assert_eq!(began.elapsed(), 14 * SECOND);
        assert!(sender.send("late").await.unwrap_err().is_closed());
        let mut ping = [0; 6];
        peer.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping[..2], [0x89, 0x80]);
    });
}

#[test]
fn two_endpoints_keep_each_other() {
    run_paused(async {
        let (client, server) = duplex(1000);
        let accept = async { Acceptor::new().config(keepalive()).accept(server).await.unwrap() };
        let connector = Connector::new().config(keepalive());
        let connect = async { connector.connect_over("ws://localhost/", client).await.unwrap().0 };
        let (client, mut server) = join!(connect, accept);
        let serving = spawn(async move { server.next().await.is_none() });
        let (mut sender, mut receiver) = client.split();
        let receiving = spawn(async move { receiver.wait_closed().await });
        sleep(100_000 * SECOND).await;
        sender.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(receiving.await.unwrap().clean && serving.await.unwrap());
    });
}

#[test]
fn time_in_which_nobody_receives_does_not_count() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        let mut waiting = spawn(async move {
            let pinged = timeout(12 * SECOND, server.next()).await;
            assert!(pinged.is_err());
            sleep(100 * SECOND).await;
            (server.next().await, server)
        });
        sleep(50 * SECOND).await;
        // The pong, long after the timeout, but nobody has looked since.
        peer.write_all(&masked(0x8a, b"")).await.unwrap();
        let early = timeout(70 * SECOND, &mut waiting).await;
        assert!(early.is_err(), "{early:?}");
        peer.write_all(&masked(0x81, b"here")).await.unwrap();
        let (message, _server) = waiting.await.unwrap();
        assert_eq!(message.unwrap().unwrap().as_text(), Some("here"));
    });
}

#[test]
fn a_dead_peer_is_given_up_after_sends_that_nobody_answers() {
    run_paused(async {
        let (mut peer, server) = duplex(100_000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        // The ping is out. Then the program is busy elsewhere, and sends before it receives again.
        assert!(timeout(12 * SECOND, server.next()).await.is_err());
        sleep(20 * SECOND).await;
        for _ in 0..6 {
            server.send("result").await.unwrap();
        }
        let received = timeout(100 * SECOND, server.next()).await;
        assert_given_up(&received.expect("never given up").unwrap().unwrap_err());
    });
}

#[test]
fn a_half_that_sends_does_not_keep_the_other_from_giving_up() {
    run_paused(async {
        let (mut peer, server) = duplex(100_000);
        let acceptor = Acceptor::new().config(keepalive());
        let (mut sender, mut receiver) = server_over(server, &mut peer, acceptor).await.split();
        let receiving = spawn(async move {
            assert!(timeout(12 * SECOND, receiver.next()).await.is_err());
            sleep(20 * SECOND).await;
            timeout(100 * SECOND, receiver.next()).await
        });
        sleep(20 * SECOND).await;
        for _ in 0..6 {
            sender.send("hello").await.unwrap();
        }
        let received = receiving.await.unwrap();
        assert_given_up(&received.expect("never given up").unwrap().unwrap_err());
    });
}

#[test]
fn a_ping_that_a_busy_program_did_not_write_costs_no_live_peer() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        // The ping waits behind a message that does not fit, and the program is busy elsewhere.
        server.feed([0; 5000]).await.unwrap();
        assert!(timeout(12 * SECOND, server.next()).await.is_err());
        let answering = spawn(async move {
            let mut received = Vec::new();
            while peer.read_buf(&mut received).await.unwrap() > 0 {
                if received.ends_with(&[0x89, 0]) {
                    let _ = peer.write_all(&masked(0x8a, b"")).await;
                }
            }
        });
        sleep(60 * SECOND).await;
        assert!(timeout(100 * SECOND, server.next()).await.is_err(), "a live peer was given up");
        drop(server);
        answering.await.unwrap();
    });
}
