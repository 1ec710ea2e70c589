//! A server on a port of its own.

use crate::http::Connection;
use sansocket::server::Rate;
use sansocket_realtime::{
    Message,
    guard::{AuthenticationError, ClientLimits, Credentials},
    hub::{Answer, Authorization, Principal, TopicConfig},
};
use sansocket_server::{Builder, ListenOptions, Options, Server, access::Authenticator, serve};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

/// The options of most tests: presence in rooms, and no limits of addresses.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    let room = TopicConfig::default().presence(true);
    options.hub = options.hub.topic("/topic/room/*".parse().unwrap(), room);
    options.guard = options.guard.address(ClientLimits::none());
    options
}

/// Users whose token is their name, and who may not use `/topic/secret/…`.
pub(crate) fn with_users() -> Options {
    let mut options = options();
    options.authenticator = Authenticator::new().method(authenticate);
    options.authorization = Arc::new(Rules);
    options
}

fn authenticate(credentials: &Credentials<'_>) -> Result<Principal, AuthenticationError> {
    let token = credentials.as_token().or(credentials.as_password().map(|(_, password)| password));
    match token {
        Some(name @ ("ann" | "joe")) => Ok(Principal::new(name)),
        _ => Err(AuthenticationError::Refused),
    }
}

struct Rules;

impl Authorization for Rules {
    fn may_subscribe(&self, _: Option<&Principal>, destination: &str) -> bool {
        !destination.contains("/topic/secret")
    }

    fn may_subscribe_pattern(&self, _: Option<&Principal>, pattern: &str) -> bool {
        pattern.starts_with("/topic/open/")
    }

    fn may_send(&self, _: Option<&Principal>, destination: &str) -> bool {
        assert_ne!(destination, "/topic/panic", "this is the fault of the rules");
        !destination.contains("/topic/secret")
    }
}

/// Adds the handlers that the tests use.
pub(crate) fn handlers(builder: Builder) -> Builder {
    builder
        .on("/app/echo/{topic}", |call| {
            let topic = call.variable("topic").unwrap_or_default();
            Answer::new().publish(format!("/topic/{topic}"), call.message.clone())
        })
        .on("/app/refuse", |_| Answer::refuse("not today"))
        .on("/app/panic", |_| panic!("this is the fault of a handler"))
        .on("/app/whoami", |call| {
            let name = call.principal.as_ref().map_or("nobody", Principal::name).to_owned();
            Answer::new().reply("/user/queue/replies", Message::new(name))
        })
}

impl Running {
    pub(crate) async fn start(options: Options) -> Self {
        Self::listen(options, ListenOptions::default()).await
    }

    pub(crate) async fn listen(options: Options, listen: ListenOptions) -> Self {
        Self::serve(handlers(Server::builder(options)).build().unwrap(), listen).await
    }

    pub(crate) async fn serve(server: Server, listen: ListenOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = server.router();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, routes, listen, stopped).await
        });
        Self { address, server, stop: Some(stop), task }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await
    }

    pub(crate) fn publish(&self, destination: &str, body: &str) {
        self.server.publish(destination, Message::new(body.to_owned()));
    }

    /// Stops accepting, and waits until all requests have ended.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// Waits until a figure of `/metrics` is this.
    pub(crate) async fn wait_for(&self, metric: &str, value: u64) {
        let mut found = None;
        for _ in 0..1_000 {
            found = Some(self.figure(metric).await);
            if found == Some(value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{metric} is {found:?} instead of {value}");
    }

    /// Returns a figure of `/metrics`: that of one series, or the sum of all with this name.
    pub(crate) async fn figure(&self, metric: &str) -> u64 {
        let metrics = self.connect().await.get("/metrics").await.body;
        let values = metrics.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let labels = series.strip_prefix(metric)?;
            (labels.is_empty() || labels.starts_with('{')).then(|| value.parse::<u64>().unwrap())
        });
        values.reduce(|sum, value| sum + value).expect(metric)
    }
}

/// Limits of an address that are soon reached.
pub(crate) fn few_connections(options: Options, connections: u32) -> Options {
    let mut options = options;
    let limits = ClientLimits::none()
        .connections(connections)
        .messages(Rate::per_second(1).burst(3))
        .subscriptions(3);
    options.guard = options.guard.address(limits);
    options
}
