//! Lists of changes: of a subnet's settings, of any kept key, and of subnets as such.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chain_metadata::{MechId, NetUid, Uid};

use super::commit::CallLink;
use super::connection::{StateChangeConnection, SubnetEventConnection};
use super::cost;
use super::error::{ApiError, Res};
use super::history::span;
use super::paging::{DEFAULT_LISTED, Kind, MAX_LISTED, PageArgs};
use super::scalars::{Account, Json, U64};
use super::window::{Order, Window};
use crate::loaders::loaders;
use crate::ports::{
    self, Found, StateChange, StateChangesWanted, SubnetChangesWanted, SubnetEvent,
};

/// Entry points for lists of changes.
#[derive(Default)]
pub(crate) struct Changes;

/// Most names of items in one request.
const MAX_NAMES: usize = 200;

#[Object(name = "ChangesQuery")]
impl Changes {
    /// Changes of a subnet's storage items, newest first, each exactly where its value at the end
    /// of a block is another than at the end of the block before. What the first stored block holds
    /// is no change. Without `items`, all hyperparameters and other settings; the vectors that epochs
    /// write and what changes in every block (Burn, Difficulty, pools) are given when they are
    /// named. There is no `last`: a change is found from the newer value down. Null only
    /// together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::search(first, child_complexity)")]
    async fn subnet_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(
            desc = "Names of items by netuid or mechanism that are kept, such as Tempo; without it all settings."
        )]
        items: Option<Vec<String>>,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<StateChangeConnection>> {
        if let Some(count) = items.as_ref().map(Vec::len).filter(|n| *n > MAX_NAMES) {
            return Err(ApiError::bad_input(format!(
                "`items` has {count} names, but may have {MAX_NAMES}; ask in parts"
            )));
        }
        let args = PageArgs::forward(first, after);
        let window = args.window(Kind::Change, DEFAULT_LISTED, MAX_LISTED)?;
        let (after, size) = (window.start(), window.size);
        let (from, to) = span(ctx, from, to).await?;
        let wanted = SubnetChangesWanted {
            netuid: NetUid(netuid),
            items,
            from,
            to,
        };
        let read = loaders(ctx)?.reads.run("subnet_changes", move |reader| {
            reader.subnet_changes(&wanted, after, size)
        });
        let found = read.await?.map_err(ApiError::BadInput)?;
        Ok(Some(shown(&window, found)))
    }

    /// Values of one kept storage key over time, newest first, each decoded with the runtime of its
    /// block; the value that the first stored block held is among them. Give what the item is keyed
    /// by (docs/schema.md, query runtimes manifest for the items), and nothing else. There is
    /// no `last`: a change is found from the newer value down. Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::search(first, child_complexity)")]
    async fn state_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the storage item, such as TaoWeight or Axons.")] entry: String,
        #[graphql(desc = "Number of the subnet, for items by subnet.")] netuid: Option<u16>,
        #[graphql(desc = "Number of the neuron, for items by uid.")] uid: Option<u16>,
        #[graphql(desc = "The hotkey, for items by hotkey; or the account, for items by one.")]
        hotkey: Option<Account>,
        #[graphql(desc = "The coldkey, for items by coldkey; or the account, for items by one.")]
        coldkey: Option<Account>,
        #[graphql(desc = "Number of the mechanism, for items by mechanism; without it 0.")]
        mechanism: Option<u8>,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<StateChangeConnection>> {
        let args = PageArgs::forward(first, after);
        let window = args.window(Kind::StateChange, DEFAULT_LISTED, MAX_LISTED)?;
        let (after, size) = (window.start(), window.size);
        let (from, to) = span(ctx, from, to).await?;
        let wanted = StateChangesWanted {
            entry,
            netuid: netuid.map(NetUid),
            mechanism: mechanism.map(MechId),
            uid: uid.map(Uid),
            hotkey: hotkey.map(|account| account.0),
            coldkey: coldkey.map(|account| account.0),
            from,
            to,
        };
        let read = loaders(ctx)?.reads.run("state_changes", move |reader| {
            reader.state_changes(&wanted, after, size)
        });
        let found = read.await?.map_err(ApiError::BadInput)?;
        Ok(Some(shown(&window, found)))
    }

    /// What became of a subnet, or of all of them, newest first: made, dissolved, other owners,
    /// mechanisms, names. A number that was used again is told apart by `registeredAt`. There is
    /// no `last`: a change is found from the newer value down. Null only together with an error.
    #[graphql(complexity = "cost::search(first, child_complexity)")]
    async fn subnet_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet; without it all.")] netuid: Option<u16>,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<SubnetEventConnection>> {
        let args = PageArgs::forward(first, after);
        let window = args.window(Kind::SubnetEvent, DEFAULT_LISTED, MAX_LISTED)?;
        let (after, size) = (window.start(), window.size);
        let range = span(ctx, from, to).await?;
        let netuid = netuid.map(NetUid);
        let read = loaders(ctx)?.reads.run("subnet_history", move |reader| {
            reader.subnet_history(netuid, range, after, size)
        });
        let found = read.await?;
        let items = found.items.into_iter();
        let items = items.map(|one| ((one.change.block, one.change.place), SubnetEventNode(one)));
        let page = window.page(Order::NewestFirst, items.collect(), found.next);
        Ok(Some(SubnetEventConnection(page)))
    }
}

/// A change as shown.
#[derive(Clone)]
pub(crate) struct StateChangeNode(Arc<StateChange>);

/// A change of a storage item, told by the values at the end of two blocks that follow each other.
#[Object(name = "StateChange")]
impl StateChangeNode {
    /// Height of the block at whose end the new value first held.
    async fn block_number(&self) -> u32 {
        self.0.block
    }

    /// Spec version of the runtime that executed the block; `new` is decoded with it, and `old`
    /// with that of the block before.
    async fn spec_version(&self) -> u32 {
        self.0.spec_version
    }

    /// Name of the storage item.
    async fn item(&self) -> &str {
        &self.0.item
    }

    /// Number of the mechanism; null for an item that is not kept by mechanism.
    async fn mechanism(&self) -> Option<u8> {
        self.0.mechanism.map(|mechanism| mechanism.0)
    }

    /// True for what the first stored block held: it is no change, and the value before is not
    /// known.
    async fn found_at_start(&self) -> bool {
        self.0.found_at_start
    }

    /// The value at the end of the block before; null when nothing was stored and the item has no
    /// default, when that runtime had no such item, and when it is not known.
    #[graphql(complexity = 5)]
    async fn old(&self) -> Option<Json> {
        self.0.old.as_ref()?.value.clone().map(Json)
    }

    /// Whether the old value was stored; false when the metadata's default applied; null when it is
    /// not known.
    async fn old_stored(&self) -> Option<bool> {
        self.0.old.as_ref().map(|old| old.stored)
    }

    /// The value at the end of the block; null when nothing is stored and the item has no default,
    /// and when this runtime has no such item.
    #[graphql(complexity = 5)]
    async fn new(&self) -> Option<Json> {
        self.0.new.value.clone().map(Json)
    }

    /// Whether the new value is stored; false when the metadata's default applies.
    async fn new_stored(&self) -> bool {
        self.0.new.stored
    }

    /// The call that did it, nested ones by their path: the only one in the block that is known to
    /// set this item of this subnet, and it succeeded. Null when there is none or more than one,
    /// when the chain did it or may have done it by itself (epochs, migrations, scheduled calls,
    /// contracts), and for items that are not of a subnet.
    async fn made_by(&self) -> Option<CallLink> {
        self.0.made_by.clone().map(CallLink)
    }

    /// Who signed the extrinsic of that call; null without the call, and when nobody signed.
    async fn signer(&self) -> Option<Account> {
        self.0.signer.map(Account)
    }
}

fn shown(window: &Window, found: Found<StateChange>) -> StateChangeConnection {
    let items = found.items.into_iter();
    let items = items.map(|one| ((one.block, one.place), StateChangeNode(Arc::new(one))));
    let page = window.page(Order::NewestFirst, items.collect(), found.next);
    StateChangeConnection(page)
}

/// What happened to a subnet.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::SubnetEventKind")]
pub(crate) enum SubnetEventKind {
    /// It was made.
    Created,
    /// It was dissolved.
    Dissolved,
    /// It was dissolved, and another one took its number in the same block.
    Replaced,
    /// Another coldkey owns it, or none (SubnetOwner).
    Owner,
    /// Another hotkey is its owner's, or none (SubnetOwnerHotkey).
    OwnerHotkey,
    /// It has another number of mechanisms (MechanismCountCurrent).
    MechanismCount,
    /// It has another name (SubnetName).
    Name,
    /// Its token has another symbol (TokenSymbol).
    Symbol,
    /// What it says of itself changed (SubnetIdentities of any version).
    Identity,
}

/// Something that happened to a subnet, as shown.
pub(crate) struct SubnetEventNode(SubnetEvent);

/// Something that happened to a subnet. What a new subnet is made with, and a dissolved one loses,
/// is told item by item in the same block.
#[Object(name = "SubnetEvent")]
impl SubnetEventNode {
    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.0.netuid.0
    }

    /// What it was.
    async fn kind(&self) -> SubnetEventKind {
        self.0.kind.into()
    }

    /// Height at which the subnet was registered (NetworkRegisteredAt), which tells apart those that
    /// had the same number: at the end of the block, and for DISSOLVED before it. Null when none is
    /// stored.
    async fn registered_at(&self) -> Option<U64> {
        self.0.registered_at.map(U64)
    }

    /// The change of the storage item that tells of it: block, values, the call.
    async fn change(&self) -> StateChangeNode {
        StateChangeNode(Arc::new(self.0.change.clone()))
    }
}
