//! Extrinsics, events and storage items as JSON for people and scripts.

use serde_json::{Map, Value as Json, json};

use crate::value::fields_json;
use crate::{
    Call, DecodeCause, DecodeError, DispatchError, Era, Event, Extrinsic, ExtrinsicKind,
    ExtrinsicOutcome, KeyPart, Metadata, NestedCall, Origin, Outcome, Phase,
};

/// An extrinsic as JSON.
///
/// `nested` is the answer of [`nested_calls`](crate::nested_calls), of which the outer call itself
/// is left out. Without an outcome `success`, `error` and `fee` are null.
pub fn extrinsic_json(
    meta: &Metadata,
    xt: &Extrinsic,
    nested: &[NestedCall],
    outcome: Option<&ExtrinsicOutcome>,
) -> Json {
    let prefix = meta.ss58_prefix();
    let (kind, signature) = match &xt.kind {
        ExtrinsicKind::Signed { signature, .. } => ("signed", Some(signature)),
        ExtrinsicKind::General { .. } => ("general", None),
        ExtrinsicKind::Bare => ("bare", None),
    };
    let extensions = xt.extensions.iter();
    let extensions: Map<_, _> = extensions
        .map(|(name, value)| (name.to_string(), value.to_json(prefix)))
        .collect();
    let inner = nested.iter().filter(|call| !call.path.is_empty());
    json!({
        "index": xt.index,
        "hash": xt.hash,
        "length": xt.raw_len,
        "version": xt.version,
        "kind": kind,
        "signer": xt.signer().map(|signer| signer.to_ss58(prefix)),
        "signature": signature.map(|signature| signature.to_json(prefix)),
        "nonce": xt.extension("CheckNonce").map(|nonce| nonce.to_json(prefix)),
        "tip": xt.tip().map(|tip| tip.to_string()),
        "era": xt.era().map(era_json),
        "extensions": extensions,
        "call": call_json(&xt.call, prefix),
        "nested": inner.map(|call| nested_json(call, prefix)).collect::<Vec<_>>(),
        "success": outcome.and_then(|outcome| outcome.success),
        "error": outcome.and_then(|outcome| outcome.error.as_ref()).map(error_json),
        "fee": outcome.and_then(|outcome| outcome.fee).map(|fee| fee.to_string()),
    })
}

/// A call as JSON: pallet, name and the arguments by name.
pub fn call_json(call: &Call, ss58_prefix: u16) -> Json {
    let args = call.args.iter();
    let args: Map<_, _> = args
        .map(|(name, value)| (name.to_string(), value.to_json(ss58_prefix)))
        .collect();
    json!({ "pallet": &*call.pallet, "name": &*call.name, "args": args })
}

/// An event as JSON.
pub fn event_json(event: &Event, ss58_prefix: u16) -> Json {
    let phase = match event.phase {
        Phase::ApplyExtrinsic(_) => "ApplyExtrinsic",
        Phase::Finalization => "Finalization",
        Phase::Initialization => "Initialization",
    };
    json!({
        "index": event.index,
        "phase": phase,
        "extrinsicIndex": event.extrinsic_index(),
        "pallet": &*event.pallet,
        "event": &*event.name,
        "fields": fields_json(&event.fields, ss58_prefix),
        "topics": event.topics,
    })
}

/// A storage item as JSON: pallet, entry, the parts of its key and its value. The plain value of a
/// key part that is only there as a hash is not known; it is shown as an object with the hash.
///
/// # Errors
/// When no entry has the key, or key or value do not fit the entry.
pub fn storage_json(
    meta: &Metadata,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Json, DecodeError> {
    let prefix = meta.ss58_prefix();
    let entry = meta.storage_by_key(key).ok_or_else(|| {
        let shown = hex::encode(key.get(..32).unwrap_or(key));
        DecodeError::new("storage", format!("0x{shown}"), DecodeCause::NotInMetadata)
    })?;
    let keys = entry.decode_keys(meta.types(), key)?;
    let keys = keys.iter().map(|part| match part {
        KeyPart::Value(value) => value.to_json(prefix),
        KeyPart::Hashed(hash) => json!({ "hash": format!("0x{}", hex::encode(hash)) }),
    });
    let value = match value {
        Some(bytes) => entry.decode_value(meta.types(), bytes)?.to_json(prefix),
        None => Json::Null,
    };
    Ok(json!({
        "pallet": entry.pallet,
        "entry": entry.name,
        "keys": keys.collect::<Vec<_>>(),
        "value": value,
    }))
}

/// A dispatch error as JSON: pallet, name and documentation, or a name alone.
pub fn error_json(error: &DispatchError) -> Json {
    match error {
        DispatchError::Module {
            pallet, name, docs, ..
        } => json!({ "pallet": &**pallet, "name": &**name, "docs": docs }),
        DispatchError::Other(text) => json!({ "pallet": null, "name": text, "docs": "" }),
    }
}

fn nested_json(nested: &NestedCall, ss58_prefix: u16) -> Json {
    let origin = match &nested.origin {
        Origin::Signed(account) => json!({ "Signed": account.to_ss58(ss58_prefix) }),
        Origin::Root => json!("Root"),
        Origin::None => json!("None"),
        Origin::Other(text) => json!({ "Other": text }),
    };
    let outcome = match &nested.outcome {
        Outcome::Succeeded => json!("Succeeded"),
        Outcome::Failed(error) => json!({ "Failed": error_json(error) }),
        Outcome::NotRun => json!("NotRun"),
        Outcome::Unknown => json!("Unknown"),
    };
    json!({
        "path": nested.path,
        "origin": origin,
        "outcome": outcome,
        "call": call_json(&nested.call, ss58_prefix),
    })
}

fn era_json(era: Era) -> Json {
    match era {
        Era::Immortal => json!("Immortal"),
        Era::Mortal { period, phase } => {
            json!({ "Mortal": { "period": period.to_string(), "phase": phase.to_string() } })
        }
    }
}
