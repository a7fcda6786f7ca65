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
    /// Two spans meet in different blocks.
    #[error(
        "block {block} of the node has hash {hash}, the stored blocks above begin with {stored}: the node follows another finalized chain; check --url, or index into a new --data-dir"
    )]
    Joint {
        /// Block in which they meet.
        block: BlockNumber,
        /// Its hash as the node has it.
        hash: H256,
        /// Its hash as it is stored.
        stored: H256,
    },
    /// The nodes have thrown away the state of blocks that are wanted.
    #[error(
        "the state of blocks {first} to {last} is not kept by the node ({why}): use an archive node, or give --allow-partial to leave them out and go on from block {next}"
    )]
    Pruned {
        /// First block that is missing.
        first: BlockNumber,
        /// Last one.
        last: BlockNumber,
        /// The first block that can be read.
        next: BlockNumber,
        /// What the node answered.
        why: String,
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
