//! Bonds as moving averages of weights, with a constant alpha or with one per validator and miner (liquid alpha 2).

use super::{Average, BondInputs, Source};
use crate::fixed::{I32F32, Reciprocal};
use crate::yuma::BondRows;
use crate::yuma::liquid::Sigmoid;
use crate::yuma::matrix::SortedRow;
use crate::yuma::stake::normalise;

/// How fast bonds follow.
pub(crate) enum Alpha {
    /// The same for all.
    Constant(I32F32),
    /// By the distance of weight, old bond and consensus.
    Sigmoid(Sigmoid),
}

/// Dividends and the bonds to store; the moving average is left in `average`.
pub(crate) fn run(
    bonds: &BondInputs<'_>,
    alpha: &Alpha,
    average: &mut Average,
) -> (Vec<I32F32>, BondRows) {
    average.clear(bonds.active_stake.len());
    match alpha {
        Alpha::Constant(alpha) => constant(bonds, *alpha, average),
        Alpha::Sigmoid(sigmoid) => liquid(bonds, sigmoid, average),
    }
    let sums: Vec<(Reciprocal, I32F32)> = average
        .totals
        .iter()
        .zip(&bonds.clipping.incentive)
        .map(|(total, incentive)| (Reciprocal::of(total.sum), *incentive))
        .collect();
    let mut dividends = vec![I32F32::ZERO; bonds.active_stake.len()];
    for (uid, row) in average.pattern.rows() {
        let cells = average.pattern.columns[row.clone()]
            .iter()
            .zip(&average.values[row]);
        let held = cells.fold(I32F32::ZERO, |held, (column, cell)| {
            let (sum, incentive) = &sums[usize::from(*column)];
            held.plus(sum.share_of_unit(*cell).unit_mul(*incentive))
        });
        dividends[uid] = held
            .checked_mul(bonds.active_stake[uid])
            .unwrap_or(I32F32::ZERO);
    }
    normalise(&mut dividends);
    (
        dividends,
        bonds.rows_of(average, |_, cell| cell.unit_to_u16()),
    )
}

/// `alpha * weight + (1 - alpha) * bond`.
fn constant(bonds: &BondInputs<'_>, alpha: I32F32, average: &mut Average) {
    let kept = I32F32::ONE.saturating_sub(alpha);
    for uid in 0..bonds.active_stake.len() {
        let (new, old) = (bonds.for_bonds.pattern.row(uid), bonds.old.pattern.row(uid));
        average.add_row(
            (
                &bonds.for_bonds.pattern.columns[new.clone()],
                &bonds.for_bonds.values[new],
            ),
            (&bonds.old.pattern.columns[old.clone()], &bonds.old.raw[old]),
            move |weight, _| weight.unit_mul(alpha),
            move |bond, _| I32F32::from_u16_proportion(bond).unit_mul(kept),
        );
    }
}

/// Buffers of liquid alpha.
#[derive(Debug, Default)]
pub(crate) struct LiquidBuffers {
    /// The old bonds of a row, one for each uid; zeros between rows.
    old: Vec<I32F32>,
    /// The same as the chain reads them. Used for rows that are not sorted.
    read: Vec<I32F32>,
    /// Cells whose alpha is still to be computed: the place in the row, and the difference.
    open: Vec<(usize, I32F32)>,
    /// Weight and old bond of each cell.
    pairs: Vec<(I32F32, I32F32)>,
    alphas: Vec<I32F32>,
    /// True if `read` differs from `old` in this row.
    is_spread: bool,
    /// Weight for bonds and weight before the clipping of each entry.
    sorted: SortedRow<(I32F32, I32F32)>,
}

/// The moving average with an alpha for each cell, only for cells that have a weight: an old bond without one is dropped at once.
fn liquid(bonds: &BondInputs<'_>, sigmoid: &Sigmoid, average: &mut Average) {
    let n = bonds.active_stake.len();
    let mut buffers = std::mem::take(&mut average.liquid);
    for dense in [&mut buffers.old, &mut buffers.read] {
        dense.clear();
        dense.resize(n, I32F32::ZERO);
    }
    for uid in 0..n {
        buffers.pairs.clear();
        buffers.alphas.clear();
        if !bonds.for_bonds.pattern.row(uid).is_empty() {
            buffers.spread_old(bonds, uid);
            liquid_row(
                bonds,
                sigmoid,
                uid,
                &mut buffers,
                &mut average.pattern.columns,
            );
            for column in &bonds.old.pattern.columns[bonds.old.pattern.row(uid)] {
                buffers.old[usize::from(*column)] = I32F32::ZERO;
                buffers.read[usize::from(*column)] = I32F32::ZERO;
            }
        }
        average.add_cells(buffers.alphas.iter().zip(&buffers.pairs).map(
            |(alpha, (weight, bond))| {
                let decayed = bond.unit_mul(I32F32::ONE.saturating_sub(*alpha));
                decayed.plus(weight.unit_mul(*alpha)).min(I32F32::ONE)
            },
        ));
    }
    average.liquid = buffers;
}

/// Finds the cells of a row, their weights, bonds and alphas.
fn liquid_row(
    bonds: &BondInputs<'_>,
    sigmoid: &Sigmoid,
    uid: usize,
    buffers: &mut LiquidBuffers,
    cells: &mut Vec<u16>,
) {
    let LiquidBuffers {
        old,
        read,
        open,
        pairs,
        alphas,
        sorted,
        is_spread,
    } = buffers;
    let row = bonds.for_bonds.pattern.row(uid);
    let columns = &bonds.for_bonds.pattern.columns[row.clone()];
    let values = bonds.for_bonds.values[row.clone()]
        .iter()
        .zip(&bonds.weights.values[row]);
    let entries = columns
        .iter()
        .zip(values)
        .map(|(column, (weight, unclipped))| (*column, (*weight, *unclipped)));
    sorted.pairs.clear();
    if bonds.source == Source::Between && bonds.weights.kept.is_unsorted(uid) {
        // Interpolated rows are built in order; the others stay as the validator sent them.
        sorted.sort(entries);
    } else {
        sorted.pairs.extend(entries);
    }
    let read: &[I32F32] = if *is_spread { read } else { old };
    open.clear();
    let mut greatest = None;
    for (uid, (weight, unclipped)) in &sorted.pairs {
        let column = usize::from(*uid);
        let consensus = bonds.consensus[column];
        let is_absent = match bonds.source {
            Source::Weights => false,
            // What the clipping cuts to zero is not in the chain's row.
            Source::Clipped => consensus == I32F32::ZERO && *unclipped > I32F32::ZERO,
            Source::Between => *weight == I32F32::ZERO,
        };
        if is_absent {
            continue;
        }
        // The chain walks along the row and the columns together and never turns back: behind a greater uid it finds nothing.
        let seen = if greatest < Some(*uid) {
            *weight
        } else {
            I32F32::ZERO
        };
        greatest = greatest.max(Some(*uid));
        let difference = Sigmoid::difference(consensus, seen, read[column]);
        if difference != I32F32::ZERO {
            open.push((alphas.len(), difference));
        }
        alphas.push(sigmoid.at_zero);
        pairs.push((*weight, old[column]));
        cells.push(*uid);
    }
    fill_alphas(sigmoid, open, alphas);
}

/// Computes the alphas that are still open, several at a time.
fn fill_alphas(sigmoid: &Sigmoid, open: &[(usize, I32F32)], alphas: &mut [I32F32]) {
    let mut fours = open.chunks_exact(4);
    for four in &mut fours {
        let computed = sigmoid.alphas([four[0].1, four[1].1, four[2].1, four[3].1]);
        for ((place, _), alpha) in four.iter().zip(computed) {
            alphas[*place] = alpha;
        }
    }
    for (place, difference) in fours.remainder() {
        alphas[*place] = sigmoid.alpha(*difference);
    }
}

impl LiquidBuffers {
    /// Spreads the old bonds of a row over the columns, and for a row that is not sorted also what the chain reads of them: nothing that stands behind
    /// a greater uid, even one that does not exist.
    fn spread_old(&mut self, bonds: &BondInputs<'_>, uid: usize) {
        let row = bonds.old.pattern.row(uid);
        for (column, bond) in bonds.old.pattern.columns[row.clone()]
            .iter()
            .zip(&bonds.old.raw[row])
        {
            self.old[usize::from(*column)] = I32F32::from_u16_proportion(*bond);
        }
        self.is_spread = bonds.old.is_unsorted(uid);
        let stored = u16::try_from(uid)
            .ok()
            .and_then(|uid| bonds.old.stored(&bonds.inputs.bonds, uid));
        let Some(stored) = stored.filter(|_| self.is_spread) else {
            return;
        };
        let mut greatest = None;
        for (column, _) in stored
            .entries
            .iter()
            .filter(|(column, _)| !bonds.is_masked(uid, *column))
        {
            if greatest < Some(*column)
                && let Some(read) = self.read.get_mut(usize::from(*column))
            {
                *read = self.old[usize::from(*column)];
            }
            greatest = greatest.max(Some(*column));
        }
    }
}
