//! Bonds as shares: the original formula, with a constant alpha or with one per miner (liquid alpha 1).

use super::{Average, BondInputs};
use crate::fixed::{I32F32, Reciprocal};
use crate::yuma::BondRows;
use crate::yuma::stake::normalise;

/// What turns weights and old bonds of a column into terms of its moving average.
struct Column {
    /// The sum of its weights times stakes, and the share of the new value.
    new: Reciprocal,
    alpha: I32F32,
    /// The sum of its old bonds, and the share of the old value.
    old: Reciprocal,
    kept: I32F32,
}

/// Dividends and the bonds to store. `alphas` has one alpha per miner; the moving average is left in `average`, its columns normalised.
pub(crate) fn run(
    bonds: &BondInputs<'_>,
    alphas: &[I32F32],
    average: &mut Average,
) -> (Vec<I32F32>, BondRows) {
    make_average(bonds, alphas, average);
    let sums: Vec<(Reciprocal, I32F32)> = average
        .totals
        .iter()
        .zip(&bonds.clipping.incentive)
        .map(|(total, incentive)| (Reciprocal::of(total.sum), *incentive))
        .collect();

    let (columns, sums_of) = (average.pattern.columns.as_slice(), sums.as_slice());
    let mut dividends = vec![I32F32::ZERO; bonds.active_stake.len()];
    for (uid, row) in average.pattern.rows() {
        let mut dividend = I32F32::ZERO;
        for (column, cell) in columns[row.clone()].iter().zip(&mut average.values[row]) {
            let (sum, incentive) = &sums_of[usize::from(*column)];
            *cell = sum.share_of_unit(*cell);
            dividend = dividend.plus(cell.unit_mul(*incentive));
        }
        dividends[uid] = dividend;
    }
    normalise(&mut dividends);

    let rows = if bonds.inputs.rules.upscales_bonds {
        // The greatest share of a column is that of its greatest entry.
        let greatest: Vec<Reciprocal> = average
            .totals
            .iter()
            .zip(&sums)
            .map(|(total, (sum, _))| Reciprocal::of(sum.share_of_unit(total.greatest)))
            .collect();
        bonds.rows_of(average, |column, share| {
            greatest[column].share_of_unit(share).unit_to_u16()
        })
    } else {
        bonds.rows_of(average, |_, share| share.unit_to_u16())
    };
    (dividends, rows)
}

/// `alpha * new share + (1 - alpha) * old share`, where both kinds of shares add up to one in each column.
fn make_average(bonds: &BondInputs<'_>, alphas: &[I32F32], average: &mut Average) {
    // As whole numbers the common factor 2^32 of all stored values cancels out.
    let raw = bonds.inputs.rules.raw_u16_inputs;
    let part = move |bond: u16| {
        if raw {
            u64::from(bond)
        } else {
            I32F32::from_u16_proportion(bond).unsigned_bits()
        }
    };
    let mut old_sums = vec![0u64; bonds.active_stake.len()];
    for (column, bond) in bonds.old.pattern.columns.iter().zip(&bonds.old.raw) {
        old_sums[usize::from(*column)] += part(*bond);
    }
    let columns: Vec<Column> = bonds
        .product_sums()
        .iter()
        .zip(old_sums)
        .zip(alphas)
        .map(|((new, old), alpha)| Column {
            new: Reciprocal::of(*new),
            alpha: *alpha,
            old: Reciprocal::new(old),
            kept: I32F32::ONE.saturating_sub(*alpha),
        })
        .collect();

    average.clear(columns.len());
    let columns = columns.as_slice();
    for (uid, stake) in bonds.active_stake.iter().enumerate() {
        let (stake, new, old) = (
            *stake,
            bonds.for_bonds.pattern.row(uid),
            bonds.old.pattern.row(uid),
        );
        average.add_row(
            (
                &bonds.for_bonds.pattern.columns[new.clone()],
                &bonds.for_bonds.values[new],
            ),
            (&bonds.old.pattern.columns[old.clone()], &bonds.old.raw[old]),
            move |weight, column| {
                let column = &columns[column];
                column
                    .new
                    .share_of_unit(weight.unit_mul(stake))
                    .unit_mul(column.alpha)
            },
            move |bond, column| {
                let column = &columns[column];
                I32F32::from_unsigned_bits(column.old.share(part(bond))).unit_mul(column.kept)
            },
        );
    }
}
