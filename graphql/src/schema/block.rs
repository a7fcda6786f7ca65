//! A block and what it holds.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chain_metadata::{MechId, NetUid};

use super::connection::{EventConnection, ExtrinsicConnection};
use super::cost;
use super::error::Res;
use super::event::EventNode;
use super::extrinsic::ExtrinsicNode;
use super::metagraph::MetagraphNode;
use super::paging::{Kind, PageArgs, page_in_block};
use super::scalars::{Account, Bytes, Hash, U64};
use super::subnet::SubnetNode;
use crate::loaders::loaders;
use crate::ports::Block;

/// A block as shown.
#[derive(Clone)]
pub(crate) struct BlockNode(pub(crate) Arc<Block>);

/// A block, finalized or, when it was asked for, not yet.
#[Object(name = "Block")]
impl BlockNode {
    /// Height; 0 is the genesis block.
    async fn number(&self) -> u32 {
        self.0.number
    }

    /// Hash of the header.
    async fn hash(&self) -> Hash {
        Hash(self.0.hash)
    }

    /// Whether the block is finalized; if not, it may still lose against another.
    async fn finalized(&self) -> bool {
        self.0.finalized
    }

    /// Hash of the block before; all zero for the genesis block.
    async fn parent_hash(&self) -> Hash {
        Hash(self.0.parent_hash)
    }

    /// Root of the state after this block.
    async fn state_root(&self) -> Hash {
        Hash(self.0.state_root)
    }

    /// Root of the extrinsics.
    async fn extrinsics_root(&self) -> Hash {
        Hash(self.0.extrinsics_root)
    }

    /// Time of the block as it says itself (`Timestamp.Now`), in milliseconds since 1970; null when
    /// it sets none (the genesis block).
    async fn timestamp_ms(&self) -> Option<U64> {
        self.0.timestamp_ms.map(U64)
    }

    /// Spec version of the runtime that executed the block, which is the one in its parent's state:
    /// a block that carries an upgrade still belongs to the old runtime.
    async fn spec_version(&self) -> u32 {
        self.0.spec_version
    }

    /// Number of extrinsics, inherents among them.
    async fn extrinsic_count(&self) -> u32 {
        self.0.extrinsic_count
    }

    /// Number of events.
    async fn event_count(&self) -> u32 {
        self.0.event_count
    }

    /// SCALE bytes of each digest log of the header, in order.
    async fn digest_logs(&self) -> Vec<Bytes> {
        self.0.digest_logs.iter().cloned().map(Bytes).collect()
    }

    /// The block before; null when it is not stored.
    async fn parent(&self, ctx: &Context<'_>) -> Res<Option<BlockNode>> {
        let Some(number) = self.0.number.checked_sub(1) else {
            return Ok(None);
        };
        let parent = loaders(ctx)?.blocks.load(number).await?;
        Ok(parent.map(BlockNode))
    }

    /// The block's extrinsics in block order, page by page. The filters are joined by "and".
    /// Null only together with an error.
    #[graphql(complexity = "cost::in_block(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn extrinsics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only calls of this pallet.")] pallet: Option<String>,
        #[graphql(desc = "Only calls with this name.")] name: Option<String>,
        #[graphql(desc = "Only extrinsics signed by this account.")] signer: Option<Account>,
        #[graphql(desc = "Only those that succeeded (true) or failed (false).")] success: Option<
            bool,
        >,
        #[graphql(desc = "Size of the page from the front, 0 to 1000; 100 without `last`.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 1000. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<ExtrinsicConnection>> {
        let all = loaders(ctx)?.extrinsics.load(self.0.number).await?;
        let wanted: Vec<_> = all
            .iter()
            .filter(|extrinsic| same(&pallet, &extrinsic.call.pallet))
            .filter(|extrinsic| same(&name, &extrinsic.call.name))
            .filter(|extrinsic| signer.is_none_or(|Account(id)| extrinsic.signer == Some(id)))
            .filter(|extrinsic| success.is_none() || extrinsic.success == success)
            .cloned()
            .map(ExtrinsicNode)
            .collect();
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let index = |node: &ExtrinsicNode| node.0.index;
        let page = page_in_block(wanted, index, self.0.number, Kind::Extrinsic, &args)?;
        Ok(Some(ExtrinsicConnection(page)))
    }

    /// The block's events in the order they were emitted, page by page. The filters are joined by
    /// "and". Null only together with an error.
    #[graphql(complexity = "cost::in_block(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only events of this pallet.")] pallet: Option<String>,
        #[graphql(desc = "Only events with this name.")] name: Option<String>,
        #[graphql(desc = "Size of the page from the front, 0 to 1000; 100 without `last`.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 1000. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<EventConnection>> {
        let all = loaders(ctx)?.events.load(self.0.number).await?;
        let wanted: Vec<_> = all
            .iter()
            .filter(|event| same(&pallet, &event.pallet) && same(&name, &event.name))
            .cloned()
            .map(EventNode)
            .collect();
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let index = |node: &EventNode| node.0.index;
        let page = page_in_block(wanted, index, self.0.number, Kind::Event, &args)?;
        Ok(Some(EventConnection(page)))
    }

    /// The subnets that exist at the end of this block, ascending by netuid. Null only together with
    /// an error.
    #[graphql(complexity = "cost::subnets(child_complexity)")]
    async fn subnets(&self, ctx: &Context<'_>) -> Res<Option<Vec<SubnetNode>>> {
        SubnetNode::all(ctx, self.0.number).await.map(Some)
    }

    /// One subnet at the end of this block; null when it does not exist then.
    async fn subnet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet; 0 is the root network.")] netuid: u16,
    ) -> Res<Option<SubnetNode>> {
        SubnetNode::at(ctx, self.0.number, NetUid(netuid)).await
    }

    /// The neurons of a subnet at the end of this block; null when the subnet or mechanism does not
    /// exist then.
    #[graphql(complexity = "cost::metagraph(child_complexity)")]
    async fn metagraph(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
    ) -> Res<Option<MetagraphNode>> {
        MetagraphNode::at(ctx, (self.0.number, NetUid(netuid), MechId(mechanism))).await
    }
}

fn same(wanted: &Option<String>, name: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == name)
}
