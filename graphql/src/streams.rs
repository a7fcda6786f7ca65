//! Streams that can be taken up again: replay out of the store, then what is new, by cursor.
//!
//! A stream pulls. Its whole state is its place; at the tip it waits for word of a new block, and
//! then reads on. So there is no seam between replay and live, and a slow client only falls behind.
//! What many clients read of a recent block is read once (`streams/hub.rs`).

use std::sync::Arc;

use chain_metadata::{AccountId, BlockNumber, H256, SpecVersion};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::Value;

use crate::ports::Reader;
use crate::reads::Reads;
use crate::schema::Limits;

mod cursor;
mod filter;
mod hub;
mod json;
mod records;
mod walk;

pub use crate::ports::{Topic, UnknownTopic};
pub use cursor::{CursorError, StreamCursor};
pub(crate) use json::BlockItems;
pub(crate) use records::{RecordStep, Records};
pub(crate) use walk::{Beat, Found, Step, Walk};

use filter::Sieve;
use hub::Hub;

/// Which items of a stream are wanted; what is `None` does not matter, all that is given must hold.
/// An empty list passes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these subnets.
    pub netuids: Option<Vec<u16>>,
    /// Only these hotkeys.
    pub hotkeys: Option<Vec<AccountId>>,
    /// Only these kinds, by the names that items show, in either case.
    pub kinds: Option<Vec<String>>,
}

/// What to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The stream.
    pub topic: Topic,
    /// Which items of it.
    pub filter: Filter,
    /// The place behind which to begin; `None` for now.
    pub after: Option<StreamCursor>,
    /// Whether blocks that are not final yet are told of too.
    pub unfinalized: bool,
}

/// A message of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamMessage {
    /// Something happened.
    Item {
        /// The place behind it.
        cursor: StreamCursor,
        /// Height of its block; of a score the block its reporter was checked at, if any.
        block: Option<BlockNumber>,
        /// Hash of its block; `None` for scores.
        block_hash: Option<H256>,
        /// Runtime that executed the block; `None` for scores.
        spec_version: Option<SpecVersion>,
        /// Whether the block is final; if not, the item may be retracted.
        finalized: bool,
        /// What happened, as an object; see docs/streams.md for each stream.
        value: Arc<Value>,
    },
    /// Blocks were passed over because they are not stored.
    Lagged {
        /// The place behind them.
        cursor: StreamCursor,
        /// First of them.
        from: BlockNumber,
        /// Last of them.
        to: BlockNumber,
        /// Why, in one sentence that says what to do.
        why: String,
    },
    /// Forget every item of a block above `above`: their branch lost.
    Retracted {
        /// The place behind the block `above`.
        cursor: StreamCursor,
        /// The last block that still holds.
        above: BlockNumber,
        /// Blocks that were lost, the highest first, as far as this stream knows of them.
        blocks: Vec<(BlockNumber, H256)>,
    },
    /// All is well.
    Heartbeat {
        /// Everything up to here was looked at and sent.
        cursor: StreamCursor,
        /// Highest stored block; all that was sent up to it is final. `None` while none is stored.
        indexed: Option<BlockNumber>,
        /// Finalized height that the followed node last told; `None` when none did.
        finalized: Option<BlockNumber>,
        /// When this was made, in milliseconds since 1970.
        at_ms: u64,
    },
}

impl StreamMessage {
    /// The place behind it.
    pub fn cursor(&self) -> StreamCursor {
        match self {
            StreamMessage::Item { cursor, .. }
            | StreamMessage::Lagged { cursor, .. }
            | StreamMessage::Retracted { cursor, .. }
            | StreamMessage::Heartbeat { cursor, .. } => *cursor,
        }
    }
}

/// Why there is no stream, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// No such place.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A filter that this stream does not have, or a kind that it does not know.
    #[error("{0}")]
    Filter(String),
    /// The cursor is of another chain.
    #[error(
        "the cursor names a final block {block} that is not on this chain; begin without a cursor, or from one of this chain"
    )]
    OtherChain {
        /// Its height.
        block: BlockNumber,
    },
    /// The store could not be read. The text is for the operator, not for a client.
    #[error(transparent)]
    Read(#[from] crate::ports::ReadError),
}

/// What a stream gives.
pub type Messages = BoxStream<'static, Result<StreamMessage, StreamError>>;

/// How streams behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// The longest time without a [`StreamMessage::Heartbeat`].
    pub heartbeat: std::time::Duration,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            heartbeat: std::time::Duration::from_secs(15),
        }
    }
}

/// All streams over one store; cheap to clone. Clones share what they read.
#[derive(Clone)]
pub struct Streams {
    hub: Arc<Hub>,
}

impl Streams {
    /// Streams over a store.
    pub fn new(reader: Arc<dyn Reader>, limits: &Limits, options: StreamOptions) -> Self {
        let reads = Reads::new(reader, limits.concurrent_reads);
        Self {
            hub: Arc::new(Hub::new(reads, options)),
        }
    }

    /// Follows a stream of what is final, behind a cursor or from now on. Dropping it ends it. It
    /// ends by itself when nothing can come any more, and after an error.
    ///
    /// # Errors
    /// When the filter or the cursor does not suit the topic.
    pub fn follow(
        &self,
        topic: Topic,
        filter: Filter,
        after: Option<StreamCursor>,
    ) -> Result<Messages, StreamError> {
        self.follow_all(Wanted {
            topic,
            filter,
            after,
            unfinalized: false,
        })
    }

    /// The same, of blocks that are not final too if they are wanted.
    ///
    /// # Errors
    /// When the filter or the cursor does not suit the topic.
    pub fn follow_all(&self, wanted: Wanted) -> Result<Messages, StreamError> {
        let sieve = checked(&wanted)?;
        let hub = self.hub.clone();
        let began = async move {
            match begin(hub, sieve, &wanted).await {
                Ok(way) => way.messages(),
                Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
            }
        };
        Ok(stream::once(began).flatten().boxed())
    }

    /// A way along the blocks that keeps what it finds as records.
    pub(crate) async fn walk(&self, wanted: Wanted) -> Result<Walk, StreamError> {
        let sieve = checked(&wanted)?;
        Walk::begin(self.hub.clone(), sieve, &wanted).await
    }

    /// A way along the ledger of results.
    pub(crate) async fn records(&self, wanted: Wanted) -> Result<Records, StreamError> {
        let sieve = checked(&wanted)?;
        Records::begin(self.hub.clone(), sieve, &wanted).await
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

fn checked(wanted: &Wanted) -> Result<Sieve, StreamError> {
    if let Some(cursor) = &wanted.after {
        cursor.check(wanted.topic)?;
    }
    if wanted.unfinalized && wanted.topic == Topic::Scores {
        let text = "the stream `scores` is of no block; leave out `unfinalized`";
        return Err(StreamError::Filter(text.into()));
    }
    Sieve::new(wanted.topic, &wanted.filter)
}

/// Either way.
enum Way {
    Blocks(Box<Walk>),
    Records(Box<Records>),
}

async fn begin(hub: Arc<Hub>, sieve: Sieve, wanted: &Wanted) -> Result<Way, StreamError> {
    Ok(match wanted.topic {
        Topic::Scores => Way::Records(Box::new(Records::begin(hub, sieve, wanted).await?)),
        _ => Way::Blocks(Box::new(Walk::begin(hub, sieve, wanted).await?)),
    })
}

impl Way {
    fn messages(self) -> Messages {
        stream::unfold(self, |mut way| async move {
            let message = way.message().await?;
            Some((message, way))
        })
        .boxed()
    }

    async fn message(&mut self) -> Option<Result<StreamMessage, StreamError>> {
        match self {
            Way::Records(records) => Some(records.next().await?.map(|step| match step {
                RecordStep::Record(cursor, record) => StreamMessage::Item {
                    cursor,
                    block: record.checked_at,
                    block_hash: None,
                    spec_version: None,
                    finalized: true,
                    value: Arc::new(json::record(&record)),
                },
                RecordStep::Heartbeat(beat) => heartbeat(beat),
            })),
            Way::Blocks(walk) => {
                let step = match walk.next().await? {
                    Ok(step) => step,
                    Err(error) => return Some(Err(error)),
                };
                Some(shown(walk.hub(), step).await)
            }
        }
    }
}

async fn shown(hub: &Hub, step: Step) -> Result<StreamMessage, StreamError> {
    Ok(match step {
        Step::Item(found) => {
            let Found {
                cursor,
                items,
                index,
                finalized,
            } = found;
            StreamMessage::Item {
                cursor,
                block: Some(items.block.number),
                block_hash: Some(items.block.hash),
                spec_version: Some(items.block.spec_version),
                finalized,
                value: items.value(hub, finalized, index).await?,
            }
        }
        Step::Lagged { cursor, from, to } => StreamMessage::Lagged {
            cursor,
            from,
            to,
            why: why_lagged(from, to),
        },
        Step::Retracted {
            cursor,
            above,
            blocks,
        } => StreamMessage::Retracted {
            cursor,
            above,
            blocks,
        },
        Step::Heartbeat(beat) => heartbeat(beat),
    })
}

/// Why blocks were passed over.
pub(crate) fn why_lagged(from: BlockNumber, to: BlockNumber) -> String {
    format!(
        "the blocks from {from} to {to} are not stored here; when the coverage has them, ask for them with a cursor from before this message"
    )
}

fn heartbeat(beat: Beat) -> StreamMessage {
    StreamMessage::Heartbeat {
        cursor: beat.cursor,
        indexed: beat.indexed,
        finalized: beat.finalized,
        at_ms: beat.at_ms,
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
