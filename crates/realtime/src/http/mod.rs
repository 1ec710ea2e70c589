//! What polls and event streams share: the query of their requests, how they are refused, and messages
//! as JSON.

pub(crate) mod event;
pub(crate) mod query;
mod request;
mod response;

pub use request::InvalidRequest;
pub(crate) use request::{Selection, decode, set_once};
pub use response::{Head, Response};
