//! `default` awaits each event and borrows it, as in the documentation's first example. `visiting`
//! handles events in a closure, inside the poll. `owned` receives owned messages. `group` broadcasts
//! with a group, whose members also have a task each that receives.

#[cfg(feature = "deflate")]
use sansocket::DeflateConfig;
use sansocket::{
    Config, Event, Message, PreparedMessage,
    connection::Server,
    on_tokio::{Acceptor, Group, Membership, WebSocket},
    server::OriginPolicy,
};
#[cfg(feature = "deflate")]
use serving::Deflate;
use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::process::ExitCode;
use tokio::net::TcpStream;

struct Sansocket;

fn main() -> ExitCode {
    run_with_broadcast::<Sansocket>()
}

impl Library for Sansocket {
    const NAME: &'static str = "sansocket";
    const VARIANTS: &'static [&'static str] = &["default", "visiting", "owned"];
    #[cfg(feature = "deflate")]
    const DEFLATE: &'static [Deflate] = &[Deflate::Takeover, Deflate::NoTakeover];

    async fn echo(stream: TcpStream, options: Options) {
        let Ok(websocket) = acceptor(options).accept(stream).await else { return };
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "visiting" => visiting(websocket).await,
            "owned" => owned(websocket).await,
            _ => lending(websocket).await,
        };
    }
}

type Result = std::result::Result<(), sansocket::Error>;

async fn visiting(mut websocket: WebSocket<TcpStream, Server>) -> Result {
    websocket
        .receive_with(|event, replies| match event {
            Event::Text(text) => replies.try_feed(text),
            Event::Binary(data) => replies.try_feed(data),
            _ => Ok(()),
        })
        .await
}

async fn lending(mut websocket: WebSocket<TcpStream, Server>) -> Result {
    while let Some(received) = websocket.receive().await {
        let (event, mut replies) = received?;
        match event {
            Event::Text(text) => replies.feed(text).await?,
            Event::Binary(data) => replies.feed(data).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn owned(mut websocket: WebSocket<TcpStream, Server>) -> Result {
    while let Some(message) = websocket.next().await {
        websocket.feed(&message?).await?;
    }
    Ok(())
}

fn acceptor(options: Options) -> Acceptor {
    Acceptor::new().config(config(options)).origin(OriginPolicy::any())
}

#[cfg(feature = "deflate")]
fn config(options: Options) -> Config {
    let deflate = match options.deflate {
        Deflate::Off => return Config::default(),
        Deflate::Takeover => DeflateConfig::new(),
        Deflate::NoTakeover => {
            DeflateConfig::new().server_no_context_takeover(true).client_no_context_takeover(true)
        }
    };
    Config::default().deflate(deflate)
}

#[cfg(not(feature = "deflate"))]
fn config(_: Options) -> Config {
    Config::default()
}

enum Writer {
    Alone(Box<WebSocket<TcpStream, Server>>),
    Member { group: Group<TcpStream>, _membership: Membership<TcpStream> },
}

thread_local! {
    static GROUP: Group<TcpStream> = Group::new();
}

impl Broadcast for Sansocket {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "group"];
    type Writer = Writer;
    type Prepared = PreparedMessage;

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let accepted = acceptor(options).accept(stream).await;
        let websocket = accepted.expect("the load generator's handshake is valid");
        if options.variant != "group" {
            return Writer::Alone(Box::new(websocket));
        }
        let (sender, mut receiver) = websocket.split();
        tokio::spawn(async move { while receiver.next().await.is_some() {} });
        let group = GROUP.with(Group::clone);
        Writer::Member { _membership: group.join(sender), group }
    }

    fn prepare(payload: bytes::Bytes) -> PreparedMessage {
        PreparedMessage::new(Message::Binary(payload))
    }

    async fn send(writer: &mut Writer, message: &PreparedMessage) {
        let Writer::Alone(websocket) = writer else { unreachable!("a group sends to all") };
        websocket.send(message).await.expect("the load generator keeps reading");
    }

    async fn send_to_all(writers: &mut [Writer], message: &PreparedMessage) {
        if let Some(Writer::Member { group, .. }) = writers.first() {
            let sent = group.send(message);
            assert_eq!(sent.queued, writers.len(), "{sent:?}");
            return;
        }
        for writer in writers {
            Self::send(writer, message).await;
        }
    }
}
