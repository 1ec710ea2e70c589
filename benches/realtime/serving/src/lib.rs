//! The server that is measured, made with the library, so that it does not depend on a configuration.

use sansocket::server::OriginPolicy;
use sansocket_realtime::guard::{ClientLimits, Limits};
use sansocket_server::{
    Builder, ListenOptions, Options, Server,
    broker::redis::{Redis, RedisOptions},
    serve,
};
use std::{error::Error, future::Future, io, pin::pin};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

/// Serves until the input ends. `answer` answers a line of the input.
pub fn run(answer: impl Fn(&str) -> String + Send + 'static) -> io::Result<()> {
    runtime()?.block_on(serve_builder(Server::builder(options()), 0, answer))
}

/// Serves on a port as one of several nodes over Redis, until the input ends.
pub fn run_node(port: u16, redis: &str) -> Result<(), Box<dyn Error>> {
    let mut broker = RedisOptions::default();
    broker.address = redis.parse()?;
    let builder = Server::builder(options()).broker(Redis::new(broker)?);
    Ok(runtime()?.block_on(serve_builder(builder, port, |_| String::new()))?)
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

async fn serve_builder(
    builder: Builder,
    port: u16,
    answer: impl Fn(&str) -> String + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening {}", listener.local_addr()?.port());
    let server = builder.build().map_err(io::Error::other)?;
    let routes = server.router();
    let serving = serve(listener, routes, ListenOptions::default(), std::future::pending());
    tokio::select! {
        served = pin!(serving) => served,
        () = answer_lines(answer) => Ok(()),
    }
}

/// Runs until the input ends.
pub async fn until_input_ends(program: impl Future<Output = ()>) {
    tokio::select! {
        () = program => {}
        () = answer_lines(|_| String::new()) => {}
    }
}

/// The defaults, except that one address may do everything.
fn options() -> Options {
    let mut options = Options::default();
    options.guard = Limits::default().principal(ClientLimits::none()).address(ClientLimits::none());
    options.origins = OriginPolicy::any();
    options
}

/// Answers each line of the input with a line, in a thread of its own.
async fn answer_lines(answer: impl Fn(&str) -> String + Send + 'static) {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { break };
            println!("{}", answer(line.trim()));
        }
        // Nobody hears it if the program has ended.
        let _ = ended.send(());
    });
    // An error means that the thread has ended, too.
    let _ = end.await;
}
