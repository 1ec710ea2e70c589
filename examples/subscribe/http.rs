//! Requests of HTTP/1.1.

use crate::{arguments::Arguments, failure::Failure};
use ::http::{
    HeaderValue, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;
use tokio::time::timeout;

pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    /// How long the server may take to answer.
    timeout: Duration,
}

/// The longest body that is read as a whole.
const LONGEST_BODY: usize = 64 << 20;
/// The longest body of a refusal that is read.
const LONGEST_REFUSAL: usize = 16 << 10;
/// The longest time that a server's `Retry-After` is obeyed.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Http {
    /// Returns what makes requests as the arguments say, or what is wrong with these.
    pub(crate) fn new(
        arguments: &Arguments,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, String> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let builder = HttpsConnectorBuilder::new();
        let builder = match tls {
            Some(tls) => builder.with_tls_config(tls),
            None => builder
                .with_provider_and_platform_verifier(rustls::crypto::ring::default_provider())
                .map_err(|error| format!("the certificates that the system trusts: {error}"))?,
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let authorization = authorization(arguments).map(HeaderValue::try_from).transpose();
        let authorization =
            authorization.map_err(|_| "--token has characters that none can have")?;
        let authorization = authorization.map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Ok(Self { client, authorization, timeout: arguments.connect_timeout })
    }

    /// Sends a GET with these fields, and returns the response once its head has come. `patience` is how
    /// much longer than usual that may take.
    pub(crate) async fn get(
        &self,
        url: &str,
        fields: impl Iterator<Item = (&'static str, &str)>,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let request =
            fields.fold(Request::get(url), |request, (name, value)| request.header(name, value));
        let request = request.body(Full::default());
        let request = request.map_err(|error| Failure::lasting(format!("{url}: {error}")))?;
        self.send(url, request, patience).await
    }

    /// Posts JSON, and returns the body of the response.
    pub(crate) async fn post(&self, url: &str, json: String) -> Result<Bytes, Failure> {
        let request = Request::post(url).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::from(json));
        let request = request.map_err(|error| Failure::lasting(format!("{url}: {error}")))?;
        let response = self.send(url, request, Duration::ZERO).await?;
        if !response.status().is_success() {
            return Err(self.refused(url, response).await);
        }
        self.body(url, response).await
    }

    /// Returns the body of a response.
    pub(crate) async fn body(
        &self,
        url: &str,
        response: Response<Incoming>,
    ) -> Result<Bytes, Failure> {
        let body = Limited::new(response.into_body(), LONGEST_BODY).collect();
        match timeout(self.timeout, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(Failure::http(url, &*error)),
            Err(_) => Err(Failure::no_answer(url, self.timeout)),
        }
    }

    /// Returns what a response says that refuses a request.
    pub(crate) async fn refused(&self, url: &str, response: Response<Incoming>) -> Failure {
        let field = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let location = field(LOCATION).map(str::to_owned);
        let seconds = field(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
        let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_REFUSAL).collect();
        // The status says enough, if the rest does not come.
        let body = match timeout(self.timeout, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => Bytes::new(),
        };
        Failure::status(url, status, location.as_deref(), retry_after, &body)
    }

    async fn send(
        &self,
        url: &str,
        mut request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let limit = self.timeout.saturating_add(patience);
        match timeout(limit, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::http(url, &error)),
            Err(_) => Err(Failure::no_answer(url, limit)),
        }
    }
}

/// Returns the credentials as the value of a header field.
pub(crate) fn authorization(arguments: &Arguments) -> Option<String> {
    let Arguments { token, user, .. } = arguments;
    let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
    let basic = |(name, password): &(String, String)| {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
    };
    bearer.or_else(|| user.as_ref().map(basic))
}
