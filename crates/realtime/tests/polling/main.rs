//! Polls and a hub, on virtual time.

#[path = "../any_bytes/requests.rs"]
mod any_bytes;
#[path = "../delivery/mod.rs"]
mod delivery;
#[path = "../json/mod.rs"]
mod json;

mod bridged;
mod memory;
mod properties;
mod refusals;
mod requests;
mod room;
mod rules;
mod server;
mod vectors;

#[global_allocator]
static ALLOCATOR: sansocket_testkit::allocator::Counting = sansocket_testkit::allocator::Counting;
