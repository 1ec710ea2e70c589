//! The memory of a queue follows the bytes that were copied in and not written yet, however many
//! are written at a time.
#![cfg(feature = "std")]

use sansocket::{
    Config, Limits, Message, Payload, PreparedMessage,
    buffer::WriteBuffer,
    connection::{Client, Connection, Role, Server},
    handshake::Negotiated,
    random::SystemMaskKeys,
};

fn connection<R: Role>(role: R) -> Connection<R> {
    let limits = Limits::default().queued_output(usize::MAX);
    Connection::new(role, &Negotiated::new(), Config::default().limits(limits))
}

fn client() -> Connection<Client<SystemMaskKeys>> {
    connection(Client::new(SystemMaskKeys::new().unwrap()))
}

/// Leaves large memory for the next lease.
fn give_up_memory() {
    for _ in 0..4 {
        let mut output = WriteBuffer::new();
        output.extend_from_slice(&[0; 1 << 20]);
        output.consume(usize::MAX);
    }
}

#[test]
fn uncopied_messages_take_no_memory() {
    const SMALL: usize = 1024;
    give_up_memory();
    let mut output = WriteBuffer::new();
    let large = vec![7; 1 << 20];
    let payload = Payload::from(&large);
    let mut in_place = connection(Server::new()).send_in_place(&payload, &mut output).unwrap();
    while !in_place.is_written() {
        in_place.consume(100_000);
    }
    drop(in_place);
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
fn a_large_message_takes_the_memory_of_its_size() {
    fn check<R: Role>(mut connection: Connection<R>, len: usize) {
        let mut output = WriteBuffer::new();
        connection.send_binary(&vec![7; len], &mut output).unwrap();
        // Memory released by others may be slightly larger.
        assert!(output.capacity() <= output.len() + 4096, "{len}: {output:?}");
    }
    give_up_memory();
    // The last fragment has zero to a few bytes.
    for len in (0..20).chain([1 << 16]).map(|more| (1 << 20) + more) {
        check(connection(Server::new()), len);
        check(client(), len);
    }
}

/// Writes after each message, while the queue always holds a lot.
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
fn memory_does_not_depend_on_what_was_sent_before() {
    for waiting in [99_998, 100_000, 100_001] {
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.ping(b"", output).unwrap();
        });
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.ping([7; 100], output).unwrap();
        });
        check_bounded(connection(Server::new()), waiting, |server, output| {
            server.send_binary(b"some data", output).unwrap();
        });
        check_bounded(client(), waiting, |client, output| {
            client.send_fragment(&b"piece"[..], false, output).unwrap();
        });
    }
}
