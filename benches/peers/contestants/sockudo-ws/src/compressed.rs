//! A server with permessage-deflate, which the library's own acceptor does not negotiate.

use crate::{Codec, by_hand, config, echo};
use bytes::{Buf, BytesMut};
use serving::{Deflate, Options};
use sockudo_ws::{
    CompressedProtocol, CompressedWebSocketStream, Config, DeflateConfig, Error, Message, Result,
    cork::CorkBuffer,
    deflate::negotiate_server_deflate,
    handshake::{build_response, generate_accept_key, parse_request},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) async fn serve(mut stream: TcpStream, options: Options) -> Result<()> {
    let (input, deflate) = accept(&mut stream, options).await?;
    // Clients that offer no compression are not measured.
    let deflate = deflate.ok_or(Error::HandshakeFailed("the client offered no compression"))?;
    let config = config(options);
    if options.variant == "protocol" {
        let Config { max_frame_size, max_message_size, .. } = config;
        let protocol = CompressedProtocol::server(max_frame_size, max_message_size, deflate);
        return by_hand(stream, input, protocol).await;
    }
    let input = Some(input.freeze());
    let websocket = CompressedWebSocketStream::server_with_leftover(stream, config, deflate, input);
    echo(websocket, options).await
}

/// Uses the library's public functions to parse the request and to negotiate compression.
async fn accept(
    stream: &mut TcpStream,
    options: Options,
) -> Result<(BytesMut, Option<DeflateConfig>)> {
    let no_takeover = options.deflate == Deflate::NoTakeover;
    let policy = DeflateConfig {
        server_no_context_takeover: no_takeover,
        client_no_context_takeover: no_takeover,
        ..DeflateConfig::default()
    };
    let mut input = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        let Some((request, consumed)) = parse_request(&input)? else { continue };
        let negotiated =
            request.extensions.and_then(|offers| negotiate_server_deflate(offers, &policy));
        let extensions = negotiated.as_ref().map(|negotiated| negotiated.to_response_header());
        let accept = generate_accept_key(request.key);
        stream.write_all(&build_response(&accept, None, extensions.as_deref())).await?;
        input.advance(consumed);
        return Ok((input, negotiated.map(|negotiated| negotiated.config)));
    }
}

impl Codec for CompressedProtocol {
    fn process(&mut self, input: &mut BytesMut, messages: &mut Vec<Message>) -> Result<()> {
        self.process_into(input, messages)
    }

    fn encode(&mut self, message: &Message, output: &mut CorkBuffer) -> Result<()> {
        self.encode_message(message, output.buffer_mut())
    }
}
