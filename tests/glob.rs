//! A glob import of the crate leaves the name `tokio` to the runtime.
#![cfg(feature = "tokio")]

#[expect(unused_imports, reason = "the test is that nothing is ambiguous")]
use sansocket::*;

#[tokio::test]
async fn a_glob_import_makes_no_name_ambiguous() {
    use tokio::task::yield_now;
    yield_now().await;
}
