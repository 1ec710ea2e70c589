//! permessage-deflate (RFC 7692) in a connection.
#![cfg(feature = "deflate")]

#[path = "../endpoint/mod.rs"]
mod endpoint;

mod contexts;
mod distances;
mod negotiation;
mod oracle;
mod receiving;
mod sending;
mod wire;

use endpoint::{Endpoint, keys};
use sansocket::{
    Client, Config, Connection, DeflateConfig, DeflateParameters, MaskKey, Negotiated, ReadBuffer,
    Role, Server, WriteBuffer,
};

/// An end that compresses as was agreed on.
fn end<R: Role>(role: R, agreed: DeflateParameters, config: Config) -> Endpoint<R> {
    let negotiated = Negotiated::new().deflate(agreed);
    Endpoint {
        connection: Connection::new(role, &negotiated, config),
        input: ReadBuffer::new(),
        output: WriteBuffer::new(),
    }
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
