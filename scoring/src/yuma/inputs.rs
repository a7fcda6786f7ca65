//! What an epoch reads.

use std::borrow::Cow;

use super::{EpochError, Hyperparameters, YumaRules};
use crate::fixed::I64F64;

/// A stored row of weights or bonds: who it belongs to and its `(uid, u16)` entries in the order in which the chain stores them.
///
/// The order matters: liquid alpha reads rows as if they were sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The validator.
    pub uid: u16,
    /// Pairs of a uid and its raw value.
    pub entries: Cow<'a, [(u16, u16)]>,
}

impl<'a> Row<'a> {
    /// A row over borrowed entries.
    pub fn borrowed(uid: u16, entries: &'a [(u16, u16)]) -> Self {
        Self {
            uid,
            entries: Cow::Borrowed(entries),
        }
    }

    /// A row that owns its entries.
    pub fn owned(uid: u16, entries: Vec<(u16, u16)>) -> Self {
        Self {
            uid,
            entries: Cow::Owned(entries),
        }
    }
}

/// Everything one epoch of one mechanism of a subnet depends on, as integers from the chain's storage.
///
/// The state to take them from is the parent block's, with the corrections that the runtime itself makes before the epoch in the same block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochInputs<'a> {
    /// The rules of the runtime that executes the block.
    pub rules: YumaRules,
    /// Hyperparameters of the subnet; start from [`YumaRules::defaults`] and replace what is stored.
    pub params: Hyperparameters,
    /// Number of the block in which the epoch runs.
    pub block: u64,
    /// `SubnetworkN`: number of neurons.
    pub n: u16,
    /// `LastUpdate`, block of the last weights of each uid. From spec 320 on a shorter vector is filled up with zeros.
    pub last_update: Cow<'a, [u64]>,
    /// `BlockAtRegistration` of each uid, 0 for a uid without a key.
    pub block_at_registration: Cow<'a, [u64]>,
    /// `LastMechansimStepBlock` (the chain spells it so): block of the last epoch, 0 for none. Read from spec 423 on.
    pub last_step_block: u64,
    /// Total stake weight of each uid, see [`super::stake`].
    pub total_stake: Cow<'a, [I64F64]>,
    /// Uid of `SubnetOwnerHotkey`, if it is registered. Read from spec 252 on.
    pub owner_uid: Option<u16>,
    /// `ValidatorPermit` as the last epoch left it.
    pub validator_permit: Cow<'a, [bool]>,
    /// `Weights`: one row per uid that has one, in any order.
    pub weights: Vec<Row<'a>>,
    /// `Bonds`: one row per uid that has one, in any order. Include rows of uids without a permit: they count.
    pub bonds: Vec<Row<'a>>,
    /// Block of the earliest commit of each uid that is still active after this block's reveals, `u64::MAX` for none; see [`super::commits`].
    /// Empty means that nobody has one. Read from spec 297 on where commit-reveal is enabled.
    pub commit_blocks: Cow<'a, [u64]>,
    /// The drained emission that this epoch distributes, in rao; none when it is not known. Nothing but [`super::Emission`] depends on it.
    pub emission: Option<u64>,
}

impl EpochInputs<'_> {
    /// Number of neurons as an index bound.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.n)
    }

    /// The uid with an owner's privileges, where the runtime knows any.
    pub(crate) fn owner(&self) -> Option<u16> {
        self.owner_uid
            .filter(|_| self.rules.owner_keeps_self_weight)
    }

    /// Checks the lengths of the vectors, the owner's uid and the moving average.
    ///
    /// # Errors
    /// [`EpochError::Length`], [`EpochError::OwnerOutOfRange`] and [`EpochError::MovingAverage`].
    pub(crate) fn check(&self) -> Result<(), EpochError> {
        let n = self.len();
        let check = |what, got| {
            if got == n {
                Ok(())
            } else {
                Err(EpochError::Length {
                    what,
                    got,
                    expected: n,
                })
            }
        };
        if !(self.rules.pads_last_update && self.last_update.len() < n) {
            check("last_update", self.last_update.len())?;
        }
        check("block_at_registration", self.block_at_registration.len())?;
        check("total_stake", self.total_stake.len())?;
        check("validator_permit", self.validator_permit.len())?;
        if !self.commit_blocks.is_empty() {
            check("commit_blocks", self.commit_blocks.len())?;
        }
        if let Some(uid) = self.owner().filter(|uid| *uid >= self.n) {
            return Err(EpochError::OwnerOutOfRange { uid, n: self.n });
        }
        match self.params.bonds_moving_average {
            0..=1_000_000 => Ok(()),
            value => Err(EpochError::MovingAverage { value }),
        }
    }

    /// `LastUpdate` with the padding of spec 320.
    pub(crate) fn last_update_of(&self, uid: usize) -> u64 {
        self.last_update.get(uid).copied().unwrap_or(0)
    }
}
