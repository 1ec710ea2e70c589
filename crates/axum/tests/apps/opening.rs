//! How a handler gets its WebSocket.

use crate::server::{CLIENT, Server, Version, on_both, run};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use sansocket::{
    Message,
    client::Connector,
    handshake::AcceptError,
    server::{ForwardingHeader, TrustedProxies},
};
use sansocket_axum::{
    Acceptor, Event, UpgradeError, WebSocket, WebSocketUpgrade, WebSocketUpgradeRejection,
};
use std::collections::HashMap;
use tokio::sync::mpsc;

async fn echo(mut websocket: WebSocket) {
    while let Some(Ok(message)) = websocket.next().await {
        websocket.send(message).await.unwrap();
    }
}

/// Sends a text, and closes.
async fn tell(mut websocket: WebSocket, text: String) {
    websocket.send(text).await.unwrap();
    websocket.close(1000.into(), "").await.unwrap();
    websocket.wait_closed().await;
}

#[test]
fn messages_are_echoed_and_pings_answered() {
    on_both(|version| async move {
        let app = Router::new().route("/", any(async |ws: WebSocketUpgrade| ws.on_upgrade(echo)));
        let mut client = Server::new(app).open(version).await;
        client.send("foobar").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from("foobar"));
        client.ping("ping").await.unwrap();
        let (event, _) = client.receive().await.unwrap().unwrap();
        assert_eq!(event, Event::Pong(b"ping"));
        client.close(1000.into(), "").await.unwrap();
        assert!(client.wait_closed().await.clean);
    });
}

/// The server's order decides.
#[test]
fn a_subprotocol_is_chosen_in_the_servers_order() {
    on_both(|version| async move {
        let handler = async |ws: WebSocketUpgrade| {
            let ws = ws.protocols(["echo2", "echo", "echo3"]);
            let selected = ws.selected_protocol().map(str::to_owned);
            ws.on_upgrade(async move |websocket| {
                assert_eq!(websocket.negotiated().subprotocol, selected);
                tell(websocket, format!("{selected:?}")).await;
            })
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        for (offers, chosen) in
            [(&["echo3", "echo"][..], Some("echo")), (&["other"], None), (&[], None)]
        {
            let connector =
                offers.iter().fold(Connector::new(), |all, name| all.subprotocol(*name));
            let (mut client, response) = server.connect(version, &connector, "/").await.unwrap();
            assert_eq!(client.negotiated().subprotocol.as_deref(), chosen);
            assert_eq!(response.header_text("Sec-WebSocket-Protocol"), chosen);
            let told = client.next().await.unwrap().unwrap();
            assert_eq!(told.as_text(), Some(&*format!("{chosen:?}")));
        }
    });
}

#[test]
fn a_handler_may_select_any_protocol_that_is_offered() {
    on_both(|version| async move {
        let handler = async |mut ws: WebSocketUpgrade| {
            assert_eq!(ws.requested_protocols().collect::<Vec<_>>(), ["b", "a", "c"]);
            let last = ws.requested_protocols().last().unwrap().to_owned();
            ws = ws.protocols(["a"]);
            ws.set_selected_protocol(last);
            assert_eq!(ws.selected_protocol(), Some("c"));
            ws.on_upgrade(echo)
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        let connector = Connector::new().subprotocol("b").subprotocol("a").subprotocol("c");
        let (client, _) = server.connect(version, &connector, "/").await.unwrap();
        assert_eq!(client.negotiated().subprotocol.as_deref(), Some("c"));
    });
}

/// RFC 6455 §4.2.2: the server can only choose what the client offers.
#[test]
fn an_answer_that_is_not_valid_is_told_to_the_handler() {
    on_both(|version| async move {
        let (errors, mut failed) = mpsc::unbounded_channel();
        let handler = async move |mut ws: WebSocketUpgrade| {
            ws.set_selected_protocol("not offered");
            ws.on_failed_upgrade(move |error| errors.send(error).unwrap())
                .on_upgrade(async |_| panic!("the WebSocket is not opened"))
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        let refusal = server.refusal(version, &Connector::new()).await;
        assert_eq!(refusal.status(), 500);
        assert!(matches!(
            failed.recv().await.unwrap(),
            UpgradeError::Accept(AcceptError::SubprotocolNotOffered(name)) if *name == *"not offered"
        ));
    });
}

#[test]
fn a_response_has_the_fields_of_the_handler() {
    on_both(|version| async move {
        let handler = async |ws: WebSocketUpgrade| {
            let response =
                ws.header(header::SET_COOKIE, "a=b").header("X-Own", "1").on_upgrade(echo);
            ([("X-Other", "2")], response)
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        let (_, response) = server.connect(version, &Connector::new(), "/").await.unwrap();
        assert_eq!(response.header_text("Set-Cookie"), Some("a=b"));
        assert_eq!(response.header_text("X-Own"), Some("1"));
        assert_eq!(response.header_text("X-Other"), Some("2"));
    });
}

#[test]
fn other_extractors_work_beside_it_in_nested_routers() {
    #[derive(Clone)]
    struct App(&'static str);

    async fn handler(
        State(app): State<App>,
        Path(room): Path<String>,
        Query(query): Query<HashMap<String, String>>,
        headers: HeaderMap,
        ws: WebSocketUpgrade,
    ) -> Response {
        let agent = headers["x-agent"].to_str().unwrap();
        let target = ws.request().target();
        let text = format!("{} {room} {} {agent} {target}", app.0, query["name"]);
        ws.on_upgrade(|websocket| tell(websocket, text))
    }

    on_both(|version| async move {
        let rooms = Router::new().route("/{room}", any(handler)).with_state(App("state"));
        let server = Server::new(Router::new().nest("/rooms", rooms));
        let connector = Connector::new().header("X-Agent", "test");
        let (mut client, _) =
            server.connect(version, &connector, "/rooms/one?name=x").await.unwrap();
        let told = client.next().await.unwrap().unwrap();
        // The framework takes the prefix of a nested router away.
        assert_eq!(told.as_text(), Some("state one x test /one?name=x"));
        assert!(client.next().await.is_none());
    });
}

#[test]
fn get_is_enough_for_http1_but_http2_needs_any() {
    run(async {
        let app = Router::new().route("/", get(async |ws: WebSocketUpgrade| ws.on_upgrade(echo)));
        let server = Server::new(app);
        server.open(Version::Http1).await;
        assert_eq!(server.refusal(Version::Http2, &Connector::new()).await.status(), 405);
    });
}

#[test]
fn one_route_has_a_page_and_a_websocket() {
    run(async {
        let handler = async |ws: Option<WebSocketUpgrade>| match ws {
            Some(ws) => ws.on_upgrade(|websocket| tell(websocket, "a WebSocket".into())),
            None => "a page".into_response(),
        };
        let app = Router::new().route("/", any(handler));
        for request in [
            axum::http::Request::get("/"),
            axum::http::Request::post("/"),
            axum::http::Request::get("/").header("Upgrade", "h2c").header("Connection", "upgrade"),
            axum::http::Request::post("/").header("Upgrade", "h2c").header("Connection", "upgrade"),
            axum::http::Request::get("/").version(axum::http::Version::HTTP_2),
            axum::http::Request::connect("/").version(axum::http::Version::HTTP_2),
            axum::http::Request::connect("/")
                .version(axum::http::Version::HTTP_2)
                .extension(hyper::ext::Protocol::from_static("connect-udp")),
        ] {
            let request = request.header("Host", "h").body(axum::body::Body::empty()).unwrap();
            let response = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
        // One that asks for a WebSocket in the wrong way is not shown the page.
        let request = axum::http::Request::get("/")
            .header("Host", "h")
            .header("Upgrade", "websocket")
            .body(axum::body::Body::empty())
            .unwrap();
        let response = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        let server = Server::new(app);
        for version in [Version::Http1, Version::Http2] {
            let mut client = server.open(version).await;
            assert_eq!(client.next().await.unwrap().unwrap(), Message::from("a WebSocket"));
        }
    });
}

#[test]
fn a_handler_sees_why_a_request_is_rejected() {
    run(async {
        let handler = async |ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| {
            let rejection = ws.unwrap_err();
            Json((rejection.status().as_u16(), rejection.to_string()))
        };
        let app = Router::new().route("/", any(handler));
        let request = axum::http::Request::get("/").header("Host", "h");
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(&body[..], br#"[426,"Upgrade does not name websocket"]"#);
    });
}

/// On HTTP/2, hyper upgrades only if the response that it writes says so.
#[test]
fn a_response_that_is_replaced_fails_the_upgrade() {
    run(async {
        let (errors, mut failed) = mpsc::unbounded_channel();
        let handler = async move |ws: WebSocketUpgrade| {
            ws.on_failed_upgrade(move |error| errors.send(error).unwrap())
                .on_upgrade(async |_| panic!("the WebSocket is not opened"))
        };
        let replace = middleware::map_response(async |_: Response| StatusCode::NOT_FOUND);
        let server = Server::new(Router::new().route("/", any(handler)).layer(replace));
        assert_eq!(server.refusal(Version::Http2, &Connector::new()).await.status(), 404);
        assert!(matches!(failed.recv().await.unwrap(), UpgradeError::Hyper(_)));
    });
}

#[test]
fn a_websocket_can_be_awaited_instead_of_passed_to_a_callback() {
    on_both(|version| async move {
        let (tasks, mut started) = mpsc::unbounded_channel();
        let handler = async move |ws: WebSocketUpgrade| {
            let (response, websocket) = ws.accept().unwrap();
            let task = tokio::spawn(async { echo(websocket.await.unwrap()).await });
            tasks.send(task).unwrap();
            response
        };
        let server = Server::new(Router::new().route("/", any(handler)));
        let mut client = server.open(version).await;
        client.close(1000.into(), "").await.unwrap();
        client.wait_closed().await;
        started.recv().await.unwrap().await.unwrap();
    });
}

#[test]
fn the_clients_address_is_known_also_behind_a_proxy() {
    on_both(|version| async move {
        let networks = ["192.0.2.0/24".parse().unwrap()];
        let proxies = TrustedProxies::new().header(ForwardingHeader::XForwardedFor, networks);
        let trusting: Acceptor = Acceptor::new().trusted_proxies(proxies);
        let tell_address = |ws: WebSocketUpgrade| {
            let address = ws.request().client_address().unwrap().to_string();
            ws.on_upgrade(|websocket| tell(websocket, address))
        };
        let app = Router::new()
            .route("/", any(async move |ws: WebSocketUpgrade| tell_address(ws)))
            .route(
                "/proxied",
                any(async move |ws: WebSocketUpgrade| tell_address(ws.acceptor(trusting))),
            );
        let server = Server::new(app);
        let connector = Connector::new().header("X-Forwarded-For", "198.51.100.1");
        for (path, address) in [("/", CLIENT), ("/proxied", "198.51.100.1:0")] {
            let (mut client, _) = server.connect(version, &connector, path).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::from(address));
        }
    });
}
