//! Stage 3: validator permits before and after, and the stake that counts.

use super::EpochInputs;
use super::stake::normalise;
use crate::fixed::I32F32;

/// Permits as this epoch takes them: the stored ones, and the owner's from spec 397 on.
pub(crate) fn before(inputs: &EpochInputs<'_>) -> Vec<bool> {
    let mut permits = inputs.validator_permit.to_vec();
    grant_owner(inputs, &mut permits);
    permits
}

/// Permits for the next epoch: the greatest stakes.
pub(crate) fn after(inputs: &EpochInputs<'_>, stake: &[I32F32]) -> Vec<bool> {
    let mut permits = top(stake, usize::from(inputs.params.max_validators));
    if inputs.rules.permits_need_stake {
        for (permit, stake) in permits.iter_mut().zip(stake) {
            *permit &= *stake != I32F32::ZERO;
        }
    }
    grant_owner(inputs, &mut permits);
    permits
}

fn grant_owner(inputs: &EpochInputs<'_>, permits: &mut [bool]) {
    if let Some(owner) = inputs.owner().filter(|_| inputs.rules.owner_privilege)
        && let Some(permit) = permits.get_mut(usize::from(owner))
    {
        *permit = true;
    }
}

/// True for the `k` greatest values. Of equal values the later ones stay.
pub(crate) fn top(values: &[I32F32], k: usize) -> Vec<bool> {
    let removed = values.len().saturating_sub(k);
    let mut keep = vec![true; values.len()];
    if removed == 0 {
        return keep;
    }
    let mut order: Vec<(I32F32, usize)> = values.iter().copied().zip(0..).collect();
    order.select_nth_unstable(removed - 1);
    for (_, index) in order.into_iter().take(removed) {
        if let Some(kept) = keep.get_mut(index) {
            *kept = false;
        }
    }
    keep
}

/// Normalised stake without inactive uids and, from spec 108 on, without those that have no permit.
pub(crate) fn active_stake(
    inputs: &EpochInputs<'_>,
    stake: &[I32F32],
    inactive: &[bool],
    permits: &[bool],
) -> Vec<I32F32> {
    let mut active: Vec<I32F32> = stake
        .iter()
        .zip(inactive.iter().zip(permits))
        .map(|(stake, (inactive, permit))| {
            let counts = !inactive && (*permit || !inputs.rules.permit_masks_stake);
            if counts { *stake } else { I32F32::ZERO }
        })
        .collect();
    normalise(&mut active);
    active
}
