//! `futures-io` does not tell whether a stream writes several slices at once. A header never leaves
//! in a write of its own, whatever the stream does.

use crate::compat::websocket;
use sansocket::{Config, Message, PreparedMessage, connection::Server};
use sansocket_testkit::{
    polling::run,
    traffic::{assert_no_header_alone, decode_as_peer_of},
    transports::wire::{EAGER, Manner, SERVER, Vectored, Wire},
};
use std::pin::pin;

#[test]
fn a_header_leaves_with_its_payload() {
    for vectored in [Vectored::No, Vectored::FirstOnly, Vectored::All] {
        let wire = Wire::new();
        let end = wire.end(SERVER, Manner { vectored, ..EAGER });
        let config = Config::default();
        let mut server =
            websocket::<_, sansocket::on_futures_io::Timer>(end, Server::new(), config);
        let sizes = [1, 125, 126, 4000, 8192, 16_384, 65_535, 65_536, 140_000];
        let shared: Vec<_> = sizes.iter().map(|&size| Message::binary(vec![7; size])).collect();
        let user = async {
            for message in &shared {
                // Borrowed, shared and prepared.
                server.send(message.as_bytes()).await.unwrap();
                server.send(message).await.unwrap();
                server.send(&PreparedMessage::new(message.clone())).await.unwrap();
            }
            for message in &shared {
                server.feed(message).await.unwrap();
            }
            server.flush().await.unwrap();
        };
        run(&wire, &mut [pin!(user)]);
        let (bytes, writes) = (wire.take(SERVER), wire.writes(SERVER));
        assert_no_header_alone(&bytes, &writes);
        assert_eq!(decode_as_peer_of::<Server>(&bytes).messages.len(), 4 * sizes.len());
    }
}
