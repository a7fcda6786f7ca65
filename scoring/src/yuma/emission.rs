//! Stage 8: shares of the emission, amounts, pruning scores.

use super::rules::Pruning;
use super::stake::{normalise, normalise_by};
use super::upscale::max_upscale;
use super::{Emission, EpochInputs};
use crate::fixed::{I32F32, I96F32};

/// Shares of the emission, one per uid.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    pub(crate) server: Vec<I32F32>,
    pub(crate) validator: Vec<I32F32>,
    pub(crate) combined: Vec<I32F32>,
}

/// Incentive and dividends as shares of their common sum; where both are zero, stake decides.
pub(crate) fn shares(
    incentive: &[I32F32],
    dividends: &[I32F32],
    stake: &[I32F32],
    active_stake: &[I32F32],
) -> Shares {
    let mut combined: Vec<I32F32> = incentive
        .iter()
        .zip(dividends)
        .map(|(i, d)| i.saturating_add(*d))
        .collect();
    let sum: I32F32 = combined.iter().sum();
    let mut server = incentive.to_vec();
    let mut validator = dividends.to_vec();
    normalise_by(&mut server, sum);
    normalise_by(&mut validator, sum);
    normalise(&mut combined);
    if sum == I32F32::ZERO {
        let nobody_active = active_stake.iter().sum::<I32F32>() == I32F32::ZERO;
        let fallback = if nobody_active { stake } else { active_stake };
        validator = fallback.to_vec();
        combined = fallback.to_vec();
    }
    Shares {
        server,
        validator,
        combined,
    }
}

/// Amounts in rao.
pub(crate) fn amounts(inputs: &EpochInputs<'_>, shares: &Shares) -> Option<Emission> {
    let emission = I96F32::from_u64(inputs.emission?);
    let of = |shares: &[I32F32]| -> Vec<u64> {
        shares
            .iter()
            .map(|share| {
                I96F32::from_i32f32(*share)
                    .saturating_mul(emission)
                    .floor_to_u64()
            })
            .collect()
    };
    let split = inputs.rules.splits_emission;
    Some(Emission {
        server: split.then(|| of(&shares.server)),
        validator: split.then(|| of(&shares.validator)),
        combined: of(&shares.combined),
    })
}

/// Pruning scores, where the runtime makes them.
pub(crate) fn pruning_scores(rule: Pruning, combined: &[I32F32]) -> Option<Vec<u16>> {
    match rule {
        Pruning::None => None,
        Pruning::Floor => Some(
            combined
                .iter()
                .map(|share| share.to_u16_proportion())
                .collect(),
        ),
        Pruning::MaxUpscale => Some(max_upscale(combined)),
    }
}
