//! The page of the server in Chromium.

mod accessibility;
mod chat;
mod hostile;
#[path = "../endpoints/memory_broker.rs"]
mod memory_broker;
mod nodes;
mod orders;
mod response;
mod visit;
