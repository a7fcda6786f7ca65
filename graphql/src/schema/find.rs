//! Searches over all blocks: extrinsics and events by account, name and outcome.

use std::sync::Arc;

use async_graphql::{Context, SimpleObject};

use super::connection::{FoundEventConnection, FoundExtrinsicConnection};
use super::error::Res;
use super::event::EventNode;
use super::extrinsic::ExtrinsicNode;
use super::window::{Order, Window};
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

pub(crate) async fn extrinsics(
    ctx: &Context<'_>,
    wanted: ExtrinsicFilter,
    window: Window,
) -> Res<FoundExtrinsicConnection> {
    let (after, size) = (window.start(), window.size);
    let read = loaders(ctx)?.reads.run("find_extrinsics", move |reader| {
        reader.find_extrinsics(&wanted, after, size)
    });
    let found = read.await?;
    let items = found.items.into_iter().map(|one| {
        let place = (one.extrinsic.block, one.extrinsic.index);
        let node = FoundExtrinsic {
            extrinsic: ExtrinsicNode(Arc::new(one.extrinsic)),
            paths: one.paths,
        };
        (place, node)
    });
    let page = window.page(Order::NewestFirst, items.collect(), found.next);
    Ok(FoundExtrinsicConnection(page))
}

pub(crate) async fn events(
    ctx: &Context<'_>,
    wanted: EventFilter,
    window: Window,
) -> Res<FoundEventConnection> {
    let (after, size) = (window.start(), window.size);
    let read = loaders(ctx)?.reads.run("find_events", move |reader| {
        reader.find_events(&wanted, after, size)
    });
    let found = read.await?;
    let items = found.items.into_iter();
    let items = items.map(|event| ((event.block, event.index), EventNode(Arc::new(event))));
    let page = window.page(Order::NewestFirst, items.collect(), found.next);
    Ok(FoundEventConnection(page))
}
