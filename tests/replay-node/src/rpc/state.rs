//! `state_…` over storage: values, hashes, sizes and keys.

use chain_metadata::blake2_256;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::ErrorObject;
use serde_json::json;

use super::Table;
use crate::answer::{Answer, Hex, hex};

/// A page of keys may not be longer.
const MAX_PAGE: u32 = 1000;

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.method(
        &["state_getStorage", "state_getStorageAt"],
        |shared, arguments| {
            let Hex(key) = arguments.required()?;
            let block = shared.state_at(arguments.optional()?)?;
            Ok(Answer::maybe_bytes(shared.chain.storage(&block, &key)))
        },
    )?;
    table.method(
        &["state_getStorageHash", "state_getStorageHashAt"],
        |shared, arguments| {
            let Hex(key) = arguments.required()?;
            let block = shared.state_at(arguments.optional()?)?;
            let value = shared.chain.storage(&block, &key);
            Ok(value.map_or(Answer::Null, |value| Answer::hash(blake2_256(value))))
        },
    )?;
    table.method(
        &["state_getStorageSize", "state_getStorageSizeAt"],
        |shared, arguments| {
            let Hex(key) = arguments.required()?;
            let block = shared.state_at(arguments.optional()?)?;
            let value = shared.chain.storage(&block, &key);
            Ok(value.map_or(Answer::Null, |value| Answer::Json(json!(value.len()))))
        },
    )?;
    table.method(
        &["state_getKeysPaged", "state_getKeysPagedAt"],
        |shared, arguments| {
            let prefix: Option<Hex> = arguments.optional()?;
            let count: u32 = arguments.required()?;
            let start: Option<Hex> = arguments.optional()?;
            let block = shared.state_at(arguments.optional()?)?;
            if count > MAX_PAGE {
                let message =
                    format!("count exceeds maximum value. value: {count}, max: {MAX_PAGE}");
                return Err(ErrorObject::owned(4002, message, None::<()>));
            }
            let keys = shared.chain.recording.keys(
                block.source,
                &prefix.map(|prefix| prefix.0).unwrap_or_default(),
                start.as_ref().map(|start| start.0.as_slice()),
                usize::try_from(count).unwrap_or(0),
            );
            Ok(Answer::List(keys.into_iter().map(Answer::bytes).collect()))
        },
    )?;
    table.method(&["state_getKeys"], |shared, arguments| {
        let Hex(prefix) = arguments.required()?;
        let block = shared.state_at(arguments.optional()?)?;
        let keys = shared
            .chain
            .recording
            .keys(block.source, &prefix, None, usize::MAX);
        Ok(Answer::List(keys.into_iter().map(Answer::bytes).collect()))
    })?;
    table.method(&["state_queryStorageAt"], |shared, arguments| {
        let keys: Vec<Hex> = arguments.required()?;
        let block = shared.state_at(arguments.optional()?)?;
        let changes = keys
            .iter()
            .map(|Hex(key)| (hex(key), shared.chain.storage(&block, key).map(hex)))
            .collect();
        Ok(Answer::List(vec![Answer::Changes(block.hash, changes)]))
    })
}
