//! The page of the server in Chromium.

mod accessibility;
mod chat;
mod clients;
mod hostile;
#[path = "../endpoints/memory_broker.rs"]
mod memory_broker;
mod nodes;
mod orders;
mod processes;
#[path = "../redis/server.rs"]
#[allow(dead_code, reason = "the tests of Redis need more of it")]
mod redis_server;
mod response;
#[path = "../config/served.rs"]
#[allow(dead_code, reason = "the tests of the program need more of it")]
mod served;
mod visit;
