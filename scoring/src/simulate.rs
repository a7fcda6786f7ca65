//! What epochs would have been, or would be, if something were different.
//!
//! [`simulate`] runs a number of epochs twice, once as they are and once with a [`Patch`], and gives both with their differences. The epochs come from a
//! [`Timeline`]: the inputs of one epoch or of several that followed each other. Where the horizon goes beyond it, [`following`] makes the next epoch from
//! the last: the block moves on by a period, whoever is active keeps setting the same weights at the same rhythm, and stakes, hyperparameters and neurons stay.
//!
//! From epoch to epoch each of the two runs carries what the chain carries: `Bonds` (also the rows that an epoch leaves alone) and `ValidatorPermit`. The
//! consensus needs no carrying: no runtime reads the last one, each epoch makes its own from weights and stakes. Where the timeline gives the inputs and a uid's
//! bonds or permit are not what the epoch before left, something outside of the epoch changed them (a new neuron, a reset); the patched run then takes them from the
//! timeline as well, as it does for a uid that has changed hands. So the run without the patch is always the chain's own. The patch speaks of uids, whoever holds them.
//!
//! What a patch does, in every epoch of the horizon:
//!
//! * hyperparameters and total stakes are replaced;
//! * a removed validator has no stake, permit, weights and bonds;
//! * a replaced row of weights counts as set in the block before the epoch, openly: `LastUpdate` says so and no commit is pending;
//! * a copier's row is what its source's row was some epochs earlier, in the patched run where that reaches there, else in [`Timeline::past_weights`]. Before
//!   anything is known of that time the copier keeps its own row. It counts as set in the block before the epoch, too.
//!
//! Nothing is random and nothing depends on threads: the same timeline, horizon and patch give the same bits. [`Patch::canonical_bytes`] are for a hash that names a
//! simulation; [`cost`] says before how much work it is.
//!
//! A simulation is of one mechanism. It does not model what the outcome would change in the world: emission does not become stake, and nobody reacts.
//!
//! ```
//! use scoring::simulate::{Patch, Timeline, simulate};
//! # use scoring::fixed::I64F64;
//! # use scoring::yuma::{EpochInputs, Row, YumaRules};
//! # let rules = YumaRules::for_spec(425).expect("a live spec");
//! # let inputs = EpochInputs {
//! #     rules, params: rules.defaults().params, block: 1000, n: 3, last_update: vec![990, 990, 0].into(), block_at_registration: vec![1, 2, 3].into(),
//! #     last_step_block: 900, total_stake: [3, 1, 0].map(I64F64::saturating_from_u64).to_vec().into(), owner_uid: None,
//! #     validator_permit: vec![true, true, false].into(), weights: vec![Row::borrowed(0, &[(2, 65535)]), Row::borrowed(1, &[(0, 9), (2, 9)])],
//! #     bonds: vec![], commit_blocks: vec![].into(), emission: None,
//! # };
//! let timeline = Timeline { past_weights: &[], epochs: &[inputs] };
//! let patch = Patch { stakes: vec![(1, 9)], ..Patch::default() };
//! let epochs = simulate(&timeline, 3, &patch)?;
//! assert_eq!(epochs.len(), 3);
//! // With most of the stake, validator 1 gets through that half of the incentive is not miner 2's.
//! assert!(epochs[0].delta.incentive[2] < 0 && epochs[0].delta.incentive[0] > 0);
//! # Ok::<(), scoring::simulate::SimulateError>(())
//! ```

use crate::yuma::{EpochInputs, EpochOutputs, Row, Scratch, Silent, epoch_observed};

mod apply;
mod bytes;
mod delta;
mod error;
mod following;
mod patch;

pub use delta::Delta;
pub use error::SimulateError;
pub use following::following;
pub use patch::{CopyWeights, Patch};

#[cfg(test)]
mod tests;

/// The longest horizon, in epochs. Callers may want less, by [`cost`].
pub const MAX_HORIZON: u32 = 1000;

/// The epochs from which a simulation starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline<'a> {
    /// The rows of weights of epochs before the first one, oldest first. Only copies with a delay look at them.
    pub past_weights: &'a [Vec<Row<'a>>],
    /// Inputs of epochs that followed each other; one at least.
    pub epochs: &'a [EpochInputs<'a>],
}

/// One epoch with and without the patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEpoch {
    /// Its number, from 0.
    pub index: u32,
    /// Its block.
    pub block: u64,
    /// True if its inputs are from the timeline, false if they were made from the epoch before.
    pub is_given: bool,
    /// Without the patch.
    pub base: EpochOutputs,
    /// With the patch.
    pub patched: EpochOutputs,
    /// With the patch less without.
    pub delta: Delta,
}

/// Runs `horizon` epochs with and without a patch.
///
/// # Errors
/// [`SimulateError`] for a patch that does not fit the subnet, a horizon out of range, and epochs that cannot be computed.
pub fn simulate(
    timeline: &Timeline<'_>,
    horizon: u32,
    patch: &Patch,
) -> Result<Vec<SimulatedEpoch>, SimulateError> {
    let mut epochs = vec![];
    simulate_each(timeline, horizon, patch, |epoch| epochs.push(epoch))?;
    Ok(epochs)
}

/// The same, one epoch at a time: a long horizon of a great subnet has more bonds than one wants to keep.
///
/// # Errors
/// As [`simulate`]. Epochs before the one that cannot be computed have been seen then.
pub fn simulate_each(
    timeline: &Timeline<'_>,
    horizon: u32,
    patch: &Patch,
    mut see: impl FnMut(SimulatedEpoch),
) -> Result<(), SimulateError> {
    patch::check(timeline, horizon, patch)?;
    let mut scratch = Scratch::default();
    let mut run = |inputs: &EpochInputs<'_>, index: u32, with_patch: bool| {
        epoch_observed(inputs, &mut scratch, &mut Silent).map_err(|error| SimulateError::Epoch {
            index,
            with_patch,
            error,
        })
    };
    let mut history = apply::History::new(timeline, patch);
    let mut last: Option<Last<'_>> = None;
    for (index, given) in (0..horizon).zip(given(timeline)) {
        let base_inputs = match (given, &last) {
            (Some(given), _) => given.clone(),
            (None, Some(last)) => following(&last.base_inputs, &last.base),
            (None, None) => return Err(SimulateError::NoEpoch),
        };
        let mut inputs = base_inputs.clone();
        if let Some(last) = &last {
            last.carry(&mut inputs);
        }
        apply::apply(patch, &mut inputs, &mut history);
        let base = run(&base_inputs, index, false)?;
        let patched = run(&inputs, index, true)?;
        see(SimulatedEpoch {
            index,
            block: inputs.block,
            is_given: given.is_some(),
            delta: Delta::of(&base, &patched),
            base: base.clone(),
            patched: patched.clone(),
        });
        last = Some(Last {
            base_inputs,
            base,
            inputs,
            patched,
        });
    }
    Ok(())
}

/// How much work a simulation is: matrix cells and vector entries that its epochs read, at most. Time is about proportional to it.
///
/// Saturates; a patch that [`simulate`] refuses has a cost, too.
pub fn cost(timeline: &Timeline<'_>, horizon: u32, patch: &Patch) -> u64 {
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let entries = |rows: &[Row<'_>]| {
        let lens = rows.iter().map(|row| count(row.entries.len()));
        lens.fold(0u64, u64::saturating_add)
    };
    // A copied row is at most as long as the subnet.
    let copies = |n: u16| count(patch.copies.len()).saturating_mul(u64::from(n));
    let replaced = entries(&patch.weights);
    let mut bonds = 0u64;
    let mut total = 0u64;
    let mut one = 0u64;
    for (_, given) in (0..horizon).zip(given(timeline)) {
        if let Some(inputs) = given {
            let weights = entries(&inputs.weights).saturating_add(replaced);
            let weights = weights.saturating_add(copies(inputs.n));
            // A bond comes from a weight or from an older bond.
            bonds = bonds.max(entries(&inputs.bonds)).saturating_add(weights);
            let vectors = u64::from(inputs.n).saturating_mul(8);
            one = weights.saturating_add(bonds).saturating_add(vectors);
        }
        total = total.saturating_add(one.saturating_mul(2));
    }
    total
}

/// The given epochs, and none for those after them, without an end.
fn given<'a, 'b>(timeline: &'a Timeline<'b>) -> impl Iterator<Item = Option<&'a EpochInputs<'b>>> {
    let epochs = timeline.epochs.iter().map(Some);
    epochs.chain(std::iter::repeat(None))
}

/// The epoch before.
struct Last<'a> {
    base_inputs: EpochInputs<'a>,
    base: EpochOutputs,
    inputs: EpochInputs<'a>,
    patched: EpochOutputs,
}

impl<'a> Last<'a> {
    /// Gives the patched run's next epoch the bonds and permits of its own last one, wherever the chain would take them from there.
    fn carry(&self, inputs: &mut EpochInputs<'a>) {
        let before = following::Left::of(&self.base_inputs, &self.base);
        let own = following::Left::of(&self.inputs, &self.patched);
        let rows = std::mem::take(&mut inputs.bonds);
        let given = following::by_uid(&rows);
        for uid in 0..inputs.n {
            let row = given.get(&uid).copied().unwrap_or_default();
            let is_carried = row == before.bonds(uid) && self.is_same_neuron(inputs, uid);
            let row = if is_carried { own.bonds(uid) } else { row };
            if !row.is_empty() {
                inputs.bonds.push(Row::owned(uid, row.to_vec()));
            }
        }
        // Of uids that do not exist, as they are.
        inputs
            .bonds
            .extend(rows.iter().filter(|row| row.uid >= inputs.n).cloned());
        for uid in 0..inputs.n {
            let is_same = self.is_same_neuron(inputs, uid);
            let own = own.permit(uid).filter(|_| is_same);
            if let (Some(own), Some(permit)) = (
                own,
                inputs.validator_permit.to_mut().get_mut(usize::from(uid)),
            ) && before.permit(uid) == Some(*permit)
            {
                *permit = own;
            }
        }
    }

    /// True if a uid has not changed hands since.
    fn is_same_neuron(&self, inputs: &EpochInputs<'_>, uid: u16) -> bool {
        let registered = |inputs: &EpochInputs<'_>| {
            let blocks = &inputs.block_at_registration;
            blocks.get(usize::from(uid)).copied()
        };
        registered(&self.base_inputs) == registered(inputs)
    }
}
