//! Liquid alpha: how fast each bond follows its weight.

use super::Hyperparameters;
use crate::fixed::{I32F32, exp, exp_positive_lanes, exp_safe, safe_exp, safe_ln};

/// The moving average's share of the new value without liquid alpha: `1 - BondsMovingAverage / 1,000,000`.
pub(crate) fn constant_alpha(bonds_moving_average: u64) -> I32F32 {
    let kept = (u128::from(bonds_moving_average) << 32) / 1_000_000;
    I32F32::ONE.saturating_sub(I32F32::from_bits(i64::try_from(kept).unwrap_or(i64::MAX)))
}

fn bounds(params: &Hyperparameters) -> (I32F32, I32F32) {
    (
        I32F32::from_u16_proportion(params.alpha_low),
        I32F32::from_u16_proportion(params.alpha_high),
    )
}

/// Liquid alpha 1: one alpha per miner, from a logistic curve that takes the lower quartile of the consensus to the low alpha and the upper one to the high.
/// None if the quartiles do not allow it; then the constant alpha applies.
pub(crate) fn alphas_by_quantiles(
    consensus: &[I32F32],
    params: &Hyperparameters,
    safe_division: bool,
) -> Option<Vec<I32F32>> {
    if consensus.iter().all(|value| *value == I32F32::ZERO) {
        return None;
    }
    let mut sorted = consensus.to_vec();
    sorted.sort_unstable();
    let (high, low) = (quartile(&sorted, 3), quartile(&sorted, 1));
    if high <= low && high == I32F32::ZERO && low >= I32F32::ZERO {
        return None;
    }
    let (alpha_low, alpha_high) = bounds(params);
    let (slope, offset) = logistic(alpha_low, alpha_high, low, high, safe_division);
    let alpha = |consensus: &I32F32| {
        let growth = safe_exp(offset.saturating_sub(slope.saturating_mul(*consensus)));
        I32F32::ONE
            .saturating_div(I32F32::ONE.saturating_add(growth))
            .min(alpha_high)
            .max(alpha_low)
    };
    Some(consensus.iter().map(alpha).collect())
}

/// The quantile `quarters / 4` of sorted values, interpolated.
///
/// The chain computes the position in 64-bit floating point. With a factor of 0.25 or 0.75 and fewer than `2^16` values that is exact, and so is the fraction as
/// a fixed-point number: integer arithmetic gives the same bits.
pub(crate) fn quartile(sorted: &[I32F32], quarters: u32) -> I32F32 {
    let value = |index: usize| sorted.get(index).copied().unwrap_or(I32F32::ZERO);
    let position = sorted.len().saturating_sub(1) * quarters as usize;
    let (index, rest) = (position / 4, position % 4);
    let low = value(index);
    if rest == 0 {
        return low;
    }
    let fraction = I32F32::from_bits([0, 1 << 30, 2 << 30, 3 << 30][rest]);
    low.saturating_add(
        value(index + 1)
            .saturating_sub(low)
            .saturating_mul(fraction),
    )
}

/// Slope and offset of the logistic curve; both zero where it is not defined.
pub(crate) fn logistic(
    alpha_low: I32F32,
    alpha_high: I32F32,
    consensus_low: I32F32,
    consensus_high: I32F32,
    safe_division: bool,
) -> (I32F32, I32F32) {
    if consensus_high <= consensus_low || alpha_low == I32F32::ZERO || alpha_high == I32F32::ZERO {
        return (I32F32::ZERO, I32F32::ZERO);
    }
    let odds = |alpha: I32F32| {
        safe_ln(
            I32F32::ONE
                .saturating_div(alpha)
                .saturating_sub(I32F32::ONE),
        )
    };
    let rise = odds(alpha_high).saturating_sub(odds(alpha_low));
    let run = consensus_low.saturating_sub(consensus_high);
    let slope = if safe_division {
        rise.safe_div(run)
    } else {
        rise.saturating_div(run)
    };
    (
        slope,
        odds(alpha_low).saturating_add(slope.saturating_mul(consensus_low)),
    )
}

/// Liquid alpha 2: the sigmoid that turns a difference into an alpha.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sigmoid {
    alpha_low: I32F32,
    alpha_high: I32F32,
    /// What the difference from one half is multiplied with.
    factor: I32F32,
    /// True to multiply by -1 afterwards, as the first version did: rounding differs.
    negates: bool,
    bounded: bool,
    /// The alpha of a difference of zero, the most frequent one.
    pub(crate) at_zero: I32F32,
}

impl Sigmoid {
    pub(crate) fn new(params: &Hyperparameters, percent: bool, bounded: bool) -> Self {
        let (alpha_low, alpha_high) = bounds(params);
        let steepness = I32F32::saturating_from_int(i64::from(params.alpha_sigmoid_steepness));
        let factor = if percent {
            steepness.saturating_div(I32F32::saturating_from_int(-100))
        } else {
            steepness
        };
        let mut sigmoid = Self {
            alpha_low,
            alpha_high,
            factor,
            negates: !percent,
            bounded,
            at_zero: alpha_low,
        };
        sigmoid.at_zero = sigmoid.alpha(I32F32::ZERO);
        sigmoid
    }

    /// How far apart weight, old bond and consensus are: buying is measured against the consensus, selling against the bond.
    #[inline]
    pub(crate) fn difference(consensus: I32F32, weight: I32F32, bond: I32F32) -> I32F32 {
        let difference = if weight >= bond {
            weight.saturating_sub(consensus)
        } else {
            bond.saturating_sub(weight)
        };
        difference.clamped(I32F32::ZERO, I32F32::ONE)
    }

    fn exponent(&self, difference: I32F32) -> I32F32 {
        let exponent = self
            .factor
            .saturating_mul(difference.saturating_sub(I32F32::HALF));
        if self.negates {
            exponent.saturating_mul(I32F32::ZERO.saturating_sub(I32F32::ONE))
        } else {
            exponent
        }
    }

    fn alpha_of_exp(&self, growth: I32F32) -> I32F32 {
        let share = I32F32::ONE.saturating_div(I32F32::ONE.saturating_add(growth));
        let spread = self.alpha_high.saturating_sub(self.alpha_low);
        self.alpha_low
            .saturating_add(share.saturating_mul(spread))
            .clamped(self.alpha_low, self.alpha_high)
    }

    /// The alpha of one difference.
    pub(crate) fn alpha(&self, difference: I32F32) -> I32F32 {
        let exponent = self.exponent(difference);
        self.alpha_of_exp(if self.bounded {
            exp_safe(exponent)
        } else {
            safe_exp(exponent)
        })
    }

    /// The alphas of several differences at once, the same bits as [`Sigmoid::alpha`] one by one.
    pub(crate) fn alphas<const LANES: usize>(
        &self,
        differences: [I32F32; LANES],
    ) -> [I32F32; LANES] {
        const BOUND: u64 = 20 << 32;
        let exponents = differences.map(|difference| self.exponent(difference));
        let powers = exponents.map(|exponent| exponent.to_bits().unsigned_abs());
        if powers.iter().any(|power| *power > BOUND) {
            return differences.map(|difference| self.alpha(difference));
        }
        let series = exp_positive_lanes(powers);
        let mut alphas = [I32F32::ZERO; LANES];
        for ((alpha, exponent), series) in alphas.iter_mut().zip(exponents).zip(series) {
            // Zero and one are special cases of the library's exponential.
            let growth = if exponent == I32F32::ZERO || exponent == I32F32::ONE {
                exp(exponent).unwrap_or(I32F32::ZERO)
            } else {
                let growth = if exponent < I32F32::ZERO {
                    inverse(series)
                } else {
                    series
                };
                I32F32::from_bits(i64::try_from(growth).unwrap_or(i64::MAX))
            };
            *alpha = self.alpha_of_exp(growth);
        }
        alphas
    }
}

/// `floor(2^64 / bits)`: one divided by a fixed-point number of at least one.
fn inverse(bits: u64) -> u64 {
    let quotient = u64::MAX / bits;
    // One more only if `bits` divides 2^64, as powers of two do.
    quotient + u64::from(bits.is_power_of_two())
}
