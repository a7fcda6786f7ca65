//! Scores of uids into a vector that sums to 1.

use super::sum::pairwise;

/// Which entries take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All uids, those without a score too.
    All,
    /// Entries that are not 0; the others stay 0. Negative ones count as 0.
    NonZero,
}

/// Softmax of the scores. With [`Over::All`] equal scores (all 0 too) become `1/n` each;
/// with [`Over::NonZero`] all 0 stays all 0. Scores that are not finite count as 0.
///
/// ```
/// use scoring::local::sn61::softmax::{Over, softmax};
/// assert_eq!(softmax(&[0.0, 0.0], 0.2, Over::All), [0.5, 0.5]);
/// assert_eq!(softmax(&[0.0, 0.3], 0.2, Over::NonZero), [0.0, 1.0]);
/// ```
pub fn softmax(scores: &[f64], temperature: f64, over: Over) -> Vec<f64> {
    let finite = |score: &f64| if score.is_finite() { *score } else { 0.0 };
    let scores: Vec<f64> = match over {
        Over::All => scores.iter().map(finite).collect(),
        Over::NonZero => scores.iter().map(|s| finite(s).max(0.0)).collect(),
    };
    let takes_part = |score: &f64| over == Over::All || *score != 0.0;
    let scaled: Vec<f64> = scores
        .iter()
        .filter(|s| takes_part(s))
        .map(|score| score / temperature)
        .collect();
    let greatest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scaled.iter().map(|s| (s - greatest).exp()).collect();
    let sum = pairwise(&powers);
    let mut powers = powers.into_iter();
    let mut next = || powers.next().unwrap_or(0.0) / sum;
    let part = |score: &f64| if takes_part(score) { next() } else { 0.0 };
    scores.iter().map(part).collect()
}
