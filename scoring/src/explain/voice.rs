//! A uid's stake, and why it does not count.

use super::at;
use crate::fixed::{I32F32, I64F64};
use crate::yuma::{EpochInputs, Trace};

/// What took a uid's stake out of the epoch, in the order of the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StakeLoss {
    /// Below `StakeThreshold`: it does not even count in the total.
    BelowThreshold,
    /// Silent for longer than the activity cutoff.
    Inactive,
    /// No validator permit (from spec 108 on).
    NoPermit,
}

/// How loud a uid is in the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Total stake weight, rao.
    pub total: I64F64,
    /// Its share of all stake.
    pub stake: I32F32,
    /// What took it away; none if it counts, or if there is none.
    pub lost: Option<StakeLoss>,
    /// Its share of the stake that is active and permitted: what weights, votes and bonds are multiplied with.
    pub active_stake: I32F32,
}

/// The voice of a uid.
pub(super) fn of(inputs: &EpochInputs<'_>, trace: &Trace, uid: u16) -> Voice {
    let total = at(&inputs.total_stake, uid);
    let stake = at(&trace.stake, uid);
    let active_stake = at(&trace.active_stake, uid);
    let exempt = inputs.owner() == Some(uid) && inputs.rules.owner_privilege;
    let threshold = inputs.params.stake_threshold;
    let lost = if total == I64F64::ZERO {
        None
    } else if inputs.rules.stake_threshold && !exempt && total.floor_to_u64() < threshold {
        Some(StakeLoss::BelowThreshold)
    } else if at(&trace.inactive, uid) {
        Some(StakeLoss::Inactive)
    } else if inputs.rules.permit_masks_stake && !at(&trace.permits_before, uid) {
        Some(StakeLoss::NoPermit)
    } else {
        None
    };
    Voice {
        total,
        stake,
        lost,
        active_stake,
    }
}
