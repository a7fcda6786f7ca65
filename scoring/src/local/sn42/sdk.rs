//! What the SDK makes of scores before it sends them: `process_weights` and the conversion
//! to `u16`, operation for operation (bittensor 10.2.0 on numpy 2).

use super::chain::Row;
use super::numpy::{Real, cumulative, pairwise_sum, quantile, sorted};

/// What the SDK reads from the chain before, and its one setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Number of neurons.
    pub neurons: u16,
    /// `MinAllowedWeights`.
    pub min_allowed: u16,
    /// Greatest share of one weight, from 0 to 1: `MaxWeightsLimit / 65535`.
    pub max_weight: f64,
    /// Share of the lowest weights to leave out, of 65535; the SDK's default is 0.
    pub exclude_quantile: u16,
}

/// Why the SDK cannot make a row of the weights.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SdkError {
    /// A weight belongs to no uid, or a uid has none.
    #[error("{uids} uids but {weights} weights: there must be one for each")]
    Lengths {
        /// Number of uids.
        uids: usize,
        /// Number of weights.
        weights: usize,
    },
    /// There are more weights than neurons.
    #[error("{weights} weights but the subnet has {neurons} neurons: leave out those of others")]
    TooMany {
        /// Number of weights.
        weights: usize,
        /// Number of neurons.
        neurons: u16,
    },
    /// A weight is infinite as a float of 32 bits.
    #[error("the weight of uid {uid} is not finite as a float of 32 bits: scale the scores down")]
    Infinite {
        /// The uid.
        uid: u16,
    },
    /// A weight is below zero.
    #[error("the weight of uid {uid} is {weight}: a row cannot hold what is below zero")]
    Negative {
        /// The uid.
        uid: u16,
        /// The weight.
        weight: f64,
    },
    /// A weight is no number.
    #[error("the weight of uid {uid} is not a number")]
    NotANumber {
        /// The uid.
        uid: u16,
    },
    /// There is nothing to convert.
    #[error("there are no weights: the subnet has no neurons")]
    Empty,
}

/// Which way the weights went through `process_weights`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Nothing was above zero, or the subnet is smaller than the least number of weights: all
    /// neurons get the same.
    Uniform,
    /// Too few were above zero: all neurons get a little.
    Filled,
    /// Those above the quantile were kept.
    Kept,
}

/// Weights as the SDK would send them.
#[derive(Debug, Clone, PartialEq)]
pub struct Processed {
    /// Which way they went.
    pub path: Path,
    /// Uids.
    pub uids: Vec<u16>,
    /// Their weights, which sum to one.
    pub weights: Vec<f64>,
}

/// Small weight of everybody when too few are above zero.
const LITTLE: f64 = 1e-5;
/// Keeps the cut of [`normalize_max`] from dividing by zero.
const EPSILON: f64 = 1e-7;

/// Makes weights that fit the subnet's limits. Weights that are NaN, zero or less are left out;
/// `weights` are cast to `f32` first.
///
/// # Errors
///
/// [`SdkError::Lengths`], [`SdkError::TooMany`], [`SdkError::Infinite`].
///
/// ```
/// use scoring::local::sn42::sdk::{Limits, emit, process};
/// let limits = Limits { neurons: 4, min_allowed: 1, max_weight: 1.0, exclude_quantile: 0 };
/// let processed = process(&[0, 1, 2, 3], &[0.0, 0.1, 0.3, 0.6], limits)?;
/// assert_eq!(emit(&processed.uids, &processed.weights)?.values, [10922, 32768, 65535]);
/// # Ok::<(), scoring::local::sn42::sdk::SdkError>(())
/// ```
pub fn process(uids: &[u16], weights: &[f64], limits: Limits) -> Result<Processed, SdkError> {
    if uids.len() != weights.len() {
        return Err(SdkError::Lengths {
            uids: uids.len(),
            weights: weights.len(),
        });
    }
    if weights.len() > usize::from(limits.neurons) {
        return Err(SdkError::TooMany {
            weights: weights.len(),
            neurons: limits.neurons,
        });
    }
    let singles: Vec<f32> = weights.iter().map(|weight| f32::of(*weight)).collect();
    let infinite = uids.iter().zip(&singles).find(|(_, w)| w.is_infinite());
    if let Some((uid, _)) = infinite {
        return Err(SdkError::Infinite { uid: *uid });
    }
    // Places, not uids: the SDK fills by place.
    let above: Vec<(usize, u16, f32)> = (0..)
        .zip(uids)
        .zip(&singles)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|((place, uid), weight)| (place, *uid, *weight))
        .collect();
    let everybody = || (0..limits.neurons).collect::<Vec<u16>>();
    let neurons = f64::from(limits.neurons);
    if above.is_empty() || limits.neurons < limits.min_allowed {
        return Ok(Processed {
            path: Path::Uniform,
            uids: everybody(),
            weights: vec![1.0 / neurons; usize::from(limits.neurons)],
        });
    }
    if above.len() < usize::from(limits.min_allowed) {
        let mut filled = vec![LITTLE; usize::from(limits.neurons)];
        for (place, _, weight) in &above {
            if let Some(filled) = filled.get_mut(*place) {
                *filled += f64::from(*weight);
            }
        }
        return Ok(Processed {
            path: Path::Filled,
            uids: everybody(),
            weights: normalize_max(&filled, limits.max_weight),
        });
    }
    let count = size(above.len());
    let most = (count - f64::from(limits.min_allowed)).max(0.0) / count;
    let excluded = (f64::from(limits.exclude_quantile) / 65535.0).min(most);
    let values: Vec<f32> = above.iter().map(|(_, _, weight)| *weight).collect();
    let lowest = quantile(&values, excluded).unwrap_or(0.0);
    let (uids, kept): (Vec<u16>, Vec<f32>) = above
        .iter()
        .filter(|(_, _, weight)| lowest <= *weight)
        .map(|(_, uid, weight)| (*uid, *weight))
        .unzip();
    let weights = normalize_max(&kept, limits.max_weight);
    Ok(Processed {
        path: Path::Kept,
        uids,
        weights: weights.into_iter().map(f64::from).collect(),
    })
}

/// A number of elements as a float; arrays of this module hold 65536 at most.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn size(count: usize) -> f64 {
    count as f64
}

/// Scales weights so that they sum to one and none is above `limit`, as far as that is
/// possible: all get the same when they sum to zero or when so few cannot stay below it.
/// The input has no NaN.
///
/// When not even the least fits, the cut is taken from the end of the running sum, since the
/// original's index of minus one counts from there.
pub fn normalize_max<R: Real>(weights: &[R], limit: f64) -> Vec<R> {
    let count = size(weights.len());
    let sum = pairwise_sum(weights);
    if sum.wide() == 0.0 || count * limit <= 1.0 {
        return vec![R::ONE / R::of(count); weights.len()];
    }
    let values = sorted(weights);
    let total = pairwise_sum(&values);
    let shares: Vec<R> = values.iter().map(|value| *value / total).collect();
    let greatest = shares.last().copied().unwrap_or(R::ZERO);
    // A plain number takes part as one of the array's own type.
    let bound = R::of(limit);
    if greatest <= bound {
        return weights.iter().map(|weight| *weight / sum).collect();
    }
    let running = cumulative(&shares);
    let epsilon = R::of(EPSILON);
    let fitting = shares
        .iter()
        .zip(&running)
        .enumerate()
        .filter(|(at, (share, running))| {
            let behind = R::of(size(weights.len() - at - 1)) * **share;
            **share / (behind + **running + epsilon) < bound
        })
        .count();
    let at = fitting.checked_sub(1).unwrap_or(weights.len() - 1);
    let below = running.get(at).copied().unwrap_or(R::ZERO);
    // From here on the original has doubles: an index of numpy's own is in it.
    let scale = (bound * below - epsilon).wide() / (1.0 - limit * size(weights.len() - fitting));
    let cut = scale * total.wide();
    let clipped: Vec<R> = weights
        .iter()
        .map(|weight| {
            if weight.wide() > cut {
                R::of(cut)
            } else {
                *weight
            }
        })
        .collect();
    let sum = pairwise_sum(&clipped);
    clipped.iter().map(|weight| *weight / sum).collect()
}

/// Weights as `u16`: the greatest becomes 65535, the others in proportion, rounded half to
/// even; zeros are left out. All zeros make an empty row.
///
/// # Errors
///
/// [`SdkError::Empty`], [`SdkError::Lengths`], [`SdkError::Negative`], [`SdkError::NotANumber`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 0 to 65535"
)]
pub fn emit(uids: &[u16], weights: &[f64]) -> Result<Row, SdkError> {
    if weights.is_empty() {
        return Err(SdkError::Empty);
    }
    if uids.len() != weights.len() {
        return Err(SdkError::Lengths {
            uids: uids.len(),
            weights: weights.len(),
        });
    }
    for (uid, weight) in uids.iter().zip(weights) {
        if *weight < 0.0 {
            return Err(SdkError::Negative {
                uid: *uid,
                weight: *weight,
            });
        }
        if weight.is_nan() {
            return Err(SdkError::NotANumber { uid: *uid });
        }
        if weight.is_infinite() {
            return Err(SdkError::Infinite { uid: *uid });
        }
    }
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    let mut row = Row::default();
    if greatest == 0.0 {
        return Ok(row);
    }
    for (uid, weight) in uids.iter().zip(weights) {
        let value = (weight / greatest * 65535.0).round_ties_even();
        if value > 0.0 {
            row.uids.push(*uid);
            row.values.push(value as u16);
        }
    }
    Ok(row)
}

/// A stored row as the SDK reads it back: a weight for each of `neurons`, in `f32`, divided by
/// their sum; a row of zeros stays so. Uids beyond the neurons are left out.
///
/// ```
/// use scoring::local::sn42::chain::Row;
/// use scoring::local::sn42::sdk::read_back;
/// let row = Row { uids: vec![1, 2, 3], values: vec![10922, 32768, 65535] };
/// assert_eq!(read_back(&row, 4), [0.0, 0.099_995_42, 0.300_004_57, 0.6]);
/// ```
pub fn read_back(row: &Row, neurons: u16) -> Vec<f32> {
    let mut weights = vec![0.0_f32; usize::from(neurons)];
    for (uid, value) in row.uids.iter().zip(&row.values) {
        if let Some(weight) = weights.get_mut(usize::from(*uid)) {
            *weight = f32::from(*value);
        }
    }
    let sum = pairwise_sum(&weights);
    if sum > 0.0 {
        for weight in &mut weights {
            *weight /= sum;
        }
    }
    weights
}

#[cfg(test)]
mod tests;
