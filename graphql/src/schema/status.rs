//! The state of the store, its range, and what it covers.

use async_graphql::SimpleObject;

use super::scalars::{Hash, U64};
use crate::ports;

/// The state of the store and of the road that fills it, at the moment of asking.
#[derive(SimpleObject)]
pub(crate) struct Status {
    /// Hash of block 0: which chain this is.
    genesis_hash: Hash,
    /// The chain's name as its node tells it; null when no node ever told.
    chain: Option<String>,
    /// Height of the lowest stored block; null while nothing is stored.
    first: Option<u32>,
    /// Height of the highest stored block; null while nothing is stored.
    last: Option<u32>,
    /// Hash of the highest stored block; null while nothing is stored.
    last_hash: Option<Hash>,
    /// Time of the highest stored block, in milliseconds since 1970; null while nothing is stored
    /// or when that block sets no time (the genesis block).
    last_timestamp_ms: Option<U64>,
    /// Spec version of the runtime that executed the highest stored block; null while nothing is
    /// stored.
    last_spec: Option<u32>,
    /// The finalized height that the followed node last told; null when no node is followed or it
    /// has not told yet.
    node_finalized: Option<u32>,
    /// Milliseconds since the node told its finalized height; null when it has not.
    node_finalized_age_ms: Option<U64>,
    /// Blocks that the store is behind the node's finalized height, 0 when it has them all; null
    /// when either height is not known.
    lag: Option<u32>,
    /// Milliseconds since this process last stored a block; null when it has not.
    committed_age_ms: Option<U64>,
    /// Whether a node is being followed; false when only an existing store is served.
    following: bool,
    /// Lowest block whose epochs were computed again; null before the first.
    verified_first: Option<u32>,
    /// Highest block whose epochs were computed again; null before the first.
    verified_last: Option<u32>,
    /// Why following stopped, in one sentence; null while it goes on or when it never began.
    stopped: Option<String>,
    /// Version of the store's format on disk.
    format_version: u32,
    /// The highest block that can be asked about, final or not; null while nothing is stored.
    best: Option<BestBlock>,
    /// How many unfinalized blocks are held in memory above the highest stored one; null when they
    /// are not followed.
    unfinalized: Option<u32>,
    /// Why no new unfinalized blocks come, in one sentence; null while they do or when they are not
    /// followed. Stored blocks do not wait for them.
    heads_trouble: Option<String>,
}

/// The highest block that can be asked about.
#[derive(SimpleObject)]
pub(crate) struct BestBlock {
    /// Height of the block.
    number: u32,
    /// Hash of the block.
    hash: Hash,
    /// Whether it is finalized; if not, it may still lose against another.
    finalized: bool,
}

impl BestBlock {
    fn of(status: &ports::Status) -> Option<Self> {
        let (number, hash) = status.heads.best?;
        Some(Self {
            number,
            hash: Hash(hash),
            finalized: status.last.is_some_and(|last| number <= last),
        })
    }
}

impl From<&ports::Status> for Status {
    fn from(status: &ports::Status) -> Self {
        Self {
            genesis_hash: Hash(status.genesis_hash),
            chain: status.chain.clone(),
            first: status.first,
            last: status.last,
            last_hash: status.last_hash.map(Hash),
            last_timestamp_ms: status.last_timestamp_ms.map(U64),
            last_spec: status.last_spec,
            node_finalized: status.node_finalized,
            node_finalized_age_ms: status.node_finalized_age_ms.map(U64),
            lag: lag(status),
            committed_age_ms: status.committed_age_ms.map(U64),
            following: status.following,
            verified_first: status.verified.map(|(first, _)| first),
            verified_last: status.verified.map(|(_, last)| last),
            stopped: status.stopped.clone(),
            format_version: status.format_version,
            best: BestBlock::of(status),
            unfinalized: status.heads.followed.then_some(status.heads.unfinalized),
            heads_trouble: status.heads.trouble.clone(),
        }
    }
}

/// Blocks between the node's finalized height and the store's; `None` when either is not known.
pub(crate) fn lag(status: &ports::Status) -> Option<u32> {
    Some(status.node_finalized?.saturating_sub(status.last?))
}

/// The newest blocks that can be asked about, without a hole up to the highest stored one. There
/// may be more below: query coverage.
#[derive(SimpleObject)]
pub(crate) struct AvailableRange {
    /// Lowest block of the range.
    first: u32,
    /// Highest stored block.
    last: u32,
    /// How many blocks the range has.
    block_count: U64,
    /// The highest block that can be asked about, final or not; blocks above `last` are not final.
    /// Null when it is not known.
    best: Option<BestBlock>,
}

impl AvailableRange {
    pub(crate) fn of(status: &ports::Status) -> Option<Self> {
        let (first, last) = status.spans.last().copied()?;
        Some(Self {
            first,
            last,
            block_count: blocks(first, last),
            best: BestBlock::of(status),
        })
    }
}

fn blocks(first: u32, last: u32) -> U64 {
    U64(u64::from(last).saturating_sub(u64::from(first)) + 1)
}

/// Blocks one after the other.
#[derive(SimpleObject)]
pub(crate) struct BlockSpan {
    /// First block.
    first: u32,
    /// Last block.
    last: u32,
    /// How many blocks.
    blocks: U64,
}

/// Blocks that are not stored.
#[derive(SimpleObject)]
pub(crate) struct MissingBlocks {
    /// First block.
    first: u32,
    /// Last block.
    last: u32,
    /// How many blocks.
    blocks: U64,
    /// Why they cannot be had; null when they were just not read yet.
    reason: Option<String>,
}

/// Blocks whose commit ledger is being made again, because an earlier range of blocks came up to
/// them. Until it is done, `commits` is an error (RESTAGING) at blocks above `done`.
#[derive(SimpleObject)]
pub(crate) struct Restaging {
    /// First block.
    first: u32,
    /// Last block.
    last: u32,
    /// Up to where the ledger is right; below `first` when nothing is done yet.
    done: u32,
}

/// Which blocks are stored, and what is the matter with the others.
#[derive(SimpleObject)]
pub(crate) struct Coverage {
    /// Stored blocks, ascending; between two spans some are missing.
    spans: Vec<BlockSpan>,
    /// Blocks between the spans, and blocks that no node had, ascending.
    missing: Vec<MissingBlocks>,
    /// Where the commit ledger is being made again.
    restaging: Vec<Restaging>,
    /// Blocks that are wanted and not stored yet, without those that the chain adds; null when
    /// nothing is indexed.
    blocks_left: Option<U64>,
    /// Milliseconds that they will take at the pace of the last minutes; null while there is none.
    eta_ms: Option<U64>,
}

impl From<ports::Coverage> for Coverage {
    fn from(coverage: ports::Coverage) -> Self {
        let spans = coverage.spans.into_iter().map(|(first, last)| BlockSpan {
            first,
            last,
            blocks: blocks(first, last),
        });
        let missing = coverage.missing.into_iter().map(|m| MissingBlocks {
            first: m.first,
            last: m.last,
            blocks: blocks(m.first, m.last),
            reason: m.reason,
        });
        let restaging = coverage.restaging.into_iter().map(|r| Restaging {
            first: r.first,
            last: r.last,
            done: r.done,
        });
        Self {
            spans: spans.collect(),
            missing: missing.collect(),
            restaging: restaging.collect(),
            blocks_left: coverage.blocks_left.map(U64),
            eta_ms: coverage.eta_ms.map(U64),
        }
    }
}
