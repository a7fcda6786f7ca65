//! Which commits are still active: the input of the mask of spec 297.

use super::rules::CommitMask;

/// A commit in one of the queues, as it stands after this block's reveals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The committing neuron.
    pub uid: u16,
    /// Block of the commit.
    pub block: u64,
    /// Epoch of the commit. From spec 423 on it is stored; before, it is not read.
    pub epoch: u64,
}

/// How epochs are counted on a subnet, to see which commits have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochClock {
    /// How this runtime counts.
    pub rule: CommitMask,
    /// The subnet.
    pub netuid: u16,
    /// `Tempo`.
    pub tempo: u16,
    /// The block of the epoch.
    pub block: u64,
    /// `SubnetEpochIndex` of the parent state plus one: the epoch advances it before it reads it. Not read before spec 423.
    pub epoch_index: u64,
    /// `RevealPeriodEpochs`.
    pub reveal_period: u64,
}

impl EpochClock {
    /// The epoch of a block by its number: how runtimes before spec 423 count.
    pub fn epoch_of_block(netuid: u16, tempo: u16, block: u64) -> u64 {
        let period = u64::from(tempo) + 1;
        block.saturating_add(u64::from(netuid)).saturating_add(1) / period
    }

    /// True for commits whose time to reveal is over.
    pub fn is_expired(&self, commit: &Commit) -> bool {
        let (now, then) = match self.rule {
            CommitMask::ByEpoch => (self.epoch_index, commit.epoch),
            CommitMask::None | CommitMask::ByBlock => (
                Self::epoch_of_block(self.netuid, self.tempo, self.block),
                Self::epoch_of_block(self.netuid, self.tempo, commit.block),
            ),
        };
        now > then.saturating_add(self.reveal_period)
    }
}

/// The block of the earliest active commit of each of `n` uids, `u64::MAX` for none: [`super::EpochInputs::commit_blocks`].
///
/// `commits` are all entries of `WeightCommits` and `TimelockedWeightCommits` (earlier `CRV3WeightCommitsV2`) whose account is registered. The chain looks only
/// at the first active entry of a queue of `WeightCommits`; queues are in the order of blocks, so that is its earliest. Foreign uids are ignored.
pub fn commit_blocks(n: u16, clock: &EpochClock, commits: &[Commit]) -> Vec<u64> {
    let mut blocks = vec![u64::MAX; usize::from(n)];
    for commit in commits.iter().filter(|commit| !clock.is_expired(commit)) {
        if let Some(block) = blocks.get_mut(usize::from(commit.uid)) {
            *block = (*block).min(commit.block);
        }
    }
    blocks
}
