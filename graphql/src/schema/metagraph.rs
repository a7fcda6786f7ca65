//! The neurons of a subnet at a block.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chain_metadata::{BlockNumber, MechId, NetUid, Uid};

use super::cost;
use super::error::{ApiError, Res};
use super::matrix::{self, MatrixNode, Which};
use super::neuron::{NeuronNode, Neurons};
use super::stamp::Stamp;
use super::subnet::SubnetNode;
use crate::loaders::{MechKey, loaders};
use crate::ports::Metagraph;

/// A metagraph as shown.
pub(crate) struct MetagraphNode(pub(crate) Arc<Metagraph>);

impl MetagraphNode {
    pub(crate) async fn at(ctx: &Context<'_>, key: MechKey) -> Res<Option<Self>> {
        let metagraph = loaders(ctx)?.metagraphs.load(key).await?;
        Ok(metagraph.map(Self))
    }

    pub(crate) fn by_uid(&self, uid: Uid) -> Option<NeuronNode> {
        let index = self.position(uid)?;
        Some(NeuronNode::new(self.0.clone(), index))
    }

    fn position(&self, uid: Uid) -> Option<usize> {
        let found = self
            .0
            .neurons
            .binary_search_by_key(&uid, |neuron| neuron.uid);
        found.ok()
    }

    fn key(&self) -> (BlockNumber, NetUid, MechId) {
        (self.0.stamp.block, self.0.netuid, self.0.mechanism)
    }
}

/// The neurons of one mechanism of a subnet at the end of a block. Vector values are those of the
/// last epoch that ran.
#[Object(name = "Metagraph")]
impl MetagraphNode {
    /// Which state this is.
    async fn stamp(&self) -> Stamp {
        Stamp::of(self.0.stamp, self.0.netuid)
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.0.netuid.0
    }

    /// Number of the mechanism; 0 where the runtime knows no mechanisms.
    async fn mechanism(&self) -> u8 {
        self.0.mechanism.0
    }

    /// How many neurons there are, whatever page of them is asked for.
    async fn neuron_count(&self) -> u32 {
        u32::try_from(self.0.neurons.len()).unwrap_or(u32::MAX)
    }

    /// Neurons in ascending uid. Without arguments all of them. A uid names a neuron for good at a
    /// given block, so it serves as the cursor.
    #[graphql(complexity = "cost::neurons(first, &uids, child_complexity)")]
    async fn neurons(
        &self,
        #[graphql(desc = "Only these uids; a uid that does not exist is left out.")] uids: Option<
            Vec<u16>,
        >,
        #[graphql(desc = "At most so many, 0 or more; without it all.")] first: Option<i32>,
        #[graphql(desc = "Only neurons with a higher uid than this.")] after_uid: Option<u16>,
    ) -> Res<Neurons> {
        let size = page_size(first)?;
        let wanted: Vec<usize> = match uids {
            None => (0..self.0.neurons.len()).collect(),
            Some(mut uids) => {
                uids.sort_unstable();
                uids.dedup();
                let found = uids.into_iter().filter_map(|uid| self.position(Uid(uid)));
                found.collect()
            }
        };
        let neurons = wanted
            .into_iter()
            .map(|index| NeuronNode::new(self.0.clone(), index))
            .filter(|neuron| after_uid.is_none_or(|after| neuron.uid() > Some(Uid(after))))
            .take(size);
        Ok(Neurons(neurons.collect()))
    }

    /// One neuron; null when the uid does not exist.
    async fn neuron(
        &self,
        #[graphql(desc = "Number of the neuron in the subnet.")] uid: u16,
    ) -> Option<NeuronNode> {
        self.by_uid(Uid(uid))
    }

    /// The subnet at the same block; null only when the store does not hold it.
    async fn subnet(&self, ctx: &Context<'_>) -> Res<Option<SubnetNode>> {
        SubnetNode::at(ctx, self.0.stamp.block, self.0.netuid).await
    }

    /// The weight matrix W of this mechanism at the same block; null only when the store does not
    /// hold it.
    #[graphql(complexity = "cost::matrix(&uids, child_complexity)")]
    async fn weights(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the rows of these neurons; without it all.")] uids: Option<Vec<u16>>,
    ) -> Res<Option<MatrixNode>> {
        matrix::of(ctx, Which::Weights, self.0.stamp, self.key(), uids).await
    }

    /// The bond matrix B of this mechanism at the same block; null only when the store does not
    /// hold it.
    #[graphql(complexity = "cost::matrix(&uids, child_complexity)")]
    async fn bonds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the rows of these neurons; without it all.")] uids: Option<Vec<u16>>,
    ) -> Res<Option<MatrixNode>> {
        matrix::of(ctx, Which::Bonds, self.0.stamp, self.key(), uids).await
    }
}

/// The size of a page of a list that has no fixed maximum.
pub(crate) fn page_size(first: Option<i32>) -> Res<usize> {
    match first {
        None => Ok(usize::MAX),
        Some(first) => usize::try_from(first)
            .map_err(|_| ApiError::bad_input(format!("`first` is {first}, but must be 0 or more"))),
    }
}
