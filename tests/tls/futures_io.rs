//! The shell over `futures-io` with TLS over TCP.

use crate::authority::{Authority, client_tls, server_tls};
use ::futures_util::future::join;
use async_io::{Async, block_on};
use sansocket::{
    CloseCode, Config, Error, Limits,
    on_futures_io::{Acceptor, ClientWebSocket, Connector, ServerWebSocket},
    tls::{ClientTls, TlsFault},
};
use std::net::TcpListener;

async fn handshake(
    client: ClientTls,
) -> (Result<ClientWebSocket, Error>, Result<ServerWebSocket, Error>) {
    let config = Config::default().limits(Limits::default().message(64 << 20));
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let port = listener.get_ref().local_addr().unwrap().port();
    let accept = async {
        let acceptor = Acceptor::new().config(config).tls(server_tls());
        acceptor.accept_tcp(listener.accept().await.unwrap().0).await
    };
    let connector = Connector::new().config(config).tls(client);
    let connect = async { Ok(connector.connect(format!("wss://localhost:{port}/")).await?.0) };
    join(connect, accept).await
}

#[test]
fn large_messages_pass_in_both_directions() {
    block_on(async {
        let (client, server) = handshake(client_tls()).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        assert!(client.get_ref().is_secure() && server.get_ref().is_secure());
        assert_eq!(client.get_ref().peer_certificates().len(), 1);
        let echo = async {
            while let Some(message) = server.next().await {
                server.send(message.unwrap()).await.unwrap();
            }
            server.wait_closed().await
        };
        let talk = async {
            for len in [0, 1, 125, 126, 16_384, 65_536, 5 << 20] {
                let sent: Vec<_> = (0..len).map(|index| (index * 31) as u8).collect();
                client.send(&sent).await.unwrap();
                assert!(client.next().await.unwrap().unwrap().into_bytes() == sent, "{len}");
            }
            client.close(CloseCode::NORMAL, "").await.unwrap();
            client.wait_closed().await
        };
        let (client, server) = join(talk, echo).await;
        assert!(client.clean && server.clean, "{client:?} {server:?}");
    });
}

#[test]
fn an_unknown_authority_is_refused() {
    let stranger = ClientTls::with_roots(Authority::new().pem()).unwrap();
    let (client, server) = block_on(handshake(stranger));
    let Err(Error::Tls(error)) = client else { panic!("{client:?}") };
    assert_eq!(error.fault(), TlsFault::UnknownIssuer);
    assert!(server.is_err());
}
