//! Streams of what was just stored.
//!
//! A client that reads too slowly for the channel behind a stream is told so by a `Lagged` message
//! and goes on with the newest: the stream itself does not end.

use std::collections::{HashSet, VecDeque};

use async_graphql::{Context, SimpleObject, Subscription, Union};
use chain_metadata::{BlockNumber, NetUid};
use futures::stream::{self, Stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::block::BlockNode;
use super::error::{ApiError, Res};
use super::scalars::{Hash, U64};
use super::subnet::SubnetNode;
use crate::loaders::loaders;
use crate::ports::Committed;
use crate::reads::Reads;

/// The root of all subscriptions.
pub(crate) struct Subscription;

/// Streams over a WebSocket (sub-protocol graphql-transport-ws). Only finalized, durably stored
/// blocks are told of.
#[Subscription]
impl Subscription {
    /// Every block after it is stored, in order, from now on.
    async fn blocks(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = BlockMessage> + use<>, ApiError> {
        let receiver = listen(ctx)?;
        Ok(messages(receiver, |heard| match heard {
            Heard::Block(committed) => vec![BlockMessage::Committed(BlockCommitted(committed))],
            Heard::Lagged(lagged) => vec![BlockMessage::Lagged(lagged)],
        }))
    }

    /// Every epoch of a subnet after the block it ran in is stored, from now on. Within a block in
    /// ascending netuid.
    async fn epochs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only epochs of these subnets; without it of all.")] netuids: Option<
            Vec<u16>,
        >,
    ) -> Result<impl Stream<Item = EpochMessage> + use<>, ApiError> {
        let receiver = listen(ctx)?;
        let wanted: Option<HashSet<u16>> = netuids.map(|netuids| netuids.into_iter().collect());
        Ok(messages(receiver, move |heard| match heard {
            Heard::Lagged(lagged) => vec![EpochMessage::Lagged(lagged)],
            Heard::Block(committed) => {
                let (number, hash) = (committed.number, committed.hash);
                let ran = committed.epochs.into_iter();
                ran.filter(|netuid| wanted.as_ref().is_none_or(|set| set.contains(&netuid.0)))
                    .map(|netuid| {
                        EpochMessage::Ran(EpochRan {
                            number,
                            hash: Hash(hash),
                            netuid,
                        })
                    })
                    .collect()
            }
        }))
    }
}

/// A receiver of what is stored from now on. Loaders belong to one message, so they are not there
/// yet when a stream begins.
fn listen(ctx: &Context<'_>) -> Res<Receiver<Committed>> {
    ctx.data_opt::<Reads>()
        .map(|reads| reads.reader().subscribe())
        .ok_or_else(|| ApiError::internal("the schema has no reads"))
}

/// What the channel gave.
enum Heard {
    Block(Committed),
    Lagged(Lagged),
}

/// Turns a channel into messages. It ends only when the sender is gone.
fn messages<M>(
    receiver: Receiver<Committed>,
    each: impl Fn(Heard) -> Vec<M>,
) -> impl Stream<Item = M> {
    struct State<M, F> {
        receiver: Receiver<Committed>,
        last_seen: Option<BlockNumber>,
        ready: VecDeque<M>,
        each: F,
    }
    let state = State {
        receiver,
        last_seen: None,
        ready: VecDeque::new(),
        each,
    };
    stream::unfold(state, |mut state| async move {
        loop {
            if let Some(message) = state.ready.pop_front() {
                return Some((message, state));
            }
            let heard = match state.receiver.recv().await {
                Ok(committed) => {
                    state.last_seen = Some(committed.number);
                    Heard::Block(committed)
                }
                Err(RecvError::Lagged(missed)) => {
                    metrics::counter!("graphql_subscription_lagged_total").increment(1);
                    Heard::Lagged(Lagged {
                        missed: U64(missed),
                        last_seen: state.last_seen,
                    })
                }
                Err(RecvError::Closed) => return None,
            };
            state.ready = (state.each)(heard).into();
        }
    })
}

/// A message of the stream of blocks.
#[derive(Union)]
pub(crate) enum BlockMessage {
    Committed(BlockCommitted),
    Lagged(Lagged),
}

/// A message of the stream of epochs.
#[derive(Union)]
pub(crate) enum EpochMessage {
    Ran(EpochRan),
    Lagged(Lagged),
}

/// Word of a stored block.
pub(crate) struct BlockCommitted(Committed);

/// A block that was just stored.
#[async_graphql::Object]
impl BlockCommitted {
    /// Height of the block.
    async fn number(&self) -> u32 {
        self.0.number
    }

    /// Hash of the block.
    async fn hash(&self) -> Hash {
        Hash(self.0.hash)
    }

    /// Subnets whose epoch ran in the block, ascending; empty for most blocks.
    async fn epochs(&self) -> Vec<u16> {
        self.0.epochs.iter().map(|netuid| netuid.0).collect()
    }

    /// The block.
    async fn block(&self, ctx: &Context<'_>) -> Res<BlockNode> {
        Ok(BlockNode(loaders(ctx)?.block(self.0.number).await?))
    }
}

/// Word of an epoch.
pub(crate) struct EpochRan {
    number: BlockNumber,
    hash: Hash,
    netuid: NetUid,
}

/// An epoch that ran in a block that was just stored.
#[async_graphql::Object]
impl EpochRan {
    /// Height of the block in which the epoch ran.
    async fn number(&self) -> u32 {
        self.number
    }

    /// Hash of that block.
    async fn hash(&self) -> Hash {
        self.hash
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.netuid.0
    }

    /// The subnet at the end of that block; null when it does not exist any more.
    async fn subnet(&self, ctx: &Context<'_>) -> Res<Option<SubnetNode>> {
        SubnetNode::at(ctx, self.number, self.netuid).await
    }
}

/// The client read too slowly and missed messages. Nothing is lost in the store: query the blocks
/// after `lastSeen`. The stream goes on after this message.
#[derive(SimpleObject)]
pub(crate) struct Lagged {
    /// How many stored blocks were passed over.
    missed: U64,
    /// Height of the last block this stream heard of before the gap; null when it heard of none.
    last_seen: Option<u32>,
}
