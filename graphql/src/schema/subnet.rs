//! A subnet at a block.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chain_metadata::{BlockNumber, MechId, NetUid};

use super::account::AccountNode;
use super::cost;
use super::error::{ApiError, Res};
use super::matrix::{self, MatrixNode, Which};
use super::metagraph::MetagraphNode;
use super::scalars::{Account, Json, U64};
use super::stamp::Stamp;
use crate::loaders::loaders;
use crate::ports::{self, Subnet};

/// A subnet as shown. Its items are not in it: they are read when they are asked for.
pub(crate) struct SubnetNode(pub(crate) Arc<Subnet>);

impl SubnetNode {
    pub(crate) async fn at(
        ctx: &Context<'_>,
        at: BlockNumber,
        netuid: NetUid,
    ) -> Res<Option<Self>> {
        let subnet = loaders(ctx)?.subnet.load((at, netuid)).await?;
        Ok(subnet.map(Self))
    }

    pub(crate) async fn all(ctx: &Context<'_>, at: BlockNumber) -> Res<Vec<Self>> {
        let loaders = loaders(ctx)?;
        let netuids = loaders.subnets.load(at).await?;
        let keys: Vec<_> = netuids.iter().map(|netuid| (at, *netuid)).collect();
        let subnets = loaders.subnet.load_many(&keys).await?;
        Ok(subnets.into_iter().flatten().map(Self).collect())
    }
}

/// A subnet at the end of a block.
#[Object(name = "Subnet")]
impl SubnetNode {
    /// Which state this is.
    async fn stamp(&self) -> Stamp {
        Stamp::of(self.0.stamp, self.0.netuid)
    }

    /// Number of the subnet; 0 is the root network.
    async fn netuid(&self) -> u16 {
        self.0.netuid.0
    }

    /// Neurons registered (SubnetworkN); null when the runtime has no such item.
    async fn neuron_count(&self) -> Option<u16> {
        self.0.neuron_count
    }

    /// Blocks between two epochs as configured (Tempo); null when the runtime has no such item.
    async fn tempo(&self) -> Option<u16> {
        self.0.tempo
    }

    /// Height of the last epoch that ran (LastMechansimStepBlock, the chain's spelling); null when
    /// none ran or the runtime has no such item.
    async fn last_epoch_block(&self) -> Option<U64> {
        self.0.last_epoch_block.map(U64)
    }

    /// Blocks since the last epoch as the chain counts them (BlocksSinceLastStep); null when the
    /// runtime has no such item.
    async fn blocks_since_last_step(&self) -> Option<U64> {
        self.0.blocks_since_last_step.map(U64)
    }

    /// Incentive mechanisms, 1 or more (MechanismCountCurrent); null when the runtime knows no
    /// mechanisms.
    async fn mechanism_count(&self) -> Option<u8> {
        self.0.mechanism_count
    }

    /// The owner's coldkey (SubnetOwner); null when none is stored, as for the root network.
    async fn owner(&self) -> Option<Account> {
        self.0.owner.map(Account)
    }

    /// The owner's coldkey as an account at the same block; null when owner is.
    async fn owner_account(&self) -> Option<AccountNode> {
        let owner = self.0.owner?;
        Some(AccountNode::at(self.0.stamp.block, owner))
    }

    /// The owner's hotkey (SubnetOwnerHotkey); null when none is stored.
    async fn owner_hotkey(&self) -> Option<Account> {
        self.0.owner_hotkey.map(Account)
    }

    /// Height of its registration (NetworkRegisteredAt); null when none is stored.
    async fn registered_at(&self) -> Option<U64> {
        self.0.registered_at.map(U64)
    }

    /// Symbol of the subnet's token (TokenSymbol); null when the runtime has no such item or it is
    /// not text.
    async fn token_symbol(&self) -> Option<&str> {
        self.0.token_symbol.as_deref()
    }

    /// Storage items of the subnet by name, hyperparameters among them, in the metadata's order.
    #[graphql(complexity = "cost::items(&names, child_complexity)")]
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only the items with these names, such as Kappa; without it all. A name that the runtime does not have is left out."
        )]
        names: Option<Vec<String>>,
    ) -> Res<Vec<Item>> {
        let key = (self.0.stamp.block, self.0.netuid);
        let Some(subnet) = loaders(ctx)?.subnet_items.load(key).await? else {
            let text = "a subnet is not there a second time";
            return Err(ApiError::internal(text));
        };
        let wanted = subnet.items.iter().filter(|item| {
            names
                .as_ref()
                .is_none_or(|names| names.contains(&item.name))
        });
        Ok(wanted.map(Item::from).collect())
    }

    /// The subnet's neurons at the same block; null when the mechanism does not exist then.
    #[graphql(complexity = "cost::metagraph(child_complexity)")]
    async fn metagraph(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
    ) -> Res<Option<MetagraphNode>> {
        MetagraphNode::at(ctx, self.key(mechanism)).await
    }

    /// The weight matrix W at the same block; null when the mechanism does not exist then.
    #[graphql(complexity = "cost::matrix(&uids, child_complexity)")]
    async fn weights(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Only the rows of these neurons; without it all.")] uids: Option<Vec<u16>>,
    ) -> Res<Option<MatrixNode>> {
        let (stamp, key) = (self.0.stamp, self.key(mechanism));
        matrix::of(ctx, Which::Weights, stamp, key, uids).await
    }

    /// The bond matrix B at the same block; null when the mechanism does not exist then.
    #[graphql(complexity = "cost::matrix(&uids, child_complexity)")]
    async fn bonds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Only the rows of these neurons; without it all.")] uids: Option<Vec<u16>>,
    ) -> Res<Option<MatrixNode>> {
        let (stamp, key) = (self.0.stamp, self.key(mechanism));
        matrix::of(ctx, Which::Bonds, stamp, key, uids).await
    }
}

impl SubnetNode {
    fn key(&self, mechanism: u8) -> (BlockNumber, NetUid, MechId) {
        (self.0.stamp.block, self.0.netuid, MechId(mechanism))
    }
}

/// A storage item of a subnet at the end of a block.
#[derive(SimpleObject)]
#[graphql(name = "SubnetItem")]
pub(crate) struct Item {
    /// Name of the storage item in pallet SubtensorModule or Swap.
    name: String,
    /// Its value; null when nothing is stored and the item has no default.
    #[graphql(complexity = 5)]
    value: Option<Json>,
    /// Whether the value is stored; false when the metadata's default applies.
    stored: bool,
    /// Height at which the value last changed; null when it has not changed in the stored range.
    changed_at: Option<u32>,
}

impl From<&ports::Item> for Item {
    fn from(item: &ports::Item) -> Self {
        Self {
            name: item.name.clone(),
            value: item.value.clone().map(Json),
            stored: item.stored,
            changed_at: item.changed_at,
        }
    }
}
