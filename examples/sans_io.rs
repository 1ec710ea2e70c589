//! A whole WebSocket conversation without any IO: two ends, and the bytes between them in memory.
//!
//! ```text
//! cargo run --example sans_io
//! ```

use sansocket::{
    Accept, Client, ClientHandshake, ClientRequest, CloseCode, Config, Connection, Event, Limits,
    ReadBuffer, Server, ServerHandshake, SystemMaskKeys, TransportEnd, Url, WriteBuffer,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each end owns what it has received and what it wants to send.
    let (mut client_in, mut client_out) = (ReadBuffer::new(), WriteBuffer::new());
    let (mut server_in, mut server_out) = (ReadBuffer::new(), WriteBuffer::new());

    // The opening handshake: a request, and the answer to it.
    let limits = Limits::default();
    let request = ClientRequest::new(&Url::parse("ws://example.com/chat")?).subprotocol("chat");
    let nonce = *b"a random 16-byte"; // Only here: a real client takes random bytes.
    let mut handshake = ClientHandshake::start(&request, nonce, &mut client_out, &limits)?;
    carry("client", &mut client_out, &mut server_in);

    let request = ServerHandshake::new(&limits).receive(&mut server_in)?.expect("it is whole");
    let negotiated = request.accept(&Accept::new().subprotocol("chat"), &mut server_out)?;
    let mut server = Connection::new(Server::new(), &negotiated, Config::default());
    carry("server", &mut server_out, &mut client_in);

    let response = handshake.receive(&mut client_in)?.expect("it is whole");
    let keys = SystemMaskKeys::new()?;
    let mut client = Connection::new(Client::new(keys), response.negotiated(), Config::default());

    // A message there, its echo back. The event borrows the read buffer, so that the answer can be
    // queued while the text is looked at.
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

    // Then the server ends the transport, and both ends know how it went.
    println!("server: {}", server.transport_ended(TransportEnd::Eof, &server_out));
    println!("client: {}", client.transport_ended(TransportEnd::Eof, &client_out));
    Ok(())
}

/// What a socket would do.
fn carry(from: &str, output: &mut WriteBuffer, input: &mut ReadBuffer) {
    while !output.is_empty() {
        let bytes = output.front();
        println!("{from} sends {} bytes", bytes.len());
        input.extend_from_slice(bytes);
        output.consume(bytes.len());
    }
}
