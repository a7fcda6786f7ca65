//! Subscriptions to heads and runtime versions.

use std::sync::Arc;

use jsonrpsee::server::{PendingSubscriptionSink, RegisterMethodError, SubscriptionSink};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Table, runtime};
use crate::chain::Block;
use crate::heads::Event;
use crate::shared::Shared;

/// Which heads a subscription wants.
#[derive(Clone, Copy)]
pub(super) enum Heads {
    All,
    Best,
    Finalized,
}

impl Heads {
    /// The head to begin with, and the events from then on.
    pub(super) fn begin(self, shared: &Shared) -> (Option<Block>, Receiver<Event>) {
        let lag = shared.settings().lag;
        // Both under one lock, so that no block falls between them.
        let heads = shared.heads();
        let first = match self {
            Heads::Finalized => shared.chain.block(heads.finalized(lag)),
            Heads::All | Heads::Best => heads.at(&shared.chain, heads.best(lag), lag),
        };
        (first, heads.events())
    }

    /// The head that an event brings, as a node sees it that lags behind; `None` when not wanted.
    fn head(self, shared: &Shared, event: Event) -> Option<Block> {
        let block = match (self, event) {
            (Heads::All, Event::Imported(block))
            | (Heads::Best, Event::Best(block))
            | (Heads::Finalized, Event::Finalized(block)) => block,
            _ => return None,
        };
        match shared.settings().lag {
            0 => Some(block),
            lag => shared.at(block.number.saturating_sub(lag)),
        }
    }

    /// Waits for the next wanted head that differs from `last`; `None` when the node ends.
    ///
    /// A subscriber that is too slow misses heads, as it may with any node.
    pub(super) async fn next(
        self,
        shared: &Shared,
        events: &mut Receiver<Event>,
        last: Option<Block>,
    ) -> Option<Block> {
        loop {
            match events.recv().await {
                Ok(_) if shared.settings().mute => {}
                Ok(event) => match self.head(shared, event) {
                    Some(block) if Some(block) != last => return Some(block),
                    _ => {}
                },
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a subscriber is slow");
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    for (subscribe, notification, unsubscribe, heads) in [
        (
            "chain_subscribeAllHeads",
            "chain_allHead",
            "chain_unsubscribeAllHeads",
            Heads::All,
        ),
        (
            "chain_subscribeNewHeads",
            "chain_newHead",
            "chain_unsubscribeNewHeads",
            Heads::Best,
        ),
        (
            "chain_subscribeFinalizedHeads",
            "chain_finalizedHead",
            "chain_unsubscribeFinalizedHeads",
            Heads::Finalized,
        ),
    ] {
        table.0.register_subscription(
            subscribe,
            notification,
            unsubscribe,
            move |_, pending, shared, _| follow_heads(pending, shared, heads),
        )?;
    }
    for (existing, aliases) in [
        (
            "chain_subscribeNewHeads",
            ["subscribe_newHead", "chain_subscribeNewHead"].as_slice(),
        ),
        (
            "chain_unsubscribeNewHeads",
            &["unsubscribe_newHead", "chain_unsubscribeNewHead"],
        ),
        (
            "chain_subscribeFinalizedHeads",
            &["chain_subscribeFinalisedHeads"],
        ),
        (
            "chain_unsubscribeFinalizedHeads",
            &["chain_unsubscribeFinalisedHeads"],
        ),
    ] {
        table.aliases(existing, aliases)?;
    }
    table.0.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, shared, _| follow_versions(pending, shared),
    )?;
    table.aliases(
        "state_subscribeRuntimeVersion",
        &["chain_subscribeRuntimeVersion"],
    )?;
    table.aliases(
        "state_unsubscribeRuntimeVersion",
        &["chain_unsubscribeRuntimeVersion"],
    )
}

async fn follow_heads(pending: PendingSubscriptionSink, shared: Arc<Shared>, heads: Heads) {
    let (mut last, mut events) = heads.begin(&shared);
    let Ok(sink) = pending.accept().await else {
        return;
    };
    let mut block = last;
    while let Some(header) = block.and_then(|block| shared.chain.header(&block)) {
        if !send(&sink, &header).await {
            return;
        }
        block = tokio::select! {
            () = sink.closed() => return,
            next = heads.next(&shared, &mut events, last) => next,
        };
        last = block;
    }
}

async fn follow_versions(pending: PendingSubscriptionSink, shared: Arc<Shared>) {
    let (mut block, mut events) = Heads::Best.begin(&shared);
    let Ok(sink) = pending.accept().await else {
        return;
    };
    let mut sent = None;
    while let Some(current) = block {
        let spec = shared.chain.spec(&current);
        if sent != Some(spec) {
            let Ok(version) = runtime::version(&shared, &current) else {
                return;
            };
            if !send(&sink, version).await {
                return;
            }
            sent = Some(spec);
        }
        block = tokio::select! {
            () = sink.closed() => return,
            next = Heads::Best.next(&shared, &mut events, block) => next,
        };
    }
}

/// Sends one notification; false when the subscriber has gone.
pub(super) async fn send(sink: &SubscriptionSink, item: &impl Serialize) -> bool {
    match serde_json::value::to_raw_value(item) {
        Ok(json) => sink.send(json).await.is_ok(),
        Err(error) => {
            tracing::error!(%error, "a notification could not be written");
            false
        }
    }
}
