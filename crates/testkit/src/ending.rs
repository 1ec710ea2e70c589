//! The end of a connection, driven by hand: the transport's end and the time are told to it.
//!
//! Tests come here for that instead of to the crate. When it is told in another way, it changes
//! here.

use core::time::Duration;
use sansocket::{Closed, Connection, Due, Role, TransportEnd, WriteBuffer};

/// Tells a connection that its transport has ended with `output` unwritten, and asks how it closed.
pub fn transport_ended<R: Role>(
    connection: &mut Connection<R>,
    output: &WriteBuffer,
    how: TransportEnd,
) -> Closed {
    connection.transport_ended(how, output)
}

/// When a connection wants to be told the time.
pub fn next_deadline<R: Role>(connection: &Connection<R>) -> Option<Duration> {
    connection.next_deadline()
}

/// Tells a connection the time, and asks what is due.
pub fn pass_deadline<R: Role>(connection: &mut Connection<R>, now: Duration) -> Due {
    connection.pass_deadline(now)
}
