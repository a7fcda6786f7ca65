//! Stake at a block, and the ledger of its movements.

use async_graphql::{ComplexObject, Context, Enum, SimpleObject};
use chain_metadata::{BlockNumber, NetUid};

use super::account::AccountNode;
use super::commit::CallLink;
use super::connection::{StakeConnection, StakeMovementConnection};
use super::error::{ApiError, Res};
use super::paging::{DEFAULT_LISTED, Kind, MAX_LISTED, PageArgs, page_in_block};
use super::scalars::{Account, Bytes, Json, U64};
use super::stamp::Stamp;
use super::window::Order;
use crate::loaders::loaders;
use crate::ports::{
    self, StakeFilter, StakeMovement, StakeMovementId, StakeOf, StakeShare, StakeSide,
};

/// Kinds of movements of stake, each told by an event of its own. A move between subnets is told by
/// several: a removal, an addition and the move.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::StakeMovementKind")]
pub(crate) enum StakeMovementKind {
    /// TAO became stake (StakeAdded).
    Added,
    /// Stake became TAO (StakeRemoved).
    Removed,
    /// From hotkey to hotkey (StakeMoved).
    Moved,
    /// From coldkey to coldkey (StakeTransferred).
    Transferred,
    /// To another coldkey and hotkey (StakeAndHotkeyTransferred).
    MovedAndTransferred,
    /// From subnet to subnet (StakeSwapped).
    Swapped,
    /// What stake on root earned was paid out (RootClaimed).
    RootClaimed,
    /// An incentive went to the hotkey that its owner chose (AutoStakeAdded).
    AutoStaked,
    /// Alpha was given back to what may be emitted (AlphaRecycled).
    Recycled,
    /// Alpha was destroyed (AlphaBurned).
    Burned,
    /// TAO became alpha, which was destroyed (AddStakeBurn).
    BoughtAndBurned,
    /// A transaction fee was taken from stake (TransactionFeePaidWithAlpha).
    FeePaid,
    /// Dividends of a leased subnet went to a contributor (SubnetLeaseDividendsDistributed).
    LeaseDividends,
}

/// One end of a movement of stake. Null is what the event does not say.
#[derive(SimpleObject)]
#[graphql(name = "StakeSide")]
pub(crate) struct StakeSideNode {
    /// The hotkey; null when the event does not say.
    hotkey: Option<Account>,
    /// The coldkey; null when neither the event nor its call says. Events of runtimes without
    /// subnet tokens do not name it; it is then the account that the call acted for.
    coldkey: Option<Account>,
    /// Number of the subnet; null when the event does not say.
    netuid: Option<u16>,
}

impl From<StakeSide> for StakeSideNode {
    fn from(side: StakeSide) -> Self {
        Self {
            hotkey: side.hotkey.map(Account),
            coldkey: side.coldkey.map(Account),
            netuid: side.netuid.map(|n| n.0),
        }
    }
}

/// A movement of stake, as an event tells of it. Amounts are the event's own integers.
#[derive(SimpleObject)]
#[graphql(name = "StakeMovement", complex)]
pub(crate) struct StakeMovementNode {
    /// Names the movement: height and place among the movements of that block, such as 112-0.
    id: String,
    /// Height of the block.
    block_number: u32,
    /// Position of the event in the block, from 0.
    event_index: u32,
    /// Its kind.
    kind: StakeMovementKind,
    /// Where stake came from; null when it came from no stake.
    from: Option<StakeSideNode>,
    /// Where it went to; null when it went to no stake.
    to: Option<StakeSideNode>,
    /// Rao of TAO; null when the event says none.
    tao: Option<U64>,
    /// Alpha of the subnet in units of 10^-9; null when the event says none.
    alpha: Option<U64>,
    /// Fee in rao; null when the event says none.
    fee: Option<U64>,
    /// The call that did it; null when the chain did it itself.
    made_by: Option<CallLink>,
}

impl From<StakeMovement> for StakeMovementNode {
    fn from(moved: StakeMovement) -> Self {
        Self {
            id: format!("{}-{}", moved.id.block, moved.id.index),
            block_number: moved.id.block,
            event_index: moved.event,
            kind: moved.kind.into(),
            from: moved.from.map(Into::into),
            to: moved.to.map(Into::into),
            tao: moved.tao.map(U64),
            alpha: moved.alpha.map(U64),
            fee: moved.fee.map(U64),
            made_by: moved.made_by.map(CallLink),
        }
    }
}

/// What a coldkey has on a hotkey in a subnet, as the chain stores it. It is a share of the
/// hotkey's pool: how much alpha that is, is reckoned by the runtime and not stored.
#[derive(SimpleObject)]
#[graphql(name = "Stake", complex)]
pub(crate) struct StakeNode {
    /// Height of the block at whose end it was so.
    as_of_block: u32,
    /// The storage entry: Alpha or AlphaV2, a share; Stake, rao, in runtimes without subnet tokens.
    entry: String,
    /// The hotkey.
    hotkey: Account,
    /// The coldkey.
    coldkey: Account,
    /// Number of the subnet; null in runtimes without subnet tokens.
    netuid: Option<u16>,
    /// The decoded value: rao, or a share as the runtime writes it (bits with 64 behind the point,
    /// or mantissa and exponent). Null when the bytes are none of its type; the chain reads such a
    /// row as if it were not there.
    value: Option<Json>,
    /// The chain's own bytes.
    bytes: Bytes,
    /// Height at which it last changed, as far as stored.
    changed_at: u32,
    /// TotalHotkeyAlpha: alpha in the hotkey's pool, in units of 10^-9; null where there is no pool.
    pool_alpha: Option<U64>,
    /// TotalHotkeyShares or TotalHotkeySharesV2: all shares of the pool; null where there is none.
    pool_shares: Option<Json>,
}

#[ComplexObject]
impl StakeNode {
    /// Which state this is. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.as_of_block, self.netuid.map(NetUid)).await
    }

    /// The hotkey as an account at the same block.
    async fn hotkey_account(&self) -> AccountNode {
        AccountNode::at(self.as_of_block, self.hotkey.0)
    }

    /// The coldkey as an account at the same block.
    async fn coldkey_account(&self) -> AccountNode {
        AccountNode::at(self.as_of_block, self.coldkey.0)
    }
}

#[ComplexObject]
impl StakeMovementNode {
    /// The state at the end of its block. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.block_number, None).await
    }
}

/// The page of movements up to a block.
pub(crate) async fn movements(
    ctx: &Context<'_>,
    filter: StakeFilter,
    at: BlockNumber,
    args: PageArgs,
) -> Res<StakeMovementConnection> {
    let window = args.window(Kind::StakeMovement, DEFAULT_LISTED, MAX_LISTED)?;
    let start = window.start();
    let start = start.map(|(block, index)| StakeMovementId { block, index });
    let (back, size) = (window.back, window.size);
    let read = loaders(ctx)?
        .reads
        .run("stake_movements", move |reader| match back {
            true => reader.stake_movements_up(at, &filter, start, size),
            false => reader.stake_movements(at, &filter, start, size),
        });
    let found = read.await?;
    let place = |id: StakeMovementId| (id.block, id.index);
    let items = found.movements.into_iter();
    let items = items.map(|moved| (place(moved.id), moved.into()));
    let page = window.page(Order::NewestFirst, items.collect(), found.next.map(place));
    Ok(StakeMovementConnection(page))
}

/// The page of rows of stake at a block.
pub(crate) async fn page(
    ctx: &Context<'_>,
    (hotkey, coldkey): (Option<Account>, Option<Account>),
    netuid: Option<u16>,
    at: BlockNumber,
    args: PageArgs,
) -> Res<StakeConnection> {
    let of = match (coldkey, hotkey) {
        (Some(coldkey), _) => StakeOf::Coldkey(coldkey.0),
        (None, Some(hotkey)) => StakeOf::Hotkey(hotkey.0),
        (None, None) => return Err(ApiError::bad_input("give `hotkey`, `coldkey` or both")),
    };
    let netuid = netuid.map(NetUid);
    let rows = loaders(ctx)?.stakes.load((at, of, netuid)).await?;
    let wanted = |row: &&StakeShare| hotkey.is_none_or(|hotkey| hotkey.0 == row.hotkey);
    // Rows at one block never change, so a row's place in the list names it.
    let rows: Vec<_> = (0_u32..).zip(rows.iter().filter(wanted)).collect();
    let page = page_in_block(rows, |(index, _)| *index, at, Kind::Stake, &args)?;
    let node = |(_, row): (u32, &StakeShare)| StakeNode {
        as_of_block: at,
        entry: row.entry.clone(),
        hotkey: Account(row.hotkey),
        coldkey: Account(row.coldkey),
        netuid: row.netuid.map(|n| n.0),
        value: row.value.clone().map(Json),
        bytes: Bytes(row.bytes.clone()),
        changed_at: row.changed_at,
        pool_alpha: row.pool_alpha.map(U64),
        pool_shares: row.pool_shares.clone().map(Json),
    };
    Ok(StakeConnection(page.map(node)))
}
