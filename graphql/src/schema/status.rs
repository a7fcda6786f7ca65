//! The state of the store and its range.

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
    /// Lowest stored block; null while nothing is stored.
    first: Option<u32>,
    /// Highest stored block; null while nothing is stored.
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
    /// Why following stopped, in one sentence; null while it goes on or when it never began.
    stopped: Option<String>,
    /// Version of the store's format on disk.
    format_version: u32,
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
            stopped: status.stopped.clone(),
            format_version: status.format_version,
        }
    }
}

/// Blocks between the node's finalized height and the store's; `None` when either is not known.
pub(crate) fn lag(status: &ports::Status) -> Option<u32> {
    Some(status.node_finalized?.saturating_sub(status.last?))
}

/// The blocks that can be asked about. There are no holes between the two ends.
#[derive(SimpleObject)]
pub(crate) struct AvailableRange {
    /// Lowest stored block.
    first: u32,
    /// Highest stored block.
    last: u32,
    /// How many blocks are stored.
    block_count: U64,
}

impl AvailableRange {
    pub(crate) fn of(status: &ports::Status) -> Option<Self> {
        let (first, last) = (status.first?, status.last?);
        Some(Self {
            first,
            last,
            block_count: U64(u64::from(last).saturating_sub(u64::from(first)) + 1),
        })
    }
}
