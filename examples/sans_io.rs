//! A whole WebSocket conversation without any IO: two endpoints, and the bytes between them in
//! memory.
//!
//! ```text
//! cargo run --example sans_io
//! ```

use sansocket::{
    CloseCode, Config, Event, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Server, TransportEnd},
    handshake::{Accept, ClientHandshake, ClientRequest, ServerHandshake, Url},
    random::SystemMaskKeys,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each endpoint owns the bytes that it has received and the bytes that it wants to send.
    let (mut client_in, mut client_out) = (ReadBuffer::new(), WriteBuffer::new());
    let (mut server_in, mut server_out) = (ReadBuffer::new(), WriteBuffer::new());

    // The opening handshake: a request and the response to it.
    let limits = Limits::default();
    let request = ClientRequest::new(&Url::parse("ws://example.com/chat")?).subprotocol("chat");
    let nonce = *b"a random 16-byte"; // Only here: a real client takes random bytes.
    let mut handshake = ClientHandshake::start(&request, nonce, &mut client_out, &limits)?;
    carry("client", &mut client_out, &mut server_in);

    let request = ServerHandshake::new(&limits).receive(&mut server_in)?.expect("complete");
    let negotiated = request.accept(&Accept::new().subprotocol("chat"), &mut server_out)?;
    let mut server = Connection::new(Server::new(), &negotiated, Config::default());
    carry("server", &mut server_out, &mut client_in);

    let response = handshake.receive(&mut client_in)?.expect("complete");
    let keys = SystemMaskKeys::new()?;
    let mut client = Connection::new(Client::new(keys), response.negotiated(), Config::default());

    // A message and its echo. The event borrows the read buffer, so the answer can be queued while
    // the text is borrowed.
    client.send_text("hello", &mut client_out)?;
    carry("client", &mut client_out, &mut server_in);
    while server.advance(&mut server_in, &mut server_out)?.goes_on() {
        if let Some(Event::Text(text)) = server.event(&server_in) {
            server.send_text(text, &mut server_out)?;
        }
    }
    carry("server", &mut server_out, &mut client_in);
    while client.advance(&mut client_in, &mut client_out)?.goes_on() {
        println!("client received {:?}", client.event(&client_in));
    }

    // The closing handshake: the server answers the client's Close by itself.
    client.close(CloseCode::NORMAL, "that was all", &mut client_out)?;
    carry("client", &mut client_out, &mut server_in);
    while server.advance(&mut server_in, &mut server_out)?.goes_on() {
        println!("server received {:?}", server.event(&server_in));
    }
    carry("server", &mut server_out, &mut client_in);
    while client.advance(&mut client_in, &mut client_out)?.goes_on() {
        println!("client received {:?}", client.event(&client_in));
    }

    // Then the server ends the transport, and both endpoints know how the connection ended.
    println!("server: {}", server.transport_ended(TransportEnd::Eof, &server_out));
    println!("client: {}", client.transport_ended(TransportEnd::Eof, &client_out));
    Ok(())
}

/// Moves the bytes as a socket would.
fn carry(from: &str, output: &mut WriteBuffer, input: &mut ReadBuffer) {
    while !output.is_empty() {
        let bytes = output.front();
        println!("{from} sends {} bytes", bytes.len());
        input.extend_from_slice(bytes);
        output.consume(bytes.len());
    }
}
