//! A server that sends every message back, on HTTP/1.1 and HTTP/2.
//!
//! ```console
//! $ cargo run -p sansocket-hyper --example echo_hyper
//! ```

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{convert::Infallible, env, error::Error};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http2().enable_connect_protocol();
            let service = service_fn(respond);
            if let Err(error) =
                server.serve_connection_with_upgrades(TokioIo::new(stream), service).await
            {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn respond(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = request.version();
    let (response, websocket) = match sansocket_hyper::upgrade(&mut request) {
        Ok(upgrade) => upgrade,
        Err(error) => return Ok(error.response(version)),
    };
    tokio::spawn(async move {
        if let Err(error) = echo(websocket).await {
            eprintln!("{error}");
        }
    });
    Ok(response)
}

async fn echo(websocket: sansocket_hyper::Upgrade) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut websocket = websocket.await?;
    while let Some(message) = websocket.next().await {
        websocket.send(message?).await?;
    }
    Ok(())
}
