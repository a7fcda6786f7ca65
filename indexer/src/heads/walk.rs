//! From a head down its parents to a block that is known.

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{BlockNumber, H256};

use super::{Branch, MOST};
use crate::IndexError;
use crate::plan::Ahead;
use crate::source::{BestHead, ChainSource, RawBlock, SourceError, Want};
use crate::store::StoreError;

/// Why the unfinalized blocks could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeadsError {
    /// Reading, decoding or preparing failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Finality is too far behind.
    #[error(
        "{count} unfinalized blocks are above block {finalized}, at most {MOST} are kept in memory: waiting for finality"
    )]
    TooMany {
        /// Blocks from the stored tip to the head.
        count: BlockNumber,
        /// The stored tip.
        finalized: BlockNumber,
    },
    /// The node's best chain does not hold the stored blocks.
    #[error(
        "the best chain of the node, with block {best} ({hash}), does not hold the stored block {stored}: waiting for another head"
    )]
    Elsewhere {
        /// The head's number.
        best: BlockNumber,
        /// The head's hash.
        hash: H256,
        /// The stored tip.
        stored: BlockNumber,
    },
    /// A header that contradicts its child.
    #[error("block {number} ({hash}) says it has number {said}: its branch is not used")]
    Number {
        /// Number expected from the child.
        number: BlockNumber,
        /// Its hash.
        hash: H256,
        /// Number in its header.
        said: BlockNumber,
    },
    /// Two ranges were joined, and what follows from all blocks before is made again.
    #[error(
        "two ranges of blocks were joined: unfinalized blocks wait until the commit ledger is made again, which is done up to block {done}"
    )]
    Restaging {
        /// The last block of which it is done.
        done: BlockNumber,
    },
    /// It took too long.
    #[error("the node gives no block of its best chain in {0:?}; it is asked again")]
    Late(Duration),
    /// The store went on, or another head came: begin again from what is there now.
    #[error("the chain went on meanwhile")]
    Moved,
}

impl From<StoreError> for HeadsError {
    fn from(error: StoreError) -> Self {
        HeadsError::Index(error.into())
    }
}

impl From<SourceError> for HeadsError {
    fn from(error: SourceError) -> Self {
        HeadsError::Index(error.into())
    }
}

/// A block of the branch, or its root, and the blocks above it up to the head.
pub(super) struct Path {
    /// The highest block that is known already.
    pub(super) from: H256,
    /// Lowest first.
    pub(super) blocks: Vec<RawBlock>,
}

/// Walks from `head` down; blocks are fetched by hash only, with the keys of `ahead`.
pub(super) async fn path<S: ChainSource>(
    source: &S,
    branch: &Branch,
    head: &BestHead,
    ahead: &Arc<Ahead>,
) -> Result<Path, HeadsError> {
    let stored = branch.root().map_or(0, |(number, _)| number);
    let count = head.number.saturating_sub(stored);
    if usize::try_from(count).unwrap_or(usize::MAX) > MOST {
        return Err(HeadsError::TooMany {
            count,
            finalized: stored,
        });
    }
    let (mut number, mut hash) = (head.number, head.hash);
    let mut blocks = Vec::new();
    while !branch.has(hash) {
        if number <= stored {
            return Err(HeadsError::Elsewhere {
                best: head.number,
                hash: head.hash,
                stored,
            });
        }
        let want = Want {
            at: hash,
            keys: ahead.keys.clone(),
        };
        let found = source.blocks(&[number], &[want]).await?;
        let block = found.into_iter().next().ok_or_else(|| {
            let why = "the source answers without it".to_owned();
            SourceError::Missing { number, why }
        })?;
        if block.number != number || block.hash != hash {
            return Err(HeadsError::Number {
                number,
                hash,
                said: block.number,
            });
        }
        hash = block.parent;
        number = number.saturating_sub(1);
        blocks.push(block);
    }
    blocks.reverse();
    Ok(Path { from: hash, blocks })
}
