//! What the feature `tracing` tells of connections that hyper has upgraded: as much as of any other.

#[allow(dead_code, reason = "the tests of the crate `sansocket` need more of it")]
#[path = "../../../../tests/instrumentation/recorder.rs"]
mod recorder;

use self::recorder::Recorder;
use crate::server::{BOTH, PEER, Server, client, run};
use sansocket::{CloseCode, client::Connector, handshake::Accept, server::Acceptor};

const SECRET: &str = "5ca1ab1e";

#[test]
fn a_span_says_who_is_connected_and_what_was_agreed() {
    for version in BOTH {
        let recorder = Recorder::default();
        recorder.record(|| {
            run(async {
                let server = Server::answering(Acceptor::new(), Accept::new().subprotocol("chat"));
                let connector = Connector::new().subprotocol("chat").header("X-Key", SECRET);
                let url = format!("ws://user:{SECRET}@example.com/room/1?token={SECRET}");
                let (stream, _) = server.connection();
                let mut client = client(version, stream, &connector, &url).await.unwrap();
                let mut websocket = server.websocket().await;
                client.send(SECRET).await.unwrap();
                client.close(CloseCode::NORMAL, SECRET).await.unwrap();
                while websocket.next().await.is_some() {}
                assert!(client.wait_closed().await.clean);
            });
        });
        let (client, server) = (recorder.span("client"), recorder.span("server"));
        assert_eq!(server.field("client.address"), Some(&*PEER.ip().to_string()));
        assert_eq!(server.field("client.port"), Some(&*PEER.port().to_string()));
        assert_eq!(client.field("server.address"), Some("example.com"));
        assert_eq!(client.field("server.port"), Some("80"));
        for (kind, span) in [("client", client), ("server", server)] {
            assert_eq!(span.field("url.path"), Some("/room/1"));
            assert_eq!(span.field("websocket.subprotocol"), Some("chat"));
            assert!(span.has_ended());
            let events = recorder.events_of(kind);
            let [opened, closed] = &*events else { panic!("{events:?}") };
            assert_eq!(opened, &format!("DEBUG {kind} connection opened"));
            assert!(closed.starts_with(&format!("DEBUG {kind} connection closed code=1000")));
        }
        recorder.assert_never_told(SECRET);
    }
}
