//! What polls and event streams share: what their requests ask for, how they are refused, and messages
//! as JSON.

pub(crate) mod event;
mod request;
mod response;

pub use request::InvalidRequest;
pub(crate) use request::{Selection, decode, set_once};
pub use response::{Head, Response};
