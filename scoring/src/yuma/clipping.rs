//! Stage 6: weights cut at the consensus, and what follows from them.

use super::matrix::Matrix;
use super::stake::normalise;
use crate::fixed::I32F32;

/// Clipped weights and the vectors made from them.
#[derive(Debug, Default)]
pub(crate) struct Clipping {
    /// Same entries as the weights. The chain drops an entry that is cut to zero; here it stays as a zero.
    pub(crate) values: Vec<I32F32>,
    /// Sum of each row.
    pub(crate) validator_trust: Vec<I32F32>,
    /// Stake-weighted sum of each column before the clipping. Zeros if nobody needs it.
    pub(crate) preranks: Vec<I32F32>,
    /// The same after the clipping.
    pub(crate) ranks: Vec<I32F32>,
    /// Normalised ranks.
    pub(crate) incentive: Vec<I32F32>,
}

impl Clipping {
    pub(crate) fn run(
        &mut self,
        weights: Matrix<'_>,
        active_stake: &[I32F32],
        consensus: &[I32F32],
        needs_preranks: bool,
    ) {
        let n = active_stake.len();
        for vector in [
            &mut self.validator_trust,
            &mut self.preranks,
            &mut self.ranks,
        ] {
            vector.clear();
            vector.resize(n, I32F32::ZERO);
        }
        self.values.clear();
        for (uid, row) in weights.pattern.rows() {
            let columns = &weights.pattern.columns[row.clone()];
            let weights = &weights.values[row];
            let start = self.values.len();
            let mut trust = I32F32::ZERO;
            self.values.resize(start + weights.len(), I32F32::ZERO);
            let clipped = &mut self.values[start..];
            for ((column, weight), clipped) in columns.iter().zip(weights).zip(&mut *clipped) {
                *clipped = consensus[usize::from(*column)].min(*weight);
                trust = trust.plus(*clipped);
            }
            self.validator_trust[uid] = trust;
            let stake = active_stake[uid];
            if stake > I32F32::ZERO {
                add_products(&mut self.ranks, columns, clipped, stake);
                if needs_preranks {
                    add_products(&mut self.preranks, columns, weights, stake);
                }
            }
        }
        self.incentive.clone_from(&self.ranks);
        normalise(&mut self.incentive);
    }

    /// What the clipping left of each rank.
    pub(crate) fn trust(&self) -> impl Iterator<Item = I32F32> {
        self.ranks
            .iter()
            .zip(&self.preranks)
            .map(|(rank, prerank)| rank.safe_div(*prerank))
    }
}

/// Adds a row times its stake to sums of columns.
pub(crate) fn add_products(sums: &mut [I32F32], columns: &[u16], values: &[I32F32], stake: I32F32) {
    for (column, value) in columns.iter().zip(values) {
        let sum = &mut sums[usize::from(*column)];
        *sum = sum.plus(value.unit_mul(stake));
    }
}
