//! The server as a program.

use sansocket_server::{ListenOptions, Options, Server, serve};
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder(Options::default()).build()?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = {
        let server = server.clone();
        async move {
            // Without signals, the program ends when it is killed.
            let _ = tokio::signal::ctrl_c().await;
            server.shut_down(Duration::from_secs(1));
        }
    };
    serve(listener, server.router(), ListenOptions::default(), stop).await?;
    Ok(())
}
