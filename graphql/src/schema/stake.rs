//! Stake at a block, and the ledger of its movements.

use async_graphql::{Context, Enum, SimpleObject};
use chain_metadata::NetUid;

use super::as_of::{self, AsOf};
use super::commit::CallLink;
use super::error::{ApiError, Res};
use super::paging::{Cursor, Kind};
use super::scalars::{Account, Bytes, Json, U64};
use crate::loaders::loaders;
use crate::ports::{
    self, StakeFilter, StakeMovement, StakeMovementId, StakeOf, StakeShare, StakeSide,
};

/// Most movements on one page.
const MAX_MOVEMENTS: i32 = 100;
/// Movements on a page when no size is given.
pub(crate) const DEFAULT_MOVEMENTS: i32 = 20;
/// Most rows of stake on one page.
const MAX_SHARES: i32 = 1000;
/// Rows of stake on a page when no size is given.
pub(crate) const DEFAULT_SHARES: i32 = 100;

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
#[graphql(name = "StakeMovement")]
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

/// A page of the ledger of stake, newest first. There is no total: counting would read the whole
/// ledger.
#[derive(SimpleObject)]
pub(crate) struct StakeMovementConnection {
    /// The movements.
    nodes: Vec<StakeMovementNode>,
    /// Whether older movements may follow. With filters that hardly anything passes, a page may
    /// hold fewer than asked for, even none, and still be followed by others.
    has_next_page: bool,
    /// To give as `after` for the next page; null when nothing follows.
    end_cursor: Option<String>,
}

/// What a coldkey has on a hotkey in a subnet, as the chain stores it. It is a share of the
/// hotkey's pool: how much alpha that is, is reckoned by the runtime and not stored.
#[derive(SimpleObject)]
#[graphql(name = "Stake")]
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

/// A page of rows of stake, by hotkey, coldkey and subnet.
#[derive(SimpleObject)]
pub(crate) struct StakeConnection {
    /// The rows.
    nodes: Vec<StakeNode>,
    /// How many rows there are on all pages.
    total_count: u32,
    /// Whether rows follow.
    has_next_page: bool,
    /// To give as `after` for the next page, with the same other arguments; null when nothing
    /// follows.
    end_cursor: Option<String>,
}

fn size(first: i32, most: i32) -> Res<usize> {
    match usize::try_from(first) {
        Ok(size) if first <= most => Ok(size),
        _ => Err(ApiError::bad_input(format!(
            "`first` is {first}, but must be from 0 to {most}; take further pages with a cursor"
        ))),
    }
}

fn cursor(after: Option<&str>, kind: Kind) -> Res<Option<Cursor>> {
    match after.map(Cursor::decode_cursor) {
        None => Ok(None),
        Some(Ok(cursor)) if cursor.kind == kind => Ok(Some(cursor)),
        Some(_) => Err(ApiError::bad_input(
            "`after` is not a cursor of this list; take one from its `endCursor`",
        )),
    }
}

/// The page of movements up to a block.
pub(crate) async fn movements(
    ctx: &Context<'_>,
    filter: StakeFilter,
    as_of: Option<AsOf>,
    first: i32,
    after: Option<String>,
) -> Res<StakeMovementConnection> {
    let at = as_of::resolve(ctx, as_of).await?;
    let first = size(first, MAX_MOVEMENTS)?;
    let before = cursor(after.as_deref(), Kind::StakeMovement)?.map(|c| StakeMovementId {
        block: c.block,
        index: c.index,
    });
    let read = loaders(ctx)?.reads.run("stake_movements", move |reader| {
        reader.stake_movements(at, &filter, before, first)
    });
    let page = read.await?;
    let cursor = |id: StakeMovementId| Cursor {
        kind: Kind::StakeMovement,
        block: id.block,
        index: id.index,
    };
    Ok(StakeMovementConnection {
        nodes: page.movements.into_iter().map(Into::into).collect(),
        has_next_page: page.next.is_some(),
        end_cursor: page.next.map(|id| cursor(id).encode_cursor()),
    })
}

/// The page of rows of stake at a block.
pub(crate) async fn page(
    ctx: &Context<'_>,
    (hotkey, coldkey): (Option<Account>, Option<Account>),
    netuid: Option<u16>,
    as_of: Option<AsOf>,
    first: i32,
    after: Option<String>,
) -> Res<StakeConnection> {
    let of = match (coldkey, hotkey) {
        (Some(coldkey), _) => StakeOf::Coldkey(coldkey.0),
        (None, Some(hotkey)) => StakeOf::Hotkey(hotkey.0),
        (None, None) => return Err(ApiError::bad_input("give `hotkey`, `coldkey` or both")),
    };
    let at = as_of::resolve(ctx, as_of).await?;
    let first = size(first, MAX_SHARES)?;
    // Rows at one block never change, so a row's place in the list names it.
    let from = match cursor(after.as_deref(), Kind::Stake)? {
        None => 0,
        Some(cursor) if cursor.block == at => usize::try_from(cursor.index).unwrap_or(usize::MAX),
        Some(cursor) => {
            return Err(ApiError::bad_input(format!(
                "the cursor belongs to block {}, not to block {at}; give `asOf` for all pages",
                cursor.block
            )));
        }
    };
    let read = loaders(ctx)?.reads.run("stake", move |reader| {
        reader.stake(at, of, netuid.map(NetUid))
    });
    let mut rows = read.await?;
    rows.retain(|row| hotkey.is_none_or(|hotkey| hotkey.0 == row.hotkey));
    let next = from.saturating_add(first);
    let more = next < rows.len();
    let total = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let node = |row: StakeShare| StakeNode {
        as_of_block: at,
        entry: row.entry,
        hotkey: Account(row.hotkey),
        coldkey: Account(row.coldkey),
        netuid: row.netuid.map(|n| n.0),
        value: row.value.map(Json),
        bytes: Bytes(row.bytes),
        changed_at: row.changed_at,
        pool_alpha: row.pool_alpha.map(U64),
        pool_shares: row.pool_shares.map(Json),
    };
    let index = u32::try_from(next).unwrap_or(u32::MAX);
    let end = Cursor {
        kind: Kind::Stake,
        block: at,
        index,
    };
    Ok(StakeConnection {
        nodes: rows.into_iter().skip(from).take(first).map(node).collect(),
        total_count: total,
        has_next_page: more,
        end_cursor: more.then(|| end.encode_cursor()),
    })
}
