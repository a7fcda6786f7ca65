//! The entry points.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chain_metadata::{MechId, NetUid, Uid};

use super::as_of::{self, AsOf};
use super::block::BlockNode;
use super::commit::{self, CommitKind, CommitState, CommitWhere};
use super::connection::{
    BlockConnection, CommitConnection, StakeConnection, StakeMovementConnection,
};
use super::cost;
use super::error::{ApiError, Res};
use super::extrinsic::ExtrinsicNode;
use super::limits::{Limits, LimitsNode};
use super::matrix::{self, MatrixNode, Which};
use super::metagraph::MetagraphNode;
use super::neuron::NeuronNode;
use super::paging::{Cursor, Kind, Page, PageArgs, page_of_heights};
use super::persisted::Persisted;
use super::runtime::{self, Runtime, RuntimeDifference};
use super::scalars::{Account, Hash};
use super::stake::{self, StakeMovementKind};
use super::status::{AvailableRange, Coverage, Status};
use super::subnet::SubnetNode;
use crate::loaders::loaders;
use crate::ports;

/// Entry points about one block, and lists of blocks and commits.
#[derive(Default)]
pub(crate) struct Query;

/// The order of a list of blocks.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockOrder {
    /// From the highest height down.
    NewestFirst,
    /// From the lowest height up.
    OldestFirst,
}

#[Object(name = "BlockQuery")]
impl Query {
    /// The state of the store and of the road that fills it, at the moment of asking.
    async fn status(&self, ctx: &Context<'_>) -> Res<Status> {
        let status = loaders(ctx)?.status.load(()).await?;
        Ok(Status::from(&*status))
    }

    /// The newest blocks that can be asked about, without a hole up to the highest stored one, and
    /// the best block above them; null while nothing is stored.
    async fn available_range(&self, ctx: &Context<'_>) -> Res<Option<AvailableRange>> {
        let status = loaders(ctx)?.status.load(()).await?;
        Ok(AvailableRange::of(&status))
    }

    /// Which blocks are stored, and what is the matter with the others. Null only together with an
    /// error.
    #[graphql(complexity = "20 + 20 * child_complexity")]
    async fn coverage(&self, ctx: &Context<'_>) -> Res<Option<Coverage>> {
        let coverage = loaders(ctx)?
            .reads
            .run("coverage", |reader| reader.coverage())
            .await?;
        Ok(Some(Coverage::from(coverage)))
    }

    /// The limits that hold for every request.
    async fn limits(&self, ctx: &Context<'_>) -> Res<LimitsNode> {
        let limits = ctx.data_opt::<Arc<Limits>>();
        let only = ctx.data_opt::<Arc<Persisted>>();
        limits
            .zip(only)
            .map(|(limits, persisted)| LimitsNode::new(limits, persisted.only_listed()))
            .ok_or_else(|| ApiError::internal("the schema has no limits"))
    }

    /// Every runtime that executed a stored block, oldest first. Null only together with an error.
    #[graphql(complexity = "20 + 20 * child_complexity")]
    async fn runtimes(&self, ctx: &Context<'_>) -> Res<Option<Vec<Runtime>>> {
        let runtimes = loaders(ctx)?
            .reads
            .run("runtimes", |reader| reader.runtimes())
            .await?;
        Ok(Some(runtimes.into_iter().map(Runtime::from).collect()))
    }

    /// What differs between two stored runtimes in calls, events, storage and constants, by shape:
    /// by part, pallet and name. Null when one of them is not stored, and together with an error.
    #[graphql(complexity = "100 + 300 * child_complexity")]
    async fn runtime_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Spec version of the earlier runtime.")] from: u32,
        #[graphql(desc = "Spec version of the later runtime.")] to: u32,
    ) -> Res<Option<Vec<RuntimeDifference>>> {
        runtime::difference(ctx, from, to).await
    }

    /// One block. A height outside the stored ranges and above the best block is an error
    /// (OUT_OF_RANGE); an unknown hash, one of a branch that lost among them, gives null. Without an
    /// argument the highest stored block.
    async fn block(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Height, 0 or more. Not together with `hash`.")] number: Option<u32>,
        #[graphql(desc = "Hash of the block. Not together with `number`.")] hash: Option<Hash>,
    ) -> Res<Option<BlockNode>> {
        let loaders = loaders(ctx)?;
        let number = match (number, hash) {
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_input(
                    "`number` and `hash` exclude each other; give one",
                ));
            }
            (Some(number), None) => as_of::resolve(ctx, Some(AsOf::Block(number)), None).await?,
            (None, Some(Hash(hash))) => match loaders.numbers.load(hash).await? {
                Some(number) => number,
                None => return Ok(None),
            },
            (None, None) => as_of::resolve(ctx, None, None).await?,
        };
        Ok(Some(BlockNode(loaders.block(number).await?)))
    }

    /// Stored blocks, page by page. Cursors stay valid when new blocks arrive. Null only together
    /// with an error.
    #[graphql(complexity = "cost::blocks(first, last, child_complexity)")]
    async fn blocks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Order of the list.", default_with = "BlockOrder::NewestFirst")]
        order: BlockOrder,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<BlockConnection>> {
        let loaders = loaders(ctx)?;
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let status = loaders.status.load(()).await?;
        let page = page_of_heights(&status.spans, order == BlockOrder::NewestFirst, &args)?;
        let blocks = loaders.blocks.load_many(&page.items).await?;
        let mut items = Vec::with_capacity(blocks.len());
        for (number, block) in page.items.into_iter().zip(blocks) {
            let block = block.ok_or_else(|| {
                ApiError::internal(format!("block {number} is missing in the store"))
            })?;
            let cursor = Cursor {
                kind: Kind::Block,
                block: number,
                index: 0,
            };
            items.push((cursor, BlockNode(block)));
        }
        Ok(Some(BlockConnection(Page {
            items,
            has_previous: page.has_previous,
            has_next: page.has_next,
            total: page.total,
            start: None,
            end: None,
        })))
    }

    /// One extrinsic, by its hash or by its place. Null when there is none. The same bytes may be
    /// included more than once: a hash with several places is an error (BAD_INPUT) that names
    /// them; use `extrinsics` for such.
    #[graphql(complexity = "cost::decode(child_complexity)")]
    async fn extrinsic(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "BLAKE2-256 of the raw extrinsic. Not together with `block`.")]
        hash: Option<Hash>,
        #[graphql(desc = "Height of its block. Needs `index`.")] block: Option<u32>,
        #[graphql(desc = "Position in the block, from 0. Needs `block`.")] index: Option<u32>,
    ) -> Res<Option<ExtrinsicNode>> {
        let loaders = loaders(ctx)?;
        match (hash, block, index) {
            (Some(Hash(hash)), None, None) => {
                let found = loaders.extrinsics_by_hash.load(hash).await?;
                match found.as_slice() {
                    [] => Ok(None),
                    [one] => Ok(Some(ExtrinsicNode(one.clone()))),
                    many => Err(ApiError::bad_input(several_places(many))),
                }
            }
            (None, Some(block), Some(index)) => {
                let block = as_of::stored(loaders, block).await?;
                let all = loaders.extrinsics.load(block).await?;
                let found = all.iter().find(|extrinsic| extrinsic.index == index);
                Ok(found.cloned().map(ExtrinsicNode))
            }
            _ => Err(ApiError::bad_input(
                "give either `hash`, or `block` and `index`",
            )),
        }
    }

    /// Every extrinsic with a hash, oldest first; empty when there is none. Null only together with
    /// an error.
    #[graphql(complexity = "cost::decode(child_complexity)")]
    async fn extrinsics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "BLAKE2-256 of the raw extrinsic.")] hash: Hash,
    ) -> Res<Option<Vec<ExtrinsicNode>>> {
        let found = loaders(ctx)?.extrinsics_by_hash.load(hash.0).await?;
        Ok(Some(found.iter().cloned().map(ExtrinsicNode).collect()))
    }

    /// The subnets that exist at a block, ascending by netuid. Null only together with an error.
    #[graphql(complexity = "cost::subnets(child_complexity)")]
    async fn subnets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
    ) -> Res<Option<Vec<SubnetNode>>> {
        let at = as_of::resolve(ctx, as_of, None).await?;
        SubnetNode::all(ctx, at).await.map(Some)
    }

    /// One subnet at a block; null when it does not exist then.
    async fn subnet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet; 0 is the root network.")] netuid: u16,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
    ) -> Res<Option<SubnetNode>> {
        let at = as_of::resolve(ctx, as_of, Some(NetUid(netuid))).await?;
        SubnetNode::at(ctx, at, NetUid(netuid)).await
    }

    /// The neurons of a subnet at a block; null when the subnet or mechanism does not exist then.
    #[graphql(complexity = "cost::metagraph(child_complexity)")]
    async fn metagraph(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
    ) -> Res<Option<MetagraphNode>> {
        let at = as_of::resolve(ctx, as_of, Some(NetUid(netuid))).await?;
        MetagraphNode::at(ctx, (at, NetUid(netuid), MechId(mechanism))).await
    }

    /// One neuron at a block; null when the subnet, the mechanism or the uid does not exist then.
    #[graphql(complexity = "cost::metagraph(child_complexity)")]
    async fn neuron(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the neuron in the subnet.")] uid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
    ) -> Res<Option<NeuronNode>> {
        let at = as_of::resolve(ctx, as_of, Some(NetUid(netuid))).await?;
        let metagraph = MetagraphNode::at(ctx, (at, NetUid(netuid), MechId(mechanism))).await?;
        Ok(metagraph.and_then(|metagraph| metagraph.by_uid(Uid(uid))))
    }

    /// The weight matrix W of a subnet at a block: what each validator says of each neuron. Null
    /// when the subnet or mechanism does not exist then.
    #[graphql(complexity = "cost::matrix(&uids, child_complexity)")]
    async fn weights(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
        #[graphql(desc = "Only the rows of these neurons; without it all.")] uids: Option<Vec<u16>>,
    ) -> Res<Option<MatrixNode>> {
        let at = as_of::resolve(ctx, as_of, Some(NetUid(netuid))).await?;
        let key = (at, NetUid(netuid), MechId(mechanism));
        matrix::at(ctx, Which::Weights, key, uids).await
    }

    /// The bond matrix B of a subnet at a block: what each validator is bonded to. Null when the
    /// subnet or mechanism does not exist then.
    #[graphql(complexity = "cost::matrix(&uids, child_complexity)")]
    async fn bonds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
        #[graphql(desc = "Only the rows of these neurons; without it all.")] uids: Option<Vec<u16>>,
    ) -> Res<Option<MatrixNode>> {
        let at = as_of::resolve(ctx, as_of, Some(NetUid(netuid))).await?;
        let key = (at, NetUid(netuid), MechId(mechanism));
        matrix::at(ctx, Which::Bonds, key, uids).await
    }

    /// The commit ledger at a block: weights under a hash, weights under a time lock, and
    /// commitments, each with what became of it; newest first. Null only together with an error.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of a field"
    )]
    #[graphql(
        complexity = "cost::commits(first.or(last), [hotkey.is_some(), netuid.is_some(), kind.is_some(), state.is_some()], child_complexity)"
    )]
    async fn commits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this subnet, all mechanisms.")] netuid: Option<u16>,
        #[graphql(desc = "Only those that this hotkey made.")] hotkey: Option<Account>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<CommitKind>,
        #[graphql(desc = "Only those in this state at the block asked about.")] state: Option<
            CommitState,
        >,
        #[graphql(
            desc = "At which block; only commits up to it are known there. Without it the highest stored one."
        )]
        as_of: Option<AsOf>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<CommitConnection>> {
        let wanted = CommitWhere {
            netuid,
            hotkey,
            kind,
            state,
        };
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let at = as_of::resolve(ctx, as_of, wanted.netuid.map(NetUid)).await?;
        commit::page(ctx, wanted, at, args).await.map(Some)
    }

    /// The ledger of stake up to a block: an entry for every event that tells of stake added,
    /// removed, moved, transferred, swapped, claimed, burned or taken as a fee; newest first. Null
    /// only together with an error.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of a field"
    )]
    #[graphql(
        complexity = "cost::stake(first.or(last), [coldkey.is_some(), hotkey.is_some(), netuid.is_some(), kind.is_some()], child_complexity)"
    )]
    async fn stake_movements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those from or to this hotkey.")] hotkey: Option<Account>,
        #[graphql(desc = "Only those from or to this coldkey.")] coldkey: Option<Account>,
        #[graphql(desc = "Only those from or to this subnet.")] netuid: Option<u16>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<StakeMovementKind>,
        #[graphql(desc = "Only those up to this block; without it the highest stored one.")]
        as_of: Option<AsOf>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<StakeMovementConnection>> {
        let filter = ports::StakeFilter {
            hotkey: hotkey.map(|account| account.0),
            coldkey: coldkey.map(|account| account.0),
            netuid: netuid.map(NetUid),
            kind: kind.map(Into::into),
        };
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let at = as_of::resolve(ctx, as_of, filter.netuid).await?;
        stake::movements(ctx, filter, at, args).await.map(Some)
    }

    /// What is staked at a block, as the chain stores it: a row for each hotkey, coldkey and
    /// subnet. Give a hotkey, a coldkey or both. Null only together with an error.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of a field"
    )]
    #[graphql(complexity = "cost::shares(first.or(last), child_complexity)")]
    async fn stake(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only stake on this hotkey.")] hotkey: Option<Account>,
        #[graphql(desc = "Only stake of this coldkey.")] coldkey: Option<Account>,
        #[graphql(desc = "Only stake in this subnet.")] netuid: Option<u16>,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
        #[graphql(desc = "Size of the page from the front, 0 to 1000; 100 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 1000. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<StakeConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let whose = (hotkey, coldkey);
        let at = as_of::resolve(ctx, as_of, netuid.map(NetUid)).await?;
        stake::page(ctx, whose, netuid, at, args).await.map(Some)
    }
}

fn several_places(extrinsics: &[Arc<ports::Extrinsic>]) -> String {
    let shown: Vec<String> = extrinsics
        .iter()
        .take(10)
        .map(|extrinsic| format!("{}-{}", extrinsic.block, extrinsic.index))
        .collect();
    format!(
        "{} extrinsics have this hash (block-index: {}{}); ask by `block` and `index`, or for all with `extrinsics`",
        extrinsics.len(),
        shown.join(", "),
        if extrinsics.len() > shown.len() {
            ", …"
        } else {
            ""
        }
    )
}
