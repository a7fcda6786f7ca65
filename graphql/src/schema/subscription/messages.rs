//! Messages of the streams.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject, Union};

use crate::loaders::loaders;
use crate::ports::{
    self, EpochHappening, Happening, ResultRecord, StakeMovement, WeightsHappening,
};
use crate::schema::block::BlockNode;
use crate::schema::commit::CommitNode;
use crate::schema::cost;
use crate::schema::error::{ApiError, Res};
use crate::schema::heads::Lagged;
use crate::schema::results::ChallengeResult;
use crate::schema::scalars::{Hash, U64};
use crate::schema::stake::StakeMovementNode;
use crate::schema::subnet::SubnetNode;
use crate::schema::verification::VerificationNode;
use crate::schema::weights_set::WeightsSetNode;
use crate::streams::{Beat, BlockItems, Found, Step, StreamCursor, why_lagged};

/// A message out of a step of a walk.
pub(super) trait Message: Sized + Send + 'static {
    fn of(step: Step) -> Res<Self>;
}

/// Forget every item of a block above `above`, and every such block: their branch lost against
/// another one. What the other branch has follows. Only streams with unfinalized blocks send it,
/// and those that go on behind a cursor of such a stream.
#[derive(SimpleObject)]
pub(crate) struct Retracted {
    /// The place behind the block `above`.
    cursor: String,
    /// Height of the last block that still holds.
    above: u32,
    /// Blocks that were lost, the highest first, as far as this stream knows of them: empty when it
    /// began behind a cursor of a block that is gone.
    blocks: Vec<LostBlock>,
}

/// A block that lost against another one.
#[derive(SimpleObject)]
pub(crate) struct LostBlock {
    /// Height of the block.
    number: u32,
    /// Hash of the block.
    hash: Hash,
}

/// A sign of life, and how far everything is. It comes at the beginning of a stream, after every 15
/// seconds or whatever the server is set to, and in streams with unfinalized blocks whenever more
/// of them became final.
#[derive(SimpleObject)]
pub(crate) struct Heartbeat {
    /// The place of the stream: everything that passes its filter was sent up to here.
    cursor: String,
    /// Height of the highest stored block. What was sent of blocks up to it is final. Null while
    /// nothing is stored.
    indexed: Option<u32>,
    /// The finalized height that the followed node last told; null when none is followed or it has
    /// not told yet.
    finalized: Option<u32>,
    /// When this was made, in milliseconds since 1970.
    at_ms: U64,
}

impl From<Beat> for Heartbeat {
    fn from(beat: Beat) -> Self {
        Self {
            cursor: beat.cursor.encode(),
            indexed: beat.indexed,
            finalized: beat.finalized,
            at_ms: U64(beat.at_ms),
        }
    }
}

fn lagged(cursor: StreamCursor, from: u32, to: u32) -> Lagged {
    Lagged {
        missed: U64(u64::from(to.saturating_sub(from)) + 1),
        last_seen: from.checked_sub(1),
        cursor: Some(cursor.encode()),
        from: Some(from),
        to: Some(to),
        why: Some(why_lagged(from, to)),
    }
}

fn retracted(
    cursor: StreamCursor,
    above: u32,
    blocks: Vec<(u32, chain_metadata::H256)>,
) -> Retracted {
    let lost = blocks.into_iter();
    Retracted {
        cursor: cursor.encode(),
        above,
        blocks: lost
            .map(|(number, hash)| LostBlock {
                number,
                hash: Hash(hash),
            })
            .collect(),
    }
}

/// Makes the union of a stream's messages, and its way out of a step.
macro_rules! messages {
    ($(#[$docs:meta])* $name:ident, $item:ident($node:ident), $happening:pat => $made:expr) => {
        $(#[$docs])*
        #[derive(Union)]
        pub(crate) enum $name {
            $item($node),
            Lagged(Lagged),
            Retracted(Retracted),
            Heartbeat(Heartbeat),
        }

        impl Message for $name {
            fn of(step: Step) -> Res<Self> {
                Ok(match step {
                    Step::Item(found) => {
                        let (place, happening) = Place::of(found)?;
                        match happening {
                            $happening => $name::$item($node::new(place, $made)),
                            _ => return Err(ApiError::internal("an item of another stream")),
                        }
                    }
                    Step::Lagged { cursor, from, to } => $name::Lagged(lagged(cursor, from, to)),
                    Step::Retracted { cursor, above, blocks } => {
                        $name::Retracted(retracted(cursor, above, blocks))
                    }
                    Step::Heartbeat(beat) => $name::Heartbeat(beat.into()),
                })
            }
        }
    };
}

messages!(
    /// A message of the stream of blocks.
    BlockMessage, Committed(BlockCommitted), Happening::Block(block, epochs) => (Arc::new(block), epochs)
);
messages!(
    /// A message of the stream of epochs.
    EpochMessage, Ran(EpochRan), Happening::Epoch(epoch) => epoch
);
messages!(
    /// A message of the stream of rows of the weight matrix.
    WeightsSetMessage, Set(WeightsRowSet), Happening::Weights(row) => row
);
messages!(
    /// A message of the stream of commits.
    CommitMessage, Stepped(CommitStepped), Happening::Commit(told) => Box::new(told)
);
messages!(
    /// A message of the stream of movements of stake.
    StakeMovementMessage, Moved(StakeMoved), Happening::Stake(moved) => Box::new(moved)
);

/// A message of the stream of challenge results.
#[derive(Union)]
pub(crate) enum ScoreMessage {
    Recorded(ScoreRecorded),
    Heartbeat(Heartbeat),
}

impl ScoreMessage {
    pub(super) fn record(cursor: StreamCursor, record: ResultRecord) -> Self {
        Self::Recorded(ScoreRecorded {
            cursor: cursor.encode(),
            record: Box::new(record.into()),
        })
    }
}

/// A record that was added to the ledger of challenge results.
#[derive(SimpleObject)]
pub(crate) struct ScoreRecorded {
    /// The place behind it.
    cursor: String,
    /// The record.
    record: Box<ChallengeResult>,
}

/// Where and when something happened.
struct Place {
    cursor: String,
    number: u32,
    hash: Hash,
    spec_version: u32,
    finalized: bool,
}

impl Place {
    fn of(found: Found) -> Res<(Self, Happening)> {
        let items: &BlockItems = &found.items;
        let happening = items.happenings.get(found.index).cloned();
        let happening = happening.ok_or_else(|| ApiError::internal("an item is gone"))?;
        let place = Self {
            cursor: found.cursor.encode(),
            number: items.block.number,
            hash: Hash(items.block.hash),
            spec_version: items.block.spec_version,
            finalized: found.finalized,
        };
        Ok((place, happening))
    }

    /// Whether the block is on the chain that this message reads.
    async fn holds(&self, ctx: &Context<'_>) -> Res<bool> {
        if self.finalized {
            return Ok(true);
        }
        let number = loaders(ctx)?.numbers.load(self.hash.0).await?;
        Ok(number == Some(self.number))
    }
}

/// A block.
pub(crate) struct BlockCommitted {
    place: Place,
    block: Arc<ports::Block>,
    epochs: Vec<chain_metadata::NetUid>,
}

impl BlockCommitted {
    fn new(
        place: Place,
        (block, epochs): (Arc<ports::Block>, Vec<chain_metadata::NetUid>),
    ) -> Self {
        Self {
            place,
            block,
            epochs,
        }
    }
}

/// A block that was stored, or in a stream with unfinalized blocks one that was added to the best
/// chain.
#[Object]
impl BlockCommitted {
    /// The place behind it.
    async fn cursor(&self) -> &str {
        &self.place.cursor
    }

    /// Height of the block.
    async fn number(&self) -> u32 {
        self.place.number
    }

    /// Hash of the block.
    async fn hash(&self) -> Hash {
        self.place.hash
    }

    /// Runtime that executed the block.
    async fn spec_version(&self) -> u32 {
        self.place.spec_version
    }

    /// Whether the block is final; if not, it may be retracted.
    async fn finalized(&self) -> bool {
        self.place.finalized
    }

    /// Subnets whose epoch ran in the block, ascending; empty for most blocks.
    async fn epochs(&self) -> Vec<u16> {
        self.epochs.iter().map(|netuid| netuid.0).collect()
    }

    /// The block.
    async fn block(&self) -> BlockNode {
        let finalized = self.place.finalized;
        if self.block.finalized == finalized {
            return BlockNode(self.block.clone());
        }
        // It was read before it became final.
        BlockNode(Arc::new(ports::Block {
            finalized,
            ..ports::Block::clone(&self.block)
        }))
    }
}

/// An epoch.
pub(crate) struct EpochRan {
    place: Place,
    epoch: EpochHappening,
}

impl EpochRan {
    fn new(place: Place, epoch: EpochHappening) -> Self {
        Self { place, epoch }
    }
}

/// An epoch of a mechanism of a subnet that ran.
#[Object]
impl EpochRan {
    /// The place behind it.
    async fn cursor(&self) -> &str {
        &self.place.cursor
    }

    /// Height of the block in which the epoch ran.
    async fn number(&self) -> u32 {
        self.place.number
    }

    /// Hash of that block.
    async fn hash(&self) -> Hash {
        self.place.hash
    }

    /// Runtime that executed the block.
    async fn spec_version(&self) -> u32 {
        self.place.spec_version
    }

    /// Whether the block is final; if not, the epoch may be retracted.
    async fn finalized(&self) -> bool {
        self.place.finalized
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.epoch.netuid.0
    }

    /// Number of the mechanism; a subnet with one has only 0.
    async fn mechanism(&self) -> u8 {
        self.epoch.mechanism.0
    }

    /// SubnetEpochIndex at the end of the block; null in runtimes without it.
    async fn epoch_index(&self) -> Option<U64> {
        self.epoch.index.map(U64)
    }

    /// The subnet at the end of that block; null when it does not exist any more, or when the block
    /// was not final and has lost meanwhile.
    async fn subnet(&self, ctx: &Context<'_>) -> Res<Option<SubnetNode>> {
        if !self.place.holds(ctx).await? {
            return Ok(None);
        }
        SubnetNode::at(ctx, self.place.number, self.epoch.netuid).await
    }

    /// The epoch computed again and compared with what the chain stored: the stored record, or one
    /// computed now. Null while the block is not final.
    #[graphql(complexity = "cost::decode(child_complexity)")]
    async fn verification(&self, ctx: &Context<'_>) -> Res<Option<VerificationNode>> {
        if !self.place.finalized {
            return Ok(None);
        }
        let (number, epoch) = (self.place.number, self.epoch);
        let read = loaders(ctx)?.reads.run("verification", move |reader| {
            reader.verification(number, epoch.netuid, epoch.mechanism)
        });
        Ok(read.await?.map(VerificationNode::new))
    }
}

/// A row of the weight matrix.
pub(crate) struct WeightsRowSet {
    place: Place,
    row: WeightsHappening,
}

impl WeightsRowSet {
    fn new(place: Place, row: WeightsHappening) -> Self {
        Self { place, row }
    }
}

/// A row of the weight matrix that was set.
#[Object]
impl WeightsRowSet {
    /// The place behind it.
    async fn cursor(&self) -> &str {
        &self.place.cursor
    }

    /// Height of the block.
    async fn number(&self) -> u32 {
        self.place.number
    }

    /// Hash of the block.
    async fn hash(&self) -> Hash {
        self.place.hash
    }

    /// Runtime that executed the block.
    async fn spec_version(&self) -> u32 {
        self.place.spec_version
    }

    /// Whether the block is final; if not, this may be retracted.
    async fn finalized(&self) -> bool {
        self.place.finalized
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.row.netuid.0
    }

    /// Number of the mechanism.
    async fn mechanism(&self) -> u8 {
        self.row.mechanism.0
    }

    /// The neuron whose row it is.
    async fn uid(&self) -> u16 {
        self.row.uid.0
    }

    /// What set it.
    async fn set(&self) -> WeightsSetNode {
        WeightsSetNode(Arc::new(self.row.set.clone()))
    }
}

/// What happened to a commit.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::CommitStep")]
pub(crate) enum CommitStep {
    /// It was made.
    Made,
    /// It may be revealed from now on: its reveal epoch began, or its drand round has come.
    Due,
    /// It was revealed.
    Revealed,
    /// A reveal of it failed.
    Attempted,
    /// Its time passed, and what was tried within it failed.
    Failed,
    /// Its time passed without a reveal.
    Expired,
    /// Another commit took its place before it was revealed.
    Superseded,
    /// Nobody is left to reveal it.
    Orphaned,
    /// The chain keeps it under another hotkey, after a swap.
    Moved,
    /// The chain's storage does not hold it any more.
    Released,
}

/// A step of the commit ledger.
pub(crate) struct CommitStepped {
    place: Place,
    told: Box<ports::CommitHappening>,
}

impl CommitStepped {
    fn new(place: Place, told: Box<ports::CommitHappening>) -> Self {
        Self { place, told }
    }
}

/// A commit was made, or something became of it.
#[Object]
impl CommitStepped {
    /// The place behind it.
    async fn cursor(&self) -> &str {
        &self.place.cursor
    }

    /// Height of the block in which it happened.
    async fn number(&self) -> u32 {
        self.place.number
    }

    /// Hash of the block.
    async fn hash(&self) -> Hash {
        self.place.hash
    }

    /// Runtime that executed the block.
    async fn spec_version(&self) -> u32 {
        self.place.spec_version
    }

    /// Whether the block is final; if not, this may be retracted.
    async fn finalized(&self) -> bool {
        self.place.finalized
    }

    /// What happened.
    async fn step(&self) -> CommitStep {
        self.told.step.into()
    }

    /// The commit as it stood at the end of the block, all steps of that block included.
    #[graphql(complexity = "cost::decode(child_complexity)")]
    async fn commit(&self) -> CommitNode {
        CommitNode::new(self.told.commit.clone(), self.place.number)
    }
}

/// A movement of stake.
pub(crate) struct StakeMoved {
    place: Place,
    moved: Box<StakeMovement>,
}

impl StakeMoved {
    fn new(place: Place, moved: Box<StakeMovement>) -> Self {
        Self { place, moved }
    }
}

/// Stake moved.
#[Object]
impl StakeMoved {
    /// The place behind it.
    async fn cursor(&self) -> &str {
        &self.place.cursor
    }

    /// Height of the block.
    async fn number(&self) -> u32 {
        self.place.number
    }

    /// Hash of the block.
    async fn hash(&self) -> Hash {
        self.place.hash
    }

    /// Runtime that executed the block.
    async fn spec_version(&self) -> u32 {
        self.place.spec_version
    }

    /// Whether the block is final; if not, this may be retracted.
    async fn finalized(&self) -> bool {
        self.place.finalized
    }

    /// The movement.
    async fn movement(&self) -> StakeMovementNode {
        StakeMovement::clone(&self.moved).into()
    }
}
