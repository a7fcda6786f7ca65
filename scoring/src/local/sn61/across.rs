//! Vectors of several challenges into one.

use super::sum::pairwise;

/// Why vectors cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AcrossError {
    /// Vectors over different numbers of uids.
    #[error(
        "challenge {index} has a vector of {len} uids, the others have {wanted}; give one entry a uid"
    )]
    Length {
        /// Place of the challenge.
        index: usize,
        /// Its length.
        len: usize,
        /// That of the first.
        wanted: usize,
    },
    /// A weight that is none.
    #[error("challenge {index} has the weight {weight}; weights are finite and not negative")]
    Weight {
        /// Place of the challenge.
        index: usize,
        /// The weight.
        weight: f64,
    },
}

/// Weights after challenges without a score (their vector sums to 0) gave theirs to the
/// others, in proportion. All 0 when no challenge has a score, or only ones of weight 0.
/// `valid` tells which challenges have one.
///
/// ```
/// use scoring::local::sn61::across::released;
/// assert_eq!(released(&[0.4, 0.3, 0.3], &[true, true, false]), [0.5714285714285714, 0.4285714285714286, 0.0]);
/// ```
pub fn released(weights: &[f64], valid: &[bool]) -> Vec<f64> {
    let pairs = || weights.iter().zip(valid);
    let sum = |wanted: bool| {
        let of = pairs().filter(|(_, valid)| **valid == wanted);
        of.fold(0.0, |sum, (weight, _)| sum + weight)
    };
    let (kept, released) = (sum(true), sum(false));
    let share = |(weight, valid): (&f64, &bool)| {
        if *valid && kept > 0.0 {
            weight + released * weight / kept
        } else {
            0.0
        }
    };
    pairs().map(share).collect()
}

/// The vectors of challenges put together by their weights, and the weights used.
///
/// # Errors
///
/// When vectors differ in length, or a weight is negative or not finite.
pub fn total(challenges: &[(f64, &[f64])]) -> Result<(Vec<f64>, Vec<f64>), AcrossError> {
    let wanted = challenges.first().map_or(0, |(_, vector)| vector.len());
    for (index, (weight, vector)) in challenges.iter().enumerate() {
        let (weight, len) = (*weight, vector.len());
        if len != wanted {
            return Err(AcrossError::Length { index, len, wanted });
        }
        if !weight.is_finite() || weight < 0.0 {
            return Err(AcrossError::Weight { index, weight });
        }
    }
    let weights: Vec<f64> = challenges.iter().map(|(weight, _)| *weight).collect();
    let valid: Vec<bool> = challenges
        .iter()
        .map(|(_, vector)| pairwise(vector) > 0.0)
        .collect();
    let used = released(&weights, &valid);
    let mut sum = vec![0.0; wanted];
    for ((_, vector), weight) in challenges.iter().zip(&used) {
        for (sum, part) in sum.iter_mut().zip(*vector) {
            *sum += weight * part;
        }
    }
    Ok((sum, used))
}

/// The row as it goes to the chain: `1 - burn` of the vector and `burn` for the owner's uid.
/// A vector that sums to 0 leaves all to the owner. Without an owner in the subnet that
/// part is lost.
///
/// ```
/// use scoring::local::sn61::across::with_burn;
/// assert_eq!(with_burn(&[0.0, 1.0], 0.5, Some(0)), [0.5, 0.5]);
/// assert_eq!(with_burn(&[0.0, 0.0], 0.5, Some(0)), [1.0, 0.0]);
/// assert_eq!(with_burn(&[0.0, 1.0], 0.5, None), [0.0, 0.5]);
/// ```
pub fn with_burn(total: &[f64], burn: f64, owner: Option<usize>) -> Vec<f64> {
    if burn == 0.0 {
        return total.to_vec();
    }
    let burn = if pairwise(total) > 0.0 { burn } else { 1.0 };
    let one_hot = |uid: usize| if owner == Some(uid) { 1.0 } else { 0.0 };
    let mix = |(uid, part): (usize, &f64)| (1.0 - burn) * part + burn * one_hot(uid);
    total.iter().enumerate().map(mix).collect()
}
