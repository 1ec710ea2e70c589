//! permessage-deflate (RFC 7692) in a connection.
#![cfg(feature = "deflate")]

mod bounds;
mod contexts;
mod distances;
mod negotiation;
mod oracle;
mod receiving;
mod sending;

use sansocket::{
    Client, Config, DeflateConfig, DeflateParameters, MaskKey, Negotiated, Role, Server,
};
use sansocket_testkit::endpoint::{Endpoint, keys};

/// An end that compresses as was agreed on.
fn end<R: Role>(role: R, agreed: DeflateParameters, config: Config) -> Endpoint<R> {
    Endpoint::agreed(role, &Negotiated::new().deflate(agreed), config)
}

/// Compresses all that it sends.
fn eager() -> Config {
    Config::default().deflate(DeflateConfig::new().threshold(0))
}

fn server(agreed: DeflateParameters) -> Endpoint<Server> {
    end(Server::new(), agreed, eager())
}

fn client(agreed: DeflateParameters) -> Endpoint<Client<impl FnMut() -> MaskKey>> {
    end(Client::new(keys()), agreed, eager())
}

fn agreed() -> DeflateParameters {
    DeflateParameters::default()
}
