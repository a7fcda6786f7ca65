//! The state of the store and what it covers.

use serde::Serialize;
use utoipa::ToSchema;

use super::table::Table;
use super::value::{Hash, Shown, Wide, record};
use super::{Body, Stamp};
use crate::ports;
use crate::schema::lag;

record! {
    /// The state of the store and of the road that fills it, at the moment of asking.
    Status {
        /// Hash of block 0: which chain this is.
        genesis_hash: Hash,
        /// The chain's name as its node tells it; null when no node ever told.
        chain: Option<String>,
        /// Lowest stored block; null while nothing is stored.
        first: Option<u32>,
        /// Highest stored block; null while nothing is stored.
        last: Option<u32>,
        /// Hash of the highest stored block; null while nothing is stored.
        last_hash: Option<Hash>,
        /// Time of the highest stored block, in milliseconds since 1970; null while nothing is
        /// stored or when that block sets no time.
        last_timestamp_ms: Option<Wide>,
        /// Spec version of the runtime that executed the highest stored block; null while nothing
        /// is stored.
        last_spec: Option<u32>,
        /// The finalized height that the followed node last told; null when it has not.
        node_finalized: Option<u32>,
        /// Milliseconds since it told it; null when it has not.
        node_finalized_age_ms: Option<Wide>,
        /// Blocks behind that height; null when either height is not known.
        lag: Option<u32>,
        /// Milliseconds since this process last stored a block; null when it has not.
        committed_age_ms: Option<Wide>,
        /// Whether a node is being followed.
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
        best: Option<u32>,
        /// How many unfinalized blocks are held in memory; null when they are not followed.
        unfinalized: Option<u32>,
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
            last_timestamp_ms: status.last_timestamp_ms.map(Wide),
            last_spec: status.last_spec,
            node_finalized: status.node_finalized,
            node_finalized_age_ms: status.node_finalized_age_ms.map(Wide),
            lag: lag(status),
            committed_age_ms: status.committed_age_ms.map(Wide),
            following: status.following,
            verified_first: status.verified.map(|(first, _)| first),
            verified_last: status.verified.map(|(_, last)| last),
            stopped: status.stopped.clone(),
            format_version: status.format_version,
            best: status.heads.best.map(|(best, _)| best),
            unfinalized: status.heads.followed.then_some(status.heads.unfinalized),
        }
    }
}

record! {
    /// Stored blocks, one after the other.
    BlockSpan {
        /// First block.
        first: u32,
        /// Last block.
        last: u32,
    }
}

record! {
    /// Blocks that are not stored.
    MissingBlocks {
        /// First block.
        first: u32,
        /// Last block.
        last: u32,
        /// Why they cannot be had; null when they were just not read yet.
        reason: Option<String>,
    }
}

record! {
    /// Blocks whose commit ledger is being made again; until it is done, commits above `done` are
    /// refused with the code RESTAGING.
    Restaging {
        /// First block.
        first: u32,
        /// Last block.
        last: u32,
        /// Up to where the ledger is right; below `first` when nothing is done yet.
        done: u32,
    }
}

/// Which blocks are stored, and what is the matter with the others. The tables of the other forms
/// are the spans.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coverage {
    /// The highest stored block; null while nothing is stored.
    pub(crate) stamp: Option<Stamp>,
    /// Stored blocks, ascending; between two spans some are missing.
    pub(crate) spans: Vec<BlockSpan>,
    /// Blocks between the spans, and blocks that no node had, ascending.
    pub(crate) missing: Vec<MissingBlocks>,
    /// Where the commit ledger is being made again.
    pub(crate) restaging: Vec<Restaging>,
    /// Blocks that are wanted and not stored yet; null when nothing is indexed.
    pub(crate) blocks_left: Option<Wide>,
    /// Milliseconds that they will take at the pace of the last minutes; null while there is none.
    pub(crate) eta_ms: Option<Wide>,
}

impl Coverage {
    pub(crate) fn new(stamp: Option<Stamp>, coverage: ports::Coverage) -> Self {
        let spans = coverage.spans.into_iter();
        let missing = coverage.missing.into_iter();
        let restaging = coverage.restaging.into_iter();
        Self {
            stamp,
            spans: spans
                .map(|(first, last)| BlockSpan { first, last })
                .collect(),
            missing: missing
                .map(|blocks| MissingBlocks {
                    first: blocks.first,
                    last: blocks.last,
                    reason: blocks.reason,
                })
                .collect(),
            restaging: restaging
                .map(|blocks| Restaging {
                    first: blocks.first,
                    last: blocks.last,
                    done: blocks.done,
                })
                .collect(),
            blocks_left: coverage.blocks_left.map(Wide),
            eta_ms: coverage.eta_ms.map(Wide),
        }
    }
}

impl Body for Coverage {
    fn table(&self) -> Table<'_> {
        fn of<T: Shown>(records: &[T]) -> Table<'_> {
            Table::of(records)
        }
        of(&self.spans)
    }
}
