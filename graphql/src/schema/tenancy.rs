//! Tenancies: who held a uid, from when to when.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chain_metadata::{BlockNumber, NetUid, Uid};

use super::account::AccountNode;
use super::connection::TenancyConnection;
use super::cost;
use super::error::{ApiError, Res};
use super::scalars::{Account, U64};
use super::window::{Order, Window};
use crate::loaders::loaders;
use crate::ports::{self, Tenancy, Whose};

/// How a tenancy began, or what ended it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::TenancyChange")]
pub(crate) enum TenancyChange {
    /// It was so in the first stored block; when it began is not known.
    FoundAtStart,
    /// A neuron registered. It begins, and it ends the one that held the uid before.
    Registered,
    /// The hotkey was swapped: the same neuron goes on under another hotkey.
    Swapped,
    /// The subnet was trimmed: the same neuron goes on under another uid.
    Moved,
    /// Storage was written, and nothing in the block tells why.
    Written,
    /// The subnet was dissolved.
    Dissolved,
    /// The subnet was made smaller, and the uid is no more.
    Removed,
}

/// A tenancy as shown.
#[derive(Clone)]
pub(crate) struct TenancyNode(pub(crate) Arc<Tenancy>);

impl TenancyNode {
    pub(crate) async fn at(
        ctx: &Context<'_>,
        key: (BlockNumber, NetUid, Uid),
    ) -> Res<Option<Self>> {
        Ok(loaders(ctx)?.tenancy.load(key).await?.map(Self))
    }
}

/// The time of a hotkey at a uid: what a neuron is. A uid is handed on, so values of a uid belong
/// to one neuron only within a tenancy; a swap of the hotkey goes on with the same neuron in the
/// next tenancy. Shown as known at the highest stored block.
#[Object(name = "Tenancy")]
impl TenancyNode {
    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.0.netuid.0
    }

    /// Number of the neuron in the subnet.
    async fn uid(&self) -> u16 {
        self.0.uid.0
    }

    /// The hotkey that holds the uid.
    async fn hotkey(&self) -> Account {
        Account(self.0.hotkey)
    }

    /// The hotkey as an account, at the highest stored block.
    async fn account(&self, ctx: &Context<'_>) -> Res<AccountNode> {
        AccountNode::now(ctx, self.0.hotkey).await
    }

    /// Height of the first block at whose end it holds the uid; the first stored block when it
    /// began before.
    async fn from_block(&self) -> u32 {
        self.0.from
    }

    /// Height of the first block at whose end it no longer holds the uid; null while it does.
    async fn until_block(&self) -> Option<u32> {
        self.0.until
    }

    /// How it began.
    async fn began(&self) -> TenancyChange {
        self.0.began.into()
    }

    /// What ended it; null while it lasts.
    async fn ended(&self) -> Option<TenancyChange> {
        self.0.ended.map(Into::into)
    }

    /// Height at which the neuron registered (BlockAtRegistration), which a swap does not change;
    /// null when none is stored.
    async fn registered_at(&self) -> Option<U64> {
        self.0.registered_at.map(U64)
    }

    /// The tenancy that this one continues, of the same neuron; null when it began anew.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn previous(&self, ctx: &Context<'_>) -> Res<Option<TenancyNode>> {
        self.linked(ctx, self.0.previous).await
    }

    /// The tenancy that continues this one, of the same neuron; null while it lasts, and when the
    /// neuron was replaced or removed.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn next(&self, ctx: &Context<'_>) -> Res<Option<TenancyNode>> {
        self.linked(ctx, self.0.next).await
    }
}

impl TenancyNode {
    async fn linked(
        &self,
        ctx: &Context<'_>,
        mark: Option<(BlockNumber, Uid)>,
    ) -> Res<Option<TenancyNode>> {
        match mark {
            Some((block, uid)) => Self::at(ctx, (block, self.0.netuid, uid)).await,
            None => Ok(None),
        }
    }
}

/// Whose histories are asked for: a uid or a hotkey, not both.
pub(crate) fn whose(uid: Option<u16>, hotkey: Option<Account>) -> Res<Whose> {
    match (uid, hotkey) {
        (Some(uid), None) => Ok(Whose::Uid(Uid(uid))),
        (None, Some(Account(hotkey))) => Ok(Whose::Hotkey(hotkey)),
        _ => Err(ApiError::bad_input("give either `uid` or `hotkey`")),
    }
}

pub(crate) async fn page(
    ctx: &Context<'_>,
    netuid: u16,
    whose: Whose,
    window: Window,
) -> Res<TenancyConnection> {
    let (netuid, start, size) = (NetUid(netuid), window.start(), window.one_more());
    let back = window.back;
    let read = loaders(ctx)?
        .reads
        .run("tenancies", move |reader| match back {
            true => reader.tenancies_up(netuid, whose, start, size),
            false => reader.tenancies(netuid, whose, start, size),
        });
    let found = read.await?.into_iter();
    let items = found.map(|t| ((t.from, u32::from(t.uid.0)), TenancyNode(Arc::new(t))));
    let page = window.page(Order::NewestFirst, items.collect(), None);
    Ok(TenancyConnection(page))
}
