//! The batched reads of one operation.
//!
//! Loaders live as long as one operation (for a subscription: one message), so one client's
//! undecodable block never fails another client's query.

use std::sync::Arc;

use async_graphql::Context;
use chain_metadata::{AccountId, BlockNumber, H256, MechId, NetUid, Uid};

use crate::ports::{
    Applied, Block, Commit, CommitId, EpochPlace, Event, Extrinsic, MatrixRow, Membership,
    Metagraph, ReadError, RowKey, StakeKey, StakeShare, Status, Subnet, Tenancy, WeightsSet,
};
use crate::reads::{Batch, Reads};
use crate::schema::error::{ApiError, Res};

/// Key of what belongs to one mechanism at the end of one block.
pub(crate) type MechKey = (BlockNumber, NetUid, MechId);
/// A matrix as read: `None` where its subnet or mechanism does not exist.
pub(crate) type Rows = Option<Arc<Vec<MatrixRow>>>;

/// One batch for every kind of read.
pub(crate) struct Loaders {
    pub(crate) reads: Reads,
    pub(crate) status: Batch<(), Arc<Status>>,
    pub(crate) blocks: Batch<BlockNumber, Option<Arc<Block>>>,
    pub(crate) numbers: Batch<H256, Option<BlockNumber>>,
    pub(crate) extrinsics: Batch<BlockNumber, Arc<Vec<Arc<Extrinsic>>>>,
    pub(crate) extrinsics_by_hash: Batch<H256, Arc<Vec<Arc<Extrinsic>>>>,
    pub(crate) events: Batch<BlockNumber, Arc<Vec<Arc<Event>>>>,
    pub(crate) subnets: Batch<BlockNumber, Arc<Vec<NetUid>>>,
    /// Subnets whose items may be left out.
    pub(crate) subnet: Batch<(BlockNumber, NetUid), Option<Arc<Subnet>>>,
    /// The same with all their items.
    pub(crate) subnet_items: Batch<(BlockNumber, NetUid), Option<Arc<Subnet>>>,
    pub(crate) metagraphs: Batch<MechKey, Option<Arc<Metagraph>>>,
    pub(crate) weights: Batch<MechKey, Rows>,
    pub(crate) bonds: Batch<MechKey, Rows>,
    pub(crate) tenancy: Batch<(BlockNumber, NetUid, Uid), Option<Arc<Tenancy>>>,
    pub(crate) weights_set_by: Batch<RowKey, Option<Arc<WeightsSet>>>,
    pub(crate) commits_named: Batch<(CommitId, BlockNumber), Option<Arc<Commit>>>,
    pub(crate) stakes: Batch<StakeKey, Arc<Vec<StakeShare>>>,
    pub(crate) applied: Batch<(BlockNumber, NetUid), Option<Applied>>,
    pub(crate) epoch_blocks: Batch<(NetUid, EpochPlace), Option<BlockNumber>>,
    pub(crate) owners: Batch<(BlockNumber, AccountId), Option<AccountId>>,
    pub(crate) owned_hotkeys: Batch<(BlockNumber, AccountId), Option<Arc<Vec<AccountId>>>>,
    pub(crate) memberships: Batch<(BlockNumber, AccountId), Arc<Vec<Membership>>>,
}

impl Loaders {
    pub(crate) fn new(reads: &Reads) -> Self {
        Self {
            reads: reads.clone(),
            status: Batch::new(reads, "status", |reader, keys| {
                let status = Arc::new(reader.status()?);
                Ok(keys.iter().map(|()| status.clone()).collect())
            }),
            blocks: Batch::new(reads, "blocks", |reader, keys| {
                optional(reader.blocks(keys)?)
            }),
            numbers: Batch::new(reads, "block_numbers", |reader, keys| {
                reader.block_numbers(keys)
            }),
            extrinsics: Batch::new(reads, "extrinsics", |reader, keys| {
                listed(reader.extrinsics(keys)?)
            }),
            extrinsics_by_hash: Batch::new(reads, "extrinsics_by_hash", |reader, keys| {
                listed(reader.extrinsics_by_hash(keys)?)
            }),
            events: Batch::new(reads, "events", |reader, keys| listed(reader.events(keys)?)),
            subnets: Batch::new(reads, "subnets", |reader, keys| {
                Ok(reader.subnets(keys)?.into_iter().map(Arc::new).collect())
            }),
            subnet: Batch::new(reads, "subnet", |reader, keys| {
                optional(reader.subnet_without_items(keys)?)
            }),
            subnet_items: Batch::new(reads, "subnet_items", |reader, keys| {
                optional(reader.subnet(keys)?)
            }),
            metagraphs: Batch::new(reads, "metagraphs", |reader, keys| {
                optional(reader.metagraphs(keys)?)
            }),
            weights: Batch::new(reads, "weights", |reader, keys| {
                optional(reader.weights(keys)?)
            }),
            bonds: Batch::new(reads, "bonds", |reader, keys| optional(reader.bonds(keys)?)),
            tenancy: Batch::new(reads, "tenancy", |reader, keys| {
                optional(reader.tenancy(keys)?)
            }),
            weights_set_by: Batch::new(reads, "weights_set_by", |reader, keys| {
                optional(reader.weights_set_by(keys)?)
            }),
            commits_named: Batch::new(reads, "commits_named", |reader, keys| {
                optional(reader.commits_named(keys)?)
            }),
            stakes: Batch::new(reads, "stakes", |reader, keys| {
                Ok(reader.stakes(keys)?.into_iter().map(Arc::new).collect())
            }),
            applied: Batch::new(reads, "applied", |reader, keys| reader.applied(keys)),
            epoch_blocks: Batch::new(reads, "epoch_blocks", |reader, keys| {
                reader.epoch_blocks(keys)
            }),
            owners: Batch::new(reads, "owners", |reader, keys| reader.owners(keys)),
            owned_hotkeys: Batch::new(reads, "owned_hotkeys", |reader, keys| {
                optional(reader.owned_hotkeys(keys)?)
            }),
            memberships: Batch::new(reads, "memberships", |reader, keys| {
                Ok(reader
                    .memberships(keys)?
                    .into_iter()
                    .map(Arc::new)
                    .collect())
            }),
        }
    }

    /// A block that the store must hold, since something stored points at it.
    pub(crate) async fn block(&self, number: BlockNumber) -> Res<Arc<Block>> {
        self.blocks
            .load(number)
            .await?
            .ok_or_else(|| ApiError::internal(format!("block {number} is missing in the store")))
    }
}

fn optional<T>(values: Vec<Option<T>>) -> Result<Vec<Option<Arc<T>>>, ReadError> {
    Ok(values
        .into_iter()
        .map(|value| value.map(Arc::new))
        .collect())
}

fn listed<T>(lists: Vec<Vec<T>>) -> Result<Vec<Arc<Vec<Arc<T>>>>, ReadError> {
    Ok(lists
        .into_iter()
        .map(|list| Arc::new(list.into_iter().map(Arc::new).collect()))
        .collect())
}

/// The loaders of the operation at hand.
pub(crate) fn loaders<'a>(ctx: &Context<'a>) -> Res<&'a Loaders> {
    ctx.data_opt::<Loaders>()
        .ok_or_else(|| ApiError::internal("the operation has no loaders"))
}
