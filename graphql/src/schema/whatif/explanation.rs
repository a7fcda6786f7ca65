//! How the numbers of one neuron in one epoch came about.

use async_graphql::{Enum, Object, SimpleObject};
use scoring::explain::{BondOn, Dividends, Median, StakeLoss, Voice, Vote, WeightOn};
use scoring::yuma::Mask;

use super::fixed::Fixed;
use crate::ports::Explained;

/// An explanation as shown.
pub(crate) struct EpochExplanation(pub(crate) Explained);

/// How one neuron's incentive and dividends came about, out of the epoch computed again. The
/// contributions of all validators are its rank, which divided by the sum of all ranks is the
/// incentive; what its bonds bring, divided by what all bonds bring, is its dividends.
#[Object]
impl EpochExplanation {
    /// Number of the neuron in its subnet.
    async fn uid(&self) -> u16 {
        self.0.explanation.uid
    }

    /// Runtime whose rules were used.
    async fn spec_version(&self) -> u32 {
        self.0.spec_version
    }

    /// Its own stake, and what became of it.
    async fn voice(&self) -> EpochVoice {
        (&self.0.explanation.voice).into()
    }

    /// What validators say about it, by uid: everyone with active stake, and everyone whose stored
    /// row names it.
    async fn weights(&self) -> Vec<EpochWeight> {
        let weights = self.0.explanation.weights.iter();
        weights.map(EpochWeight::from).collect()
    }

    /// Where its consensus came from: no weight counts above it.
    async fn median(&self) -> EpochMedian {
        (&self.0.explanation.median).into()
    }

    /// Sum of the contributions before clipping.
    async fn prerank(&self) -> Fixed {
        self.0.explanation.prerank.into()
    }

    /// Its rank: the sum of the contributions.
    async fn rank(&self) -> Fixed {
        self.0.explanation.rank.into()
    }

    /// Sum of the ranks of all neurons: the divisor of the incentive. With 0 nothing is divided.
    async fn rank_sum(&self) -> Fixed {
        self.0.explanation.rank_sum.into()
    }

    /// Its share of all ranks.
    async fn incentive(&self) -> Fixed {
        self.0.explanation.incentive.into()
    }

    /// `Incentive` as this epoch stores it, of 65535.
    async fn stored_incentive(&self) -> u16 {
        self.0.explanation.stored_incentive
    }

    /// Its dividends as a validator.
    async fn dividends(&self) -> EpochDividends {
        (&self.0.explanation.dividends).into()
    }

    /// Inputs of which the likeliest value is known but not proven, in words. Where the epoch's
    /// verdict is EXACT they were right.
    async fn doubts(&self) -> &[String] {
        &self.0.doubts
    }
}

/// What took a validator's stake out of an epoch.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "StakeLoss")]
pub(crate) enum StakeLost {
    /// Below `StakeThreshold`: it does not even count in the total.
    BelowThreshold,
    /// Silent for longer than the activity cutoff.
    Inactive,
    /// No validator permit.
    NoPermit,
}

/// A neuron's stake in an epoch.
#[derive(SimpleObject)]
pub(crate) struct EpochVoice {
    /// Total stake weight in rao, an exact decimal fraction.
    total: String,
    /// Its share of all stake.
    stake: Fixed,
    /// What took it away; null if it counts, or if there is none.
    lost: Option<StakeLost>,
    /// Its share of the stake that is active and permitted: what weights, votes and bonds are
    /// multiplied with.
    active_stake: Fixed,
}

impl From<&Voice> for EpochVoice {
    fn from(voice: &Voice) -> Self {
        Self {
            total: voice.total.to_decimal(),
            stake: voice.stake.into(),
            lost: voice.lost.map(StakeLost::from),
            active_stake: voice.active_stake.into(),
        }
    }
}

/// Why a stored weight does not count.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Mask")]
pub(crate) enum WeightMask {
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

/// What one mask left of a weight.
#[derive(SimpleObject)]
pub(crate) struct MaskStep {
    /// The mask.
    mask: WeightMask,
    /// The weight after it, of 65535.
    left: u16,
}

/// What one validator's weight did for a neuron.
#[derive(SimpleObject)]
pub(crate) struct EpochWeight {
    /// Uid of the validator.
    validator: u16,
    /// Its stake, and what became of it.
    voice: EpochVoice,
    /// The stored weight, of 65535; null if its row does not name the neuron.
    raw: Option<u16>,
    /// The first mask that removes the weight; null if it counts, or there is none.
    removed_by: Option<WeightMask>,
    /// What each mask left of the stored weight, in the order in which the chain applies them.
    masks: Vec<MaskStep>,
    /// Sum of the stored weights in its row that count: the divisor of the normalisation.
    row_sum: crate::schema::scalars::U64,
    /// The weight after masks, as a share of its row.
    normalised: Fixed,
    /// The same cut at the consensus.
    clipped: Fixed,
    /// Active stake times normalised weight: its part of the rank before clipping.
    before_clipping: Fixed,
    /// Active stake times clipped weight: its part of the rank.
    contribution: Fixed,
}

impl From<&WeightOn> for EpochWeight {
    fn from(weight: &WeightOn) -> Self {
        let masks = weight.after_masks().map(|(mask, left)| MaskStep {
            mask: mask.into(),
            left,
        });
        Self {
            validator: weight.validator,
            voice: (&weight.voice).into(),
            raw: weight.raw,
            removed_by: weight.removed_by.map(WeightMask::from),
            masks: masks.collect(),
            row_sum: crate::schema::scalars::U64(weight.row_sum),
            normalised: weight.normalised.into(),
            clipped: weight.clipped.into(),
            before_clipping: weight.before_clipping.into(),
            contribution: weight.contribution.into(),
        }
    }
}

/// The stake-weighted median of what validators say about a neuron. The votes stand by score; going
/// up, the first one at which the stake passes the minority decides, and its score is the consensus.
#[derive(SimpleObject)]
pub(crate) struct EpochMedian {
    /// `Kappa` as a fraction.
    kappa: Fixed,
    /// Stake of all voters: one, less what was rounded away; 0 without voters.
    total: Fixed,
    /// The threshold: total less kappa.
    minority: Fixed,
    /// All votes, by score and then by uid. Who gives no weight votes for 0.
    votes: Vec<EpochVote>,
    /// Uid of the validator whose vote passed the threshold; null without voters.
    decided_by: Option<u16>,
    /// The consensus.
    consensus: Fixed,
    /// `Consensus` as this epoch stores it, of 65535.
    stored: u16,
}

impl From<&Median> for EpochMedian {
    fn from(median: &Median) -> Self {
        Self {
            kappa: median.kappa.into(),
            total: median.total.into(),
            minority: median.minority.into(),
            votes: median.votes.iter().map(EpochVote::from).collect(),
            decided_by: median.decided_by,
            consensus: median.consensus.into(),
            stored: median.stored,
        }
    }
}

/// One vote for a consensus.
#[derive(SimpleObject)]
pub(crate) struct EpochVote {
    /// Number of the voter's neuron.
    validator: u16,
    /// Its normalised weight for the neuron.
    score: Fixed,
    /// Its share of the voters' stake.
    stake: Fixed,
    /// Stake of this vote and all before it.
    up_to: Fixed,
}

impl From<&Vote> for EpochVote {
    fn from(vote: &Vote) -> Self {
        Self {
            validator: vote.validator,
            score: vote.score.into(),
            stake: vote.stake.into(),
            up_to: vote.up_to.into(),
        }
    }
}

/// What made a validator's dividends.
#[derive(SimpleObject)]
pub(crate) struct EpochDividends {
    /// True for the formula of Yuma3.
    yuma3: bool,
    /// One for each miner of which it had a bond or for which it has a weight, by uid.
    bonds: Vec<EpochBond>,
    /// Sum of the bonds' contributions.
    held: Fixed,
    /// What is normalised: the same, with Yuma3 times the active stake.
    unnormalised: Fixed,
    /// Sum of that of all neurons: the divisor. With 0 nothing is divided.
    sum: Fixed,
    /// The dividends.
    dividends: Fixed,
    /// `Dividends` of this mechanism's epoch, of 65535. Of several mechanisms the chain stores a
    /// blend.
    stored: u16,
}

impl From<&Dividends> for EpochDividends {
    fn from(dividends: &Dividends) -> Self {
        Self {
            yuma3: dividends.yuma3,
            bonds: dividends.bonds.iter().map(EpochBond::from).collect(),
            held: dividends.held.into(),
            unnormalised: dividends.unnormalised.into(),
            sum: dividends.sum.into(),
            dividends: dividends.dividends.into(),
            stored: dividends.stored,
        }
    }
}

/// A validator's bond of a miner.
#[derive(SimpleObject)]
pub(crate) struct EpochBond {
    /// Number of the miner's neuron.
    miner: u16,
    /// The stored bond before the epoch, of 65535; null if there was none.
    before: Option<u16>,
    /// True if a mask removes it: the miner is too new.
    masked: bool,
    /// The old bond that counts. Without Yuma3 its share of its column, with it the stored bond as
    /// a fraction.
    old: Fixed,
    /// The weight for bonds: clipped, not clipped, or in between.
    weight: Fixed,
    /// The new bond. Without Yuma3 the share of active stake times weight in its column, with it
    /// the weight.
    new: Fixed,
    /// The new bond's part in the moving average.
    alpha: Fixed,
    /// The moving average of new and old.
    average: Fixed,
    /// The average's share of its column.
    share: Fixed,
    /// The miner's incentive.
    incentive: Fixed,
    /// Share times incentive.
    contribution: Fixed,
    /// The bond that the epoch stores, of 65535; null if it stores none.
    after: Option<u16>,
}

impl From<&BondOn> for EpochBond {
    fn from(bond: &BondOn) -> Self {
        Self {
            miner: bond.miner,
            before: bond.before,
            masked: bond.masked,
            old: bond.old.into(),
            weight: bond.weight.into(),
            new: bond.new.into(),
            alpha: bond.alpha.into(),
            average: bond.average.into(),
            share: bond.share.into(),
            incentive: bond.incentive.into(),
            contribution: bond.contribution.into(),
            after: bond.after,
        }
    }
}
