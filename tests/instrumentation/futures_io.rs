//! The shell over futures-io tells the same.

use crate::{
    opening::{SECRET, refused},
    recorder::Recorder,
};
use async_io::{Async, block_on};
use futures_util::future::join;
use sansocket::{
    CloseCode,
    handshake::Accept,
    on_futures_io::{Acceptor, Connector},
    server::OriginPolicy,
};
use std::net::TcpListener;

/// Connects with secrets wherever there can be some.
fn connect(
    recorder: &Recorder,
    answer: fn() -> Result<Accept, sansocket::handshake::PlainResponse>,
) {
    recorder.record(|| {
        block_on(async {
            let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
            let port = listener.get_ref().local_addr().unwrap().port();
            let serve = async {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = Acceptor::new().origin(OriginPolicy::any());
                if let Ok(mut server) = acceptor.accept_tcp_with(stream, |_| answer()).await {
                    while server.next().await.is_some() {}
                }
            };
            let talk = async {
                let connector = Connector::new().header("X-Key", SECRET).subprotocol("chat");
                let url = format!("ws://user:{SECRET}@localhost:{port}/room/1?token={SECRET}");
                if let Ok((mut client, _)) = connector.connect(url).await {
                    client.send(SECRET).await.unwrap();
                    client.close(CloseCode::NORMAL, SECRET).await.unwrap();
                    assert!(client.wait_closed().await.clean);
                }
            };
            join(serve, talk).await;
        });
    });
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_conversation_has_two_spans_and_four_events() {
    let recorder = Recorder::default();
    connect(&recorder, || Ok(Accept::new().subprotocol("chat")));
    let (client, server) = (recorder.span("client"), recorder.span("server"));
    assert_eq!(client.field("server.address"), Some("localhost"));
    assert_eq!(server.field("client.address"), Some("127.0.0.1"));
    for span in [&client, &server] {
        assert_eq!(span.field("url.path"), Some("/room/1"));
        assert_eq!(span.field("websocket.subprotocol"), Some("chat"));
        assert!(span.has_ended());
    }
    for (kind, initiator) in [("client", "local"), ("server", "peer")] {
        let end = format!(
            "DEBUG {kind} connection closed code=1000 sent_code=1000 initiator={initiator} \
            clean=true cause=the closing handshake completed"
        );
        assert_eq!(recorder.events_of(kind), [format!("DEBUG {kind} connection opened"), end]);
    }
}

#[test]
fn a_refusal_is_told_on_both_ends() {
    let recorder = Recorder::default();
    connect(&recorder, || refused(401));
    let mut events = recorder.events();
    events.sort();
    let [on_server, on_client] = &*events else { panic!("{events:?}") };
    assert!(on_server.starts_with("INFO none request refused client.address=127.0.0.1"));
    assert!(on_client.starts_with("WARN none connect failed server.address=localhost"));
}
