//! `/v1/blocks` and what is in a block.

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;

use super::params::{At, Formed, Paged, block_named, word};
use super::{Answer, No, head, nothing, problem_of, told};
use crate::ports::Reader;
use crate::rest::Problem;
use crate::rest::reads::blocks::{Block, Event, Extrinsic};
use crate::rest::reads::value::Shown;
use crate::rest::reads::{One, Page, Words};
use crate::schema::paging::{
    Cursor, DEFAULT_BLOCKS, DEFAULT_ITEMS, Kind, MAX_BLOCKS, MAX_ITEMS, PageArgs, page_in_block,
    page_of_heights,
};
use crate::server::App;
use crate::server::openapi::{ArrowStream, Refusals};
use crate::server::rest::{Parameters, bad};

/// Stored blocks, newest first: 20 on a page, 100 at most.
#[utoipa::path(
    get,
    path = "/v1/blocks",
    tag = "blocks",
    params(
        ("from" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Lowest height; without it the first stored block."),
        ("to" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Highest height; without it the highest stored block."),
        ("order" = Option<Order>, Query, description = "Which end comes first; NEWEST without it."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of blocks.", content(
        (Page<Block> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn blocks(State(app): State<App>, parts: Parts) -> Response {
    let known = ["from", "to", "order", "first", "after"];
    told(&app, &parts, "blocks", &known, |parameters| {
        let page = Paged::of(parameters, size(DEFAULT_BLOCKS), size(MAX_BLOCKS))?;
        page.cursor(Kind::Block)?;
        let (from, to) = range(parameters)?;
        let order = word(parameters, "order")?.unwrap_or(Order::Newest);
        Ok(move |reader: &dyn Reader| {
            let stamp = head(reader)?;
            let spans = reader.status()?.spans.into_iter();
            let spans: Vec<(u32, u32)> = spans
                .map(|(first, last)| (first.max(from), last.min(to)))
                .filter(|(first, last)| first <= last)
                .collect();
            let args = args(&page);
            let heights = page_of_heights(&spans, order == Order::Newest, &args);
            let heights = heights.map_err(problem_of)?;
            let found = reader.blocks(&heights.items)?.into_iter().flatten();
            let items: Vec<Block> = found.map(Block::from).collect();
            let last = heights.items.last().filter(|_| heights.has_next);
            let next = last.map(|block| {
                let cursor = Cursor {
                    kind: Kind::Block,
                    block: *block,
                    index: 0,
                };
                cursor.encode_cursor()
            });
            Ok(Answer {
                body: Page { stamp, items, next },
                stamp,
                for_good: false,
            })
        })
    })
    .await
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub(in crate::server) enum Order {
    /// The highest block.
    Newest,
    /// The lowest block.
    Oldest,
}

impl Words for Order {
    const ALL: &'static [(&'static str, Self)] =
        &[("NEWEST", Self::Newest), ("OLDEST", Self::Oldest)];
}

/// The range of heights that `from` and `to` say.
pub(in crate::server) fn range(parameters: &Parameters<'_>) -> Result<(u32, u32), Problem> {
    let from = parameters.number("from")?.unwrap_or(0);
    let to = parameters.number("to")?.unwrap_or(u32::MAX);
    if from > to {
        return Err(bad(format!(
            "`from` is {from} and `to` is {to}; give the lower height as `from`"
        )));
    }
    Ok((from, to))
}

fn size(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn args(page: &Paged) -> PageArgs {
    PageArgs {
        // At most 1000, as the parameter was read.
        first: i32::try_from(page.first).ok(),
        after: page.text(),
        ..PageArgs::default()
    }
}

/// One block.
#[utoipa::path(
    get,
    path = "/v1/blocks/{block}",
    tag = "blocks",
    params(
        ("block" = String, Path, pattern = "^([0-9]{1,10}|0x[0-9a-fA-F]{64})$",
            description = "Height or hash of the block."),
        Formed,
    ),
    responses((status = 200, description = "The block.", content(
        (One<Block> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn block(
    State(app): State<App>,
    Path(block): Path<String>,
    parts: Parts,
) -> Response {
    told(&app, &parts, "block", &[], |_| {
        let at = block_named(&block)?;
        Ok(move |reader: &dyn Reader| {
            let found = at.find(reader, None)?;
            let block = reader.blocks(&[found.stamp.block])?.into_iter().next();
            let block = block.flatten().ok_or_else(|| {
                nothing(format!(
                    "block {} is not stored any more",
                    found.stamp.block
                ))
            })?;
            Ok(Answer {
                body: One {
                    stamp: Some(found.stamp),
                    item: Block::from(block),
                },
                stamp: Some(found.stamp),
                for_good: found.fixed,
            })
        })
    })
    .await
}

/// Extrinsics of a block in block order: 100 on a page, 1000 at most.
#[utoipa::path(
    get,
    path = "/v1/blocks/{block}/extrinsics",
    tag = "blocks",
    params(
        ("block" = String, Path, pattern = "^([0-9]{1,10}|0x[0-9a-fA-F]{64})$",
            description = "Height or hash of the block."),
        ("pallet" = Option<String>, Query, description = "Only calls of this pallet."),
        ("name" = Option<String>, Query, description = "Only calls with this name."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of extrinsics.", content(
        (Page<Extrinsic> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn extrinsics(
    State(app): State<App>,
    Path(block): Path<String>,
    parts: Parts,
) -> Response {
    let known = ["pallet", "name", "first", "after"];
    told(&app, &parts, "extrinsics", &known, |parameters| {
        let wanted = Wanted::of(&block, parameters, Kind::Extrinsic)?;
        Ok(move |reader: &dyn Reader| {
            let found = wanted.at.find(reader, None)?;
            let all = reader.extrinsics(&[found.stamp.block])?.into_iter();
            let all: Vec<_> = all
                .flatten()
                .filter(|extrinsic| wanted.takes(&extrinsic.call.pallet, &extrinsic.call.name))
                .collect();
            wanted.page(all, |extrinsic| extrinsic.index, found, Extrinsic::from)
        })
    })
    .await
}

/// Events of a block in the order they were emitted: 100 on a page, 1000 at most.
#[utoipa::path(
    get,
    path = "/v1/blocks/{block}/events",
    tag = "blocks",
    params(
        ("block" = String, Path, pattern = "^([0-9]{1,10}|0x[0-9a-fA-F]{64})$",
            description = "Height or hash of the block."),
        ("pallet" = Option<String>, Query, description = "Only events of this pallet."),
        ("name" = Option<String>, Query, description = "Only events with this name."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of events.", content(
        (Page<Event> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn events(
    State(app): State<App>,
    Path(block): Path<String>,
    parts: Parts,
) -> Response {
    let known = ["pallet", "name", "first", "after"];
    told(&app, &parts, "events", &known, |parameters| {
        let wanted = Wanted::of(&block, parameters, Kind::Event)?;
        Ok(move |reader: &dyn Reader| {
            let found = wanted.at.find(reader, None)?;
            let all = reader.events(&[found.stamp.block])?.into_iter();
            let all: Vec<_> = all
                .flatten()
                .filter(|event| wanted.takes(&event.pallet, &event.name))
                .collect();
            wanted.page(all, |event| event.index, found, Event::from)
        })
    })
    .await
}

/// What is wanted of a block.
struct Wanted {
    at: At,
    pallet: Option<String>,
    name: Option<String>,
    page: Paged,
    kind: Kind,
}

impl Wanted {
    fn of(block: &str, parameters: &Parameters<'_>, kind: Kind) -> Result<Self, Problem> {
        let page = Paged::of(parameters, size(DEFAULT_ITEMS), size(MAX_ITEMS))?;
        page.cursor(kind)?;
        Ok(Self {
            at: block_named(block)?,
            pallet: parameters.text("pallet")?,
            name: parameters.text("name")?,
            page,
            kind,
        })
    }

    fn takes(&self, pallet: &str, name: &str) -> bool {
        let same = |wanted: &Option<String>, given: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == given)
        };
        same(&self.pallet, pallet) && same(&self.name, name)
    }

    fn page<T, S: Shown + serde::Serialize + utoipa::ToSchema>(
        &self,
        all: Vec<T>,
        index: impl Fn(&T) -> u32,
        found: super::params::Found,
        shown: impl Fn(T) -> S,
    ) -> Result<Answer<Page<S>>, No> {
        let block = found.stamp.block;
        let page = page_in_block(all, index, block, self.kind, &args(&self.page));
        let page = page.map_err(problem_of)?;
        let last = page.items.last().filter(|_| page.has_next);
        let next = last.map(|(cursor, _)| cursor.encode_cursor());
        let items = page.items.into_iter().map(|(_, item)| shown(item));
        Ok(Answer {
            body: Page {
                stamp: Some(found.stamp),
                items: items.collect(),
                next,
            },
            stamp: Some(found.stamp),
            for_good: found.fixed,
        })
    }
}
