//! Compression in the shell: negotiated by configuration, seen on the wire.

use super::streams;
use sansocket::{
    Accept, Config, DeflateConfig, Message,
    blocking::{Acceptor, Connector},
};
use std::thread;

fn compressing() -> Config {
    Config::default().deflate(DeflateConfig::new())
}

fn text() -> String {
    "said again and again ".repeat(100)
}

#[test]
fn an_answer_can_leave_compression_out_although_it_is_configured() {
    let (client, server) = streams();
    let server = thread::spawn(move || {
        let acceptor = Acceptor::new().config(compressing());
        acceptor.accept_with(server, |_| Ok(Accept::new().no_deflate())).unwrap()
    });
    let connector = Connector::new().config(compressing());
    let (mut client, _) = connector.connect_over(client, "ws://localhost/").unwrap();
    let mut server = server.join().unwrap();
    assert!(client.negotiated().deflate.is_none() && server.negotiated().deflate.is_none());
    server.feed(&text()).unwrap();
    assert!(server.buffered_amount() > text().len());
    server.flush().unwrap();
    assert_eq!(client.next().unwrap().unwrap(), Message::text(text()));
}
