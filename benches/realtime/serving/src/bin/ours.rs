//! The server.

fn main() -> std::io::Result<()> {
    realtime_serving::run(|_| String::new())
}
