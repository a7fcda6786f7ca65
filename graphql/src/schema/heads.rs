//! Messages of the stream of heads.

use async_graphql::{Context, Object, SimpleObject, Union};

use super::block::BlockNode;
use super::error::Res;
use super::scalars::Hash;
use super::subscription::Lagged;
use crate::loaders::loaders;
use crate::ports::HeadNews;

/// A message of the stream of heads.
#[derive(Union)]
pub(crate) enum HeadMessage {
    Added(HeadAdded),
    Retracted(HeadRetracted),
    Finalized(HeadFinalized),
    Lagged(Lagged),
}

impl HeadMessage {
    /// The message about a block; `None` for news about none.
    pub(super) fn of(news: HeadNews) -> Option<Self> {
        Some(match news {
            HeadNews::Added {
                number,
                hash,
                epochs,
            } => HeadMessage::Added(HeadAdded {
                number,
                hash: Hash(hash),
                epochs: epochs.into_iter().map(|netuid| netuid.0).collect(),
            }),
            HeadNews::Retracted { number, hash } => HeadMessage::Retracted(HeadRetracted {
                number,
                hash: Hash(hash),
            }),
            HeadNews::Finalized { number, hash } => HeadMessage::Finalized(HeadFinalized {
                number,
                hash: Hash(hash),
            }),
            HeadNews::Missed(_) => return None,
        })
    }
}

/// Word of a new best block.
pub(crate) struct HeadAdded {
    number: u32,
    hash: Hash,
    epochs: Vec<u16>,
}

/// An unfinalized block is the best one now; it may still lose against another.
#[Object]
impl HeadAdded {
    /// Height of the block.
    async fn number(&self) -> u32 {
        self.number
    }

    /// Hash of the block.
    async fn hash(&self) -> Hash {
        self.hash
    }

    /// Subnets whose epoch ran in the block, ascending; empty for most blocks.
    async fn epochs(&self) -> &[u16] {
        &self.epochs
    }

    /// The block; null when it has lost meanwhile.
    async fn block(&self, ctx: &Context<'_>) -> Res<Option<BlockNode>> {
        let loaders = loaders(ctx)?;
        let Some(number) = loaders.numbers.load(self.hash.0).await? else {
            return Ok(None);
        };
        let block = loaders.blocks.load(number).await?;
        Ok(block.map(BlockNode))
    }
}

/// A block that was added is of a branch that lost: forget it. The blocks of a branch are
/// retracted from the top down.
#[derive(SimpleObject)]
pub(crate) struct HeadRetracted {
    /// Height of the block.
    number: u32,
    /// Hash of the block.
    hash: Hash,
}

/// A block is final and stored. It need not have been added before.
#[derive(SimpleObject)]
pub(crate) struct HeadFinalized {
    /// Height of the block.
    number: u32,
    /// Hash of the block.
    hash: Hash,
}
