//! Runtimes for tests of the tokio shell: with the real clock, or with one that jumps.

use core::{future::Future, time::Duration};
use tokio::{runtime::Builder, time::timeout};

/// Longer than any deadline of a connection. Only a paused clock gets this far.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test with the real clock. A test that hangs fails.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(60), test).await.expect("test hangs") })
}

/// Runs a test with a clock that jumps to the next deadline once every task waits, which makes
/// times exact. The runtime does not notice bytes that are still in a socket, so such tests use
/// [`duplex`](tokio::io::duplex).
pub fn run_paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { timeout(10 * DAY, test).await.expect("test hangs") })
}
