//! Putting a patch into the inputs of an epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::{Patch, Timeline};
use crate::fixed::I64F64;
use crate::yuma::{EpochInputs, Hyperparameters, Row};

/// Rows of those who are copied, epoch by epoch.
pub(super) struct History {
    sources: BTreeSet<u16>,
    /// Oldest first: those before the simulation, then its own.
    epochs: Vec<BTreeMap<u16, Vec<(u16, u16)>>>,
}

impl History {
    pub(super) fn new(timeline: &Timeline<'_>, patch: &Patch) -> Self {
        let mut history = Self {
            sources: patch.copies.iter().map(|copy| copy.source).collect(),
            epochs: vec![],
        };
        for rows in timeline.past_weights {
            history.note(rows);
        }
        history
    }

    fn note(&mut self, rows: &[Row<'_>]) {
        let copied = rows.iter().filter(|row| self.sources.contains(&row.uid));
        let copied = copied.map(|row| (row.uid, row.entries.to_vec())).collect();
        self.epochs.push(copied);
    }

    /// The row that a uid had `delay` epochs before the one after the last noted.
    fn row(&self, uid: u16, delay: u32) -> Option<&[(u16, u16)]> {
        let place = self
            .epochs
            .len()
            .checked_sub(usize::try_from(delay).ok()?)?;
        self.epochs.get(place)?.get(&uid).map(Vec::as_slice)
    }
}

/// Changes an epoch's inputs, and notes the rows that it leaves for later copies.
pub(super) fn apply(patch: &Patch, inputs: &mut EpochInputs<'_>, history: &mut History) {
    apply_params(patch, &mut inputs.params);
    for (uid, stake) in &patch.stakes {
        let stake = I64F64::saturating_from_u64(*stake);
        put(inputs.total_stake.to_mut(), *uid, stake);
    }
    for uid in &patch.removed {
        put(inputs.total_stake.to_mut(), *uid, I64F64::ZERO);
        put(inputs.validator_permit.to_mut(), *uid, false);
    }
    let is_removed = |row: &Row<'_>| patch.removed.contains(&row.uid);
    inputs.weights.retain(|row| !is_removed(row));
    inputs.bonds.retain(|row| !is_removed(row));
    for row in &patch.weights {
        set_weights(inputs, row.uid, row.entries.to_vec());
    }
    let copied: Vec<(u16, Vec<(u16, u16)>)> = patch
        .copies
        .iter()
        .filter_map(|copy| {
            let row = match copy.delay {
                0 => {
                    let now = inputs.weights.iter().find(|row| row.uid == copy.source);
                    now.map(|row| &*row.entries)
                }
                delay => history.row(copy.source, delay),
            };
            Some((copy.copier, row?.to_vec()))
        })
        .collect();
    for (copier, row) in copied {
        set_weights(inputs, copier, row);
    }
    history.note(&inputs.weights);
}

fn apply_params(patch: &Patch, params: &mut Hyperparameters) {
    fn set<T: Copy>(to: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *to = value;
        }
    }
    set(&mut params.kappa, patch.kappa);
    set(&mut params.bonds_penalty, patch.bonds_penalty);
    set(&mut params.bonds_moving_average, patch.bonds_moving_average);
    set(&mut params.yuma3, patch.yuma3);
    set(&mut params.liquid_alpha, patch.liquid_alpha);
    set(&mut params.alpha_low, patch.alpha_low);
    set(&mut params.alpha_high, patch.alpha_high);
    let steepness = &mut params.alpha_sigmoid_steepness;
    set(steepness, patch.alpha_sigmoid_steepness);
}

/// The validator set these weights in the block before the epoch.
fn set_weights(inputs: &mut EpochInputs<'_>, uid: u16, entries: Vec<(u16, u16)>) {
    inputs.weights.retain(|row| row.uid != uid);
    inputs.weights.push(Row::owned(uid, entries));
    let updated = inputs.last_update.to_mut();
    // Runtimes that fill up a short vector do it with zeros; others refuse it later.
    if inputs.rules.pads_last_update && updated.len() < usize::from(inputs.n) {
        updated.resize(usize::from(inputs.n), 0);
    }
    put(updated, uid, inputs.block.saturating_sub(1));
    put(inputs.commit_blocks.to_mut(), uid, u64::MAX);
}

/// Sets the entry of a uid, where there is one.
fn put<T>(values: &mut [T], uid: u16, value: T) {
    if let Some(place) = values.get_mut(usize::from(uid)) {
        *place = value;
    }
}
