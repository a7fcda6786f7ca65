//! Values of neurons over time, and the epochs that computed them.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, Object, SimpleObject};
use chain_metadata::{BlockNumber, NetUid};

use super::connection::{EpochConnection, PageInfo};
use super::error::{ApiError, Res};
use super::history::cursor;
use super::paging::Kind;
use super::scalars::{U64, normalized};
use super::stamp::Stamp;
use super::tenancy::TenancyNode;
use super::window::{Order, Window, by_block};
use crate::loaders::loaders;
use crate::ports::{self, Reader, SeriesWanted};

/// A value of a neuron that an epoch computes.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::SeriesField")]
pub(crate) enum SeriesField {
    /// Incentive of the mechanism, 0 to 65535.
    Incentive,
    /// Dividends, 0 to 65535.
    Dividends,
    /// Consensus weight, 0 to 65535.
    Consensus,
    /// Trust, 0 to 65535, in runtimes that compute it.
    Trust,
    /// Rank, 0 to 65535, in runtimes that compute it.
    Rank,
    /// Emission of the epoch, in rao (10^-9) of the subnet's token.
    Emission,
    /// Share of the stake, 0 to 65535.
    StakeWeight,
    /// Validator trust, 0 to 65535.
    ValidatorTrust,
    /// Whether its weights count as recent: 1, or 0.
    Active,
    /// Whether it may set weights as a validator: 1, or 0.
    ValidatorPermit,
}

/// Where a series has points.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeriesEvery {
    /// At every epoch that ran.
    Epoch,
    /// Where one of the values changed, epoch or not.
    Change,
}

/// One value of a point.
#[derive(SimpleObject)]
pub(crate) struct SeriesValue {
    /// Which value it is.
    field: SeriesField,
    /// The chain's integer, in the field's units; null where the runtime does not compute it or
    /// holds none for the uid.
    value: Option<U64>,
    /// A share of 65535 as a float from 0 to 1, for display; null for emission, active and
    /// validatorPermit, and where value is null.
    normalized: Option<f64>,
}

/// Values of a neuron at the end of one block.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct SeriesPoint {
    #[graphql(skip)]
    netuid: NetUid,
    /// Height of the block.
    block_number: u32,
    /// The epoch's index as the chain counts (SubnetEpochIndex); null in runtimes that do not, and
    /// where no epoch ran.
    epoch_index: Option<U64>,
    /// The values, in the order of `fields`.
    values: Vec<SeriesValue>,
}

#[ComplexObject]
impl SeriesPoint {
    /// Which state the values are from. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.block_number, Some(self.netuid)).await
    }
}

/// The part of a series that belongs to one tenancy.
#[derive(SimpleObject)]
pub(crate) struct SeriesSegment {
    /// Who held the uid; its previous and next say where the same neuron goes on.
    tenancy: TenancyNode,
    /// The points, oldest first.
    points: Vec<SeriesPoint>,
}

/// A page of a series, oldest first. A segment that goes on on the next page is there again.
#[derive(SimpleObject)]
pub(crate) struct SeriesConnection {
    /// The segments.
    segments: Vec<SeriesSegment>,
    /// Where this page stands. One request reads only so much: a page may hold fewer points than
    /// asked for and still be followed by others.
    page_info: PageInfo,
    /// Whether later points may follow.
    #[graphql(deprecation = "Use pageInfo { hasNextPage }.")]
    has_next_page: bool,
    /// To give as `after` for the next page; null when nothing follows.
    #[graphql(deprecation = "Use pageInfo { endCursor }.")]
    end_cursor: Option<String>,
}

/// The fields that are asked for, each once.
pub(crate) fn fields(given: Vec<SeriesField>) -> Res<Vec<ports::SeriesField>> {
    let twice = |(at, field): (usize, &SeriesField)| given.iter().skip(at + 1).any(|f| f == field);
    if given.is_empty() || given.iter().enumerate().any(twice) {
        return Err(ApiError::bad_input(
            "`fields` must name at least one value, and each only once",
        ));
    }
    Ok(given.into_iter().map(Into::into).collect())
}

fn value(field: ports::SeriesField, value: Option<u64>) -> SeriesValue {
    use ports::SeriesField::{Active, Emission, ValidatorPermit};
    let is_share = !matches!(field, Emission | Active | ValidatorPermit);
    let share = value.filter(|_| is_share);
    SeriesValue {
        field: field.into(),
        value: value.map(U64),
        normalized: share.and_then(|v| u16::try_from(v).ok()).map(normalized),
    }
}

pub(crate) async fn page(
    ctx: &Context<'_>,
    wanted: SeriesWanted,
    window: Window,
) -> Res<SeriesConnection> {
    let (after, size) = (window.start(), window.size);
    let (fields, netuid) = (wanted.fields.clone(), wanted.netuid);
    let read = loaders(ctx)?
        .reads
        .run("series", move |reader| reader.series(&wanted, after, size));
    let found = read.await?;
    let places = found.segments.iter().flat_map(|(tenancy, points)| {
        let uid = u32::from(tenancy.uid.0);
        points.iter().map(move |point| ((point.block, uid), ()))
    });
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    let page_info = PageInfo::of(&window.page(Order::OldestFirst, places, found.next));
    let point = |point: ports::SeriesPoint| SeriesPoint {
        netuid,
        block_number: point.block,
        epoch_index: point.epoch.map(U64),
        values: fields
            .iter()
            .zip(point.values)
            .map(|(field, one)| value(*field, one))
            .collect(),
    };
    let segments = found.segments.into_iter();
    Ok(SeriesConnection {
        segments: segments
            .map(|(tenancy, points)| SeriesSegment {
                tenancy: TenancyNode(Arc::new(tenancy)),
                points: points.into_iter().map(point).collect(),
            })
            .collect(),
        page_info,
        has_next_page: found.next.is_some(),
        end_cursor: found.next.map(|place| cursor(Kind::Point, place)),
    })
}

/// An epoch as shown.
pub(crate) struct EpochNode(ports::Epoch);

/// An epoch of a subnet that ran.
#[Object(name = "Epoch")]
impl EpochNode {
    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.0.netuid.0
    }

    /// Height of the block in which it ran; its results are in the state at the end of it.
    async fn output_block(&self) -> u32 {
        self.0.block
    }

    /// Height of the block whose state it read, together with what was revealed at the beginning
    /// of its own block; null for an epoch of block 0.
    async fn input_block(&self) -> Option<u32> {
        self.0.block.checked_sub(1)
    }

    /// The epoch's index as the chain counts (SubnetEpochIndex at the end of the block), which
    /// skipped slots advance too; null in runtimes that do not count.
    async fn index(&self) -> Option<U64> {
        self.0.index.map(U64)
    }

    /// Which state its results are in. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.0.block, Some(self.0.netuid)).await
    }

    /// Mechanisms whose consensus ran, 1 or more.
    async fn mechanism_count(&self) -> u8 {
        self.0.mechanisms
    }
}

pub(crate) async fn epochs(
    ctx: &Context<'_>,
    netuid: NetUid,
    range: (BlockNumber, BlockNumber),
    window: Window,
) -> Res<EpochConnection> {
    let read = move |reader: &dyn Reader, (from, to), newest_first, size| match newest_first {
        true => reader.epochs_down(netuid, from, to, size),
        false => reader.epochs(netuid, from, to, size),
    };
    let block_of = |epoch: &ports::Epoch| epoch.block;
    let page = by_block(ctx, "epochs", range, window, read, block_of).await?;
    Ok(EpochConnection(page.map(EpochNode)))
}
