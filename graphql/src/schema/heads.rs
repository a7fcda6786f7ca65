//! The stream of heads, which is pushed: it tells of a moment and cannot be taken up again. A client
//! that reads too slowly for the channel behind it is told so and goes on with the newest.

use async_graphql::{Context, Object, SimpleObject, Union};
use chain_metadata::BlockNumber;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast::error::RecvError;

use super::block::BlockNode;
use super::error::{ApiError, Res};
use super::scalars::{Hash, U64};
use crate::loaders::loaders;
use crate::ports::HeadNews;
use crate::reads::Reads;

/// What happens from now on. It ends only when the sender is gone.
pub(super) fn follow(ctx: &Context<'_>) -> Res<BoxStream<'static, HeadMessage>> {
    // Loaders belong to one message, so they are not there yet when a stream begins.
    let reads = ctx.data_opt::<Reads>();
    let reads = reads.ok_or_else(|| ApiError::internal("the schema has no reads"))?;
    let state = (reads.reader().subscribe_heads(), None::<BlockNumber>);
    let messages = stream::unfold(state, |(mut receiver, mut last_seen)| async move {
        loop {
            let missed = match receiver.recv().await {
                Ok(HeadNews::Missed(missed)) | Err(RecvError::Lagged(missed)) => missed,
                Ok(news) => {
                    last_seen = news.number().or(last_seen);
                    match HeadMessage::of(news) {
                        Some(message) => return Some((message, (receiver, last_seen))),
                        None => continue,
                    }
                }
                Err(RecvError::Closed) => return None,
            };
            metrics::counter!("graphql_subscription_lagged_total").increment(1);
            let lagged = HeadMessage::Lagged(Lagged {
                missed: U64(missed),
                last_seen,
                cursor: None,
                from: None,
                to: None,
                why: None,
            });
            return Some((lagged, (receiver, last_seen)));
        }
    });
    Ok(messages.boxed())
}

/// Messages were passed over. In a stream with cursors: the blocks `from` to `to` are not stored
/// here. In `heads`: the client read too slowly; nothing is lost in the store, so query status and
/// the unfinalized blocks. The stream goes on after this message.
#[derive(SimpleObject)]
pub(crate) struct Lagged {
    /// How many blocks, or of `heads` messages, were passed over.
    pub(super) missed: U64,
    /// Height of the last block before the gap; null when there was none.
    pub(super) last_seen: Option<u32>,
    /// The place behind the gap; null in `heads`.
    pub(super) cursor: Option<String>,
    /// First block that was passed over; null in `heads`.
    pub(super) from: Option<u32>,
    /// Last block that was passed over; null in `heads`.
    pub(super) to: Option<u32>,
    /// Why, and what to do; null in `heads`.
    pub(super) why: Option<String>,
}

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
