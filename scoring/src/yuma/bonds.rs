//! Stage 7: bonds and dividends.
//!
//! Two formulas exist. [`yuma2`]: a column of bonds is a miner's shares, held by validators. [`yuma3`]: a bond is a moving average of a weight. Both make
//! the moving average row by row in [`Average`], and then the rows that the chain stores.

use std::cmp::Ordering;

use super::clipping::{Clipping, add_products};
use super::matrix::{Keep, KeptRows, Matrix, Pattern, Reading, SortedRow};
use super::rules::{BondMask, BondWeights};
use super::weights::Weights;
use super::{BondRows, EpochError, EpochInputs};
use crate::fixed::I32F32;

pub(crate) mod yuma2;
pub(crate) mod yuma3;

/// Reads the stored rows of all uids, permitted or not, and masks them.
pub(crate) fn load_old(inputs: &EpochInputs<'_>, old: &mut KeptRows) -> Result<(), EpochError> {
    let reading = Reading {
        what: "bonds",
        n: inputs.n,
        spec: inputs.rules.spec,
        registered: &inputs.block_at_registration,
        skips_foreign_rows: inputs.rules.filters_bond_rows,
        // The chain panicked on them or, later, skipped them wherever it used them.
        skips_foreign_entries: true,
    };
    old.read(&reading, &inputs.bonds, |uid| {
        Some(Keep {
            registered_before: registered_before(inputs, uid),
            own: true,
        })
    })
}

/// A stored bond counts if its miner registered before this block.
pub(crate) fn registered_before(inputs: &EpochInputs<'_>, uid: u16) -> u64 {
    let tempo_ago = inputs.block.saturating_sub(u64::from(inputs.params.tempo));
    match inputs.rules.bond_mask {
        BondMask::LastUpdate => inputs.last_update_of(usize::from(uid)),
        BondMask::LastStep if inputs.last_step_block != 0 => {
            inputs.last_step_block.saturating_add(1)
        }
        BondMask::BlockMinusTempo | BondMask::LastStep => tempo_ago,
    }
}

/// Which weights the new bonds come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// As they are: no penalty.
    Weights,
    /// Clipped: full penalty.
    Clipped,
    /// In between.
    Between,
}

/// Weights for bonds: `w + penalty * (clipped - w)`, in `between` unless they are one of the two as a whole.
pub(crate) fn bond_weights(
    inputs: &EpochInputs<'_>,
    weights: &[I32F32],
    clipped: &[I32F32],
    between: &mut Vec<I32F32>,
) -> Source {
    let source = source(inputs);
    if source != Source::Between {
        return source;
    }
    let penalty = I32F32::from_u16_proportion(inputs.params.bonds_penalty);
    between.clear();
    // The difference is not positive, and its product is rounded down, away from zero.
    between.extend(weights.iter().zip(clipped).map(|(weight, clipped)| {
        weight.saturating_add(penalty.saturating_mul(clipped.saturating_sub(*weight)))
    }));
    source
}

/// Which weights the new bonds come from.
pub(crate) fn source(inputs: &EpochInputs<'_>) -> Source {
    match inputs.params.bonds_penalty {
        _ if inputs.rules.bond_weights == BondWeights::Clipped => Source::Clipped,
        u16::MAX => Source::Clipped,
        0 => Source::Weights,
        _ => Source::Between,
    }
}

/// What a formula needs.
pub(crate) struct BondInputs<'a> {
    pub(crate) inputs: &'a EpochInputs<'a>,
    pub(crate) weights: &'a Weights,
    pub(crate) clipping: &'a Clipping,
    /// Weights for bonds, and what they are.
    pub(crate) for_bonds: Matrix<'a>,
    pub(crate) source: Source,
    pub(crate) old: &'a KeptRows,
    pub(crate) active_stake: &'a [I32F32],
    pub(crate) consensus: &'a [I32F32],
    /// Permits before the epoch, and after: only rows of the latter are stored.
    pub(crate) permits_before: &'a [bool],
    pub(crate) permits_after: &'a [bool],
}

impl BondInputs<'_> {
    /// Sums of the columns of weights for bonds, each times its validator's stake.
    fn product_sums(&self) -> Vec<I32F32> {
        if self.source == Source::Clipped {
            return self.clipping.ranks.clone();
        }
        let mut sums = vec![I32F32::ZERO; self.active_stake.len()];
        for (uid, row) in self.for_bonds.pattern.rows() {
            let columns = &self.for_bonds.pattern.columns[row.clone()];
            add_products(
                &mut sums,
                columns,
                &self.for_bonds.values[row],
                self.active_stake[uid],
            );
        }
        sums
    }

    /// True for old bonds that the mask removes. A miner that does not exist counts as registered at block 0.
    fn is_masked(&self, validator: usize, miner: u16) -> bool {
        let registered = self
            .inputs
            .block_at_registration
            .get(usize::from(miner))
            .copied()
            .unwrap_or(0);
        registered_before(self.inputs, u16::try_from(validator).unwrap_or(u16::MAX)) <= registered
    }

    /// The rows to store: those of uids with a permit after the epoch; the others are cleared, or left alone where the runtime does that.
    /// `value` turns a cell into what is stored.
    fn rows_of(&self, average: &Average, value: impl Fn(usize, I32F32) -> u16) -> BondRows {
        let mut rows = BondRows {
            starts: vec![0],
            ..BondRows::default()
        };
        rows.entries.reserve(average.values.len());
        rows.starts.reserve(self.permits_after.len());
        for (uid, permit) in self.permits_after.iter().enumerate() {
            if *permit {
                let row = average.pattern.row(uid);
                let columns = average.pattern.columns[row.clone()].iter();
                let cells = columns.zip(&average.values[row]);
                rows.entries.extend(
                    cells.map(|(column, cell)| (*column, value(usize::from(*column), *cell))),
                );
            }
            rows.starts
                .push(u32::try_from(rows.entries.len()).unwrap_or(u32::MAX));
        }
        let rewrites_all = self.inputs.rules.rewrites_all_bonds;
        let permits = self.permits_before.iter().zip(self.permits_after);
        rows.written = permits
            .map(|(before, after)| rewrites_all || *before || *after)
            .collect();
        rows
    }
}

/// The moving average of bonds, and the buffers that make it.
#[derive(Debug, Default)]
pub(crate) struct Average {
    pub(crate) pattern: Pattern,
    pub(crate) values: Vec<I32F32>,
    /// Of each column.
    totals: Vec<Total>,
    sorted_new: SortedRow<I32F32>,
    sorted_old: SortedRow<I32F32>,
    liquid: yuma3::LiquidBuffers,
}

/// What is known of a column of the moving average.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    sum: I32F32,
    greatest: I32F32,
}

impl Total {
    #[inline]
    fn add(&mut self, value: I32F32) {
        self.sum = self.sum.plus(value);
        self.greatest = self.greatest.max(value);
    }
}

impl Average {
    /// The moving average as a matrix.
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix {
            pattern: &self.pattern,
            values: &self.values,
        }
    }

    fn clear(&mut self, n: usize) {
        self.pattern.clear();
        self.values.clear();
        self.totals.clear();
        self.totals.resize(n, Total::default());
    }

    /// Makes a row from the terms that the weights and the old bonds give: adds them up column by column, in ascending order. `new_term` and `old_term` make a term from
    /// an entry and its column.
    fn add_row<A: Copy, B: Copy>(
        &mut self,
        (new_columns, new): (&[u16], &[A]),
        (old_columns, old): (&[u16], &[B]),
        new_term: impl Fn(A, usize) -> I32F32,
        old_term: impl Fn(B, usize) -> I32F32,
    ) {
        let start = self.values.len();
        let Self {
            pattern: Pattern { columns, .. },
            values,
            totals,
            ..
        } = self;
        let totals = totals.as_mut_slice();
        let is_sorted = |columns: &[u16]| columns.windows(2).all(|pair| pair[0] < pair[1]);
        if new_columns == old_columns && is_sorted(new_columns) {
            // The usual case: a validator with weights for the same miners as in the epoch before.
            columns.extend_from_slice(new_columns);
            values.resize(start + new_columns.len(), I32F32::ZERO);
            let entries = new_columns
                .iter()
                .zip(new)
                .zip(old)
                .zip(&mut values[start..]);
            for (((column, new), old), value) in entries {
                let column = usize::from(*column);
                *value = new_term(*new, column).plus(old_term(*old, column));
                totals[column].add(*value);
            }
        } else {
            let new = new_columns.iter().zip(new);
            self.sorted_new
                .sort(new.map(|(column, new)| (*column, new_term(*new, usize::from(*column)))));
            let old = old_columns.iter().zip(old);
            self.sorted_old
                .sort(old.map(|(column, old)| (*column, old_term(*old, usize::from(*column)))));
            merge(
                &self.sorted_new.pairs,
                &self.sorted_old.pairs,
                |column, value| {
                    columns.push(column);
                    values.push(value);
                    totals[usize::from(column)].add(value);
                },
            );
        }
        self.end_row(start);
    }

    /// Adds a row that is already made: one cell for each of the last columns.
    fn add_cells(&mut self, cells: impl Iterator<Item = I32F32>) {
        let start = self.values.len();
        self.values.extend(cells);
        for (column, value) in self.pattern.columns[start..]
            .iter()
            .zip(&self.values[start..])
        {
            self.totals[usize::from(*column)].add(*value);
        }
        self.end_row(start);
    }

    /// Drops cells that are zero from the row that starts at a place, and ends it.
    fn end_row(&mut self, start: usize) {
        if self.values[start..].contains(&I32F32::ZERO) {
            let mut kept = start;
            for place in start..self.values.len() {
                if self.values[place] > I32F32::ZERO {
                    self.values[kept] = self.values[place];
                    self.pattern.columns[kept] = self.pattern.columns[place];
                    kept += 1;
                }
            }
            self.values.truncate(kept);
            self.pattern.columns.truncate(kept);
        }
        self.pattern.end_row();
    }
}

/// Adds up two rows that are sorted by column.
fn merge(mut new: &[(u16, I32F32)], mut old: &[(u16, I32F32)], mut push: impl FnMut(u16, I32F32)) {
    while let (Some((new_column, new_term)), Some((old_column, old_term))) =
        (new.first(), old.first())
    {
        match new_column.cmp(old_column) {
            Ordering::Less => {
                push(*new_column, *new_term);
                new = &new[1..];
            }
            Ordering::Greater => {
                push(*old_column, *old_term);
                old = &old[1..];
            }
            Ordering::Equal => {
                push(*new_column, new_term.plus(*old_term));
                new = &new[1..];
                old = &old[1..];
            }
        }
    }
    for (column, term) in new.iter().chain(old) {
        push(*column, *term);
    }
}
