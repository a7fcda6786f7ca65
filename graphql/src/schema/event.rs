//! An event of a block.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};

use super::block::BlockNode;
use super::error::Res;
use super::extrinsic::ExtrinsicNode;
use super::scalars::Json;
use crate::loaders::loaders;
use crate::ports::{Event, Phase};

/// An event as shown.
#[derive(Clone)]
pub(crate) struct EventNode(pub(crate) Arc<Event>);

/// When in its block an event was emitted.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventPhase {
    /// Before the first extrinsic; epochs run here.
    Initialization,
    /// While an extrinsic ran.
    ApplyExtrinsic,
    /// After the last extrinsic.
    Finalization,
}

/// An event, decoded with the runtime that executed it.
#[Object(name = "Event")]
impl EventNode {
    /// Height of its block.
    async fn block_number(&self) -> u32 {
        self.0.block
    }

    /// Its block.
    async fn block(&self, ctx: &Context<'_>) -> Res<BlockNode> {
        Ok(BlockNode(loaders(ctx)?.block(self.0.block).await?))
    }

    /// Position among the block's events, from 0.
    async fn index(&self) -> u32 {
        self.0.index
    }

    /// When in the block it was emitted.
    async fn phase(&self) -> EventPhase {
        match self.0.phase {
            Phase::Initialization => EventPhase::Initialization,
            Phase::ApplyExtrinsic(_) => EventPhase::ApplyExtrinsic,
            Phase::Finalization => EventPhase::Finalization,
        }
    }

    /// Position in the block of the extrinsic that emitted it; null outside extrinsics.
    async fn extrinsic_index(&self) -> Option<u32> {
        self.extrinsic_at()
    }

    /// The extrinsic that emitted it; null outside extrinsics.
    #[graphql(complexity = "ExtrinsicNode::cost(child_complexity)")]
    async fn extrinsic(&self, ctx: &Context<'_>) -> Res<Option<ExtrinsicNode>> {
        match self.extrinsic_at() {
            Some(index) => ExtrinsicNode::at(ctx, self.0.block, index).await,
            None => Ok(None),
        }
    }

    /// Name of the pallet, such as SubtensorModule.
    async fn pallet(&self) -> &str {
        &self.0.pallet
    }

    /// Name of the event, such as WeightsSet.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its fields: an object where the metadata names them, else an array.
    #[graphql(complexity = 5)]
    async fn fields(&self) -> Json {
        Json(self.0.fields.clone())
    }

    /// Spec version of the runtime it was decoded with.
    async fn spec_version(&self) -> u32 {
        self.0.spec_version
    }
}

impl EventNode {
    fn extrinsic_at(&self) -> Option<u32> {
        match self.0.phase {
            Phase::ApplyExtrinsic(index) => Some(index),
            Phase::Initialization | Phase::Finalization => None,
        }
    }
}
