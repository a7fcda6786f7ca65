//! Stage 1: who has been silent too long.

use super::EpochInputs;
use super::rules::ActivityRule;

/// True for uids whose last update is more than the activity cutoff ago.
pub(crate) fn inactive(inputs: &EpochInputs<'_>) -> Vec<bool> {
    let cutoff = cutoff_blocks(inputs);
    (0..inputs.len())
        .map(|uid| inputs.last_update_of(uid).saturating_add(cutoff) < inputs.block)
        .collect()
}

/// The activity cutoff in blocks.
fn cutoff_blocks(inputs: &EpochInputs<'_>) -> u64 {
    let params = &inputs.params;
    match inputs.rules.activity {
        ActivityRule::Blocks => u64::from(params.activity_cutoff),
        ActivityRule::FactorMilli => {
            let milli_blocks =
                u64::from(params.activity_cutoff_factor_milli) * u64::from(params.tempo);
            (milli_blocks / 1000).max(1)
        }
    }
}
