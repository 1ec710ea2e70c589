//! Event streams and a hub, on virtual time.

#[path = "../delivery/mod.rs"]
mod delivery;
#[path = "../json/mod.rs"]
mod json;

mod endings;
mod memory;
mod properties;
mod rules;
mod server;

#[global_allocator]
static ALLOCATOR: sansocket_testkit::allocator::Counting = sansocket_testkit::allocator::Counting;
