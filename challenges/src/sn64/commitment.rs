//! Whether a report is the one that was committed on chain, by our own index.

use chain_metadata::{AccountId, BlockNumber, NetUid, Value};
use indexer::store::Store;
use indexer::view;
use serde_json::Value as Json;

use super::AuditError;

/// What comes of a check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The chain holds the hash of this report at the block of the entry.
    Verified,
    /// The chain holds another hash.
    Mismatch {
        /// The hash on chain, in hex.
        chain: String,
    },
    /// The hotkey has no commitment of a sha256 at the block.
    Missing,
    /// It cannot be told.
    Unverifiable {
        /// Why.
        why: String,
    },
}

impl Verdict {
    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::Mismatch { .. } => "mismatch",
            Verdict::Missing => "missing",
            Verdict::Unverifiable { .. } => "unverifiable",
        }
    }
}

/// The sha256 of a decoded value of `CommitmentOf`, or of the `info` of a call: the first
/// field that is a `Sha256`, however many tuples or lists of one lie around it, its hash
/// as bytes, as 32 numbers, or as hex digits. `None` when there is none.
pub fn sha256(value: &Value) -> Option<[u8; 32]> {
    search(value, 0)
}

/// Values of the chain are not nested deeper than this.
const MAX_DEPTH: usize = 16;

fn search(value: &Value, depth: usize) -> Option<[u8; 32]> {
    if depth > MAX_DEPTH {
        return None;
    }
    let next = |value| search(value, depth + 1);
    match value {
        Value::Variant { name, fields, .. } if &**name == "Sha256" => {
            fields.iter().find_map(|(_, field)| hash(field, 0))
        }
        Value::Composite(fields) | Value::Variant { fields, .. } => {
            fields
                .iter()
                .find_map(|(name, field)| match name.as_deref() {
                    Some("Sha256") => hash(field, 0),
                    _ => next(field),
                })
        }
        Value::Seq(items) | Value::Tuple(items) => items.iter().find_map(next),
        _ => None,
    }
}

fn hash(value: &Value, depth: usize) -> Option<[u8; 32]> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(bytes) = value.as_bytes() {
        return <[u8; 32]>::try_from(bytes).ok().or_else(|| hex32(bytes));
    }
    match value {
        Value::Account(bytes) => Some(*bytes),
        Value::Str(text) => hex32(text.as_bytes()),
        Value::Seq(items) | Value::Tuple(items) => match items.as_slice() {
            [one] => hash(one, depth + 1),
            items => {
                let bytes: Option<Vec<u8>> = items.iter().map(Value::as_u8).collect();
                bytes?.try_into().ok()
            }
        },
        Value::Composite(fields) => match fields.as_slice() {
            [(_, one)] => hash(one, depth + 1),
            _ => None,
        },
        _ => None,
    }
}

fn hex32(text: &[u8]) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    hex::decode_to_slice(text.strip_prefix(b"0x").unwrap_or(text), &mut out).ok()?;
    Some(out)
}

/// The same of the JSON that nodes and tools print: `{"fields": [[{"Sha256": …}]]}` in the
/// shapes of [`sha256`].
///
/// ```
/// use challenges::sn64::commitment::sha256_of_json;
/// use serde_json::json;
/// let hash = "0x".to_owned() + &"07".repeat(32);
/// for shape in [
///     json!({"info": {"fields": [[{"Sha256": hash}]]}}),
///     json!({"fields": [{"Sha256": [vec![7; 32]]}]}),
///     json!({"fields": [[{"Sha256": vec![7; 32]}]]}),
/// ] {
///     assert_eq!(sha256_of_json(&shape), Some([7; 32]), "{shape}");
/// }
/// assert_eq!(sha256_of_json(&json!({"fields": [[{"Raw4": "0x01020304"}]]})), None);
/// ```
pub fn sha256_of_json(value: &Json) -> Option<[u8; 32]> {
    match value {
        Json::Object(members) => match members.get("Sha256") {
            Some(found) => hash_of_json(found),
            None => members.values().find_map(sha256_of_json),
        },
        Json::Array(items) => items.iter().find_map(sha256_of_json),
        _ => None,
    }
}

fn hash_of_json(value: &Json) -> Option<[u8; 32]> {
    match value {
        Json::String(text) => hex32(text.as_bytes()),
        Json::Array(items) => match items.as_slice() {
            [one] => hash_of_json(one),
            items => {
                let byte = |item: &Json| item.as_u64().and_then(|n| u8::try_from(n).ok());
                let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
                bytes?.try_into().ok()
            }
        },
        _ => None,
    }
}

/// Compares the hash of a report with what the hotkey has committed at the end of the
/// block of the entry.
///
/// # Errors
///
/// When the store is damaged.
pub fn check(
    store: Option<&Store>,
    netuid: NetUid,
    hotkey: &AccountId,
    block: BlockNumber,
    report: &[u8; 32],
) -> Result<Verdict, AuditError> {
    let unverifiable = |why: String| Ok(Verdict::Unverifiable { why });
    let Some(store) = store else {
        return unverifiable(
            "no store was given; give --data-dir with a store that holds the block".into(),
        );
    };
    let Some(at) = view::at(store, block)? else {
        let pruned = store
            .missing()
            .into_iter()
            .find(|m| (m.first..=m.last).contains(&block));
        return unverifiable(match pruned {
            Some(missing) => format!(
                "block {block} was left out of the store: {}",
                missing.reason
            ),
            None => {
                let held: Vec<String> = store
                    .spans()
                    .iter()
                    .map(|span| format!("{} to {}", span.first, span.last))
                    .collect();
                format!(
                    "block {block} is not in the store, which holds {}",
                    held.join(", ")
                )
            }
        });
    };
    match view::held(
        store,
        &at,
        "CommitmentOf",
        &[&netuid.0.to_le_bytes(), &hotkey.0],
    )? {
        view::Held::Gone => {
            unverifiable(format!("the runtime of block {block} has no commitments"))
        }
        held => Ok(match held.stored().as_ref().and_then(sha256) {
            None => Verdict::Missing,
            Some(chain) if chain == *report => Verdict::Verified,
            Some(chain) => Verdict::Mismatch {
                chain: hex::encode(chain),
            },
        }),
    }
}

#[cfg(test)]
mod tests;
