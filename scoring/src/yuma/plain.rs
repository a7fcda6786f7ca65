//! The epoch written down the way the chain computes it: a vector of vectors for every matrix, one pass for every step, no reuse.
//!
//! Only for tests and benchmarks: it must give the same bits as [`super::epoch`], and it is what the speed of that is measured against. It shares the
//! numbers ([`crate::fixed`]) and the rules with it, but no stage.

use super::rules::{ActivityRule, BondMask, BondWeights, CommitMask, LiquidAlpha, Pruning};
use super::{BondRows, Emission, EpochError, EpochInputs, EpochOutputs};
use crate::fixed::{I32F32, I64F64, I96F32, exp_safe, safe_exp};
use math::SparseRows;

pub mod math;

/// Computes an epoch the plain way.
///
/// # Errors
/// The same as [`super::epoch`] where the lengths of the inputs are wrong. Other impossible inputs may give a different error, a result or a panic.
pub fn epoch(inputs: &EpochInputs<'_>) -> Result<EpochOutputs, EpochError> {
    inputs.check()?;
    let rules = &inputs.rules;
    let params = &inputs.params;
    let n = inputs.len();
    let owner = inputs.owner();
    let last_update: Vec<u64> = (0..n).map(|uid| inputs.last_update_of(uid)).collect();
    let registered = &inputs.block_at_registration;

    let cutoff = match rules.activity {
        ActivityRule::Blocks => u64::from(params.activity_cutoff),
        ActivityRule::FactorMilli => {
            (u64::from(params.activity_cutoff_factor_milli) * u64::from(params.tempo) / 1000).max(1)
        }
    };
    let inactive: Vec<bool> = last_update
        .iter()
        .map(|block| block.saturating_add(cutoff) < inputs.block)
        .collect();

    let stake = stake(inputs, owner)?;
    let mut permits = inputs.validator_permit.to_vec();
    let mut new_permits = math::is_top_k(&stake, usize::from(params.max_validators));
    if rules.permits_need_stake {
        new_permits
            .iter_mut()
            .zip(&stake)
            .for_each(|(permit, stake)| *permit &= *stake != I32F32::ZERO);
    }
    if let Some(owner) = owner.filter(|_| rules.owner_privilege) {
        permits[usize::from(owner)] = true;
        new_permits[usize::from(owner)] = true;
    }
    let forbids: Vec<bool> = permits.iter().map(|permit| !permit).collect();

    let mut active_stake = stake.clone();
    math::mask_vector(&inactive, &mut active_stake);
    if rules.permit_masks_stake {
        math::mask_vector(&forbids, &mut active_stake);
    }
    math::normalize(&mut active_stake);

    let mut weights = stored_rows(inputs, &inputs.weights, true);
    if !rules.raw_u16_inputs {
        math::to_proportions(&mut weights);
    }
    weights = math::mask_rows(&forbids, &weights);
    weights = math::mask_diagonal_except(&weights, owner);
    weights = math::mask_matrix(&weights, &last_update, registered, |updated, registered| {
        updated <= registered
    });
    if rules.commit_mask != CommitMask::None
        && params.commit_reveal
        && !inputs.commit_blocks.is_empty()
    {
        weights = math::mask_matrix(
            &weights,
            &inputs.commit_blocks,
            registered,
            |commit, registered| commit < registered,
        );
    }
    math::row_normalize(&mut weights);

    let preranks = math::matmul(&weights, &active_stake, n);
    let kappa = I32F32::from_u16(params.kappa).safe_div(I32F32::from_u16(u16::MAX));
    let consensus = math::weighted_median_col(&active_stake, &weights, n, kappa);
    let clipped = math::col_clip(&weights, &consensus);
    let validator_trust = math::row_sum(&clipped);
    let mut ranks = math::matmul(&clipped, &active_stake, n);
    let trust: Vec<I32F32> = ranks
        .iter()
        .zip(&preranks)
        .map(|(rank, prerank)| rank.safe_div(*prerank))
        .collect();
    math::normalize(&mut ranks);
    let incentive = ranks;

    let for_bonds = match rules.bond_weights {
        BondWeights::Clipped => clipped.clone(),
        BondWeights::Penalty => {
            let penalty =
                I32F32::from_u16(params.bonds_penalty).safe_div(I32F32::from_u16(u16::MAX));
            math::interpolate(&weights, &clipped, n, penalty)
        }
    };
    let (ema_bonds, dividends) = bonds(
        inputs,
        &last_update,
        &for_bonds,
        &active_stake,
        &consensus,
        &incentive,
    );

    let mut combined: Vec<I32F32> = incentive
        .iter()
        .zip(&dividends)
        .map(|(i, d)| i.saturating_add(*d))
        .collect();
    let sum: I32F32 = combined.iter().sum();
    let mut server = incentive.clone();
    let mut validator = dividends.clone();
    math::normalize_by(&mut server, sum);
    math::normalize_by(&mut validator, sum);
    math::normalize(&mut combined);
    if sum == I32F32::ZERO {
        let nobody = active_stake.iter().sum::<I32F32>() == I32F32::ZERO;
        validator.clone_from(if nobody { &stake } else { &active_stake });
        combined.clone_from(&validator);
    }
    let amounts = |shares: &[I32F32], emission: u64| -> Vec<u64> {
        let emission = I96F32::from_u64(emission);
        shares
            .iter()
            .map(|share| {
                I96F32::from_i32f32(*share)
                    .saturating_mul(emission)
                    .floor_to_u64()
            })
            .collect()
    };

    let proportions = |values: &[I32F32]| -> Vec<u16> {
        values
            .iter()
            .map(|value| value.to_u16_proportion())
            .collect()
    };
    Ok(EpochOutputs {
        stake_weight: rules.stores_stake_weight.then(|| proportions(&stake)),
        active: inactive.iter().map(|inactive| !inactive).collect(),
        consensus: proportions(&consensus),
        incentive: proportions(&incentive),
        dividends: proportions(&dividends),
        validator_trust: proportions(&validator_trust),
        rank: rules.stores_rank_trust.then(|| proportions(&incentive)),
        trust: rules.stores_rank_trust.then(|| proportions(&trust)),
        pruning_scores: match rules.pruning {
            Pruning::None => None,
            Pruning::Floor => Some(proportions(&combined)),
            Pruning::MaxUpscale => Some(math::max_upscale(&combined)),
        },
        bonds: stored_bonds(&ema_bonds, &permits, &new_permits, rules.rewrites_all_bonds),
        validator_permit: new_permits,
        emission: inputs.emission.map(|emission| Emission {
            server: rules.splits_emission.then(|| amounts(&server, emission)),
            validator: rules.splits_emission.then(|| amounts(&validator, emission)),
            combined: amounts(&combined, emission),
        }),
    })
}

fn stake(inputs: &EpochInputs<'_>, owner: Option<u16>) -> Result<Vec<I32F32>, EpochError> {
    let rules = &inputs.rules;
    let mut stake = inputs.total_stake.to_vec();
    for (uid, stake) in (0..inputs.n).zip(&mut stake) {
        if *stake < I64F64::ZERO {
            return Err(EpochError::NegativeStake {
                uid,
                bits: stake.to_bits(),
            });
        }
        let exempt = rules.owner_privilege && owner == Some(uid);
        if rules.stake_threshold && !exempt && stake.floor_to_u64() < inputs.params.stake_threshold
        {
            *stake = I64F64::ZERO;
        }
    }
    let mut sum = 0i128;
    for stake in &stake {
        sum = sum
            .checked_add(stake.to_bits())
            .ok_or(EpochError::StakeOverflow)?;
    }
    if sum != 0 {
        stake
            .iter_mut()
            .for_each(|stake| *stake = stake.safe_div(I64F64::from_bits(sum)));
    }
    Ok(stake.into_iter().map(I64F64::to_i32f32).collect())
}

/// Stored rows of existing uids as whole numbers; entries of foreign uids are left out if asked for.
fn stored_rows(inputs: &EpochInputs<'_>, stored: &[super::Row<'_>], filters: bool) -> SparseRows {
    let n = inputs.len();
    let mut rows = vec![vec![]; n];
    for row in stored.iter().filter(|row| row.uid < inputs.n) {
        for (uid, value) in row
            .entries
            .iter()
            .filter(|(uid, _)| !filters || usize::from(*uid) < n)
        {
            rows[usize::from(row.uid)].push((*uid, I32F32::from_u16(*value)));
        }
    }
    rows
}

fn bonds(
    inputs: &EpochInputs<'_>,
    last_update: &[u64],
    for_bonds: &SparseRows,
    active_stake: &[I32F32],
    consensus: &[I32F32],
    incentive: &[I32F32],
) -> (SparseRows, Vec<I32F32>) {
    let rules = &inputs.rules;
    let params = &inputs.params;
    let n = inputs.len();
    let registered = &inputs.block_at_registration;
    let average = I64F64::saturating_from_u64(params.bonds_moving_average)
        .safe_div(I64F64::saturating_from_u64(1_000_000))
        .to_i32f32();
    let alpha = I32F32::ONE.saturating_sub(average);
    let is_yuma3 = rules.yuma3 && params.yuma3;

    let mut bonds = stored_rows(inputs, &inputs.bonds, false);
    if !rules.raw_u16_inputs || is_yuma3 {
        math::to_proportions(&mut bonds);
    }
    bonds = match rules.bond_mask {
        BondMask::LastUpdate => {
            math::mask_matrix(&bonds, last_update, registered, |updated, registered| {
                updated <= registered
            })
        }
        BondMask::BlockMinusTempo | BondMask::LastStep => {
            let last_tempo = if rules.bond_mask == BondMask::LastStep && inputs.last_step_block != 0
            {
                inputs.last_step_block.saturating_add(1)
            } else {
                inputs.block.saturating_sub(u64::from(params.tempo))
            };
            math::mask_columns(&bonds, last_tempo, registered)
        }
    };

    let some_consensus = consensus.iter().any(|value| *value != I32F32::ZERO);
    if is_yuma3 {
        let ema = match rules.liquid_alpha {
            LiquidAlpha::Sigmoid { percent, bounded } if params.liquid_alpha && some_consensus => {
                let alphas = liquid_alphas(inputs, for_bonds, &bonds, consensus, percent, bounded);
                math::ema_with_alphas(for_bonds, &bonds, &alphas)
            }
            _ => math::ema(for_bonds, &bonds, alpha),
        };
        let mut normalized = ema.clone();
        math::col_normalize(&mut normalized, n);
        let held = math::row_sum(&math::mat_vec_mul(&normalized, incentive));
        let mut dividends: Vec<I32F32> = held
            .iter()
            .zip(active_stake)
            .map(|(held, stake)| held.checked_mul(*stake).unwrap_or(I32F32::ZERO))
            .collect();
        math::normalize(&mut dividends);
        return (ema, dividends);
    }
    math::col_normalize(&mut bonds, n);
    let mut delta = math::row_hadamard(for_bonds, active_stake);
    math::col_normalize(&mut delta, n);
    let alphas = match rules.liquid_alpha {
        LiquidAlpha::Quantiles { safe_division } if params.liquid_alpha && some_consensus => {
            math::quantile_alphas(
                consensus,
                params.alpha_low,
                params.alpha_high,
                safe_division,
            )
        }
        _ => None,
    };
    let mut ema = match alphas {
        Some(alphas) => math::ema_with_column_alphas(&delta, &bonds, &alphas),
        None => math::ema(&delta, &bonds, alpha),
    };
    math::col_normalize(&mut ema, n);
    let mut dividends = math::matmul_transpose(&ema, incentive);
    math::normalize(&mut dividends);
    if rules.upscales_bonds {
        math::col_max_upscale(&mut ema, n);
    }
    (ema, dividends)
}

/// An alpha for every validator and every miner, whether there is a weight or not.
fn liquid_alphas(
    inputs: &EpochInputs<'_>,
    weights: &SparseRows,
    bonds: &SparseRows,
    consensus: &[I32F32],
    percent: bool,
    bounded: bool,
) -> Vec<Vec<I32F32>> {
    let params = &inputs.params;
    let steepness = I32F32::saturating_from_int(i64::from(params.alpha_sigmoid_steepness));
    let low = I32F32::from_u16(params.alpha_low).safe_div(I32F32::from_u16(u16::MAX));
    let high = I32F32::from_u16(params.alpha_high).safe_div(I32F32::from_u16(u16::MAX));
    let sigmoid = |consensus: I32F32, weight: I32F32, bond: I32F32| {
        let buy = weight
            .saturating_sub(consensus)
            .clamped(I32F32::ZERO, I32F32::ONE);
        let sell = bond
            .saturating_sub(weight)
            .clamped(I32F32::ZERO, I32F32::ONE);
        let difference = if weight >= bond { buy } else { sell }.saturating_sub(I32F32::HALF);
        let exponent = if percent {
            steepness
                .saturating_div(I32F32::saturating_from_int(-100))
                .saturating_mul(difference)
        } else {
            steepness
                .saturating_mul(difference)
                .saturating_mul(I32F32::saturating_from_int(-1))
        };
        let growth = if bounded {
            exp_safe(exponent)
        } else {
            safe_exp(exponent)
        };
        let share = I32F32::ONE.saturating_div(I32F32::ONE.saturating_add(growth));
        low.saturating_add(share.saturating_mul(high.saturating_sub(low)))
            .clamped(low, high)
    };
    let mut alphas = Vec::with_capacity(weights.len());
    for (weight_row, bond_row) in weights.iter().zip(bonds) {
        let mut row = Vec::with_capacity(consensus.len());
        let mut weight_row = weight_row.iter().peekable();
        let mut bond_row = bond_row.iter().peekable();
        for (uid, consensus) in (0..=u16::MAX).zip(consensus) {
            let weight = math::advance(&mut weight_row, uid);
            let bond = math::advance(&mut bond_row, uid);
            row.push(sigmoid(*consensus, weight, bond));
        }
        alphas.push(row);
    }
    alphas
}

fn stored_bonds(ema: &SparseRows, before: &[bool], after: &[bool], rewrites_all: bool) -> BondRows {
    let mut rows = BondRows {
        starts: vec![0],
        ..BondRows::default()
    };
    for ((row, before), after) in ema.iter().zip(before).zip(after) {
        if *after {
            rows.entries.extend(
                row.iter()
                    .map(|(uid, bond)| (*uid, bond.to_u16_proportion())),
            );
        }
        rows.starts
            .push(u32::try_from(rows.entries.len()).unwrap_or(u32::MAX));
        rows.written.push(rewrites_all || *before || *after);
    }
    rows
}
