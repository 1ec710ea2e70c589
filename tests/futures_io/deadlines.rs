//! Every deadline passes on the clock that the user names, here a virtual one.

use crate::{
    compat::{Compat, OverWire, websocket},
    virtual_clock::{VirtualTimer, now, run, sleep},
};
use futures_util::future::{Either, join, select};
use sansocket::{
    CloseCode, Config, Error, Message,
    client::Connector,
    connection::{Cause, Keepalive, Server, TransportEnd},
    on_futures_io::FuturesIo,
    server::Acceptor,
};
use sansocket_testkit::{
    endpoint::client_role,
    frames::masked,
    transports::wire::{CLIENT, EAGER, SERVER, Wire},
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

type Shell = FuturesIo<VirtualTimer>;

fn server(wire: &Wire, config: Config) -> OverWire<Server, VirtualTimer> {
    websocket(wire.end(SERVER, EAGER), Server::new(), config)
}

#[track_caller]
fn assert_timed_out(ended: Option<Result<Message, Error>>) {
    let Some(Err(Error::Closed(closed))) = ended else { panic!("{ended:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_given_up() {
    run(async {
        let wire = Wire::new();
        let mut server = server(&wire, Config::default().close_timeout(7 * SECOND));
        let began = now();
        server.close(CloseCode::NORMAL, "").await.unwrap();
        assert_timed_out(server.next().await);
        assert_eq!(now() - began, 7 * SECOND);
        assert!(server.next().await.is_none());
    });
}

#[test]
fn a_silent_peer_is_pinged_and_given_up() {
    run(async {
        let wire = Wire::new();
        let keepalive = Keepalive::new(10 * SECOND, 4 * SECOND);
        let mut server = server(&wire, Config::default().keepalive(keepalive));
        let began = now();
        assert_timed_out(server.next().await);
        assert_eq!(now() - began, 14 * SECOND);
        assert_eq!(wire.take(SERVER)[..2], [0x89, 8]);
    });
}

#[test]
fn two_endpoints_keep_each_other() {
    run(async {
        let wire = Wire::new();
        let config = Config::default().keepalive(Keepalive::new(10 * SECOND, 4 * SECOND));
        let mut server = server(&wire, config);
        let mut client: OverWire<_, VirtualTimer> =
            websocket(wire.end(CLIENT, EAGER), client_role(), config);
        let client = async {
            let (next, slept) = (Box::pin(client.next()), Box::pin(sleep(600 * SECOND)));
            assert!(matches!(select(next, slept).await, Either::Right(_)));
            client.close(CloseCode::NORMAL, "").await.unwrap();
            assert!(client.wait_closed().await.clean);
        };
        let server = async {
            assert!(server.next().await.is_none());
            assert!(server.round_trip_time().is_some());
            // The end of TCP, for which the client waits.
            drop(server);
        };
        join(client, server).await;
    });
}

#[test]
fn a_peer_that_sends_no_messages_is_idle() {
    run(async {
        let wire = Wire::new();
        let mut server = server(&wire, Config::default().idle_timeout(30 * SECOND));
        let began = now();
        wire.put(CLIENT, &masked(0x81, b"one"));
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("one"));
        assert!(server.next().await.unwrap().is_err());
        assert!(now() - began >= 30 * SECOND);
        assert_eq!(wire.take(SERVER)[2..4], [0x03, 0xe9]);
    });
}

#[test]
fn a_handshake_that_does_not_go_on_is_given_up() {
    run(async {
        let wire = Wire::new();
        let began = now();
        let acceptor = Acceptor::<Shell>::new().handshake_timeout(3 * SECOND);
        let accepted = acceptor.accept(Compat(wire.end(SERVER, EAGER))).await;
        assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");
        assert_eq!(now() - began, 3 * SECOND);

        let began = now();
        let connector = Connector::<Shell>::new().handshake_timeout(5 * SECOND);
        let wire = Wire::new();
        let connected =
            connector.connect_over("ws://localhost/", Compat(wire.end(CLIENT, EAGER))).await;
        assert!(matches!(connected, Err(Error::HandshakeTimeout)), "{connected:?}");
        assert_eq!(now() - began, 5 * SECOND);
    });
}
