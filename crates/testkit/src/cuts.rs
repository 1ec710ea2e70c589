//! Cuts input into pieces.

/// Returns positions at uneven distances, close together or far apart.
pub fn cuts(seed: u8, len: usize) -> Vec<usize> {
    let widest = [1, 2, 3, 7, 16, 100, 1000, usize::MAX][usize::from(seed % 8)];
    let mut state = u32::from(seed) + 1;
    let mut cuts = Vec::new();
    let mut at = 0_usize;
    loop {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        at = at.saturating_add(1 + (state >> 8) as usize % widest);
        if at >= len {
            return cuts;
        }
        cuts.push(at);
    }
}
