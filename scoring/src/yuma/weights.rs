//! Stage 4: stored weights, masked and normalised.

use super::matrix::{Keep, KeptRows, Matrix, Reading};
use super::rules::CommitMask;
use super::stake::normalise;
use super::{EpochError, EpochInputs};
use crate::fixed::{I32F32, Reciprocal};

/// Weights after their masks, rows normalised.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    pub(crate) kept: KeptRows,
    /// One for each kept entry.
    pub(crate) values: Vec<I32F32>,
}

impl Weights {
    /// Reads the stored rows. `permits` are those before the epoch.
    pub(crate) fn load(
        &mut self,
        inputs: &EpochInputs<'_>,
        permits: &[bool],
    ) -> Result<(), EpochError> {
        let rules = &inputs.rules;
        let reading = Reading {
            what: "weights",
            n: inputs.n,
            spec: rules.spec,
            registered: &inputs.block_at_registration,
            skips_foreign_rows: rules.filters_weight_uids,
            skips_foreign_entries: rules.filters_weight_uids,
        };
        let owner = inputs.owner();
        self.kept.read(&reading, &inputs.weights, |uid| {
            permits[usize::from(uid)].then(|| Keep {
                registered_before: registered_before(inputs, uid),
                own: owner == Some(uid),
            })
        })?;
        self.values.clear();
        for (uid, row) in self.kept.pattern.rows() {
            let raw = &self.kept.raw[row];
            let sum: u64 = raw.iter().map(|weight| u64::from(*weight)).sum();
            if sum >= 1 << 31 {
                let uid = u16::try_from(uid).unwrap_or(u16::MAX);
                return Err(EpochError::SumOverflow {
                    what: "row of weights",
                    uid,
                    sum,
                });
            }
            if rules.raw_u16_inputs {
                // Whole numbers: (w * 2^32) * 2^32 / (sum * 2^32).
                let sum = Reciprocal::new(sum);
                self.values.extend(
                    raw.iter()
                        .map(|weight| I32F32::from_unsigned_bits(sum.share(u64::from(*weight)))),
                );
            } else {
                let start = self.values.len();
                self.values.extend(
                    raw.iter()
                        .map(|weight| I32F32::from_u16_proportion(*weight)),
                );
                normalise(&mut self.values[start..]);
            }
        }
        Ok(())
    }

    /// The weights as a matrix.
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix {
            pattern: &self.kept.pattern,
            values: &self.values,
        }
    }
}

/// A weight counts if its miner registered before this block: before the validator's last update, and not after its earliest active commit.
fn registered_before(inputs: &EpochInputs<'_>, uid: u16) -> u64 {
    let uid = usize::from(uid);
    let updated = inputs.last_update_of(uid);
    let masked = inputs.rules.commit_mask != CommitMask::None && inputs.params.commit_reveal;
    match inputs.commit_blocks.get(uid) {
        // `registered <= committed`; at the end of the type every block is, and the update decides.
        Some(committed) if masked => updated.min(committed.saturating_add(1)),
        _ => updated,
    }
}

/// Why a stored weight does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mask {
    /// One of the uids does not exist.
    ForeignUid,
    /// The validator had no permit.
    NoPermit,
    /// A weight for oneself.
    OwnWeight,
    /// The miner registered at or after the validator's last update.
    Outdated,
    /// The miner registered after the validator's earliest active commit.
    CommittedBefore,
}

impl Mask {
    /// The first mask, in the chain's order, that removes the weight of `validator` for `miner`; none if the weight counts.
    ///
    /// For explanations: the epoch itself applies all masks at once.
    pub fn of(inputs: &EpochInputs<'_>, validator: u16, miner: u16) -> Option<Self> {
        let row = usize::from(validator);
        let permit = inputs
            .validator_permit
            .get(row)
            .filter(|_| validator < inputs.n);
        let registered = inputs
            .block_at_registration
            .get(usize::from(miner))
            .filter(|_| miner < inputs.n);
        let (Some(permit), Some(registered)) = (permit, registered) else {
            return Some(Self::ForeignUid);
        };
        let is_owner = inputs.owner() == Some(validator);
        if !(*permit || is_owner && inputs.rules.owner_privilege) {
            Some(Self::NoPermit)
        } else if validator == miner && !is_owner {
            Some(Self::OwnWeight)
        } else if inputs.last_update_of(row) <= *registered {
            Some(Self::Outdated)
        } else if registered_before(inputs, validator) <= *registered {
            Some(Self::CommittedBefore)
        } else {
            None
        }
    }
}
