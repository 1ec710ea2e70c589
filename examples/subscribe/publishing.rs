//! What the user publishes.

use crate::{arguments::Arguments, failure::Failure, http::Http, server::Server};
use sansocket_realtime::Message;
use serde::{Deserialize, Serialize};

/// A message to be published, as the body of a POST has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Publication<'a> {
    pub(crate) destination: &'a str,
    body: &'a str,
    content_type: &'a str,
}

/// What the server answers.
#[derive(Deserialize)]
struct Published {
    cursor: Option<String>,
}

impl<'a> Publication<'a> {
    /// Returns what the arguments say.
    pub(crate) fn all(arguments: &'a Arguments) -> Result<Vec<Self>, String> {
        if arguments.publish.is_empty() {
            return Ok(Vec::new());
        }
        let (destination, content_type) = (arguments.destination()?, &*arguments.content_type);
        let publications = arguments.publish.iter();
        Ok(publications.map(|body| Self { destination, body, content_type }).collect())
    }

    pub(crate) fn message(&self) -> Message {
        Message::new(self.body.to_owned()).content_type(self.content_type)
    }

    /// Publishes by a POST. Returns the cursor of the message, if it has one.
    pub(crate) async fn post(
        &self,
        http: &Http,
        server: &Server,
    ) -> Result<Option<String>, Failure> {
        let url = server.publish();
        let unwritable = |error| Failure::lasting(format!("can't write the message: {error}"));
        let json = serde_json::to_string(self).map_err(unwritable)?;
        let body = http.post(&url, json).await?;
        // A message to /app/… has no place of its own, and a server may answer with nothing.
        let published = serde_json::from_slice::<Published>(&body);
        Ok(published.ok().and_then(|published| published.cursor))
    }
}
