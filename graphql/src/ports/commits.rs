//! The commit ledger.

use chain_metadata::{AccountId, BlockNumber, H256, MechId, NetUid, Uid};

/// Names a commit: the block in which it was made, and its place among the commits of that block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId {
    /// Height of the block.
    pub block: BlockNumber,
    /// Place among the commits of the block, from 0.
    pub index: u32,
}

/// Kinds of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitKind {
    /// The hash of weights.
    Hash,
    /// Weights encrypted until a drand round.
    Timelocked,
    /// A commitment of pallet `Commitments`.
    Commitment,
}

/// Where a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitState {
    /// Made, not yet to be revealed.
    Committed,
    /// To be revealed now.
    Due,
    /// Revealed.
    Revealed,
    /// Over, and what was tried failed.
    Failed,
    /// Over without a reveal.
    Expired,
    /// Another one took its place.
    Superseded,
    /// Nobody is left to reveal it.
    Orphaned,
}

/// Which commits are asked for; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitFilter {
    /// Subnet, all mechanisms.
    pub netuid: Option<NetUid>,
    /// Who committed.
    pub hotkey: Option<AccountId>,
    /// Kind.
    pub kind: Option<CommitKind>,
    /// State at the block asked about.
    pub state: Option<CommitState>,
}

/// A call inside an extrinsic of a stored block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlace {
    /// Height of the block.
    pub block: BlockNumber,
    /// Position of the extrinsic in its block.
    pub extrinsic: u32,
    /// Where the call stands in the extrinsic (empty: the outer call); `None` when a contract made
    /// it.
    pub path: Option<Vec<u32>>,
}

/// A row of the weight matrix that a reveal set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevealedRow {
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism.
    pub mechanism: MechId,
    /// The neuron whose row it is.
    pub uid: Uid,
    /// First epoch that read the row, up to the block asked about; `None` when there was none yet,
    /// or the row was set again before.
    pub first_epoch: Option<BlockNumber>,
}

/// A reveal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitReveal {
    /// Height of the block.
    pub block: BlockNumber,
    /// The call that revealed; `None` when the chain did it itself.
    pub made_by: Option<CallPlace>,
    /// Whether the hash of the call's arguments is the hash committed to; `None` when there is
    /// none to compare.
    pub verified: Option<bool>,
    /// The chain does not say which of several commits of the hotkey it was.
    pub ambiguous: bool,
    /// What came out of a commitment's locks, as the chain keeps it; empty for weights.
    pub revealed: Vec<Vec<u8>>,
    /// The row of W it set; `None` when it set none.
    pub row: Option<RevealedRow>,
}

/// A reveal that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitAttempt {
    /// The call.
    pub made_by: CallPlace,
    /// The dispatch error, as `Pallet.Name`.
    pub error: String,
    /// Whether the hash of its arguments is the hash committed to.
    pub hash_matches: bool,
}

/// A commit as it stood at a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// Kind.
    pub kind: CommitKind,
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism; 0 for commitments.
    pub mechanism: MechId,
    /// Who committed.
    pub hotkey: AccountId,
    /// Uid of the committer at that block; `None` when it had none.
    pub uid: Option<Uid>,
    /// The call that made it; `None` when that was before the first stored block.
    pub made_by: Option<CallPlace>,
    /// The hash committed to; of timelocked commits that of the encrypted bytes.
    pub hash: Option<H256>,
    /// Drand round of the lock.
    pub round: Option<u64>,
    /// The subnet's epoch it was made in.
    pub epoch: Option<u64>,
    /// Encrypted bytes of a timelocked commit.
    pub bytes: Option<Vec<u8>>,
    /// Decoded fields of a commitment.
    pub fields: Vec<serde_json::Value>,
    /// Where it stands.
    pub state: CommitState,
    /// Height since which it stands there.
    pub since: BlockNumber,
    /// Why, where there is more to say.
    pub reason: Option<String>,
    /// Hotkey under which the chain keeps it.
    pub holder: AccountId,
    /// Whether the chain's storage still holds it.
    pub held: bool,
    /// Every state it was in, with the height since which.
    pub states: Vec<(BlockNumber, CommitState)>,
    /// Reveals.
    pub reveals: Vec<CommitReveal>,
    /// Failed reveals.
    pub attempts: Vec<CommitAttempt>,
}

/// Some commits, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitPage {
    /// The commits.
    pub commits: Vec<Commit>,
    /// Where to go on when there may be more.
    pub next: Option<CommitId>,
}
