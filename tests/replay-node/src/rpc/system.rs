//! `system_…`: what the node says of itself.

use jsonrpsee::server::RegisterMethodError;
use serde_json::json;

use super::Table;
use crate::answer::Answer;

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.method(&["system_chain"], |shared, _| {
        Ok(Answer::Text(shared.chain.recording.name.clone()))
    })?;
    table.method(&["system_name"], |_, _| {
        Ok(Answer::Text(env!("CARGO_PKG_NAME").into()))
    })?;
    table.method(&["system_version"], |_, _| {
        Ok(Answer::Text(env!("CARGO_PKG_VERSION").into()))
    })?;
    table.method(&["system_chainType"], |_, _| {
        Ok(Answer::Text("Development".into()))
    })?;
    table.method(&["system_properties"], |shared, _| {
        Ok(Answer::Json(shared.chain.recording.properties.clone()))
    })?;
    table.method(&["system_health"], |_, _| {
        Ok(Answer::Json(json!({
            "peers": 0, "isSyncing": false, "shouldHavePeers": false,
        })))
    })
}
