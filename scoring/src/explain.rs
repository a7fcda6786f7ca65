//! The numbers behind one uid's incentive or dividends.
//!
//! [`explain`] runs an epoch, keeps what its stages made, and takes apart what concerns a uid. Every number is the one that the epoch used, as raw fixed point
//! ([`crate::fixed::I32F32::to_decimal`] writes it out exactly), so the parts add up to the whole without a rest:
//!
//! * the [`WeightOn::contribution`]s of all validators are the rank, which divided by [`Explanation::rank_sum`] is the incentive;
//! * the [`BondOn::contribution`]s of all miners are what a validator holds, which (with Yuma3 after a multiplication with its stake) divided by
//!   [`Dividends::sum`] is its dividend.
//!
//! A mask removes a weight before its row is normalised. The masks apply in the order of [`MASKS`], and [`WeightOn::removed_by`] names the first that removes.
//! Silence is not a mask of weights: it takes the validator's stake away ([`StakeLoss`]), and with it its vote and its contribution.
//!
//! An explanation is of one mechanism's epoch. Where a subnet has several, the chain stores a blend of their dividends and consensus, see
//! [`crate::yuma::mechanism::join`]; the incentive is stored for each.
//!
//! ```
//! use scoring::explain::explain;
//! # use scoring::fixed::I64F64;
//! # use scoring::yuma::{EpochInputs, Row, YumaRules};
//! # let rules = YumaRules::for_spec(425).expect("a live spec");
//! # let inputs = EpochInputs {
//! #     rules, params: rules.defaults().params, block: 1000, n: 3, last_update: vec![990, 990, 0].into(), block_at_registration: vec![1, 2, 3].into(),
//! #     last_step_block: 900, total_stake: [3, 1, 0].map(I64F64::saturating_from_u64).to_vec().into(), owner_uid: None,
//! #     validator_permit: vec![true, true, false].into(), weights: vec![Row::borrowed(0, &[(2, 65535)]), Row::borrowed(1, &[(0, 9), (2, 9)])],
//! #     bonds: vec![], commit_blocks: vec![].into(), emission: None,
//! # };
//! // Validator 0 has three quarters of the stake and gives miner 2 everything, validator 1 half.
//! let explained = explain(&inputs, 2)?;
//! assert_eq!(explained.median.decided_by, Some(0));
//! assert_eq!(explained.weights[0].contribution.to_decimal(), "0.75");
//! assert_eq!(explained.weights[1].contribution.to_decimal(), "0.125");
//! assert_eq!(explained.rank.to_decimal(), "0.875");
//! # Ok::<(), scoring::explain::ExplainError>(())
//! ```

use thiserror::Error;

use crate::fixed::I32F32;
use crate::yuma::stake::normalise;
use crate::yuma::{
    EpochError, EpochInputs, EpochOutputs, Mask, RowMatrix, Scratch, Trace, epoch_observed,
};

mod dividends;
mod median;
mod voice;

pub use dividends::{BondOn, Dividends};
pub use median::{Median, Vote};
pub use voice::{StakeLoss, Voice};

#[cfg(test)]
mod tests;

/// The masks of weights in the order in which the chain applies them.
pub const MASKS: [Mask; 5] = [
    Mask::ForeignUid,
    Mask::NoPermit,
    Mask::OwnWeight,
    Mask::Outdated,
    Mask::CommittedBefore,
];

/// Why there is nothing to explain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExplainError {
    /// The epoch cannot be computed.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// The uid does not exist.
    #[error("uid {uid} is not in the subnet, which has {n} neurons; ask for a uid below {n}")]
    UnknownUid {
        /// The uid asked for.
        uid: u16,
        /// Neurons of the subnet.
        n: u16,
    },
}

/// What made a uid's incentive and dividends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The uid.
    pub uid: u16,
    /// Its own stake and what became of it.
    pub voice: Voice,
    /// What validators say about it: everyone with active stake, and everyone whose stored row names it. In the order of uids.
    pub weights: Vec<WeightOn>,
    /// Where its consensus came from.
    pub median: Median,
    /// Sum of the contributions before clipping.
    pub prerank: I32F32,
    /// Sum of the contributions.
    pub rank: I32F32,
    /// Sum of the ranks of all uids: the divisor of the incentive. With zero nothing is divided.
    pub rank_sum: I32F32,
    /// The incentive.
    pub incentive: I32F32,
    /// `Incentive` as it is stored.
    pub stored_incentive: u16,
    /// Its dividends as a validator.
    pub dividends: Dividends,
}

/// What one validator's weight did for a uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightOn {
    /// The validator.
    pub validator: u16,
    /// Its stake and what became of it.
    pub voice: Voice,
    /// The stored weight, of 65535. None if its row does not name the uid.
    pub raw: Option<u16>,
    /// The first mask that removes the weight. None if it counts (or there is none).
    pub removed_by: Option<Mask>,
    /// Sum of the stored weights in its row that count: the divisor of the normalisation. (Before spec 120 the weights are divided by 65535 first.)
    pub row_sum: u64,
    /// The weight after masks, as a share of its row.
    pub normalised: I32F32,
    /// The same cut at the consensus.
    pub clipped: I32F32,
    /// Active stake times the normalised weight: its part of the prerank.
    pub before_clipping: I32F32,
    /// Active stake times the clipped weight: its part of the rank.
    pub contribution: I32F32,
}

impl WeightOn {
    /// What each mask left of the stored weight, in their order: all of it, or nothing from the mask on that removes it.
    pub fn after_masks(&self) -> impl Iterator<Item = (Mask, u16)> {
        let mut left = self.raw.unwrap_or(0);
        MASKS.into_iter().map(move |mask| {
            if self.removed_by == Some(mask) {
                left = 0;
            }
            (mask, left)
        })
    }
}

/// Explains one uid's incentive and dividends in an epoch.
///
/// # Errors
/// [`ExplainError::Epoch`] for inputs that no runtime could have worked on, [`ExplainError::UnknownUid`] for a uid that the subnet does not have.
pub fn explain(inputs: &EpochInputs<'_>, uid: u16) -> Result<Explanation, ExplainError> {
    let mut all = explain_all(inputs, &[uid])?;
    all.pop()
        .ok_or(ExplainError::UnknownUid { uid, n: inputs.n })
}

/// Explains several uids of an epoch, in the order asked for; the epoch is computed once.
///
/// # Errors
/// As [`explain`].
pub fn explain_all(
    inputs: &EpochInputs<'_>,
    uids: &[u16],
) -> Result<Vec<Explanation>, ExplainError> {
    if let Some(uid) = uids.iter().find(|uid| **uid >= inputs.n) {
        return Err(ExplainError::UnknownUid {
            uid: *uid,
            n: inputs.n,
        });
    }
    let mut trace = Trace::default();
    let outputs = epoch_observed(inputs, &mut Scratch::default(), &mut trace)?;
    let epoch = Epoch::new(inputs, &outputs, &trace);
    Ok(uids.iter().map(|uid| epoch.explain(*uid)).collect())
}

/// A validator's stored weights, and the sum of those that count.
type StoredWeights<'a> = (&'a [(u16, u16)], u64);

/// An epoch with what its explanations share.
struct Epoch<'a> {
    inputs: &'a EpochInputs<'a>,
    outputs: &'a EpochOutputs,
    trace: &'a Trace,
    /// Stakes of the voters, normalised a second time.
    votes: Vec<I32F32>,
    rank_sum: I32F32,
    stored: Vec<Option<StoredWeights<'a>>>,
    bonds: dividends::Bonds,
}

impl<'a> Epoch<'a> {
    fn new(inputs: &'a EpochInputs<'a>, outputs: &'a EpochOutputs, trace: &'a Trace) -> Self {
        let mut votes = trace.active_stake.clone();
        normalise(&mut votes);
        Self {
            inputs,
            outputs,
            trace,
            votes,
            rank_sum: trace.ranks.iter().sum(),
            stored: stored_weights(inputs),
            bonds: dividends::Bonds::new(inputs, trace),
        }
    }

    fn explain(&self, uid: u16) -> Explanation {
        let trace = self.trace;
        Explanation {
            uid,
            voice: voice::of(self.inputs, trace, uid),
            weights: self.weights(uid),
            median: median::of(self.inputs, trace, &self.votes, uid),
            prerank: at(&trace.preranks, uid),
            rank: at(&trace.ranks, uid),
            rank_sum: self.rank_sum,
            incentive: at(&trace.incentive, uid),
            stored_incentive: at(&self.outputs.incentive, uid),
            dividends: self.bonds.explain(self.inputs, self.outputs, trace, uid),
        }
    }

    fn weights(&self, miner: u16) -> Vec<WeightOn> {
        let of = |validator: u16| {
            let voice = voice::of(self.inputs, self.trace, validator);
            let stored = at(&self.stored, validator);
            let raw = stored.and_then(|(row, _)| raw_entry(row, miner));
            if raw.is_none() && voice.active_stake == I32F32::ZERO {
                return None;
            }
            let normalised = cell(&self.trace.weights, validator, miner);
            let clipped = cell(&self.trace.clipped, validator, miner);
            Some(WeightOn {
                validator,
                raw,
                removed_by: raw.and_then(|_| Mask::of(self.inputs, validator, miner)),
                row_sum: stored.map_or(0, |(_, sum)| sum),
                normalised,
                clipped,
                before_clipping: normalised.saturating_mul(voice.active_stake),
                contribution: clipped.saturating_mul(voice.active_stake),
                voice,
            })
        };
        (0..self.inputs.n).filter_map(of).collect()
    }
}

/// The stored weights of each uid, and the sum of those that no mask removes.
fn stored_weights<'a>(inputs: &'a EpochInputs<'_>) -> Vec<Option<StoredWeights<'a>>> {
    let mut stored = vec![None; inputs.len()];
    for row in &inputs.weights {
        let counts = |(uid, _): &&(u16, u16)| Mask::of(inputs, row.uid, *uid).is_none();
        let kept = row.entries.iter().filter(counts);
        let sum = kept.map(|(_, weight)| u64::from(*weight)).sum();
        if let Some(place) = stored.get_mut(usize::from(row.uid)) {
            *place = Some((&*row.entries, sum));
        }
    }
    stored
}

/// The entry of a vector for a uid; the default beyond its end.
fn at<T: Copy + Default>(values: &[T], uid: u16) -> T {
    values.get(usize::from(uid)).copied().unwrap_or_default()
}

/// The entry of a matrix; zero where there is none.
fn cell(rows: &RowMatrix, row: u16, column: u16) -> I32F32 {
    let row = rows.get(usize::from(row)).map_or(&[][..], Vec::as_slice);
    let found = row.iter().find(|(uid, _)| *uid == column);
    found.map_or(I32F32::ZERO, |(_, value)| *value)
}

/// The stored value for a uid.
fn raw_entry(entries: &[(u16, u16)], uid: u16) -> Option<u16> {
    let found = entries.iter().find(|(named, _)| *named == uid);
    found.map(|(_, value)| *value)
}
