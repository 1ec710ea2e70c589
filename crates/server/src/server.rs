//! The server as a library: its handlers, its routes, its end.

use crate::{
    broker::{Broker, Tell},
    clock::keep_time,
    engine::{Application, AsyncHandler, Engine, Ready, Rules, run_calls},
    events, health, metrics, mqtt,
    options::Options,
    origins, page, poll, presence, publish,
    random::random,
    sockjs, target_host,
};
use axum::{
    Router, middleware,
    routing::{any, get, post},
};
use sansocket_realtime::{
    Epoch, Message, bridge,
    hub::{Answer, Call, Command, Hub, InvalidRoute, Principal},
};
use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};

enum Handler {
    Sync(Box<dyn FnMut(&mut (), &Call) -> Answer + Send>),
    Async(AsyncHandler),
}

/// Makes a [`Server`].
pub struct Builder {
    options: Options,
    handlers: Vec<(String, Handler)>,
    broker: Option<StartBroker>,
}

/// Begins to run a broker for an engine, with the commands of its hub.
type StartBroker = Box<dyn FnOnce(Epoch, Commands, Tell) -> JoinHandle<()> + Send>;

type Commands = mpsc::UnboundedReceiver<bridge::Command>;

/// What begins to run with the server: the calls that take time, and the broker, if there is one.
type Pending = (Ready, Option<(StartBroker, Epoch, Commands)>);

impl Builder {
    /// Joins this node with others by a broker, such as [`Redis`](crate::broker::redis::Redis). Topics and
    /// queues are those of all nodes then, except the [local](sansocket_realtime::hub::Config::local) ones.
    #[must_use]
    pub fn broker(mut self, broker: impl Broker) -> Self {
        let start = |node, commands, tell| tokio::spawn(broker.run(node, commands, tell));
        self.broker = Some(Box::new(start));
        self
    }

    /// Adds a function that handles messages to an `/app/…` destination, and subscriptions to it. A part
    /// of the destination in braces is a [variable](Call::variable).
    ///
    /// The function runs while everything else waits, so it must not block: what takes time is for
    /// [`on_async`](Self::on_async). It must not call the [`Server`] either, which would wait for the function
    /// itself: what is to be published goes into its [`Answer`].
    ///
    /// ```
    /// use sansocket_realtime::{Message, hub::{Answer, Principal}};
    /// use sansocket_server::{Options, Server};
    ///
    /// let server = Server::builder(Options::default())
    ///     .on("/app/room/{room}", |call| {
    ///         let user = call.principal.as_ref().map_or("somebody", Principal::name);
    ///         let text = format!("{user}: {}", call.message.text().unwrap_or_default());
    ///         let room = call.variable("room").unwrap_or_default();
    ///         Answer::new().publish(format!("/topic/room/{room}"), Message::new(text))
    ///     })
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MessageMapping")]
    #[doc(alias = "SubscribeMapping")]
    #[must_use]
    pub fn on(
        mut self,
        destination: impl Into<String>,
        mut handler: impl FnMut(&Call) -> Answer + Send + 'static,
    ) -> Self {
        let handler = Box::new(move |(): &mut (), call: &Call| handler(call));
        self.handlers.push((destination.into(), Handler::Sync(handler)));
        self
    }

    /// Adds an async function that handles messages to an `/app/…` destination, and subscriptions to it.
    ///
    /// The function may take its time, for instance to ask a database, and it may use the [`Server`].
    /// The client gets its receipt when the function has answered. If the client has gone by then, replies go
    /// nowhere, and what is published is published.
    ///
    /// The messages of one connection are handled one after the other, in their order; those of different
    /// connections at the same time. Messages wait for those before them, up to
    /// [`calls_of_client`](Options::calls_of_client), and beyond that they are refused. A server that
    /// shuts down [ends](Server::ended) after all of them are answered.
    ///
    /// ```
    /// use sansocket_realtime::{Message, hub::{Answer, Call}};
    /// use sansocket_server::{Options, Server};
    ///
    /// async fn order_of(id: &str) -> Option<String> {
    ///     tokio::task::yield_now().await; // In place of a query.
    ///     (id == "42").then(|| "two books".to_owned())
    /// }
    ///
    /// async fn show(call: Call) -> Answer {
    ///     match order_of(call.variable("id").unwrap_or_default()).await {
    ///         Some(order) => Answer::new().reply("/user/queue/orders", Message::new(order)),
    ///         None => Answer::refuse("there is no such order"),
    ///     }
    /// }
    ///
    /// let server = Server::builder(Options::default()).on_async("/app/orders/{id}", show).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MessageMapping")]
    #[doc(alias = "SubscribeMapping")]
    #[must_use]
    pub fn on_async<F>(
        mut self,
        destination: impl Into<String>,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let handler: AsyncHandler = Arc::new(move |call| Box::pin(handler(call)));
        self.handlers.push((destination.into(), Handler::Async(handler)));
        self
    }

    /// Makes the server.
    ///
    /// # Errors
    ///
    /// Returns an error if a destination is none that can be handled, or is there twice.
    pub fn build(self) -> Result<Server, InvalidRoute> {
        let Self { mut options, handlers, broker } = self;
        let has_page = options.has_page();
        if has_page {
            page::prepare(&mut options);
        }
        // A random number tells this run from others.
        let epoch = Epoch(random());
        let (bridge, commands) = mpsc::unbounded_channel();
        let prepare = |to: &mut Application, hub: &mut Hub<Rules>| {
            handlers.into_iter().try_for_each(|(destination, handler)| match handler {
                Handler::Sync(handler) => to.handlers.on(hub, &destination, handler),
                Handler::Async(handler) => to.on_async(hub, &destination, handler),
            })?;
            if has_page {
                page::add_handlers(&mut to.handlers, hub);
            }
            Ok(())
        };
        let bridge = broker.is_some().then_some(bridge);
        let (engine, ready) = Engine::new(options, bridge, epoch, prepare)?;
        let engine = Arc::new(engine);
        let pending = (ready, broker.map(|start| (start, epoch, commands)));
        let tasks = Arc::new(Tasks {
            pending: Mutex::new(Some(pending)),
            broker: Mutex::new(None),
            sockjs: OnceLock::new(),
        });
        Ok(Server { engine, tasks })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let destinations: Vec<_> =
            self.handlers.iter().map(|(destination, _)| destination).collect();
        f.debug_struct("Builder")
            .field("options", &self.options)
            .field("handlers", &destinations)
            .finish_non_exhaustive()
    }
}

/// A real-time server. Cloning it is cheap, and each clone is the same server.
#[derive(Clone)]
pub struct Server {
    engine: Arc<Engine>,
    tasks: Arc<Tasks>,
}

/// What runs beside the clients.
struct Tasks {
    /// What has not begun, because there has been no runtime.
    pending: Mutex<Option<Pending>>,
    broker: Mutex<Option<JoinHandle<()>>>,
    /// The sessions of SockJS, which all routers share.
    sockjs: OnceLock<Arc<sockjs::Service>>,
}

impl Server {
    /// Begins to make a server.
    #[must_use]
    pub fn builder(options: Options) -> Builder {
        Builder { options, handlers: Vec::new(), broker: None }
    }

    /// Returns the routes of the server, to serve them alone or to merge them into an app of your own. All
    /// routers of a server lead to the same clients, so it can be served on many listeners.
    ///
    /// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, or else the limits for
    /// addresses do not count.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn router(&self) -> Router {
        self.start();
        let sockjs = self.tasks.sockjs.get_or_init(|| sockjs::Service::start(self.engine.clone()));
        let for_pages = Router::new()
            .route("/events", get(events::serve))
            .route("/poll", get(poll::serve))
            .route("/publish", post(publish::serve))
            .route("/presence", get(presence::serve))
            .route("/mqtt", any(mqtt::serve))
            .layer(middleware::from_fn_with_state(self.engine.clone(), origins::check));
        let page = if self.engine.options.has_page() {
            Router::new().route("/", get(page::serve))
        } else {
            Router::new()
        };
        Router::new()
            .route("/healthz", get(health::live))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(metrics::serve))
            .merge(for_pages)
            .merge(page)
            .with_state(self.engine.clone())
            .merge(sockjs::routes(sockjs.clone()))
            .layer(middleware::from_fn(target_host::settle))
    }

    /// Publishes a message to a topic or a queue, as the application itself: nobody is asked whether it
    /// may.
    #[doc(alias = "convertAndSend")]
    #[doc(alias = "emit")]
    #[doc(alias = "broadcast")]
    pub fn publish(&self, destination: impl Into<String>, message: Message) {
        let destination = destination.into();
        self.engine.perform(Command::Publish { destination, message, request: None });
    }

    /// Publishes a message to the queue of a user, such as `/queue/order-updates`. Each connection of the
    /// user gets it that is subscribed to `/user/queue/order-updates`.
    #[doc(alias = "convertAndSendToUser")]
    pub fn send_to_user(&self, user: &Principal, queue: &str, message: Message) {
        self.engine.perform(Command::send_to_user(user, queue, message));
    }

    /// Has all clients leave: each at a time of its own within `spread`, so that they do not come back all
    /// at once. Polls are answered now, and clients that come later are sent away at once.
    pub fn shut_down(&self, spread: Duration) {
        self.engine.shut_down(spread);
    }

    /// Waits for [`shut_down`](Self::shut_down), then until all clients have left, and then until the broker
    /// has what they have sent. To bound that, drop the future.
    ///
    /// Once all clients have left, the server accepts no messages any more.
    ///
    /// Not cancel safe: once it has begun to wait for the broker, another call does not.
    pub async fn ended(&self) {
        self.engine.end().await;
        let broker = self.tasks.broker();
        if let Some(broker) = broker {
            if let Err(error) = broker.await {
                tracing::error!(%error, "the broker's task has failed");
            }
        }
        let (messages, bytes) = self.engine.outbox();
        if messages > 0 {
            tracing::warn!(
                messages,
                bytes,
                "the broker is away, and does not get what waited for it"
            );
        }
    }

    /// Begins what runs beside the clients, once.
    fn start(&self) {
        let Some((ready, broker)) = self.tasks.take_pending() else { return };
        tokio::spawn(keep_time(Arc::downgrade(&self.engine)));
        tokio::spawn(run_calls(Arc::downgrade(&self.engine), ready));
        let Some((start, epoch, commands)) = broker else { return };
        let engine = Arc::downgrade(&self.engine);
        let tell = move |event| {
            if let Some(engine) = engine.upgrade() {
                engine.perform(Command::Bridge(event));
            }
        };
        let broker = start(epoch, commands, Box::new(tell));
        self.tasks.set_broker(broker);
    }

    /// Returns how many clients are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.engine.connections()
    }
}

impl Tasks {
    fn take_pending(&self) -> Option<Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn broker(&self) -> Option<JoinHandle<()>> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set_broker(&self, broker: JoinHandle<()>) {
        *self.broker.lock().unwrap_or_else(PoisonError::into_inner) = Some(broker);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connections", &self.connections()).finish_non_exhaustive()
    }
}
