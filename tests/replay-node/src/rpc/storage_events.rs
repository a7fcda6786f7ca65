//! `state_subscribeStorage`: values of some keys, now and whenever they change.

use std::sync::Arc;

use jsonrpsee::server::{PendingSubscriptionSink, RegisterMethodError};
use jsonrpsee::types::Params;

use super::subscriptions::{Heads, send};
use super::{Arguments, Table};
use crate::answer::{Answer, Hex, hex, invalid_params};
use crate::shared::Shared;

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.0.register_subscription(
        "state_subscribeStorage",
        "state_storage",
        "state_unsubscribeStorage",
        |params, pending, shared, _| follow_storage(params, pending, shared),
    )?;
    Ok(())
}

async fn follow_storage(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    shared: Arc<Shared>,
) {
    let keys: Vec<Hex> = match Arguments::new(&params).optional() {
        Ok(Some(keys)) => keys,
        Ok(None) => {
            let message = "all storage is too much to follow; name the keys".to_owned();
            pending.reject(invalid_params(message)).await;
            return;
        }
        Err(error) => {
            pending.reject(error).await;
            return;
        }
    };
    let (mut block, mut events) = Heads::Best.begin(&shared);
    let Ok(sink) = pending.accept().await else {
        return;
    };
    let mut before = None;
    while let Some(current) = block {
        let value = |key: &Hex| shared.chain.storage(&current, &key.0);
        let changes: Vec<_> = keys
            .iter()
            .filter(|key| match &before {
                None => true,
                Some(before) => shared.chain.storage(before, &key.0) != value(key),
            })
            .map(|key| (hex(&key.0), value(key).map(hex)))
            .collect();
        if !changes.is_empty() && !send(&sink, &Answer::Changes(current.hash, changes)).await {
            return;
        }
        before = block;
        block = tokio::select! {
            () = sink.closed() => return,
            next = Heads::Best.next(&shared, &mut events, block) => next,
        };
    }
}
