//! What a handler does when its WebSocket is not opened.

use crate::UpgradeError;

/// What to do when an upgrade fails: see
/// [`WebSocketUpgrade::on_failed_upgrade`](crate::WebSocketUpgrade::on_failed_upgrade).
///
/// Closures that take an [`UpgradeError`] implement it.
pub trait OnFailedUpgrade: Send + 'static {
    /// Takes the error.
    fn call(self, error: UpgradeError);
}

/// Ignores the error. This is the default.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DefaultOnFailedUpgrade;

impl<F: FnOnce(UpgradeError) + Send + 'static> OnFailedUpgrade for F {
    fn call(self, error: UpgradeError) {
        self(error);
    }
}

impl OnFailedUpgrade for DefaultOnFailedUpgrade {
    fn call(self, _: UpgradeError) {}
}
