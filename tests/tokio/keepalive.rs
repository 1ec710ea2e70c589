//! Keepalive on paused time, over a pipe in memory.

use sansocket::{
    CloseCode, Config, Error, Event,
    connection::{Cause, Keepalive, RoundTripTime, TransportEnd},
    on_tokio::{Acceptor, Connector},
};
use sansocket_testkit::{
    clock::run_paused,
    frames::masked,
    pair::tokio::{client_over, server_over},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
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
        let mut ping = [0; 10];
        peer.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping[..2], [0x89, 8]);

        let (client, mut peer) = duplex(1000);
        let connector = Connector::new().config(keepalive());
        let client = client_over(client, &mut peer, connector).await;
        // A half that waits gives up too, and the other learns of it.
        let (mut sender, mut receiver) = client.split();
        let began = Instant::now();
        assert_given_up(&receiver.receive().await.unwrap().unwrap_err());
        assert_eq!(began.elapsed(), 14 * SECOND);
        assert!(sender.send("late").await.unwrap_err().is_closed());
        let mut ping = [0; 14];
        peer.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping[..2], [0x89, 0x88]);
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
                if let [.., 0x89, 8, _, _, _, _, _, _, _, _] = received[..] {
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

const MILLI: Duration = Duration::from_millis(1);

fn times(time: Option<RoundTripTime>) -> Option<(Duration, Duration)> {
    time.map(|time| (time.latest, time.smoothed))
}

/// Reads a ping, and returns the pong that answers it.
async fn read_ping(peer: &mut DuplexStream) -> Vec<u8> {
    let mut ping = [0; 10];
    peer.read_exact(&mut ping).await.unwrap();
    assert_eq!(ping[..2], [0x89, 8]);
    masked(0x8a, &ping[2..])
}

#[test]
fn the_round_trip_time_of_pings_is_measured() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        let answering = spawn(async move {
            for delay in [80, 160] {
                let pong = read_ping(&mut peer).await;
                // Neither measures anything.
                peer.write_all(&masked(0x8a, b"")).await.unwrap();
                peer.write_all(&masked(0x81, b"here")).await.unwrap();
                sleep(delay * MILLI).await;
                peer.write_all(&pong).await.unwrap();
            }
            peer
        });
        assert_eq!(server.round_trip_time(), None);
        server.next().await.unwrap().unwrap();
        assert_eq!(server.round_trip_time(), None);
        server.next().await.unwrap().unwrap();
        assert_eq!(times(server.round_trip_time()), Some((80 * MILLI, 80 * MILLI)));
        // Halves measure too, and both know of it.
        let (sender, mut receiver) = server.split();
        assert!(timeout(SECOND, receiver.next()).await.is_err());
        for time in [sender.round_trip_time(), receiver.round_trip_time()] {
            assert_eq!(times(time), Some((160 * MILLI, 90 * MILLI)));
        }
        answering.await.unwrap();
    });
}

#[test]
fn what_a_program_does_after_a_pong_does_not_count() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        let answering = spawn(async move {
            let pong = read_ping(&mut peer).await;
            sleep(80 * MILLI).await;
            peer.write_all(&pong).await.unwrap();
            peer
        });
        let (event, _) = server.receive().await.unwrap().unwrap();
        assert!(matches!(event, Event::Pong(_)), "{event:?}");
        sleep(SECOND).await;
        assert_eq!(times(server.round_trip_time()), Some((80 * MILLI, 80 * MILLI)));
        answering.await.unwrap();
    });
}

#[test]
fn the_time_of_a_ping_begins_when_a_flush_has_written_it() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(keepalive());
        let mut server = server_over(server, &mut peer, acceptor).await;
        // The ping waits behind a message that does not fit.
        server.feed([0; 5000]).await.unwrap();
        assert!(timeout(12 * SECOND, server.next()).await.is_err());
        let answering = spawn(async move {
            peer.read_exact(&mut [0; 5004]).await.unwrap();
            let pong = read_ping(&mut peer).await;
            sleep(80 * MILLI).await;
            peer.write_all(&pong).await.unwrap();
            peer
        });
        server.flush().await.unwrap();
        sleep(50 * MILLI).await;
        assert!(timeout(SECOND, server.next()).await.is_err());
        assert_eq!(times(server.round_trip_time()), Some((80 * MILLI, 80 * MILLI)));
        answering.await.unwrap();
    });
}

#[test]
fn a_peer_that_answers_is_pinged_once_an_interval() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        // The timeout is longer than the interval, as on slow links.
        let keepalive = Keepalive::new(10 * SECOND, 60 * SECOND);
        let acceptor = Acceptor::new().config(Config::default().keepalive(keepalive));
        let mut server = server_over(server, &mut peer, acceptor).await;
        let began = Instant::now();
        let answering = spawn(async move {
            for number in 1..20 {
                let pong = read_ping(&mut peer).await;
                let late = began.elapsed() - number * 10 * SECOND;
                assert!(late < SECOND, "ping {number} was {late:?} late");
                peer.write_all(&pong).await.unwrap();
            }
            peer.write_all(&masked(0x88, b"")).await.unwrap();
            peer
        });
        assert!(server.next().await.is_none());
        answering.await.unwrap();
    });
}
