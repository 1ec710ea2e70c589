//! What `/info` tells a client before it chooses a transport.

use super::options::Options;
use alloc::{format, string::String};

/// Returns the JSON of `/info`. `origins` is a constant of the protocol, which clients ignore.
pub(super) fn json(options: &Options, entropy: u32) -> String {
    let Options { websocket, cookie_needed, .. } = options;
    format!(
        r#"{{"websocket":{websocket},"origins":["*:*"],"cookie_needed":{cookie_needed},"entropy":{entropy}}}"#
    )
}
