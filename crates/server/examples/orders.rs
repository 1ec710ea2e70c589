//! Orders that are tracked: a server with a handler of its own.
//!
//! ```console
//! $ cargo run -p sansocket-server --example orders
//! listening on http://127.0.0.1:8080
//! ```
//!
//! A client that sends to `/app/orders/42/subscribe` has the status of the order published to
//! `/topic/orders/42`, for all who follow it, and gets an update of its own on `/user/queue/order-updates`.
//! The first argument is another address to listen on.

use sansocket_realtime::{
    Message,
    hub::{Answer, Call},
};
use sansocket_server::{ListenOptions, Options, Server, serve};
use std::{env, error::Error, time::Duration};
use tokio::{net::TcpListener, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::builder(Options::default())
        .on("/app/orders/{order}/subscribe", status_of_order)
        .build()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = {
        let server = server.clone();
        async move {
            match signal::ctrl_c().await {
                Ok(()) => server.shut_down(Duration::from_secs(1)),
                // It ends when it is killed.
                Err(_) => std::future::pending().await,
            }
        }
    };
    serve(listener, server.router(), ListenOptions::default(), stop).await?;
    server.ended().await;
    Ok(())
}

fn status_of_order(call: &Call) -> Answer {
    let order = call.variable("order").unwrap_or_default();
    let Ok(number) = order.parse::<u64>() else {
        return Answer::refuse(format!("{order:?} is no number of an order"));
    };
    let update = |text: &str| {
        let update = serde_json::json!({ "orderId": number, "status": text });
        Message::new(update.to_string()).content_type("application/json")
    };
    Answer::new()
        .publish(format!("/topic/orders/{number}"), update("shipped"))
        .reply("/user/queue/order-updates", update("followed"))
}
