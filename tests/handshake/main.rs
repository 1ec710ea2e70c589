//! The opening handshake from outside: each input whole, byte by byte and cut at every place.
#![cfg(feature = "alloc")]

mod client;
mod hostile;
mod property;
mod server;

use core::{fmt::Debug, iter::once};
use sansocket::{
    ClientHandshake, ClientRequest, HandshakeError, Limits, ReadBuffer, Request, Response,
    ServerHandshake, WriteBuffer,
};

/// The nonce whose key is the one in RFC 6455 §1.3.
const NONCE: [u8; 16] = *b"the sample nonce";

/// What a server makes of pieces of input, and what is left behind the request.
fn serve<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Result<Option<Request>, HandshakeError>, Vec<u8>) {
    let mut handshake = ServerHandshake::new(limits);
    let mut input = ReadBuffer::new();
    let mut outcome = Ok(None);
    for piece in pieces {
        input.extend_from_slice(piece);
        if outcome == Ok(None) {
            outcome = handshake.receive(&mut input);
        }
    }
    let rest = if outcome.is_ok() { input.unread().to_vec() } else { Vec::new() };
    (outcome, rest)
}

/// The same for a client, whose transport ends behind the last piece.
fn ask<'a>(
    request: &ClientRequest,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Result<Response, HandshakeError>, Vec<u8>) {
    let mut output = WriteBuffer::new();
    let mut handshake = ClientHandshake::start(request, NONCE, &mut output, limits)
        .expect("the request is a good one");
    let mut input = ReadBuffer::new();
    let mut outcome = Ok(None);
    for piece in pieces {
        input.extend_from_slice(piece);
        if outcome == Ok(None) {
            outcome = handshake.receive(&mut input);
        }
    }
    match outcome {
        Ok(Some(response)) => (Ok(response), input.unread().to_vec()),
        Ok(None) => (Err(handshake.receive_eof(&mut input)), Vec::new()),
        Err(error) => (Err(error), Vec::new()),
    }
}

/// The outcome, which is the same whether `bytes` come whole, one by one, or cut in two anywhere.
fn however_cut<T: PartialEq + Debug>(
    bytes: &[u8],
    mut outcome: impl FnMut(&mut dyn Iterator<Item = &[u8]>) -> T,
) -> T {
    let whole = outcome(&mut once(bytes));
    assert_eq!(outcome(&mut bytes.chunks(1)), whole, "byte by byte");
    // Of long inputs not every cut is tried.
    for cut in (0..=bytes.len()).step_by(1 + bytes.len() / 2000) {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(outcome(&mut [front, back].into_iter()), whole, "cut at {cut}");
    }
    whole
}

fn written(output: &WriteBuffer) -> String {
    String::from_utf8(output.front().to_vec()).expect("it is text")
}
