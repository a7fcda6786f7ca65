//! What a patch changed in one epoch.

use crate::yuma::EpochOutputs;

/// Differences of the stored integers, one per uid: with the patch less without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Of `Incentive`.
    pub incentive: Vec<i32>,
    /// Of `Dividends`.
    pub dividends: Vec<i32>,
    /// Of `Consensus`.
    pub consensus: Vec<i32>,
    /// Of `ValidatorTrust`.
    pub validator_trust: Vec<i32>,
    /// Of `Emission`, rao; none where the drained emission is not known.
    pub emission: Option<Vec<i128>>,
    /// Uids that have a validator permit with the patch only.
    pub permits_gained: Vec<u16>,
    /// Uids that have a validator permit without the patch only.
    pub permits_lost: Vec<u16>,
}

impl Delta {
    pub(super) fn of(base: &EpochOutputs, patched: &EpochOutputs) -> Self {
        let shares = |base: &[u16], patched: &[u16]| {
            let pairs = base.iter().zip(patched);
            pairs
                .map(|(base, patched)| i32::from(*patched) - i32::from(*base))
                .collect()
        };
        let permits = |with: &EpochOutputs, without: &EpochOutputs| {
            let pairs = with.validator_permit.iter().zip(&without.validator_permit);
            let only = (0..)
                .zip(pairs)
                .filter(|(_, (with, without))| **with && !**without);
            only.map(|(uid, _)| uid).collect()
        };
        let amounts = base.emission.as_ref().zip(patched.emission.as_ref());
        Self {
            incentive: shares(&base.incentive, &patched.incentive),
            dividends: shares(&base.dividends, &patched.dividends),
            consensus: shares(&base.consensus, &patched.consensus),
            validator_trust: shares(&base.validator_trust, &patched.validator_trust),
            emission: amounts.map(|(base, patched)| {
                let pairs = base.combined.iter().zip(&patched.combined);
                pairs
                    .map(|(base, patched)| i128::from(*patched) - i128::from(*base))
                    .collect()
            }),
            permits_gained: permits(patched, base),
            permits_lost: permits(base, patched),
        }
    }

    /// True if the patch changed none of these integers.
    pub fn is_zero(&self) -> bool {
        let shares = [
            &self.incentive,
            &self.dividends,
            &self.consensus,
            &self.validator_trust,
        ];
        shares
            .iter()
            .all(|values| values.iter().all(|value| *value == 0))
            && self.emission.iter().flatten().all(|amount| *amount == 0)
            && self.permits_gained.is_empty()
            && self.permits_lost.is_empty()
    }
}
