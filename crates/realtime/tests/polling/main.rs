//! Polls and a hub, on virtual time.

#[path = "../delivery/mod.rs"]
mod delivery;
#[path = "../json/mod.rs"]
mod json;

mod bridged;
mod memory;
mod properties;
mod refusals;
mod rules;
mod server;
mod vectors;

#[global_allocator]
static ALLOCATOR: sansocket_testkit::allocator::Counting = sansocket_testkit::allocator::Counting;
