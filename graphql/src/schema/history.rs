//! Entry points about what changed over time, and what their lists share.

use async_graphql::{Context, MergedObject, Object};
use chain_metadata::{BlockNumber, MechId, NetUid, Uid};

use super::account::AccountQuery;
use super::changes::Changes;
use super::connection::{
    BondsVersionConnection, EpochConnection, FoundEventConnection, FoundExtrinsicConnection,
    TenancyConnection, WeightsVersionConnection,
};
use super::cost;
use super::error::{ApiError, Res};
use super::find;
use super::paging::{Cursor, DEFAULT_LISTED, Kind, MAX_LISTED, PageArgs};
use super::query::Query;
use super::results::Results;
use super::scalars::Account;
use super::series::{self, SeriesConnection, SeriesEvery, SeriesField};
use super::tenancy;
use super::verification::Verifications;
use super::weights_set;
use super::whatif::WhatIf;
use super::window::Place;
use crate::loaders::loaders;
use crate::ports::{EventFilter, ExtrinsicFilter, SeriesWanted, VersionsOf};

/// Read access to everything that is stored. Null never stands for 0: it means that a value is not
/// known or does not exist at that block. Block heights, netuids and uids are plain integers;
/// integers that may pass 2^53 are decimal strings.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub(crate) struct Root(
    Query,
    History,
    Verifications,
    Changes,
    WhatIf,
    Results,
    AccountQuery,
);

/// Entry points about what changed over time.
#[derive(Default)]
pub(crate) struct History;

/// Most points on one page of a series, and how many when no size is given.
const MAX_POINTS: u32 = 500;
const DEFAULT_POINTS: u32 = 100;

/// The cursor of a place.
pub(crate) fn cursor(kind: Kind, (block, index): Place) -> String {
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
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::history(first.or(last), child_complexity)")]
    async fn tenancies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the neuron. Not together with `hotkey`.")] uid: Option<u16>,
        #[graphql(desc = "The hotkey. Not together with `uid`.")] hotkey: Option<Account>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<TenancyConnection>> {
        let whose = tenancy::whose(uid, hotkey)?;
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = args.window(Kind::Tenancy, DEFAULT_LISTED, MAX_LISTED)?;
        tenancy::page(ctx, netuid, whose, window).await.map(Some)
    }

    /// Versions of one row of the weight matrix W, oldest first, each with what set it. The row is
    /// that of a uid, whoever held it (query tenancies). Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::history(first.or(last), child_complexity)")]
    async fn weight_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Number of the neuron whose row it is.")] uid: u16,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
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
        let range = span(ctx, from, to).await?;
        let row = VersionsOf {
            bonds: false,
            netuid: NetUid(netuid),
            mechanism: MechId(mechanism),
            uid: Uid(uid),
        };
        let page = weights_set::versions(ctx, row, range, window);
        page.await.map(Some)
    }

    /// Versions of one row of the bond matrix B, oldest first: every epoch may write one. The row is
    /// that of a uid, whoever held it (query tenancies). Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::history(first.or(last), child_complexity)")]
    async fn bond_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Number of the neuron whose row it is.")] uid: u16,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<BondsVersionConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = args.window(Kind::BondsVersion, DEFAULT_LISTED, MAX_LISTED)?;
        let range = span(ctx, from, to).await?;
        let row = VersionsOf {
            bonds: true,
            netuid: NetUid(netuid),
            mechanism: MechId(mechanism),
            uid: Uid(uid),
        };
        weights_set::bonds(ctx, row, range, window).await.map(Some)
    }

    /// Values of a neuron over time, in segments of one tenancy each: nothing is joined across a
    /// replacement. Asked by uid, whoever held it; by hotkey, the uids it held and what it was
    /// swapped from and to. Give one of the two. Nothing is interpolated: a point is what the
    /// chain has at the end of its block. There is no `last`: a point is told by what was before it.
    /// Null only together with an error.
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
        #[graphql(desc = "Size of the page, 0 to 500 points; 100 when it is not given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<SeriesConnection>> {
        let whose = tenancy::whose(uid, hotkey)?;
        let window =
            PageArgs::forward(first, after).window(Kind::Point, DEFAULT_POINTS, MAX_POINTS)?;
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
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::history(first.or(last), child_complexity)")]
    async fn epochs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Lowest height; without it the first stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the last stored block.")] to: Option<u32>,
        #[graphql(desc = "Size of the page from the front, 0 to 100; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 100. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<EpochConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = args.window(Kind::Epoch, DEFAULT_LISTED, MAX_LISTED)?;
        let range = span(ctx, from, to).await?;
        let page = series::epochs(ctx, NetUid(netuid), range, window);
        page.await.map(Some)
    }

    /// Extrinsics over all blocks, newest first; all conditions that are given must hold. Calls
    /// inside batches, proxies and the like count too. Without `account`, `error`, or `pallet`
    /// with `call`, nothing is looked up and block after block is read: give a range then. There
    /// is no `last`: places are joined newest first. Null only together with an error.
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
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<FoundExtrinsicConnection>> {
        let window =
            PageArgs::forward(first, after).window(Kind::Extrinsic, DEFAULT_LISTED, MAX_LISTED)?;
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
    /// a range then. There is no `last`: places are joined newest first. Null only together with an
    /// error.
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
        #[graphql(desc = "Size of the page, 0 to 100; 20 when it is not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<FoundEventConnection>> {
        let window =
            PageArgs::forward(first, after).window(Kind::Event, DEFAULT_LISTED, MAX_LISTED)?;
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
