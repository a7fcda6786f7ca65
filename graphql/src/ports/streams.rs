//! What happened, block by block: the port behind the streams.

use super::*;

/// What a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Every block.
    Blocks,
    /// Every epoch of a mechanism of a subnet that ran.
    Epochs,
    /// Every row of the weight matrix that was set.
    Weights,
    /// Every step of the commit ledger.
    Commits,
    /// Every movement of stake.
    Stake,
    /// Every record in the ledger of challenge results.
    Scores,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 6] = [
        Topic::Blocks,
        Topic::Epochs,
        Topic::Weights,
        Topic::Commits,
        Topic::Stake,
        Topic::Scores,
    ];

    /// Its name in addresses, such as `blocks`.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Blocks => "blocks",
            Topic::Epochs => "epochs",
            Topic::Weights => "weights",
            Topic::Commits => "commits",
            Topic::Stake => "stake",
            Topic::Scores => "scores",
        }
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A topic of this name does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no stream `{0}`; take blocks, epochs, weights, commits, stake or scores")]
pub struct UnknownTopic(pub String);

impl std::str::FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Topic::ALL.into_iter().find(|topic| topic.name() == text);
        // A foreign text may be long; its beginning says enough.
        found.ok_or_else(|| UnknownTopic(text.chars().take(40).collect()))
    }
}

/// One thing that happened in a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// The block itself, with the subnets whose epoch ran in it, ascending.
    Block(Block, Vec<NetUid>),
    /// An epoch of a mechanism ran.
    Epoch(EpochHappening),
    /// A row of the weight matrix was set.
    Weights(WeightsHappening),
    /// A commit was made, or something became of it.
    Commit(CommitHappening),
    /// Stake moved.
    Stake(StakeMovement),
}

/// An epoch of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochHappening {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// `SubnetEpochIndex` at the end of the block; `None` in runtimes without it.
    pub index: Option<u64>,
}

/// A row of the weight matrix that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsHappening {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// The neuron whose row it is.
    pub uid: Uid,
    /// What set it.
    pub set: WeightsSet,
}

/// A step of the commit ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitHappening {
    /// What happened.
    pub step: CommitStep,
    /// The commit as it stood at the end of the block.
    pub commit: Commit,
}

/// What happened to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitStep {
    /// It was made.
    Made,
    /// It may be revealed from now on.
    Due,
    /// It was revealed.
    Revealed,
    /// A reveal of it failed.
    Attempted,
    /// Its time passed, and what was tried within it failed.
    Failed,
    /// Its time passed without a reveal.
    Expired,
    /// Another one took its place.
    Superseded,
    /// Nobody is left to reveal it.
    Orphaned,
    /// The chain keeps it under another hotkey.
    Moved,
    /// The chain does not keep it any more.
    Released,
}

/// Answers what happened.
pub trait Happenings: Send + Sync {
    /// What happened of a topic in each block, in an order that never changes: that of the chain,
    /// and of commits by entry. [`Topic::Scores`] is of no block: its lists are empty.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored, and with
    /// [`ReadError::Restaging`] where what is asked for is being made again.
    fn happenings(
        &self,
        topic: Topic,
        blocks: &[BlockNumber],
    ) -> Result<Vec<Vec<Happening>>, ReadError>;

    /// Records of challenge results with the number `from` and above, in the order of their
    /// numbers, at most `first`.
    fn result_records(&self, from: u64, first: usize) -> Result<Vec<ResultRecord>, ReadError>;

    /// How many such records there are: the number of the next one.
    fn result_count(&self) -> Result<u64, ReadError>;
}
