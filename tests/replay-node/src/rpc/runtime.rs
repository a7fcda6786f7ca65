//! Runtime versions, metadata and runtime-API calls.

use chain_metadata::H256;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::ErrorObjectOwned;
use parity_scale_codec::{Compact, Decode, Encode};
use serde_json::Value;

use super::Table;
use crate::answer::{Answer, Hex, client_error, hex, invalid_params};
use crate::chain::Block;
use crate::shared::Shared;

/// How a `RuntimeVersion` names the API `Core`.
const CORE: &str = "0xdf6acb689907609b";
/// How it names the API `Metadata`.
const METADATA: &str = "0x37e397fc7c91f5e4";

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.method(&["state_getMetadata"], |shared, arguments| {
        let block = shared.state_at(arguments.optional()?)?;
        metadata(shared, &block, 14).map(Answer::bytes)
    })?;
    table.method(
        &["state_getRuntimeVersion", "chain_getRuntimeVersion"],
        |shared, arguments| {
            let block = shared.state_at(arguments.optional()?)?;
            version(shared, &block).map(|version| Answer::Json(version.clone()))
        },
    )?;
    table.method(&["state_call", "state_callAt"], |shared, arguments| {
        let method: String = arguments.required()?;
        let Hex(input) = arguments.required()?;
        let block = shared.state_at(arguments.optional::<H256>()?)?;
        call(shared, &block, &method, &input).map(|result| Answer::bytes(&result))
    })
}

/// The `RuntimeVersion` of the state after a block, in JSON.
pub(super) fn version<'a>(
    shared: &'a Shared,
    block: &Block,
) -> Result<&'a Value, ErrorObjectOwned> {
    let spec = shared.chain.spec(block);
    spec.and_then(|spec| shared.chain.recording.runtime_version(spec))
        .ok_or_else(|| client_error(format!("no runtime is recorded at {}", at(block))))
}

fn metadata<'a>(
    shared: &'a Shared,
    block: &Block,
    format: u8,
) -> Result<&'a [u8], ErrorObjectOwned> {
    let spec = shared.chain.spec(block);
    spec.and_then(|spec| shared.chain.recording.metadata(spec, format))
        .ok_or_else(|| client_error(format!("no metadata V{format} at {}", at(block))))
}

fn at(block: &Block) -> String {
    format!("block {} ({})", block.number, block.hash)
}

/// Answers a runtime-API call with its SCALE-encoded result.
fn call(
    shared: &Shared,
    block: &Block,
    method: &str,
    input: &[u8],
) -> Result<Vec<u8>, ErrorObjectOwned> {
    let recording = &shared.chain.recording;
    let spec = shared.chain.spec(block).unwrap_or_default();
    match method {
        "Core_version" => {
            let json = version(shared, block)?;
            let core = recording.api_version(spec, CORE).unwrap_or(0);
            encode_version(json, core).ok_or_else(|| {
                client_error(format!(
                    "the runtime of {} is not recorded whole",
                    at(block)
                ))
            })
        }
        "Metadata_metadata" => Ok(opaque(metadata(shared, block, 14)?)),
        "Metadata_metadata_at_version" | "Metadata_metadata_versions"
            if recording.api_version(spec, METADATA) < Some(2) =>
        {
            // Word for word what a node says: clients tell old runtimes by this sentence.
            Err(client_error(format!(
                "Client error: Execution failed: Other: Exported method {method} is not found"
            )))
        }
        "Metadata_metadata_versions" => {
            let versions = recording.metadata_versions(spec);
            Ok(versions
                .into_iter()
                .map(u32::from)
                .collect::<Vec<_>>()
                .encode())
        }
        "Metadata_metadata_at_version" => {
            let wanted = u32::decode(&mut &*input)
                .map_err(|_| invalid_params(format!("{method} takes a u32, not {}", hex(input))))?;
            let format = u8::try_from(wanted).ok();
            let bytes = format.and_then(|format| recording.metadata(spec, format));
            Ok(match bytes {
                None => vec![0],
                Some(bytes) => [vec![1], opaque(bytes)].concat(),
            })
        }
        _ => recorded(shared, block, method, input),
    }
}

/// The answer that the runtime gave when the chain was recorded.
fn recorded(
    shared: &Shared,
    block: &Block,
    method: &str,
    input: &[u8],
) -> Result<Vec<u8>, ErrorObjectOwned> {
    let recording = &shared.chain.recording;
    let found = recording
        .block(block.source)
        .and_then(|source| recording.call(&source.hash, method, input));
    if let Some(result) = found {
        return Ok(result.to_vec());
    }
    let mut blocks: Vec<u32> = recording
        .calls()
        .iter()
        .filter(|call| call.method == method)
        .map(|call| call.block)
        .collect();
    blocks.dedup();
    let known = if blocks.is_empty() {
        "no call of it was".to_owned()
    } else {
        format!("calls of it were at blocks {blocks:?}")
    };
    Err(client_error(format!(
        "{method} with {} was not recorded at {}, {known}: a replay node cannot execute it",
        hex(input),
        at(block),
    )))
}

/// Bytes behind their length, as the runtime gives metadata.
fn opaque(bytes: &[u8]) -> Vec<u8> {
    let mut out = Compact(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).encode();
    out.extend_from_slice(bytes);
    out
}

/// The SCALE form of a `RuntimeVersion`. Version 3 of `Core` brought the transaction version, version 4
/// the state version, which later became the system version.
fn encode_version(json: &Value, core: u32) -> Option<Vec<u8>> {
    let number = |key: &str| u32::try_from(json.get(key)?.as_u64()?).ok();
    let mut out = Vec::new();
    json.get("specName")?.as_str()?.encode_to(&mut out);
    json.get("implName")?.as_str()?.encode_to(&mut out);
    for key in ["authoringVersion", "specVersion", "implVersion"] {
        number(key)?.encode_to(&mut out);
    }
    let mut apis: Vec<([u8; 8], u32)> = Vec::new();
    for entry in json.get("apis")?.as_array()? {
        let mut id = [0; 8];
        let text = entry.get(0)?.as_str()?.strip_prefix("0x")?;
        hex::decode_to_slice(text, &mut id).ok()?;
        apis.push((id, u32::try_from(entry.get(1)?.as_u64()?).ok()?));
    }
    apis.encode_to(&mut out);
    if core >= 3 {
        number("transactionVersion")?.encode_to(&mut out);
    }
    if core >= 4 {
        let state = number("systemVersion").or_else(|| number("stateVersion"))?;
        u8::try_from(state).ok()?.encode_to(&mut out);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runtime_versions_in_scale() {
        let json = json!({
            "specName": "ab", "implName": "c", "authoringVersion": 1, "specVersion": 300,
            "implVersion": 2, "apis": [["0x0102030405060708", 5]], "transactionVersion": 7,
            "stateVersion": 1,
        });
        let base = "0861620463010000002c0100000200000004010203040506070805000000";
        assert_eq!(hex::encode(encode_version(&json, 2).unwrap()), base);
        let with_transaction = format!("{base}07000000");
        assert_eq!(
            hex::encode(encode_version(&json, 3).unwrap()),
            with_transaction
        );
        assert_eq!(
            hex::encode(encode_version(&json, 5).unwrap()),
            format!("{with_transaction}01")
        );
        assert_eq!(encode_version(&json!({"specName": "ab"}), 4), None);
    }
}
