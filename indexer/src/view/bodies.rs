//! Extrinsics and events of a stored block, decoded again from their raw bytes.

use chain_metadata::{
    Event, Extrinsic, ExtrinsicOutcome, NestedCall, Phase, decode_events, decode_extrinsic,
    extrinsic_outcome, nested_calls,
};

use super::At;
use crate::store::{Store, StoreError};

/// An extrinsic with what became of it.
#[derive(Debug, Clone)]
pub struct Body {
    /// Its raw bytes.
    pub raw: Vec<u8>,
    /// The decoded extrinsic; `index` is its place in the block.
    pub extrinsic: Extrinsic,
    /// Success, error, fee and tip as the events say.
    pub outcome: ExtrinsicOutcome,
    /// The call and every call nested in it, outer first.
    pub nested: Vec<NestedCall>,
}

fn damaged(at: &At, table: &'static str, e: chain_metadata::DecodeError) -> StoreError {
    StoreError::Row {
        table,
        key: hex::encode(at.number.to_be_bytes()),
        what: e.in_spec(at.row.spec).at_block(at.number).to_string(),
    }
}

/// Events of a block, in order.
pub fn events(store: &Store, at: &At) -> Result<Vec<Event>, StoreError> {
    let bytes = store.events(at.number)?.unwrap_or_default();
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    decode_events(&at.layout.metadata, &bytes).map_err(|e| damaged(at, "events", e))
}

/// Extrinsics of a block, in order.
pub fn extrinsics(store: &Store, at: &At) -> Result<Vec<Body>, StoreError> {
    let events = events(store, at)?;
    let metadata = &at.layout.metadata;
    let raw = store.body(at.number)?.unwrap_or_default();
    (0_u32..)
        .zip(raw)
        .map(|(index, raw)| {
            let mut extrinsic =
                decode_extrinsic(metadata, &raw).map_err(|e| damaged(at, "body", e))?;
            extrinsic.index = index;
            let its: Vec<&Event> = events
                .iter()
                .filter(|e| e.phase == Phase::ApplyExtrinsic(index))
                .collect();
            Ok(Body {
                outcome: extrinsic_outcome(metadata, &extrinsic, &its),
                nested: nested_calls(metadata, &extrinsic, &its),
                raw,
                extrinsic,
            })
        })
        .collect()
}
