//! Records of blocks that are not final yet.

use super::*;

/// What is known above the stored blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads {
    /// Whether unfinalized blocks are followed.
    pub followed: bool,
    /// Number and hash of the highest block that can be asked about: the last unfinalized one, else
    /// the highest stored one; `None` while nothing is stored.
    pub best: Option<(BlockNumber, H256)>,
    /// How many unfinalized blocks are held, all above the highest stored one.
    pub unfinalized: u32,
    /// Why there are no new ones, in one sentence; `None` while all is well.
    pub trouble: Option<String>,
}

/// Something happened above or at the finalized head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadNews {
    /// An unfinalized block is the best one now.
    Added {
        /// Height of the block.
        number: BlockNumber,
        /// Hash of the block.
        hash: H256,
        /// Subnets whose epoch ran in the block, ascending.
        epochs: Vec<NetUid>,
    },
    /// A block that was added is of a branch that lost; told from the top down.
    Retracted {
        /// Height of the block.
        number: BlockNumber,
        /// Hash of the block.
        hash: H256,
    },
    /// A block is stored, for good.
    Finalized {
        /// Height of the block.
        number: BlockNumber,
        /// Hash of the block.
        hash: H256,
    },
    /// So many of these were lost on the way.
    Missed(u64),
}

impl HeadNews {
    /// Height of the block; `None` when it is about none.
    pub fn number(&self) -> Option<BlockNumber> {
        match self {
            HeadNews::Added { number, .. }
            | HeadNews::Retracted { number, .. }
            | HeadNews::Finalized { number, .. } => Some(*number),
            HeadNews::Missed(_) => None,
        }
    }
}
