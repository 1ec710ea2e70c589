//! TLS that fails before there is a connection.

use crate::recorder::Recorder;
use sansocket::{
    on_tokio::{Acceptor, Connector},
    tls::{ClientTls, ServerTls},
};
use sansocket_testkit::clock::run;
use tokio::{join, net::TcpListener};

#[test]
fn both_ends_tell_that_tls_failed() {
    let names = || vec!["localhost".to_owned()];
    let of_server = rcgen::generate_simple_self_signed(names()).unwrap();
    let other = rcgen::generate_simple_self_signed(names()).unwrap();
    let server = ServerTls::new(of_server.cert.pem(), of_server.key_pair.serialize_pem()).unwrap();
    let client = ClientTls::with_roots(other.cert.pem()).unwrap();
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let acceptor = Acceptor::new().tls(server);
            let connector = Connector::new().tls(client);
            let accept = async { acceptor.accept_tcp(listener.accept().await.unwrap().0).await };
            let (client, server) =
                join!(connector.connect(format!("wss://localhost:{port}/a")), accept);
            assert!(client.is_err() && server.is_err());
        });
    });
    let mut events = recorder.events();
    events.sort();
    let [on_server, on_client] = &*events else { panic!("{events:?}") };
    let expected = "INFO none opening handshake failed client.address=127.0.0.1 client.port=";
    assert!(on_server.starts_with(expected), "{on_server}");
    assert!(on_client.starts_with("WARN none connect failed server.address=localhost"));
    assert!(on_client.contains(" url.path=/a error="), "{on_client}");
}
