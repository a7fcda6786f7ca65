//! From one epoch to the next.

use std::collections::BTreeMap;

use crate::yuma::rules::Schedule;
use crate::yuma::{EpochInputs, EpochOutputs, Row};

/// The inputs of the epoch that follows if nobody does anything new: a period later, with the bonds and permits that the epoch left.
///
/// Who was active has updated in the same rhythm, so that nobody falls silent just because time passes; whoever was not stays silent. Pending commits
/// move with time as well: with commit-reveal there always is a newer one.
pub fn following<'a>(inputs: &EpochInputs<'a>, outputs: &EpochOutputs) -> EpochInputs<'a> {
    let period = period(inputs);
    let left = Left::of(inputs, outputs);
    let mut next = inputs.clone();
    next.block = inputs.block.saturating_add(period);
    next.last_step_block = inputs.block;
    for (updated, active) in next.last_update.to_mut().iter_mut().zip(&outputs.active) {
        if *active {
            *updated = updated.saturating_add(period);
        }
    }
    for commit in next.commit_blocks.to_mut() {
        *commit = commit.saturating_add(period);
    }
    next.validator_permit = outputs.validator_permit.clone().into();
    let rows = (0..inputs.n).map(|uid| (uid, left.bonds(uid)));
    next.bonds = rows
        .filter(|(_, row)| !row.is_empty())
        .map(|(uid, row)| Row::owned(uid, row.to_vec()))
        .collect();
    let foreign = inputs.bonds.iter().filter(|row| row.uid >= inputs.n);
    next.bonds.extend(foreign.cloned());
    next
}

/// Blocks from one epoch to the next.
fn period(inputs: &EpochInputs<'_>) -> u64 {
    let tempo = u64::from(inputs.params.tempo);
    match inputs.rules.schedule {
        Schedule::Modulo => tempo + 1,
        Schedule::Stateful => tempo.max(1),
    }
}

/// What an epoch leaves in storage for the next one.
pub(super) struct Left<'a> {
    before: BTreeMap<u16, &'a [(u16, u16)]>,
    outputs: &'a EpochOutputs,
}

impl<'a> Left<'a> {
    pub(super) fn of(inputs: &'a EpochInputs<'_>, outputs: &'a EpochOutputs) -> Self {
        Self {
            before: by_uid(&inputs.bonds),
            outputs,
        }
    }

    /// The row of bonds: what was written, or what was there before.
    pub(super) fn bonds(&self, uid: u16) -> &'a [(u16, u16)] {
        let before = || self.before.get(&uid).copied().unwrap_or_default();
        self.outputs.bonds.row(uid).unwrap_or_else(before)
    }

    /// The permit; none for a uid that did not exist.
    pub(super) fn permit(&self, uid: u16) -> Option<bool> {
        let permits = &self.outputs.validator_permit;
        permits.get(usize::from(uid)).copied()
    }
}

/// Rows by their uids.
pub(super) fn by_uid<'a>(rows: &'a [Row<'_>]) -> BTreeMap<u16, &'a [(u16, u16)]> {
    rows.iter().map(|row| (row.uid, &*row.entries)).collect()
}
