//! Memory that a rush of clients leaves in tables.

use core::hash::Hash;
use std::collections::HashMap;

/// How many entries a table has room for, however few it has.
const KEPT: usize = 64;

/// Returns the memory of a rush. A table shrinks only once three quarters of it are empty, so it costs
/// no more for each entry than growing does.
pub(crate) fn shrink<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.len() < table.capacity() / 4 {
        table.shrink_to(table.len().saturating_mul(2).max(KEPT));
    }
}
