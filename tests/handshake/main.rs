//! The opening handshake through the public API: each input whole, byte by byte and cut at every
//! place.
#![cfg(feature = "alloc")]

mod by_library;
mod client;
mod docs;
mod hostile;
mod plain;
mod property;
mod server;
mod vectors;

use core::{fmt::Debug, iter::once};
use sansocket::{
    Limits,
    buffer::WriteBuffer,
    handshake::{ClientRequest, HandshakeError, Request, Response},
};
use sansocket_testkit::vectors::handshake::drive::{self, NONCE};

/// Runs a server on pieces of input. Returns its outcome and the bytes left after the request.
fn serve<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Result<Option<Request>, HandshakeError>, Vec<u8>) {
    drive::serve(pieces, limits, false)
}

/// Runs a client on pieces of input whose transport ends after the last one. Returns its outcome
/// and the bytes left after the response.
fn ask<'a>(
    request: &ClientRequest,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Result<Response, HandshakeError>, Vec<u8>) {
    let (outcome, left) = drive::ask(request, pieces, limits, true);
    (outcome.map(|response| response.expect("the transport has ended")), left)
}

/// Returns the outcome, which must be the same whether `bytes` arrive whole, one by one, or cut in
/// two anywhere.
fn however_cut<T: PartialEq + Debug>(
    bytes: &[u8],
    mut outcome: impl FnMut(&mut dyn Iterator<Item = &[u8]>) -> T,
) -> T {
    let whole = outcome(&mut once(bytes));
    assert_eq!(outcome(&mut bytes.chunks(1)), whole, "byte by byte");
    // Not every cut of long inputs is tried.
    let step = if bytes.len() <= 2000 { 1 } else { bytes.len() / 200 };
    for cut in (0..=bytes.len()).step_by(step) {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(outcome(&mut [front, back].into_iter()), whole, "cut at {cut}");
    }
    whole
}

fn written(output: &WriteBuffer) -> String {
    String::from_utf8(output.front().to_vec()).expect("not text")
}
