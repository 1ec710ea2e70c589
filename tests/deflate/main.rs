//! permessage-deflate (RFC 7692) in a connection.
#![cfg(feature = "deflate")]

mod bounds;
mod budget;
mod contexts;
mod distances;
mod negotiation;
mod oracle;
mod receiving;
mod sending;
mod skipping;

use sansocket::{
    Config, DeflateConfig,
    connection::{Client, Role, Server},
    deflate::DeflateParameters,
    handshake::Negotiated,
    mask::MaskKey,
};
use sansocket_testkit::endpoint::{Endpoint, keys};

/// Returns an endpoint that compresses as agreed.
fn end<R: Role>(role: R, agreed: DeflateParameters, config: Config) -> Endpoint<R> {
    Endpoint::agreed(role, &Negotiated::new().deflate(agreed), config)
}

/// Returns a configuration that compresses every message.
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
