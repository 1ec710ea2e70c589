//! Runtimes for tests of the tokio shell: by the real clock, or by one that jumps.

use core::{future::Future, time::Duration};
use tokio::{runtime::Builder, time::timeout};

/// Longer than any deadline of a connection. Only a paused clock comes so far.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test by the real clock, and turns one that hangs into a failure.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(60), test).await.expect("it hangs") })
}

/// Runs a test by a clock that jumps to the next deadline once every task waits, so that time can be
/// told exactly. It does not see bytes that are still in a socket: such tests use
/// [`duplex`](tokio::io::duplex).
pub fn run_paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { timeout(10 * DAY, test).await.expect("it hangs") })
}
