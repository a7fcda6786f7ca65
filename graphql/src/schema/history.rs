//! Entry points about what changed over time, and what their lists share.

use async_graphql::{Context, MergedObject, Object};
use chain_metadata::{BlockNumber, MechId, NetUid, Uid};

use super::changes::Changes;
use super::cost;
use super::error::{ApiError, Res};
use super::find::{self, FoundEventConnection, FoundExtrinsicConnection};
use super::paging::{Cursor, Kind};
use super::query::Query;
use super::results::Results;
use super::scalars::Account;
use super::series::{self, EpochConnection, SeriesConnection, SeriesEvery, SeriesField};
use super::tenancy::{self, TenancyConnection};
use super::verification::Verifications;
use super::weights_set::{self, WeightsVersionConnection};
use super::whatif::WhatIf;
use crate::loaders::loaders;
use crate::ports::{EventFilter, ExtrinsicFilter, ReadError, Reader, SeriesWanted};

/// Read access to everything that is stored. Null never stands for 0: it means that a value is not
/// known or does not exist at that block. Block heights, netuids and uids are plain integers;
/// integers that may pass 2^53 are decimal strings.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub(crate) struct Root(Query, History, Verifications, Changes, WhatIf, Results);

/// Entry points about what changed over time.
#[derive(Default)]
pub(crate) struct History;

/// Most items on one page.
const MAX_ITEMS: i32 = 100;
/// Most points on one page of a series.
const MAX_POINTS: i32 = 500;
/// Points on a page when no size is given.
const DEFAULT_POINTS: i32 = 100;
/// Items on a page when no size is given.
const DEFAULT_ITEMS: i32 = 20;

/// Which page of a list: its size, and the place after which it begins.
pub(crate) struct Window {
    pub(crate) first: usize,
    pub(crate) after: Option<(BlockNumber, u32)>,
}

impl Window {
    /// A page as asked for.
    pub(crate) fn new(first: i32, max: i32, after: Option<String>, kind: Kind) -> Res<Window> {
        let first = match usize::try_from(first) {
            Ok(size) if first <= max => size,
            _ => {
                return Err(ApiError::bad_input(format!(
                    "`first` is {first}, but must be from 0 to {max}; take further pages with a cursor"
                )));
            }
        };
        let after = match after.as_deref().map(Cursor::decode_cursor) {
            None => None,
            Some(Ok(cursor)) if cursor.kind == kind => Some((cursor.block, cursor.index)),
            Some(_) => {
                return Err(ApiError::bad_input(
                    "`after` is not a cursor of this list; take one from its `endCursor`",
                ));
            }
        };
        Ok(Window { first, after })
    }
}

/// A page of what belongs to blocks one by one, oldest first: what was read, and the cursor behind
/// it where more may follow. The block after which the page begins was on the one before.
pub(crate) async fn by_block<T: Send + 'static>(
    ctx: &Context<'_>,
    (name, kind): (&'static str, Kind),
    (from, to): (BlockNumber, BlockNumber),
    Window { first, after }: Window,
    read: impl FnOnce(&dyn Reader, BlockNumber, usize) -> Result<Vec<T>, ReadError> + Send + 'static,
    block_of: impl FnOnce(&T) -> BlockNumber,
) -> Res<(Vec<T>, Option<String>)> {
    let from = match after {
        Some((block, _)) => from.max(block.saturating_add(1)),
        None => from,
    };
    let mut found = Vec::new();
    if from <= to {
        let reads = &loaders(ctx)?.reads;
        found = reads
            .run(name, move |reader| read(reader, from, first))
            .await?;
    }
    let last = found.last().filter(|_| found.len() >= first);
    let end_cursor = last.map(|item| cursor(kind, (block_of(item), 0)));
    Ok((found, end_cursor))
}

/// The cursor of a place.
pub(crate) fn cursor(kind: Kind, (block, index): (BlockNumber, u32)) -> String {
    Cursor { kind, block, index }.encode_cursor()
}

/// The blocks from one to another, which must be stored without a hole between them; what is not
/// given is the end of the range that has the other, or of the newest one.
pub(crate) async fn span(
    ctx: &Context<'_>,
    from: Option<u32>,
    to: Option<u32>,
) -> Res<(BlockNumber, BlockNumber)> {
    let status = loaders(ctx)?.status.load(()).await?;
    let asked = from.or(to);
    let has = |span: &&(u32, u32)| asked.is_none_or(|asked| (span.0..=span.1).contains(&asked));
    let Some((first, last)) = status.spans.iter().rev().find(has).copied() else {
        let asked = asked.unwrap_or(0);
        return Err(ApiError::out_of_range(asked, status.spans.clone()));
    };
    let (from, to) = (from.unwrap_or(first), to.unwrap_or(last));
    if from > to {
        return Err(ApiError::bad_input(format!(
            "the range begins with block {from} and ends with block {to}; give the lower one first"
        )));
    }
    if to > last {
        // Stored, but behind a hole, or not at all.
        return Err(ApiError::out_of_range(
            last.saturating_add(1),
            status.spans.clone(),
        ));
    }
    Ok((from, to))
}

#[Object(name = "HistoryQuery")]
impl History {
    /// Who held uids of a subnet, from when to when, newest first: asked by uid everybody who held
    /// it, by hotkey all the uids it held. Give one of the two. Null only together with an error.
    #[graphql(complexity = "cost::history(first, child_complexity)")]
    async fn tenancies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the neuron. Not together with `hotkey`.")] uid: Option<u16>,
        #[graphql(desc = "The hotkey. Not together with `uid`.")] hotkey: Option<Account>,
        #[graphql(desc = "Size of the page, 0 to 100.", default_with = "DEFAULT_ITEMS")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<TenancyConnection>> {
        let whose = tenancy::whose(uid, hotkey)?;
        let window = Window::new(first, MAX_ITEMS, after, Kind::Tenancy)?;
        tenancy::page(ctx, netuid, whose, window).await.map(Some)
    }

    /// Versions of one row of the weight matrix, oldest first, each with what set it. The row is
    /// that of a uid, whoever held it (query tenancies). Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::history(first, child_complexity)")]
    async fn weight_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Number of the neuron whose row it is.")] uid: u16,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page, 0 to 100.", default_with = "DEFAULT_ITEMS")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<WeightsVersionConnection>> {
        let window = Window::new(first, MAX_ITEMS, after, Kind::Version)?;
        let range = span(ctx, from, to).await?;
        let row = (NetUid(netuid), MechId(mechanism), Uid(uid));
        let page = weights_set::versions(ctx, row, range, window);
        page.await.map(Some)
    }

    /// Values of a neuron over time, in segments of one tenancy each: nothing is joined across a
    /// replacement. Asked by uid, whoever held it; by hotkey, the uids it held and what it was
    /// swapped from and to. Give one of the two. Nothing is interpolated: a point is what the
    /// chain has at the end of its block. Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::series(first, fields.len(), child_complexity)")]
    async fn series(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Number of the neuron. Not together with `hotkey`.")] uid: Option<u16>,
        #[graphql(desc = "The hotkey. Not together with `uid`.")] hotkey: Option<Account>,
        #[graphql(desc = "The values, each at most once.")] fields: Vec<SeriesField>,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Where there are points.", default_with = "SeriesEvery::Epoch")]
        every: SeriesEvery,
        #[graphql(
            desc = "Size of the page, 0 to 500 points.",
            default_with = "DEFAULT_POINTS"
        )]
        first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<SeriesConnection>> {
        let whose = tenancy::whose(uid, hotkey)?;
        let window = Window::new(first, MAX_POINTS, after, Kind::Point)?;
        let (from, to) = span(ctx, from, to).await?;
        let wanted = SeriesWanted {
            netuid: NetUid(netuid),
            mechanism: MechId(mechanism),
            whose,
            fields: series::fields(fields)?,
            from,
            to,
            changes: every == SeriesEvery::Change,
        };
        series::page(ctx, wanted, window).await.map(Some)
    }

    /// Epochs of a subnet that ran, oldest first. A slot that was due and did not run
    /// is none: verifications(verdict: NOT_RUN) lists those, put off or skipped. Null only together with an error.
    #[graphql(complexity = "cost::history(first, child_complexity)")]
    async fn epochs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page, 0 to 100.", default_with = "DEFAULT_ITEMS")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<EpochConnection>> {
        let window = Window::new(first, MAX_ITEMS, after, Kind::Epoch)?;
        let range = span(ctx, from, to).await?;
        let page = series::epochs(ctx, NetUid(netuid), range, window);
        page.await.map(Some)
    }

    /// Extrinsics over all blocks, newest first; all conditions that are given must hold. Calls
    /// inside batches, proxies and the like count too. Without `account`, `error`, or `pallet`
    /// with `call`, nothing is looked up and block after block is read: give a range then. Null
    /// only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::search(first, child_complexity)")]
    async fn find_extrinsics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An account that signed, or is among the arguments of a call.")]
        account: Option<Account>,
        #[graphql(desc = "Pallet of a call, such as SubtensorModule.")] pallet: Option<String>,
        #[graphql(desc = "Name of that call, such as set_weights.")] call: Option<String>,
        #[graphql(
            desc = "The dispatch error with its pallet, such as SubtensorModule.NotEnoughStake."
        )]
        error: Option<String>,
        #[graphql(desc = "Only those that succeeded (true) or failed (false).")] success: Option<
            bool,
        >,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from_block: Option<
            u32,
        >,
        #[graphql(desc = "Highest height; without it the last stored block.")] to_block: Option<
            u32,
        >,
        #[graphql(desc = "Size of the page, 0 to 100.", default_with = "DEFAULT_ITEMS")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<FoundExtrinsicConnection>> {
        let window = Window::new(first, MAX_ITEMS, after, Kind::Extrinsic)?;
        let (from, to) = span(ctx, from_block, to_block).await?;
        let wanted = ExtrinsicFilter {
            account: account.map(|a| a.0),
            pallet,
            call,
            error,
            success,
            from: Some(from),
            to: Some(to),
        };
        find::extrinsics(ctx, wanted, window).await.map(Some)
    }

    /// Events over all blocks, newest first; all conditions that are given must hold. Without
    /// `account`, or `pallet` with `name`, nothing is looked up and block after block is read: give
    /// a range then. Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::search(first, child_complexity)")]
    async fn find_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An account among the event's fields.")] account: Option<Account>,
        #[graphql(desc = "Pallet of the event, such as SubtensorModule.")] pallet: Option<String>,
        #[graphql(desc = "Name of the event, such as WeightsSet.")] name: Option<String>,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from_block: Option<
            u32,
        >,
        #[graphql(desc = "Highest height; without it the last stored block.")] to_block: Option<
            u32,
        >,
        #[graphql(desc = "Size of the page, 0 to 100.", default_with = "DEFAULT_ITEMS")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<FoundEventConnection>> {
        let window = Window::new(first, MAX_ITEMS, after, Kind::Event)?;
        let (from, to) = span(ctx, from_block, to_block).await?;
        let wanted = EventFilter {
            account: account.map(|a| a.0),
            pallet,
            name,
            from: Some(from),
            to: Some(to),
        };
        find::events(ctx, wanted, window).await.map(Some)
    }
}
