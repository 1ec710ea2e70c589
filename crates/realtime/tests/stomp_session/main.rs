//! The server's session of STOMP: vectors, properties, memory, and a hub behind it.

use sansocket_testkit::allocator::Counting;

#[path = "../any_bytes/stomp_session.rs"]
mod any_bytes;
mod memory;
mod properties;
mod script;
mod vectors;
mod with_hub;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
