//! What a queue holds: memory follows what was copied in and not written yet, whatever is written at a time.
#![cfg(feature = "std")]

use sansocket::{
    Client, Config, Connection, Kind, Limits, Message, Negotiated, PreparedMessage, Role, Server,
    SystemMaskKeys, WriteBuffer,
};

fn connection<R: Role>(role: R) -> Connection<R> {
    let limits = Limits::default().queued_output(usize::MAX);
    Connection::new(role, &Negotiated::new(), Config::default().limits(limits))
}

fn client() -> Connection<Client<SystemMaskKeys>> {
    connection(Client::new(SystemMaskKeys::new().unwrap()))
}

/// Leaves large memory for whoever asks for it.
fn give_up_memory() {
    for _ in 0..4 {
        let mut output = WriteBuffer::new();
        output.extend_from_slice(&[0; 1 << 20]);
        output.consume(usize::MAX);
    }
}

#[test]
fn what_is_not_copied_takes_no_memory() {
    const SMALL: usize = 1024;
    give_up_memory();
    let mut output = WriteBuffer::new();
    connection(Server::new()).start_frame(Kind::Binary, u64::MAX, true, &mut output).unwrap();
    client().start_frame(Kind::Binary, 1 << 40, true, &mut output).unwrap();
    assert!(output.capacity() <= SMALL, "{output:?}");

    let message = Message::binary(vec![7; 1 << 20]);
    let prepared = PreparedMessage::new(message.clone());
    let mut server = connection(Server::new());
    for _ in 0..8 {
        server.send(&message, &mut output).unwrap();
        server.send_prepared(&prepared, &mut output).unwrap();
    }
    assert!(output.len() > 16 << 20);
    assert!(output.capacity() <= 8 * SMALL, "{output:?}");
}

#[test]
fn a_large_message_takes_what_it_is() {
    fn check<R: Role>(mut connection: Connection<R>, len: usize) {
        let mut output = WriteBuffer::new();
        connection.send_binary(&vec![7; len], &mut output).unwrap();
        // Memory that others gave up may be a bit larger.
        assert!(output.capacity() <= output.len() + 4096, "{len}: {output:?}");
    }
    give_up_memory();
    // The last fragment has from none to a few bytes.
    for len in (0..20).chain([1 << 16]).map(|more| (1 << 20) + more) {
        check(connection(Server::new()), len);
        check(client(), len);
    }
}

/// Something is written whenever something is queued, and there is always much left.
fn check_bounded<R: Role>(
    mut connection: Connection<R>,
    waiting: usize,
    queue: impl Fn(&mut Connection<R>, &mut WriteBuffer),
) {
    give_up_memory();
    let mut output = WriteBuffer::new();
    output.extend_from_slice(&vec![0; waiting]);
    for _ in 0..300_000 {
        queue(&mut connection, &mut output);
        output.consume(output.len() - waiting);
    }
    assert_eq!(output.len(), waiting);
    assert!(output.capacity() <= 4 * waiting + 4096, "{output:?}");
}

#[test]
fn memory_does_not_follow_what_was_sent_before() {
    for waiting in [99_998, 100_000, 100_001] {
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.ping(b"", output).unwrap();
        });
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.ping(&[7; 100], output).unwrap();
        });
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.start_frame(Kind::Binary, 4, true, output).unwrap();
            output.extend_from_slice(b"data");
        });
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.send_binary(b"some data", output).unwrap();
        });
        check_bounded(client(), waiting, |client, output| {
            client.send_fragment(&b"piece"[..], false, output).unwrap();
        });
    }
}
