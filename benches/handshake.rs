//! The opening handshake in both roles, with a browser's request and the response to it.

use criterion::{Criterion, criterion_group, criterion_main};
use sansocket::{
    Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{Accept, ClientHandshake, ClientRequest, ServerHandshake, Url},
};

const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\n\
    Host: example.com\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\n\
    Upgrade: websocket\r\n\
    Origin: https://example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// The `Sec-WebSocket-Accept` for the key in RFC 6455 §1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn bench_server(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut input = ReadBuffer::new();
    let mut output = WriteBuffer::new();
    criterion.bench_function("handshake/server", |bencher| {
        bencher.iter(|| {
            input.extend_from_slice(REQUEST);
            let received = ServerHandshake::new(&limits).receive(&mut input);
            let request = received.expect("valid").expect("complete");
            request.accept(&Accept::new(), &mut output).expect("the request is acceptable");
            let answer = output.front();
            assert!(answer.starts_with(b"HTTP/1.1 101 "));
            assert!(answer.windows(ACCEPT.len()).any(|window| window == ACCEPT.as_bytes()));
            output.consume(answer.len());
        });
    });
}

fn bench_client(criterion: &mut Criterion) {
    let limits = Limits::default();
    let url = Url::parse("ws://example.com/chat?room=1").expect("valid");
    let request = ClientRequest::new(&url);
    let mut input = ReadBuffer::new();
    let mut output = WriteBuffer::new();
    criterion.bench_function("handshake/client", |bencher| {
        bencher.iter(|| {
            // The nonce of RFC 6455 §1.3. The response to it is known.
            let nonce = *b"the sample nonce";
            let started = ClientHandshake::start(&request, nonce, &mut output, &limits);
            let mut handshake = started.expect("the request is valid");
            output.consume(output.len());
            input.extend_from_slice(
                b"HTTP/1.1 101 Switching Protocols\r\n\
                  Upgrade: websocket\r\n\
                  Connection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            );
            let received = handshake.receive(&mut input);
            assert!(received.expect("valid").is_some());
        });
    });
}

criterion_group!(benches, bench_server, bench_client);
criterion_main!(benches);
