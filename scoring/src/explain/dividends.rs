//! What made a validator's dividends.

use super::at;
use crate::fixed::I32F32;
use crate::yuma::bonds::{Source, registered_before, source};
use crate::yuma::liquid::{Sigmoid, alphas_by_quantiles, constant_alpha};
use crate::yuma::rules::LiquidAlpha;
use crate::yuma::stake::normalise;
use crate::yuma::{EpochInputs, EpochOutputs, Trace};

/// What made a validator's dividends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dividends {
    /// True for the formula of Yuma3.
    pub yuma3: bool,
    /// One for each miner of which it had a bond or for which it has a weight, in the order of uids.
    pub bonds: Vec<BondOn>,
    /// Sum of the contributions.
    pub held: I32F32,
    /// What is normalised: `held`, with Yuma3 times the active stake.
    pub unnormalised: I32F32,
    /// Sum of that of all uids: the divisor. With zero nothing is divided.
    pub sum: I32F32,
    /// The dividends.
    pub dividends: I32F32,
    /// `Dividends` as it is stored.
    pub stored: u16,
}

/// A validator's bond of a miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BondOn {
    /// The miner.
    pub miner: u16,
    /// The stored bond before the epoch, of 65535; none if there was none.
    pub before: Option<u16>,
    /// True if the mask removes it: the miner is too new.
    pub masked: bool,
    /// The old bond that counts. Yuma2: its share of its column; Yuma3: the stored bond as a fraction.
    pub old: I32F32,
    /// The weight for bonds: clipped, unclipped or in between.
    pub weight: I32F32,
    /// The new bond. Yuma2: the share of active stake times weight in its column; Yuma3: the weight.
    pub new: I32F32,
    /// The new bond's part in the moving average.
    pub alpha: I32F32,
    /// `alpha * new + (1 - alpha) * old`, each product rounded down.
    pub average: I32F32,
    /// The average's share of its column.
    pub share: I32F32,
    /// The miner's incentive.
    pub incentive: I32F32,
    /// `share * incentive`.
    pub contribution: I32F32,
    /// The bond that the epoch stores, of 65535; none if it stores none.
    pub after: Option<u16>,
}

/// How fast bonds follow.
enum Speed {
    Constant(I32F32),
    PerMiner(Vec<I32F32>),
    Sigmoid(Box<Sigmoid>),
}

impl Speed {
    fn of(inputs: &EpochInputs<'_>, trace: &Trace) -> Self {
        let params = &inputs.params;
        let constant = Self::Constant(constant_alpha(params.bonds_moving_average));
        if !params.liquid_alpha {
            return constant;
        }
        match inputs.rules.liquid_alpha {
            LiquidAlpha::Sigmoid { percent, bounded }
                if is_yuma3(inputs) && trace.consensus.iter().any(|c| *c != I32F32::ZERO) =>
            {
                Self::Sigmoid(Box::new(Sigmoid::new(params, percent, bounded)))
            }
            LiquidAlpha::Quantiles { safe_division } if !is_yuma3(inputs) => {
                alphas_by_quantiles(&trace.consensus, params, safe_division)
                    .map_or(constant, Self::PerMiner)
            }
            _ => constant,
        }
    }
}

fn is_yuma3(inputs: &EpochInputs<'_>) -> bool {
    inputs.rules.yuma3 && inputs.params.yuma3
}

/// All bonds of an epoch.
pub(super) struct Bonds {
    /// Of each validator, in the order of miners.
    rows: Vec<Vec<BondOn>>,
    held: Vec<I32F32>,
    unnormalised: Vec<I32F32>,
    dividends: Vec<I32F32>,
}

impl Bonds {
    pub(super) fn new(inputs: &EpochInputs<'_>, trace: &Trace) -> Self {
        let mut rows: Vec<Vec<BondOn>> = (0..inputs.n)
            .map(|uid| entries(inputs, trace, uid))
            .collect();
        if !is_yuma3(inputs) {
            share_columns(inputs, trace, &mut rows);
        }
        let speed = Speed::of(inputs, trace);
        for (uid, row) in (0..inputs.n).zip(&mut rows) {
            average_row(inputs, trace, &speed, uid, row);
        }
        let sums = column_sums(inputs, &rows, |bond| bond.average);
        let mut held = vec![];
        for row in &mut rows {
            let mut sum = I32F32::ZERO;
            for bond in row.iter_mut() {
                bond.share = bond.average.safe_div(at(&sums, bond.miner));
                bond.incentive = at(&trace.incentive, bond.miner);
                bond.contribution = bond.share.saturating_mul(bond.incentive);
                sum = sum.saturating_add(bond.contribution);
            }
            held.push(sum);
        }
        let mut unnormalised = held.clone();
        if is_yuma3(inputs) {
            for (dividend, stake) in unnormalised.iter_mut().zip(&trace.active_stake) {
                *dividend = dividend.saturating_mul(*stake);
            }
        }
        let mut dividends = unnormalised.clone();
        normalise(&mut dividends);
        Self {
            rows,
            held,
            unnormalised,
            dividends,
        }
    }

    pub(super) fn explain(
        &self,
        inputs: &EpochInputs<'_>,
        outputs: &EpochOutputs,
        trace: &Trace,
        uid: u16,
    ) -> Dividends {
        debug_assert_eq!(at(&self.dividends, uid), at(&trace.dividends, uid));
        let after = outputs.bonds.row(uid);
        let bonds = self.rows.get(usize::from(uid)).into_iter().flatten();
        let bonds = bonds.map(|bond| BondOn {
            after: match after {
                Some(row) => super::raw_entry(row, bond.miner),
                // A row that the epoch leaves alone stays as it was.
                None => bond.before,
            },
            ..*bond
        });
        Dividends {
            yuma3: is_yuma3(inputs),
            bonds: bonds.collect(),
            held: at(&self.held, uid),
            unnormalised: at(&self.unnormalised, uid),
            sum: self.unnormalised.iter().sum(),
            dividends: at(&self.dividends, uid),
            stored: at(&outputs.dividends, uid),
        }
    }
}

/// Old bonds and weights of a row, before columns are shared out.
fn entries(inputs: &EpochInputs<'_>, trace: &Trace, uid: u16) -> Vec<BondOn> {
    let limit = registered_before(inputs, uid);
    let stored = inputs.bonds.iter().find(|row| row.uid == uid);
    let stored = stored.map_or(&[][..], |row| &row.entries);
    let weights = trace.bond_weights.get(usize::from(uid));
    let weights = weights.map_or(&[][..], Vec::as_slice);
    let mut row: Vec<BondOn> = vec![];
    for (miner, raw) in stored.iter().filter(|(miner, _)| *miner < inputs.n) {
        let masked = limit <= at(&inputs.block_at_registration, *miner);
        let counted = I32F32::from_u16_proportion(if masked { 0 } else { *raw });
        row.push(BondOn {
            before: Some(*raw),
            masked,
            old: counted,
            ..BondOn::none(*miner)
        });
    }
    row.sort_by_key(|bond| bond.miner);
    let known = row.len();
    for (miner, weight) in weights {
        let old = row.get_mut(..known).unwrap_or_default();
        match old
            .binary_search_by_key(miner, |bond| bond.miner)
            .map(|place| old.get_mut(place))
        {
            Ok(Some(bond)) => (bond.weight, bond.new) = (*weight, *weight),
            _ => row.push(BondOn {
                weight: *weight,
                new: *weight,
                ..BondOn::none(*miner)
            }),
        }
    }
    row.sort_by_key(|bond| bond.miner);
    row
}

/// Yuma2: old bonds, and weights times stakes, become shares of their columns.
fn share_columns(inputs: &EpochInputs<'_>, trace: &Trace, rows: &mut [Vec<BondOn>]) {
    let raw = inputs.rules.raw_u16_inputs;
    // As whole numbers the common factor 2^32 cancels out.
    let part = |bond: &BondOn| -> u128 {
        match bond.before.filter(|_| !bond.masked) {
            None => 0,
            Some(value) if raw => u128::from(value),
            Some(value) => {
                u128::try_from(I32F32::from_u16_proportion(value).to_bits()).unwrap_or(0)
            }
        }
    };
    let mut old_sums = vec![0u128; inputs.len()];
    for bond in rows.iter().flatten() {
        if let Some(sum) = old_sums.get_mut(usize::from(bond.miner)) {
            *sum += part(bond);
        }
    }
    for (row, stake) in rows.iter_mut().zip(&trace.active_stake) {
        for bond in row {
            bond.new = bond.weight.saturating_mul(*stake);
        }
    }
    let new_sums = column_sums(inputs, rows, |bond| bond.new);
    for bond in rows.iter_mut().flatten() {
        let sum = at(&old_sums, bond.miner);
        let share = (part(bond) << 32).checked_div(sum).unwrap_or(0);
        bond.old = I32F32::from_bits(i64::try_from(share).unwrap_or(i64::MAX));
        bond.new = bond.new.safe_div(at(&new_sums, bond.miner));
    }
}

/// The moving average of a row.
fn average_row(
    inputs: &EpochInputs<'_>,
    trace: &Trace,
    speed: &Speed,
    uid: u16,
    row: &mut [BondOn],
) {
    let mix = |bond: &mut BondOn, alpha: I32F32| {
        let kept = I32F32::ONE.saturating_sub(alpha);
        bond.alpha = alpha;
        bond.average = bond
            .new
            .saturating_mul(alpha)
            .saturating_add(bond.old.saturating_mul(kept));
    };
    match speed {
        Speed::Constant(alpha) => row.iter_mut().for_each(|bond| mix(bond, *alpha)),
        Speed::PerMiner(alphas) => {
            row.iter_mut()
                .for_each(|bond| mix(bond, at(alphas, bond.miner)));
        }
        Speed::Sigmoid(sigmoid) => {
            let read_bonds = ReadBonds::new(inputs, uid);
            // A pair without a weight loses its bond at once: an alpha of one, as far as it has any.
            row.iter_mut().for_each(|bond| bond.alpha = I32F32::ONE);
            for (miner, seen) in seen_weights(inputs, trace, uid) {
                let Ok(place) = row.binary_search_by_key(&miner, |bond| bond.miner) else {
                    continue;
                };
                if let Some(bond) = row.get_mut(place) {
                    let read = if read_bonds.finds(miner) {
                        bond.old
                    } else {
                        I32F32::ZERO
                    };
                    let difference = Sigmoid::difference(at(&trace.consensus, miner), seen, read);
                    mix(bond, sigmoid.alpha(difference));
                    bond.average = bond.average.min(I32F32::ONE);
                }
            }
        }
    }
}

/// Liquid alpha 2: the entries of a row of weights for bonds that the chain has, with what it reads of each: behind a greater uid, nothing.
fn seen_weights(inputs: &EpochInputs<'_>, trace: &Trace, uid: u16) -> Vec<(u16, I32F32)> {
    let row = |rows: &[Vec<(u16, I32F32)>]| rows.get(usize::from(uid)).cloned().unwrap_or_default();
    let unclipped = row(&trace.weights);
    let source = source(inputs);
    let mut entries: Vec<(u16, I32F32, I32F32)> = row(&trace.bond_weights)
        .into_iter()
        .zip(unclipped)
        .map(|((miner, weight), (_, unclipped))| (miner, weight, unclipped))
        .collect();
    if source == Source::Between {
        entries.sort_by_key(|(miner, ..)| *miner);
    }
    let mut greatest = None;
    let mut seen = vec![];
    for (miner, weight, unclipped) in entries {
        let cut = at(&trace.consensus, miner) == I32F32::ZERO && unclipped > I32F32::ZERO;
        let is_absent = match source {
            Source::Weights => false,
            Source::Clipped => cut,
            Source::Between => weight == I32F32::ZERO,
        };
        if !is_absent {
            let is_found = greatest < Some(miner);
            seen.push((miner, if is_found { weight } else { I32F32::ZERO }));
            greatest = greatest.max(Some(miner));
        }
    }
    seen
}

/// Liquid alpha 2: which old bonds of a row the chain finds; those behind a greater uid, even a foreign one, it does not.
struct ReadBonds(Vec<u16>);

impl ReadBonds {
    fn new(inputs: &EpochInputs<'_>, uid: u16) -> Self {
        let limit = registered_before(inputs, uid);
        let stored = inputs.bonds.iter().find(|row| row.uid == uid);
        let mut found: Vec<u16> = vec![];
        for (miner, _) in stored.map_or(&[][..], |row| &row.entries) {
            let is_kept = limit > at(&inputs.block_at_registration, *miner);
            if is_kept && found.last().is_none_or(|last| last < miner) {
                found.push(*miner);
            }
        }
        Self(found)
    }

    fn finds(&self, miner: u16) -> bool {
        self.0.binary_search(&miner).is_ok()
    }
}

fn column_sums(
    inputs: &EpochInputs<'_>,
    rows: &[Vec<BondOn>],
    value: impl Fn(&BondOn) -> I32F32,
) -> Vec<I32F32> {
    let mut sums = vec![I32F32::ZERO; inputs.len()];
    for bond in rows.iter().flatten() {
        if let Some(sum) = sums.get_mut(usize::from(bond.miner)) {
            *sum = sum.saturating_add(value(bond));
        }
    }
    sums
}

impl BondOn {
    fn none(miner: u16) -> Self {
        let zero = I32F32::ZERO;
        Self {
            miner,
            before: None,
            masked: false,
            old: zero,
            weight: zero,
            new: zero,
            alpha: zero,
            average: zero,
            share: zero,
            incentive: zero,
            contribution: zero,
            after: None,
        }
    }
}
