//! What sends the requests of a client.

use crate::error::Error;
use http::{Request, Response, Version};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1,
};
#[cfg(feature = "client-legacy")]
use hyper_util::client::legacy::{Client, connect::Connect};
use std::future::Future;

/// A connection or client of hyper over which [`connect`](crate::connect) opens a WebSocket.
///
/// There are three:
///
/// - [`http1::SendRequest`] of hyper: the WebSocket takes over its connection.
/// - [`Http2`](crate::Http2), for a connection of HTTP/2: the WebSocket takes a stream.
/// - The pooled client of hyper-util, with the feature `client-legacy`: the WebSocket takes over a new or
///   idle connection of HTTP/1.1. Let the client use HTTP/1.1 alone: HTTP/2 knows no upgrade.
///
/// You can implement it for a client of your own.
pub trait SendRequest {
    /// The body of requests, which is empty.
    type Body: Body + Default;
    /// Whether a WebSocket takes a stream of HTTP/2, for which it needs an extended CONNECT.
    const IS_STREAM: bool;
    /// The version of HTTP.
    const VERSION: Version;
    /// Whether the URI of a request has a scheme and an authority.
    const NEEDS_AUTHORITY: bool;

    /// Sends a request, and waits for the head of the response.
    fn send_request(
        &mut self,
        request: Request<Self::Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, Error>> + Send;
}

impl<B: Body + Default + Send + 'static> SendRequest for http1::SendRequest<B> {
    type Body = B;

    const IS_STREAM: bool = false;
    const VERSION: Version = Version::HTTP_11;
    const NEEDS_AUTHORITY: bool = false;

    async fn send_request(&mut self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        self.ready().await.map_err(Error::Hyper)?;
        self.send_request(request).await.map_err(Error::Hyper)
    }
}

#[cfg(feature = "client-legacy")]
impl<C, B> SendRequest for Client<C, B>
where
    C: Connect + Clone + Send + Sync + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Default
        + Send
        + Unpin
        + 'static,
{
    type Body = B;

    const IS_STREAM: bool = false;
    const VERSION: Version = Version::HTTP_11;
    const NEEDS_AUTHORITY: bool = true;

    async fn send_request(&mut self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        self.request(request).await.map_err(|error| Error::Client(error.into()))
    }
}
