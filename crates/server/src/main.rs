//! The server as a program.

mod app;
mod config;
mod hosts;
mod logs;
mod signals;

use app::Route;
use axum::middleware;
use clap::Parser;
use config::{Flags, Loaded, Settings};
use sansocket_realtime::hub::InvalidRoute;
use sansocket_server::{Options, Server, broker::redis::Redis, serve};
use std::{
    env,
    io::{self, Write},
    net::SocketAddr,
    pin::pin,
    process::ExitCode,
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, time::sleep};

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", list(.0))]
    Config(Vec<config::Problem>),
    #[error("can't write the configuration: {0}")]
    Format(#[from] toml::ser::Error),
    #[error("can't print: {0}")]
    Print(io::Error),
    #[error(transparent)]
    Log(#[from] logs::LogError),
    #[error("can't start: {0}")]
    Start(io::Error),
    #[error("can't listen on {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    #[error("can't serve any more: {0}")]
    Serve(io::Error),
    #[error(transparent)]
    Route(#[from] InvalidRoute),
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody can read it, the status says it too.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> Result<(), Failure> {
    if flags.print_defaults {
        return print(config::DEFAULTS);
    }
    let loaded = config::load(flags, env::vars_os()).map_err(Failure::Config)?;
    if flags.print_config {
        return print(&config::with_comments(&loaded.config)?);
    }
    let settings = Settings::new(&loaded).map_err(Failure::Config)?;
    if flags.check_config {
        for warning in &settings.warnings {
            // Whoever can't read it learns no less from the status.
            let _ = writeln!(io::stderr(), "warning: {warning}");
        }
        return print("the configuration is fine\n");
    }
    let Loaded { config, .. } = loaded;
    logs::start(config.log.format, config.log.filter.get_ref())?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    Runtime::new().map_err(Failure::Start)?.block_on(serve_until_told(settings))
}

/// Serves until a signal comes, and then for as long as it takes, but not longer than the deadline or
/// another signal.
async fn serve_until_told(settings: Settings) -> Result<(), Failure> {
    let Settings {
        listen, connections, options, routes, broker, deadline, spread, is_private, ..
    } = settings;
    let is_open = options.authenticator.accepts_anonymous();
    let server = build(options, routes, broker)?;
    let mut signals = signals::Signals::new().map_err(Failure::Start)?;
    let listener = bind(listen, connections.tls.is_some(), is_open).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let left = all_leave(server.clone(), spread, stopped);
    let mut router = server.router();
    if is_private {
        router = router.layer(middleware::from_fn(hosts::check));
    }
    let mut serving = pin!(serve(listener, router, connections, left));
    tokio::select! {
        served = &mut serving => return served.map_err(Failure::Serve),
        () = signals.next() => {}
    }
    tracing::info!(connections = server.connections(), ?deadline, "ending");
    // The server has ended by itself if nobody hears it.
    let _ = stop.send(());
    tokio::select! {
        served = serving => served.map_err(Failure::Serve)?,
        () = sleep(deadline) => tracing::warn!("the deadline has passed: ending at once"),
        () = signals.next() => tracing::warn!("another signal: ending at once"),
    }
    tracing::info!("ended");
    Ok(())
}

/// Has all clients leave once it is time, and waits until they have, and the broker has what they have sent.
async fn all_leave(server: Server, spread: Duration, stopped: oneshot::Receiver<()>) {
    // If it can't be said any more, it is time as well.
    let _ = stopped.await;
    server.shut_down(spread);
    server.ended().await;
}

fn build(
    options: Options,
    routes: Vec<Route>,
    broker: Option<Redis>,
) -> Result<Server, InvalidRoute> {
    let mut builder = Server::builder(options);
    if let Some(broker) = broker {
        builder = builder.broker(broker);
    }
    for route in routes {
        builder = builder.on(route.destination.clone(), route.handler());
    }
    builder.build()
}

/// Starts to listen, and logs where.
async fn bind(address: SocketAddr, has_tls: bool, is_open: bool) -> Result<TcpListener, Failure> {
    let failed = |error| Failure::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let scheme = if has_tls { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    if is_open && !address.ip().is_loopback() {
        tracing::warn!(
            "clients without credentials are let in, from wherever they reach {address}"
        );
    }
    Ok(listener)
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::Print)
}

fn list(problems: &[config::Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
