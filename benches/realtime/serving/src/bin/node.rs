//! One of several nodes over Redis: `node PORT URL`.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments {
        [port, redis] => realtime_serving::run_node(port.parse()?, redis),
        _ => Err("Usage: node PORT URL".into()),
    }
}
