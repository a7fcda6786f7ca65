//! The epoch from beginning to end.

use rayon::prelude::*;

use super::bonds::{Average, BondInputs, Source, bond_weights, load_old, yuma2, yuma3};
use super::clipping::Clipping;
use super::consensus::{Votes, consensus};
use super::liquid::{Sigmoid, alphas_by_quantiles, constant_alpha};
use super::matrix::{KeptRows, Matrix};
use super::rules::LiquidAlpha;
use super::weights::Weights;
use super::{
    BondRows, EpochError, EpochInputs, EpochOutputs, Observer, Silent, Stage, activity, emission,
    permits, stake,
};
use crate::fixed::I32F32;

/// Buffers that an epoch leaves for the next one. Their contents mean nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    weights: Weights,
    votes: Votes,
    clipping: Clipping,
    between: Vec<I32F32>,
    old_bonds: KeptRows,
    average: Average,
}

/// Computes an epoch.
///
/// # Errors
/// [`EpochError`] for inputs that no runtime could have worked on.
pub fn epoch(inputs: &EpochInputs<'_>) -> Result<EpochOutputs, EpochError> {
    epoch_observed(inputs, &mut Scratch::default(), &mut Silent)
}

/// Computes many epochs, in parallel on rayon's current thread pool. Results are in the order of the inputs.
pub fn epochs(inputs: &[EpochInputs<'_>]) -> Vec<Result<EpochOutputs, EpochError>> {
    let run = |scratch: &mut Scratch, inputs: &EpochInputs<'_>| {
        epoch_observed(inputs, scratch, &mut Silent)
    };
    inputs.par_iter().map_init(Scratch::default, run).collect()
}

/// Computes an epoch with given buffers, and shows every stage to an observer.
///
/// # Errors
/// [`EpochError`] for inputs that no runtime could have worked on.
pub fn epoch_observed<O: Observer>(
    inputs: &EpochInputs<'_>,
    scratch: &mut Scratch,
    observer: &mut O,
) -> Result<EpochOutputs, EpochError> {
    inputs.check()?;
    let rules = &inputs.rules;
    let Scratch {
        weights,
        votes,
        clipping,
        between,
        old_bonds,
        average,
    } = scratch;

    let inactive = activity::inactive(inputs);
    observer.see(Stage::Activity {
        inactive: &inactive,
    });

    let stake = stake::normalised(inputs)?;
    observer.see(Stage::Stake { stake: &stake });

    let before = permits::before(inputs);
    let after = permits::after(inputs, &stake);
    observer.see(Stage::Permits {
        before: &before,
        after: &after,
    });

    let active_stake = permits::active_stake(inputs, &stake, &inactive, &before);
    observer.see(Stage::ActiveStake {
        stake: &active_stake,
    });

    weights.load(inputs, &before)?;
    let matrix = weights.matrix();
    let pattern = matrix.pattern;
    observer.see(Stage::Weights(matrix));

    let kappa = I32F32::from_u16_proportion(inputs.params.kappa);
    let consensus = consensus(kappa, &active_stake, matrix, votes);
    observer.see(Stage::Consensus {
        consensus: &consensus,
    });

    let needs_trust = rules.stores_rank_trust || O::LOOKS;
    clipping.run(matrix, &active_stake, &consensus, needs_trust);
    let trust: Vec<I32F32> = if needs_trust {
        clipping.trust().collect()
    } else {
        Vec::new()
    };
    let Clipping {
        values: clipped,
        validator_trust,
        preranks,
        ranks,
        incentive,
    } = &*clipping;
    observer.see(Stage::Clipping {
        weights: Matrix {
            pattern,
            values: clipped,
        },
        validator_trust,
    });
    observer.see(Stage::Ranks {
        preranks,
        ranks,
        trust: &trust,
        incentive,
    });

    let source = bond_weights(inputs, &weights.values, clipped, between);
    let for_bonds = match source {
        Source::Weights => &weights.values,
        Source::Clipped => clipped,
        Source::Between => &*between,
    };
    let for_bonds = Matrix {
        pattern,
        values: for_bonds,
    };
    observer.see(Stage::BondWeights(for_bonds));

    load_old(inputs, old_bonds)?;
    let bond_inputs = BondInputs {
        inputs,
        weights,
        clipping,
        for_bonds,
        source,
        old: old_bonds,
        active_stake: &active_stake,
        consensus: &consensus,
        permits_before: &before,
        permits_after: &after,
    };
    let (dividends, stored) = dividends(&bond_inputs, average);
    observer.see(Stage::Bonds(average.matrix()));
    observer.see(Stage::Dividends {
        dividends: &dividends,
    });

    let shares = emission::shares(incentive, &dividends, &stake, &active_stake);
    let emission::Shares {
        server,
        validator,
        combined,
    } = &shares;
    observer.see(Stage::Emission {
        server,
        validator,
        combined,
    });

    let incentive = proportions(incentive);
    Ok(EpochOutputs {
        stake_weight: rules.stores_stake_weight.then(|| proportions(&stake)),
        active: inactive.iter().map(|inactive| !inactive).collect(),
        consensus: proportions(&consensus),
        dividends: proportions(&dividends),
        validator_trust: proportions(validator_trust),
        rank: rules.stores_rank_trust.then(|| incentive.clone()),
        trust: rules.stores_rank_trust.then(|| proportions(&trust)),
        incentive,
        pruning_scores: emission::pruning_scores(rules.pruning, combined),
        validator_permit: after,
        bonds: stored,
        emission: emission::amounts(inputs, &shares),
    })
}

/// Dividends and bonds by the formula that the rules and the subnet choose.
fn dividends(bonds: &BondInputs<'_>, average: &mut Average) -> (Vec<I32F32>, BondRows) {
    let params = &bonds.inputs.params;
    let rules = &bonds.inputs.rules;
    let constant = constant_alpha(params.bonds_moving_average);
    if rules.yuma3 && params.yuma3 {
        let some_consensus = bonds.consensus.iter().any(|value| *value != I32F32::ZERO);
        let alpha = match rules.liquid_alpha {
            LiquidAlpha::Sigmoid { percent, bounded } if params.liquid_alpha && some_consensus => {
                yuma3::Alpha::Sigmoid(Sigmoid::new(params, percent, bounded))
            }
            _ => yuma3::Alpha::Constant(constant),
        };
        return yuma3::run(bonds, &alpha, average);
    }
    let alphas = match rules.liquid_alpha {
        LiquidAlpha::Quantiles { safe_division } if params.liquid_alpha => {
            alphas_by_quantiles(bonds.consensus, params, safe_division)
        }
        _ => None,
    };
    yuma2::run(
        bonds,
        &alphas.unwrap_or_else(|| vec![constant; bonds.consensus.len()]),
        average,
    )
}

fn proportions(values: &[I32F32]) -> Vec<u16> {
    values
        .iter()
        .map(|value| value.to_u16_proportion())
        .collect()
}
