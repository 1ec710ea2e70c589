//! Which web pages may connect (RFC 6455 §10.2).

use crate::server::{Server, Version, on_both};
use axum::{Extension, Router, extract::State, response::Response, routing::any};
use sansocket::{client::Connector, handshake::HandshakeError, server::OriginPolicy};
use sansocket_axum::{Acceptor, UpgradeError, WebSocketUpgrade};
use tokio::sync::mpsc;

const PAGE: &str = "https://app.example";

fn browser() -> Connector {
    Connector::new().header("Origin", PAGE)
}

fn allowing() -> OriginPolicy {
    OriginPolicy::allow([PAGE]).unwrap()
}

async fn handler(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(async |mut websocket| {
        websocket.wait_closed().await;
    })
}

#[test]
fn only_pages_of_the_same_host_may_connect() {
    on_both(|version| async move {
        let (errors, mut failed) = mpsc::unbounded_channel();
        let handler = async move |ws: WebSocketUpgrade| {
            ws.on_failed_upgrade(move |error| errors.send(error).unwrap()).on_upgrade(async |_| ())
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        let refusal = server.refusal(version, &browser()).await;
        assert_eq!(refusal.status(), 403);
        assert_eq!(
            refusal.body(),
            b"this server does not allow the origin \"https://app.example\"\n"
        );
        let UpgradeError::Handshake(error) = failed.recv().await.unwrap() else { panic!() };
        assert_eq!(error, HandshakeError::OriginNotAllowed(PAGE.into()));

        let own = Connector::new().header("Origin", "http://h");
        server.connect(version, &own, "/").await.unwrap();
        server.connect(version, &Connector::new(), "/").await.unwrap();
    });
}

#[test]
fn a_layer_is_the_policy_of_all_handlers() {
    on_both(|version| async move {
        let acceptor: Acceptor = Acceptor::new().origin(allowing());
        let app = Router::new().route("/", any(handler)).layer(Extension(acceptor));
        let server = Server::new(app);
        server.connect(version, &browser(), "/").await.unwrap();
        let other = Connector::new().header("Origin", "http://h");
        assert_eq!(server.refusal(version, &other).await.status(), 403);
    });
}

#[test]
fn an_acceptor_from_the_state_overrides_the_layer() {
    async fn handler(State(acceptor): State<Acceptor>, ws: WebSocketUpgrade) -> Response {
        self::handler(ws.acceptor(acceptor)).await
    }

    on_both(|version| async move {
        let layer: Acceptor = Acceptor::new().origin(OriginPolicy::any());
        let app = Router::new()
            .route("/", any(handler))
            .layer(Extension(layer))
            .with_state(Acceptor::new().origin(allowing()));
        let server = Server::new(app);
        server.connect(version, &browser(), "/").await.unwrap();
        let other = Connector::new().header("Origin", "https://other.example");
        assert_eq!(server.refusal(version, &other).await.status(), 403);
    });
}

#[test]
fn a_handler_overrides_both() {
    on_both(|version| async move {
        let nobody: Acceptor = Acceptor::new().origin(OriginPolicy::allow([""; 0]).unwrap());
        let handler = {
            let nobody = nobody.clone();
            async move |ws: WebSocketUpgrade| {
                self::handler(ws.acceptor(nobody).origin(OriginPolicy::any())).await
            }
        };
        let app = Router::new().route("/", any(handler)).layer(Extension(nobody));
        Server::new(app).connect(version, &browser(), "/").await.unwrap();
    });
}

/// Without a callback, the error is returned. It is the response, too.
#[test]
fn accept_refuses_other_origins() {
    on_both(|version| async move {
        let handler = async |ws: WebSocketUpgrade| ws.accept().map(|(response, _)| response);
        let server = Server::new(Router::new().route("/", any(handler)));
        let refusal = server.refusal(version, &browser()).await;
        assert_eq!(refusal.status(), 403);
        // RFC 9113 §8.2.2: a stream has no such field.
        let connection =
            refusal.headers().find(|(name, _)| name.eq_ignore_ascii_case("connection"));
        assert_eq!(connection.is_some(), version == Version::Http1);
    });
}
