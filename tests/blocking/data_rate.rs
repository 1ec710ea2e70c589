//! The least data rate of the blocking shell.

use sansocket::{
    Config, Error,
    blocking::Acceptor,
    connection::{MinDataRate, ProtocolError},
};
use sansocket_testkit::{
    frames::{failure_close, masked},
    pair::blocking::server_and_stream,
};
use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

const TOO_SLOW: ProtocolError = ProtocolError::TooSlow { received: 0, least: 100, millis: 50 };

#[test]
fn a_peer_that_does_not_go_on_is_failed() {
    let least = MinDataRate::new(100, Duration::from_millis(50));
    let config = Config::default().min_data_rate(least);
    for is_split in [false, true] {
        let (mut server, mut peer) = server_and_stream(Acceptor::new().config(config));
        peer.write_all(&[&masked(0x81, b"whole")[..], &[0x82]].concat()).unwrap();
        assert_eq!(server.next().unwrap().unwrap().as_text(), Some("whole"));
        let error = if is_split {
            let (_sender, mut receiver) = server.split().unwrap();
            let error = receiver.next().unwrap().unwrap_err();
            assert!(receiver.next().is_none());
            error
        } else {
            server.next().unwrap().unwrap_err()
        };
        assert!(error.is_transient());
        let Error::Protocol(error) = error else { panic!("{error:?}") };
        assert_eq!(error, TOO_SLOW);
        let close = failure_close(TOO_SLOW);
        let mut received = vec![0; close.len()];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received, close);
    }
}

#[test]
fn a_peer_whose_every_byte_is_waited_for_is_failed() {
    let least = MinDataRate::new(1_000_000, Duration::from_millis(100));
    let config = Config::default().min_data_rate(least);
    let (mut server, mut peer) = server_and_stream(Acceptor::new().config(config));
    let trickling = thread::spawn(move || {
        // The header of a message of a mebibyte.
        peer.write_all(&[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]).unwrap();
        // Each read finds a byte for many periods, and then the peer hangs up.
        for _ in 0..20_000 {
            if peer.write_all(&[7]).is_err() {
                break;
            }
            thread::sleep(Duration::from_micros(300));
        }
    });
    let error = server.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::TooSlow { .. })), "{error:?}");
    drop(server);
    trickling.join().unwrap();
}
