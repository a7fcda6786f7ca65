//! Searches over all blocks: extrinsics and events by account, name and outcome.

use std::sync::Arc;

use async_graphql::{Context, SimpleObject};

use super::error::Res;
use super::event::EventNode;
use super::extrinsic::ExtrinsicNode;
use super::history::{Window, cursor};
use super::paging::Kind;
use crate::loaders::loaders;
use crate::ports::{EventFilter, ExtrinsicFilter};

/// An extrinsic that was found.
#[derive(SimpleObject)]
pub(crate) struct FoundExtrinsic {
    /// The extrinsic.
    extrinsic: ExtrinsicNode,
    /// Where the calls that are meant stand in it, as in nestedCalls; an empty path is the outer
    /// call. With `pallet` or `call` the calls of that name, with `account` those that name it; the
    /// outer call when the account only signed.
    paths: Vec<Vec<u32>>,
}

/// A page of extrinsics that were found, newest first. There is no total: counting would read
/// everything.
#[derive(SimpleObject)]
pub(crate) struct FoundExtrinsicConnection {
    /// What was found.
    nodes: Vec<FoundExtrinsic>,
    /// Whether older ones may follow. One request reads only so much: a page may hold fewer than
    /// asked for, even none, and still be followed by others.
    has_next_page: bool,
    /// To give as `after` for the next page; null when nothing follows.
    end_cursor: Option<String>,
}

/// A page of events that were found, newest first, under the rules of FoundExtrinsicConnection.
#[derive(SimpleObject)]
pub(crate) struct FoundEventConnection {
    /// What was found.
    nodes: Vec<EventNode>,
    /// Whether older ones may follow. One request reads only so much: a page may hold fewer than
    /// asked for, even none, and still be followed by others.
    has_next_page: bool,
    /// To give as `after` for the next page; null when nothing follows.
    end_cursor: Option<String>,
}

pub(crate) async fn extrinsics(
    ctx: &Context<'_>,
    wanted: ExtrinsicFilter,
    window: Window,
) -> Res<FoundExtrinsicConnection> {
    let Window { first, after } = window;
    let read = loaders(ctx)?.reads.run("find_extrinsics", move |reader| {
        reader.find_extrinsics(&wanted, after, first)
    });
    let found = read.await?;
    let nodes = found.items.into_iter().map(|one| FoundExtrinsic {
        extrinsic: ExtrinsicNode(Arc::new(one.extrinsic)),
        paths: one.paths,
    });
    Ok(FoundExtrinsicConnection {
        nodes: nodes.collect(),
        has_next_page: found.next.is_some(),
        end_cursor: found.next.map(|place| cursor(Kind::Extrinsic, place)),
    })
}

pub(crate) async fn events(
    ctx: &Context<'_>,
    wanted: EventFilter,
    window: Window,
) -> Res<FoundEventConnection> {
    let Window { first, after } = window;
    let read = loaders(ctx)?.reads.run("find_events", move |reader| {
        reader.find_events(&wanted, after, first)
    });
    let found = read.await?;
    let nodes = found
        .items
        .into_iter()
        .map(|event| EventNode(Arc::new(event)));
    Ok(FoundEventConnection {
        nodes: nodes.collect(),
        has_next_page: found.next.is_some(),
        end_cursor: found.next.map(|place| cursor(Kind::Event, place)),
    })
}
