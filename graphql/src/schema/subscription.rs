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
use super::heads::HeadMessage;
use super::scalars::{Hash, U64};
use super::subnet::SubnetNode;
use crate::loaders::loaders;
use crate::ports::{Committed, HeadNews, Reader};
use crate::reads::Reads;

/// The root of all subscriptions.
pub(crate) struct Subscription;

/// Streams over a WebSocket (sub-protocol graphql-transport-ws). `blocks` and `epochs` tell only of
/// finalized, durably stored blocks, `heads` of unfinalized ones too.
#[Subscription]
impl Subscription {
    /// Every block after it is stored, in order, from now on.
    async fn blocks(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = BlockMessage> + use<>, ApiError> {
        let receiver = listen(ctx, |reader| reader.subscribe())?;
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
        let receiver = listen(ctx, |reader| reader.subscribe())?;
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

    /// The best chain from now on: unfinalized blocks as they are added, retracted from the top
    /// down when their branch loses, and finalized. It ends at once when they are not followed. A block is never added on one that was not
    /// added, finalized, or there when the stream began.
    async fn heads(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = HeadMessage> + use<>, ApiError> {
        let receiver = listen(ctx, |reader| reader.subscribe_heads())?;
        Ok(messages(receiver, |heard| match heard {
            Heard::Block(news) => HeadMessage::of(news).into_iter().collect(),
            Heard::Lagged(lagged) => vec![HeadMessage::Lagged(lagged)],
        }))
    }
}

/// A receiver of what happens from now on. Loaders belong to one message, so they are not there
/// yet when a stream begins.
fn listen<T>(
    ctx: &Context<'_>,
    subscribe: impl Fn(&dyn Reader) -> Receiver<T>,
) -> Res<Receiver<T>> {
    ctx.data_opt::<Reads>()
        .map(|reads| subscribe(reads.reader()))
        .ok_or_else(|| ApiError::internal("the schema has no reads"))
}

/// What the channel gave.
enum Heard<T> {
    Block(T),
    Lagged(Lagged),
}

/// What is told of a block.
trait News: Clone + Send + 'static {
    /// Its height, or how many messages were lost before it was told here.
    fn block(&self) -> Result<BlockNumber, u64>;
}

impl News for Committed {
    fn block(&self) -> Result<BlockNumber, u64> {
        Ok(self.number)
    }
}

impl News for HeadNews {
    fn block(&self) -> Result<BlockNumber, u64> {
        match self {
            HeadNews::Missed(missed) => Err(*missed),
            told => told.number().ok_or(0),
        }
    }
}

/// Turns a channel into messages. It ends only when the sender is gone.
fn messages<T: News, M>(
    receiver: Receiver<T>,
    each: impl Fn(Heard<T>) -> Vec<M>,
) -> impl Stream<Item = M> {
    struct State<T, M, F> {
        receiver: Receiver<T>,
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
            let told = match state.receiver.recv().await {
                Ok(news) => news.block().map(|number| (number, news)),
                Err(RecvError::Lagged(missed)) => Err(missed),
                Err(RecvError::Closed) => return None,
            };
            let heard = match told {
                Ok((number, news)) => {
                    state.last_seen = Some(number);
                    Heard::Block(news)
                }
                Err(missed) => {
                    metrics::counter!("graphql_subscription_lagged_total").increment(1);
                    Heard::Lagged(Lagged {
                        missed: U64(missed),
                        last_seen: state.last_seen,
                    })
                }
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
/// after `lastSeen` (of `heads`: status and the unfinalized blocks). The stream goes on after this
/// message.
#[derive(SimpleObject)]
pub(crate) struct Lagged {
    /// How many messages about blocks were passed over.
    missed: U64,
    /// Height of the last block this stream heard of before the gap; null when it heard of none.
    last_seen: Option<u32>,
}
