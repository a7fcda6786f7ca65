//! What an account is: as a hotkey, as a coldkey, and where the chain names it.

mod membership;

use async_graphql::{Context, Enum, Object};
use chain_metadata::{AccountId, BlockNumber, NetUid};

use super::as_of::{self, AsOf};
use super::commit::{self, CommitKind, CommitState, CommitWhere};
use super::connection::{
    AccountConnection, CommitConnection, FoundEventConnection, FoundExtrinsicConnection,
    StakeConnection, StakeMovementConnection,
};
use super::cost;
use super::error::{ApiError, Res};
use super::find;
use super::history::span;
use super::paging::{DEFAULT_LISTED, Kind, MAX_LISTED, PageArgs, page_in_block};
use super::scalars::{Account, Hash};
use super::stake::{self, StakeMovementKind};
use super::stamp::Stamp;
use crate::loaders::loaders;
use crate::ports::{EventFilter, ExtrinsicFilter, StakeFilter};
use membership::MembershipNode;

/// Entry points about accounts.
#[derive(Default)]
pub(crate) struct AccountQuery;

/// What is known of accounts.
#[Object]
impl AccountQuery {
    /// An account: what it is as a hotkey and as a coldkey, and where extrinsics and events name it.
    /// Any address is one, whether the chain ever saw it or not. Null only together with an error.
    async fn account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account's address.")] address: Account,
        #[graphql(desc = "Which block; without it the highest stored one.")] as_of: Option<AsOf>,
    ) -> Res<Option<AccountNode>> {
        let at = as_of::resolve(ctx, as_of, None).await?;
        Ok(Some(AccountNode::at(at, address.0)))
    }
}

/// An account as shown.
#[derive(Clone, Copy)]
pub(crate) struct AccountNode {
    at: BlockNumber,
    id: AccountId,
}

impl AccountNode {
    pub(crate) fn at(at: BlockNumber, id: AccountId) -> Self {
        Self { at, id }
    }

    /// At the highest stored block.
    pub(crate) async fn now(ctx: &Context<'_>, id: AccountId) -> Res<Self> {
        let at = as_of::resolve(ctx, None, None).await?;
        Ok(Self { at, id })
    }
}

/// As what an account takes part in a movement of stake.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountRole {
    /// As the hotkey on which the stake is.
    Hotkey,
    /// As the coldkey whose stake it is.
    Coldkey,
}

/// An account at the end of a block. One address may be a hotkey, a coldkey, both or neither; what
/// it is not is null or empty.
#[Object(name = "AccountInfo")]
impl AccountNode {
    /// The account's address.
    async fn address(&self) -> Account {
        Account(self.id)
    }

    /// Its 32 bytes, the public key.
    async fn public_key(&self) -> Hash {
        Hash(chain_metadata::H256(self.id.0))
    }

    /// Height of the block at whose end it is shown.
    async fn as_of_block(&self) -> u32 {
        self.at
    }

    /// Which state this is. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.at, None).await
    }

    /// As a hotkey: the coldkey that owns it (Owner); null when none is stored.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn owner(&self, ctx: &Context<'_>) -> Res<Option<AccountNode>> {
        let owner = loaders(ctx)?.owners.load((self.at, self.id)).await?;
        Ok(owner.map(|id| Self { id, ..*self }))
    }

    /// As a hotkey: the subnets in which it held a uid up to the block, ascending by netuid.
    #[graphql(complexity = "cost::memberships(child_complexity)")]
    async fn memberships(&self, ctx: &Context<'_>) -> Res<Vec<MembershipNode>> {
        let found = loaders(ctx)?.memberships.load((self.at, self.id)).await?;
        let node = |membership| MembershipNode {
            at: self.at,
            hotkey: self.id,
            membership,
        };
        Ok(found.iter().copied().map(node).collect())
    }

    /// As a coldkey: the hotkeys that it owns (OwnedHotkeys), in the stored order; null when the
    /// runtime keeps no such list.
    #[graphql(complexity = "cost::accounts(first.or(last), child_complexity)")]
    async fn owned_hotkeys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Size of the page from the front, 0 to 1000; 100 without `last`.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 1000. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<AccountConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let key = (self.at, self.id);
        let Some(owned) = loaders(ctx)?.owned_hotkeys.load(key).await? else {
            return Ok(None);
        };
        // At one block the list never changes, so a place in it names an item.
        let all: Vec<_> = (0_u32..).zip(owned.iter().copied()).collect();
        let page = page_in_block(all, |(index, _)| *index, self.at, Kind::Account, &args)?;
        let page = page.map(|(_, id)| Self { id, ..*self });
        Ok(Some(AccountConnection(page)))
    }

    /// As a hotkey: what is staked on it, by everybody. Null only together with an error.
    #[graphql(complexity = "cost::shares(first.or(last), child_complexity)")]
    async fn stake_on_it(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only in this subnet.")] netuid: Option<u16>,
        #[graphql(desc = "Size of the page from the front, 0 to 1000; 100 without `last`.")] first: Option<i32>,
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
        let whose = (Some(Account(self.id)), None);
        stake::page(ctx, whose, netuid, self.at, args)
            .await
            .map(Some)
    }

    /// As a coldkey: what it has staked, on any hotkey. Null only together with an error.
    #[graphql(complexity = "cost::shares(first.or(last), child_complexity)")]
    async fn stake_held(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only in this subnet.")] netuid: Option<u16>,
        #[graphql(desc = "Size of the page from the front, 0 to 1000; 100 without `last`.")] first: Option<i32>,
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
        let whose = (None, Some(Account(self.id)));
        stake::page(ctx, whose, netuid, self.at, args)
            .await
            .map(Some)
    }

    /// Movements of stake from or to it up to the block, newest first. Null only together with an
    /// error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::of_account(first.or(last), child_complexity)")]
    async fn stake_movements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As what it takes part in them.")] role: AccountRole,
        #[graphql(desc = "Only those from or to this subnet.")] netuid: Option<u16>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<StakeMovementKind>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<StakeMovementConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let filter = StakeFilter {
            hotkey: (role == AccountRole::Hotkey).then_some(self.id),
            coldkey: (role == AccountRole::Coldkey).then_some(self.id),
            netuid: netuid.map(NetUid),
            kind: kind.map(Into::into),
        };
        stake::movements(ctx, filter, self.at, args).await.map(Some)
    }

    /// As a hotkey: its commits, as they stood at the end of the block, newest first. Null only
    /// together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::of_account(first.or(last), child_complexity)")]
    async fn commits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this subnet, all mechanisms.")] netuid: Option<u16>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<CommitKind>,
        #[graphql(desc = "Only those in this state at the block.")] state: Option<CommitState>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<CommitConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let wanted = CommitWhere {
            netuid,
            hotkey: Some(Account(self.id)),
            kind,
            state,
        };
        commit::page(ctx, wanted, self.at, args).await.map(Some)
    }

    /// Extrinsics that it signed or that name it, up to the block, newest first. There is no `last`:
    /// places are joined newest first. Null only together with an error.
    #[graphql(complexity = "cost::of_account(first, child_complexity)")]
    async fn extrinsics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Pallet of a call, such as SubtensorModule.")] pallet: Option<String>,
        #[graphql(desc = "Name of that call, such as set_weights.")] call: Option<String>,
        #[graphql(desc = "Whether the outer call succeeded.")] success: Option<bool>,
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<FoundExtrinsicConnection>> {
        let args = PageArgs::forward(first, after);
        let window = args.window(Kind::Extrinsic, DEFAULT_LISTED, MAX_LISTED)?;
        let (from, to) = self.range(ctx).await?;
        let wanted = ExtrinsicFilter {
            account: Some(self.id),
            pallet,
            call,
            error: None,
            success,
            from: Some(from),
            to: Some(to),
        };
        find::extrinsics(ctx, wanted, window).await.map(Some)
    }

    /// Events that name it, up to the block, newest first. There is no `last`: places are joined
    /// newest first. Null only together with an error.
    #[graphql(complexity = "cost::of_account(first, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Pallet of the event, such as SubtensorModule.")] pallet: Option<String>,
        #[graphql(desc = "Name of the event, such as StakeAdded.")] name: Option<String>,
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<FoundEventConnection>> {
        let args = PageArgs::forward(first, after);
        let window = args.window(Kind::Event, DEFAULT_LISTED, MAX_LISTED)?;
        let (from, to) = self.range(ctx).await?;
        let wanted = EventFilter {
            account: Some(self.id),
            pallet,
            name,
            from: Some(from),
            to: Some(to),
        };
        find::events(ctx, wanted, window).await.map(Some)
    }
}

impl AccountNode {
    /// The stored blocks up to its block, without a hole between them. Searches read what is final.
    async fn range(&self, ctx: &Context<'_>) -> Res<(BlockNumber, BlockNumber)> {
        let status = loaders(ctx)?.status.load(()).await?;
        let last = status
            .last
            .ok_or_else(|| ApiError::out_of_range(self.at, status.spans.clone()))?;
        span(ctx, None, Some(self.at.min(last))).await
    }
}
