//! Weights of scores.

/// Blocks between two submissions of weights.
pub const EVERY_BLOCKS: u64 = 100;

/// Weights in the order of the scores: negative ones and what is no number count as zero,
/// the rest as a share of the sum. When nothing is above zero, all weights are zero.
///
/// ```
/// use scoring::local::sn27::weights::weights;
/// assert_eq!(weights(&[1.0, -2.0, 3.0]), [0.25, 0.0, 0.75]);
/// assert_eq!(weights(&[0.0, -1.0]), [0.0, 0.0]);
/// ```
pub fn weights(scores: &[f64]) -> Vec<f64> {
    let kept: Vec<f64> = scores.iter().map(|score| score.max(0.0)).collect();
    let mut sorted = kept.clone();
    // The sum is the same whatever the order of the miners.
    sorted.sort_by(f64::total_cmp);
    let sum: f64 = sorted.iter().sum();
    if sum > 0.0 {
        kept.iter().map(|score| score / sum).collect()
    } else {
        vec![0.0; kept.len()]
    }
}

/// The version key that goes with weights: of version `a.b.c`, 100a + 10b + c.
///
/// ```
/// assert_eq!(scoring::local::sn27::weights::version_key(1, 8, 2), 182);
/// ```
pub fn version_key(major: u32, minor: u32, patch: u32) -> u64 {
    u64::from(major) * 100 + u64::from(minor) * 10 + u64::from(patch)
}
