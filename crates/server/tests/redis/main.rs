//! Hubs that are joined by a real Redis.
//!
//! The tests start servers of their own, on ports that the system chooses. They need `redis-server`.

mod connections;
mod contract;
mod faults;
mod histories;
mod hubs;
mod node;
mod presence;
mod queues;
mod random;
mod server;
mod servers;
