//! Why the road stopped.

use chain_metadata::{BlockNumber, H256, SpecVersion};

use crate::source::SourceError;
use crate::store::StoreError;

/// Why the index stopped. Everything committed before it stays.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The chain could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Bytes of the chain do not decode.
    #[error(
        "block {block} (spec {spec}): {what}: indexing stops before this block; please report it with the block number"
    )]
    Decode {
        /// Block.
        block: BlockNumber,
        /// Runtime that executed it.
        spec: SpecVersion,
        /// Pallet, entry and cause.
        what: String,
    },
    /// The metadata of a runtime cannot be used.
    #[error("block {block}: the metadata of spec {spec} cannot be used: {what}")]
    Metadata {
        /// Block that needs it.
        block: BlockNumber,
        /// Its spec version.
        spec: SpecVersion,
        /// Cause.
        what: String,
    },
    /// The node's finalized block does not continue the stored chain.
    #[error(
        "block {block} of the node has parent {parent}, the store ends with {stored}: the node follows another finalized chain; check --url, or index into a new --data-dir"
    )]
    Parent {
        /// Block offered.
        block: BlockNumber,
        /// Its parent's hash.
        parent: H256,
        /// Hash of the stored tip.
        stored: H256,
    },
    /// A header does not hash to the hash it was asked by, or has another number.
    #[error(
        "block {block}: the node's answer for {hash} is not that block ({what}); try another --url"
    )]
    NotTheBlock {
        /// Block asked for.
        block: BlockNumber,
        /// Hash asked for.
        hash: H256,
        /// What is wrong.
        what: String,
    },
    /// The wanted range cannot be appended to what is stored.
    #[error("{0}")]
    Range(String),
    /// A thread of the pipeline ended without saying why.
    #[error("the {0} thread ended unexpectedly ({1}); please report it")]
    Thread(&'static str, String),
}
