//! What the window asks of a store: the port [`Reader`] and the plain records that cross it.
//!
//! The types know nothing of GraphQL and nothing of a database. An adapter fills them; the schema
//! shows them. `None` always means "not known or not there", never zero.

use chain_metadata::{AccountId, BlockNumber, H256, MechId, NetUid, SpecVersion, Uid};
use thiserror::Error;

mod accounts;
mod backwards;
mod chain;
mod changes;
mod commits;
mod epochs;
mod heads;
mod history;
mod results;
mod runtime;
mod stake;
mod streams;
mod subnet;
mod verdicts;
mod whatif;

pub use accounts::*;
pub use backwards::*;
pub use chain::*;
pub use changes::*;
pub use commits::*;
pub use epochs::*;
pub use heads::*;
pub use history::*;
pub use results::*;
pub use runtime::*;
pub use stake::*;
pub use streams::*;
pub use subnet::*;
pub use verdicts::*;
pub use whatif::*;

/// Read access to one store, plural first so that many keys cost one call.
///
/// Every method that takes a slice answers with exactly one entry per key, in the order of the
/// keys. Methods may block on a disk: the window calls them outside its event loop. They must be
/// consistent with each other for any block at or below [`Status::last`]; history does not change.
/// Blocks above it, if there are any ([`Heads::best`]), are read in the same way and are not final.
pub trait Reader:
    Histories
    + Changes
    + WhatIfs
    + Results
    + Happenings
    + Backwards
    + Epochs
    + Accounts
    + Send
    + Sync
    + 'static
{
    /// The state of the store and of the road that fills it, read at the moment of the call.
    fn status(&self) -> Result<Status, ReadError>;

    /// Which blocks are stored, which are not, and what is being made again.
    ///
    /// Without a word of its own about it, a store has what its status says.
    fn coverage(&self) -> Result<Coverage, ReadError> {
        Ok(Coverage {
            spans: self.status()?.spans,
            ..Coverage::default()
        })
    }

    /// Blocks by height; `None` where the store does not hold that height.
    fn blocks(&self, numbers: &[BlockNumber]) -> Result<Vec<Option<Block>>, ReadError>;

    /// Heights by block hash; `None` for a hash that is not stored.
    fn block_numbers(&self, hashes: &[H256]) -> Result<Vec<Option<BlockNumber>>, ReadError>;

    /// All extrinsics of each block, in block order.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn extrinsics(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<Extrinsic>>, ReadError>;

    /// All extrinsics with each hash, oldest first: the same bytes may be included more than once.
    /// An unknown hash gives an empty list.
    fn extrinsics_by_hash(&self, hashes: &[H256]) -> Result<Vec<Vec<Extrinsic>>, ReadError>;

    /// All events of each block, in the order of `System.Events`.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn events(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<Event>>, ReadError>;

    /// The subnets that exist at the end of each block, ascending.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn subnets(&self, at: &[BlockNumber]) -> Result<Vec<Vec<NetUid>>, ReadError>;

    /// Subnets at the end of a block; `None` where the subnet does not exist then.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn subnet(&self, keys: &[(BlockNumber, NetUid)]) -> Result<Vec<Option<Subnet>>, ReadError>;

    /// The same for those who ask for none of the items: a store may leave `items` empty, of which
    /// a subnet has more than a hundred.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn subnet_without_items(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<Subnet>>, ReadError> {
        self.subnet(keys)
    }

    /// Metagraphs at the end of a block; `None` where the subnet or the mechanism does not exist
    /// then.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn metagraphs(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Metagraph>>, ReadError>;

    /// The last epoch that ran in a subnet up to the end of a block; `None` when none ran or the
    /// runtime does not tell. Without a word of its own about it, a store has what its subnets say.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn last_epochs(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<LastEpoch>>, ReadError> {
        let subnets = self.subnet_without_items(keys)?.into_iter();
        Ok(subnets
            .map(|subnet| {
                let block = subnet?.last_epoch_block?;
                Some(LastEpoch { block, index: None })
            })
            .collect())
    }

    /// Rows of the weight matrix at the end of a block, by the uid that set them, ascending; uids
    /// without a stored row are left out. `None` where the subnet or mechanism does not exist.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn weights(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<MatrixRow>>>, ReadError>;

    /// Rows of the bond matrix, under the rules of [`Reader::weights`].
    fn bonds(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<MatrixRow>>>, ReadError>;

    /// Commits made at or before block `at`, as they stood at its end, newest first: those older
    /// than `before`, at most `first`. When hardly any passes the filter the list may be shorter,
    /// with `next` set.
    ///
    /// Errors with [`ReadError::OutOfRange`] when the block is not stored, and with
    /// [`ReadError::Restaging`] where the ledger is being made again.
    fn commits(
        &self,
        at: BlockNumber,
        filter: &CommitFilter,
        before: Option<CommitId>,
        first: usize,
    ) -> Result<CommitPage, ReadError>;

    /// Movements of stake at or before block `at`, newest first: those older than `before`, at
    /// most `first`. When hardly any passes the filter the list may be shorter, with `next` set.
    ///
    /// Errors with [`ReadError::OutOfRange`] when the block is not stored.
    fn stake_movements(
        &self,
        at: BlockNumber,
        filter: &StakeFilter,
        before: Option<StakeMovementId>,
        first: usize,
    ) -> Result<StakeMovementPage, ReadError>;

    /// What is staked at the end of a block, ascending by hotkey, coldkey and subnet; with a
    /// `netuid` only there.
    ///
    /// Errors with [`ReadError::OutOfRange`] when the block is not stored.
    fn stake(
        &self,
        at: BlockNumber,
        of: StakeOf,
        netuid: Option<NetUid>,
    ) -> Result<Vec<StakeShare>, ReadError>;

    /// [`Reader::stake`] for many at once.
    fn stakes(&self, keys: &[StakeKey]) -> Result<Vec<Vec<StakeShare>>, ReadError> {
        let one = |(at, of, netuid): &StakeKey| self.stake(*at, *of, *netuid);
        keys.iter().map(one).collect()
    }

    /// Commits by their names, each as it stood at the end of a block; `None` where the ledger does
    /// not have it there. Errors as [`Reader::commits`].
    fn commits_named(
        &self,
        keys: &[(CommitId, BlockNumber)],
    ) -> Result<Vec<Option<Commit>>, ReadError> {
        let one = |(id, at): &(CommitId, BlockNumber)| {
            let before = CommitId {
                block: id.block,
                index: id.index.saturating_add(1),
            };
            let page = self.commits(*at, &CommitFilter::default(), Some(before), 1)?;
            Ok(page.commits.into_iter().find(|commit| commit.id == *id))
        };
        keys.iter().map(one).collect()
    }

    /// The record of an epoch: the stored one, or one computed now; `None` when no epoch ran and no
    /// slot was due.
    fn verification(
        &self,
        block: BlockNumber,
        netuid: NetUid,
        mechanism: MechId,
    ) -> Result<Option<Verification>, ReadError>;

    /// Computed and stored values of an epoch by uid, computed now; `None` when no epoch ran.
    fn verification_values(
        &self,
        block: BlockNumber,
        netuid: NetUid,
        mechanism: MechId,
    ) -> Result<Option<Vec<ComparedNeuron>>, ReadError>;

    /// Stored records, newest first: those older than `before`, at most `first`.
    fn verifications(
        &self,
        wanted: &VerificationFilter,
        before: Option<VerificationId>,
        first: usize,
    ) -> Result<VerificationPage, ReadError>;

    /// What the stored records of a range of blocks say together.
    fn verification_summary(
        &self,
        netuid: Option<NetUid>,
        range: (BlockNumber, BlockNumber),
    ) -> Result<VerificationSummary, ReadError>;

    /// Every runtime that executed a stored block, oldest first.
    fn runtimes(&self) -> Result<Vec<Runtime>, ReadError>;

    /// Every storage item that the index reads, checked against a runtime and the stored one
    /// before it; `None` when no such runtime is stored.
    fn manifest(&self, spec: SpecVersion) -> Result<Option<Vec<ManifestLine>>, ReadError>;

    /// What differs between two runtimes, by part, pallet and name; `None` when one of them is not
    /// stored.
    fn runtime_diff(
        &self,
        from: SpecVersion,
        to: SpecVersion,
    ) -> Result<Option<Vec<RuntimeDiffLine>>, ReadError>;

    /// A receiver that hears of every block after its commit is durable.
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Committed>;

    /// A receiver that hears of unfinalized blocks that come and go, and of every block that
    /// becomes final.
    fn subscribe_heads(&self) -> tokio::sync::broadcast::Receiver<HeadNews>;

    /// The same store as it stands now: one branch of unfinalized blocks that does not change,
    /// whatever is stored or dropped meanwhile. One operation reads from one of these. `None` when
    /// there is nothing that could change under a reader, such as of a snapshot.
    ///
    /// A block of a branch that lost in between may still be read; see [`Reader::confirm`].
    fn snapshot(&self) -> Result<Option<std::sync::Arc<dyn Reader>>, ReadError> {
        Ok(None)
    }

    /// Asked of a snapshot after each read: [`ReadError::Dropped`] when unfinalized blocks were
    /// read and another branch has been stored since, so that what was read may be of both.
    fn confirm(&self) -> Result<(), ReadError> {
        Ok(())
    }
}

/// A block, whose stake is asked for at its end, and the only subnet that is meant, if there is one.
pub type StakeKey = (BlockNumber, StakeOf, Option<NetUid>);

/// The state of the store and of the road that fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Hash of block 0: which chain this store belongs to.
    pub genesis_hash: H256,
    /// The chain's name as its node tells it (`system_chain`); `None` when no node ever told.
    pub chain: Option<String>,
    /// Lowest stored block; `None` while the store is empty.
    pub first: Option<BlockNumber>,
    /// Highest stored block; `None` while the store is empty.
    pub last: Option<BlockNumber>,
    /// First and last block of every run of stored blocks without a hole, ascending.
    pub spans: Vec<(BlockNumber, BlockNumber)>,
    /// Hash of the highest stored block; `None` while the store is empty.
    pub last_hash: Option<H256>,
    /// `Timestamp.Now` of the highest stored block, in milliseconds since 1970; `None` when the
    /// store is empty or the block set no timestamp (the genesis block).
    pub last_timestamp_ms: Option<u64>,
    /// Spec version of the runtime that executed the highest stored block; `None` while empty.
    pub last_spec: Option<SpecVersion>,
    /// The finalized height the followed node last told; `None` when no node is followed or it has
    /// not told yet.
    pub node_finalized: Option<BlockNumber>,
    /// Milliseconds since the node told it; `None` together with `node_finalized`.
    pub node_finalized_age_ms: Option<u64>,
    /// Milliseconds since this process last committed a block; `None` when it has not.
    pub committed_age_ms: Option<u64>,
    /// Whether a node is being followed; false when only an existing store is served.
    pub following: bool,
    /// Lowest and highest block whose epochs were verified; `None` before the first.
    pub verified: Option<(BlockNumber, BlockNumber)>,
    /// Why the road stopped, in one sentence; `None` while it runs or when none was started.
    pub stopped: Option<String>,
    /// Version of the store's format on disk.
    pub format_version: u32,
    /// What is above the stored blocks.
    pub heads: Heads,
}

/// Which blocks are stored, and what is the matter with the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// First and last block of every run of stored blocks without a hole, ascending.
    pub spans: Vec<(BlockNumber, BlockNumber)>,
    /// Blocks between the spans, and blocks that no node had, ascending.
    pub missing: Vec<MissingBlocks>,
    /// Spans of which the commit ledger is being made again.
    pub restaging: Vec<Restaging>,
    /// Blocks of the ranges that are wanted and not stored yet; `None` when nothing is indexed.
    pub blocks_left: Option<u64>,
    /// Milliseconds that they will take at the pace of the last minutes; `None` while there is none.
    pub eta_ms: Option<u64>,
}

/// Blocks that are not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingBlocks {
    /// First of them.
    pub first: BlockNumber,
    /// Last of them.
    pub last: BlockNumber,
    /// Why they cannot be had; `None` when they were just not read yet.
    pub reason: Option<String>,
}

/// Blocks whose commit ledger is being made again, after two spans became one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restaging {
    /// First of them.
    pub first: BlockNumber,
    /// Last of them: the end of the span.
    pub last: BlockNumber,
    /// Up to where the ledger is right; below `first` when nothing is done yet.
    pub done: BlockNumber,
}

/// A runtime that executed stored blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// `spec_version` of `Core_version`.
    pub spec_version: SpecVersion,
    /// First stored block that this runtime executed.
    pub first_block: BlockNumber,
    /// Last stored block that this runtime executed; `None` while it is the newest runtime.
    pub last_block: Option<BlockNumber>,
    /// BLAKE2-256 of the raw metadata bytes.
    pub metadata_hash: H256,
    /// Version of the metadata format: 14, 15 or 16.
    pub metadata_version: u8,
    /// Length of the raw metadata, in bytes.
    pub metadata_bytes: u64,
}

/// Word of one block that is now durable in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Height of the block.
    pub number: BlockNumber,
    /// Hash of the block.
    pub hash: H256,
    /// Subnets whose epoch ran in the block, ascending; empty for most blocks.
    pub epochs: Vec<NetUid>,
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The block asked for is not in the stored range.
    #[error("block {asked} is outside the stored range {}", range(.first, .last))]
    OutOfRange {
        /// The height asked for.
        asked: BlockNumber,
        /// Lowest stored block; `None` while the store is empty.
        first: Option<BlockNumber>,
        /// Highest stored block; `None` while the store is empty.
        last: Option<BlockNumber>,
    },
    /// The block asked for was not final, and its branch lost while it was read.
    #[error("block {0} was dropped by a switch to another branch")]
    Dropped(BlockNumber),
    /// The commit ledger of this block is being made again.
    #[error("the commit ledger is being made again above block {done}, block {asked} is not done")]
    Restaging {
        /// The height asked for.
        asked: BlockNumber,
        /// Up to where the ledger is right.
        done: BlockNumber,
    },
    /// The store could not be read. The text is for the operator, not for a client.
    #[error("the store could not be read: {0}")]
    Store(String),
    /// Stored bytes could not be decoded. The text is for the operator, not for a client.
    #[error("a stored value could not be decoded: {0}")]
    Decode(String),
}

fn range(first: &Option<BlockNumber>, last: &Option<BlockNumber>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("{first}..={last}"),
        _ => "(nothing is stored yet)".to_owned(),
    }
}
