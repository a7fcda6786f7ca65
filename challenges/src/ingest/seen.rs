//! What was taken in already (table `result-seen`), so that a request is taken in once.
//!
//! | kind | time | hash of | value |
//! |---|---|---|---|
//! | 1 | when the request was signed | hotkey, time as signed, body | empty |
//! | 2 | 0 | hotkey, subnet, idempotency key | hash of the body, first record `u64`, records `u32`, when it came in `u64` |
//! | 3 | when it came in | as kind 2 | empty: tells how old the row of kind 2 is |

use chain_metadata::AccountId;
use indexer::store::Store;
use indexer::store::engine::{Batch, Range};
use indexer::store::tables::Table;
use sha2::{Digest, Sha256};

use super::{Accepted, IngestError};
use crate::ledger::{LedgerError, Seq};

const REQUEST: u8 = 1;
const KEY: u8 = 2;
const KEY_AGE: u8 = 3;

/// Rows of each kind that one request prunes at most.
const PRUNED_AT_ONCE: usize = 256;

/// How long an idempotency key is known, in milliseconds: a day.
pub const KEY_LIFE_MS: u64 = 86_400_000;

fn key(kind: u8, time: u64, hash: &[u8; 32]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(41);
    rest.push(kind);
    rest.extend_from_slice(&time.to_be_bytes());
    rest.extend_from_slice(hash);
    Table::ResultSeen.key(&rest)
}

/// Hash of some parts, each with its length.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(len.to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The row that says that a request came in. The signature is not in it: one can sign the
/// same twice with two signatures.
pub(super) fn request(hotkey: &AccountId, at_ms: u64, time: &str, body: &str) -> Vec<u8> {
    let hash = hash(&[&hotkey.0, time.as_bytes(), body.as_bytes()]);
    key(REQUEST, at_ms, &hash)
}

/// Names an idempotency key.
pub(super) fn name(hotkey: &AccountId, netuid: u16, text: &str) -> [u8; 32] {
    hash(&[&hotkey.0, &netuid.to_be_bytes(), text.as_bytes()])
}

fn read(store: &Store, key: &[u8]) -> Result<Option<Vec<u8>>, IngestError> {
    let row = store.engine().get(key);
    row.map_err(|error| IngestError::Ledger(error.into()))
}

pub(super) fn has(store: &Store, key: &[u8]) -> Result<bool, IngestError> {
    Ok(read(store, key)?.is_some())
}

/// A row of kind 2.
struct Answer {
    body: [u8; 32],
    first: Seq,
    count: u32,
    came_ms: u64,
}

impl Answer {
    fn read(row: &[u8]) -> Result<Answer, IngestError> {
        let parts = || {
            let (body, rest) = row.split_first_chunk::<32>()?;
            let (first, rest) = rest.split_first_chunk::<8>()?;
            let (count, came) = rest.split_first_chunk::<4>()?;
            Some(Answer {
                body: *body,
                first: u64::from_be_bytes(*first),
                count: u32::from_be_bytes(*count),
                came_ms: u64::from_be_bytes(came.try_into().ok()?),
            })
        };
        parts().ok_or(IngestError::Ledger(LedgerError::Damaged {
            seq: 0,
            what: "a row of table result-seen is none".into(),
        }))
    }
}

/// What the first request under an idempotency key was answered, if there was one within a
/// day.
pub(super) fn first_answer(
    store: &Store,
    name: &[u8; 32],
    now_ms: u64,
    body: &str,
) -> Result<Option<Accepted>, IngestError> {
    let Some(row) = read(store, &key(KEY, 0, name))? else {
        return Ok(None);
    };
    let answer = Answer::read(&row)?;
    if now_ms.saturating_sub(answer.came_ms) > KEY_LIFE_MS {
        return Ok(None);
    }
    if hex::encode(answer.body) != body {
        return Err(IngestError::KeyReused);
    }
    Ok(Some(Accepted {
        first: answer.first,
        count: answer.count,
        payload: body.to_owned(),
        repeated: true,
    }))
}

/// Remembers the answer under an idempotency key.
pub(super) fn put_answer(
    batch: &mut Batch,
    name: &[u8; 32],
    now_ms: u64,
    body: &str,
    (first, count): (Seq, u32),
) {
    let mut value = hex::decode(body).unwrap_or_default();
    value.extend_from_slice(&first.to_be_bytes());
    value.extend_from_slice(&count.to_be_bytes());
    value.extend_from_slice(&now_ms.to_be_bytes());
    batch.put(key(KEY, 0, name), value);
    batch.put(key(KEY_AGE, now_ms, name), Vec::new());
}

/// Takes away what no longer decides anything: requests that would be refused as too old by
/// now, and idempotency keys of more than a day ago.
pub(super) fn prune(
    store: &Store,
    batch: &mut Batch,
    now_ms: u64,
    window_ms: u64,
) -> Result<(), IngestError> {
    // Twice the window: a clock may be put back a little.
    let old = now_ms.saturating_sub(window_ms.saturating_mul(2));
    for (kind, below) in [
        (REQUEST, old),
        (KEY_AGE, now_ms.saturating_sub(KEY_LIFE_MS)),
    ] {
        let range = Range {
            from: Table::ResultSeen.key(&[kind]),
            below: Some(key(kind, below, &[0; 32])),
            reverse: false,
        };
        for row in store.engine().scan(range).take(PRUNED_AT_ONCE) {
            let (found, _) = row.map_err(LedgerError::from)?;
            if kind == KEY_AGE
                && let Some(name) = found.last_chunk::<32>()
                && let Some(row) = read(store, &key(KEY, 0, name))?
                // Unless the key was used anew since.
                && found == key(KEY_AGE, Answer::read(&row)?.came_ms, name)
            {
                batch.delete(key(KEY, 0, name));
            }
            batch.delete(found);
        }
    }
    Ok(())
}
