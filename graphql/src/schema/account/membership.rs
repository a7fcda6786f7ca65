//! A hotkey in a subnet.

use async_graphql::{Context, Object};
use chain_metadata::{AccountId, BlockNumber, MechId};

use crate::loaders::loaders;
use crate::ports::{Membership, VersionsOf, Whose};
use crate::schema::connection::{TenancyConnection, WeightsVersionConnection};
use crate::schema::cost;
use crate::schema::error::Res;
use crate::schema::metagraph::MetagraphNode;
use crate::schema::neuron::NeuronNode;
use crate::schema::paging::{DEFAULT_LISTED, Kind, MAX_LISTED, PageArgs};
use crate::schema::subnet::SubnetNode;
use crate::schema::tenancy::{self, TenancyNode};
use crate::schema::weights_set;

/// A hotkey in a subnet, as shown.
pub(crate) struct MembershipNode {
    pub(super) at: BlockNumber,
    pub(super) hotkey: AccountId,
    pub(super) membership: Membership,
}

/// A hotkey in a subnet in which it holds a uid at the end of a block, or held one before.
#[Object(name = "Membership")]
impl MembershipNode {
    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.membership.netuid.0
    }

    /// Number of its neuron; null when it holds no uid any more.
    async fn uid(&self) -> Option<u16> {
        self.membership.uid.map(|uid| uid.0)
    }

    /// The subnet; null when it does not exist any more.
    async fn subnet(&self, ctx: &Context<'_>) -> Res<Option<SubnetNode>> {
        SubnetNode::at(ctx, self.at, self.membership.netuid).await
    }

    /// Its neuron; null when it holds no uid any more, or the mechanism does not exist.
    #[graphql(complexity = "cost::metagraph(child_complexity)")]
    async fn neuron(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
    ) -> Res<Option<NeuronNode>> {
        let Some(uid) = self.membership.uid else {
            return Ok(None);
        };
        let key = (self.at, self.membership.netuid, MechId(mechanism));
        let metagraph = MetagraphNode::at(ctx, key).await?;
        Ok(metagraph.and_then(|metagraph| metagraph.by_uid(uid)))
    }

    /// Its time at that uid; null when it holds no uid any more.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn tenancy(&self, ctx: &Context<'_>) -> Res<Option<TenancyNode>> {
        match self.membership.uid {
            Some(uid) => TenancyNode::at(ctx, (self.at, self.membership.netuid, uid)).await,
            None => Ok(None),
        }
    }

    /// All its times at uids of the subnet, as known at the highest stored block, newest first. Null
    /// only together with an error.
    #[graphql(complexity = "cost::of_account(first.or(last), child_complexity)")]
    async fn tenancies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<TenancyConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = args.window(Kind::Tenancy, DEFAULT_LISTED, MAX_LISTED)?;
        let whose = Whose::Hotkey(self.hotkey);
        tenancy::page(ctx, self.membership.netuid.0, whose, window)
            .await
            .map(Some)
    }

    /// Versions of its row of the weight matrix up to the block and since it holds its uid, oldest
    /// first: the weights that it set. Null when it holds no uid any more.
    #[graphql(complexity = "cost::of_account(first.or(last), child_complexity)")]
    async fn weight_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<WeightsVersionConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = args.window(Kind::Version, DEFAULT_LISTED, MAX_LISTED)?;
        let Some(uid) = self.membership.uid else {
            return Ok(None);
        };
        let netuid = self.membership.netuid;
        let tenancy = loaders(ctx)?.tenancy.load((self.at, netuid, uid)).await?;
        let Some(tenancy) = tenancy else {
            return Ok(None);
        };
        let row = VersionsOf {
            bonds: false,
            netuid,
            mechanism: MechId(mechanism),
            uid,
        };
        let range = (tenancy.from, self.at.max(tenancy.from));
        weights_set::versions(ctx, row, range, window)
            .await
            .map(Some)
    }
}
